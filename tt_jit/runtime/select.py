"""Which device runs kernels: the chip through ttnn, or the emulator."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ..config import config
from ..errors import ArgumentError, DeviceError
from ..target import TARGETS, Target
from . import ttnn_environment
from .emulator import EmulatorDevice

if TYPE_CHECKING:
    from .base import Device


def device(spec: Any = None, target: str | None = None) -> Device:
    """The device that `spec` names: "auto", "emulator", "ttnn", "ttnn:1", or a device itself. None means
    `config.device`.

    `target` chooses the chip that the emulator stands for; None means `config.target`. Equal requests give the same
    object.
    """
    if spec is None:
        spec = config.device
    if not isinstance(spec, str):
        if hasattr(spec, "load") and hasattr(spec, "target"):
            return spec
        if type(spec).__module__.startswith("ttnn"):
            # A device that the user has opened.
            from .ttnn import open_device

            return open_device(spec)
        raise ArgumentError(
            f"{spec!r} is no device",
            parameter="device",
            got=type(spec).__name__,
            needed='"auto", "emulator", "ttnn", "ttnn:N" or a device made by tt_jit.device()',
        )
    kind, _, number = spec.partition(":")
    if kind == "auto":
        kind = "ttnn" if chip_is_there() else "emulator"
    if kind == "emulator" and not number:
        return _emulator(target or config.target)
    if kind == "ttnn" and (not number or number.isdigit()):
        return _checked(_chip(int(number or 0)), target)
    raise ArgumentError(
        f"{spec!r} names no device",
        parameter="device",
        got=repr(spec),
        needed='"auto", "emulator", "ttnn" or "ttnn:N"',
    )


def chip_is_there() -> bool:
    """Whether there is a card or Tenstorrent's simulator, and ttnn to reach it."""
    return ttnn_environment.is_available()


@cache
def _emulator(target: str) -> Device:
    return EmulatorDevice(Target.named(target))


@cache
def _chip(number: int) -> Device:
    from .ttnn import open_device

    return open_device(number)


def _checked(found: Device, target: str | None) -> Device:
    if target is not None and found.target.arch != target:
        raise DeviceError(
            f"the kernel is for {target}, but the device is a {found.target.arch}",
            hint=f'leave target= out, or run on the emulator: device="emulator", target="{target}"',
        )
    return found


def named_target(target: Any) -> str | None:
    """The chip that a decorator's `target=` names, or None for TileLang's GPU targets, which mean nothing here."""
    return target if isinstance(target, str) and target in TARGETS else None
