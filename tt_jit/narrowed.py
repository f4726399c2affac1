"""Tensors of int64: 64 bits in torch, 32 on the chip, whose lanes have no more.

The host makes int32 of every int64 argument before a launch and looks whether each value survived; what a kernel wrote
is widened again after it. Nothing wraps around without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from .errors import ArgumentError

NARROWED = "int64"
ALL_BITS = 31
"""Those of an int32 but for its sign."""
_UNTOUCHED = -0x6B8E3A75
"""What stands for an element that int32 cannot hold, in a tensor that a kernel writes and does not read."""

Launch = Callable[[Sequence[torch.Tensor | None], Sequence[int | float]], None]


@dataclass(frozen=True, kw_only=True)
class Wide:
    """How a kernel uses an int64 tensor; `place` is that among the launch's tensors."""

    place: int
    name: str
    bits: int
    """How many bits its values may have, but for the sign: less than all where the kernel computes with them."""
    is_read: bool
    is_written: bool
    is_new: bool
    """The call itself allocated the tensor: there is nothing in it."""


def narrowing(launch: Launch, kernel: str, wide: Sequence[Wide]) -> Launch:
    """`launch` with int32 tensors in the place of the int64 ones."""
    if not wide:
        return launch

    def launch_narrow(tensors: Sequence[torch.Tensor | None], scalars: Sequence[int | float]) -> None:
        values = list(tensors)
        kept: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]] = []
        for use in wide:
            tensor = values[use.place]
            if not isinstance(tensor, torch.Tensor):
                if use.bits < ALL_BITS and tensor is not None:
                    raise _unchecked(kernel, use)
                continue
            narrow, beyond = _narrow(tensor, kernel, use)
            values[use.place] = narrow
            if use.is_written:
                kept.append((tensor, narrow, beyond))
        launch(values, scalars)
        for tensor, narrow, beyond in kept:
            if beyond is None:
                tensor.copy_(narrow)
            else:
                tensor.copy_(torch.where(beyond & (narrow == _UNTOUCHED), tensor, narrow))

    return launch_narrow


def _narrow(tensor: torch.Tensor, kernel: str, use: Wide) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The tensor as int32, and the places of what that cannot hold where the kernel will not look at it."""
    if use.is_new:
        return torch.empty_like(tensor, dtype=torch.int32), None
    narrow = tensor.to(torch.int32)
    beyond = narrow != tensor if use.bits == ALL_BITS else (tensor < -(2**use.bits)) | (tensor >= 2**use.bits)
    if not beyond.any():
        return narrow, None
    if use.is_read:
        raise _too_large(tensor, beyond, kernel, use)
    return narrow.masked_fill_(beyond, _UNTOUCHED), beyond


def _too_large(tensor: torch.Tensor, beyond: torch.Tensor, kernel: str, use: Wide) -> ArgumentError:
    place = tuple(beyond.nonzero()[0].tolist())
    value, name = int(tensor[place]), use.name
    low, high = -(2**use.bits), 2**use.bits - 1
    why = "the chip keeps int64 tensors in 32 bits"
    hint = f"bring the values of {name} into that range"
    if use.bits < ALL_BITS:
        why += ", and what the kernel computes from these values has to fit there, too"
        hint += ', or compute with T.cast(value, "int32") in the kernel'
    return ArgumentError(
        f"{kernel}: {name}[{', '.join(map(str, place))}] is {value}, which does not fit",
        parameter=name,
        got=value,
        needed=f"integers from {low} to {high}: {why}",
        hint=hint,
    )


def _unchecked(kernel: str, use: Wide) -> ArgumentError:
    return ArgumentError(
        f"{kernel}: {use.name} cannot be a tensor on the chip, whose values nobody can check",
        parameter=use.name,
        got="a ttnn tensor",
        needed=f"a torch tensor of integers from {-(2**use.bits)} to {2**use.bits - 1}",
        hint='compute with T.cast(value, "int32") in the kernel, which takes all 32-bit integers',
    )
