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
_UNTOUCHED = -0x6B8E3A75
"""What stands for an element that int32 cannot hold, in a tensor that a kernel writes and does not read."""

Launch = Callable[[Sequence[torch.Tensor | None], Sequence[int | float]], None]


@dataclass(frozen=True, kw_only=True)
class Wide:
    """How a kernel uses an int64 tensor; `place` is that among the launch's tensors."""

    place: int
    name: str
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
    beyond = narrow != tensor
    if not beyond.any():
        return narrow, None
    if use.is_read:
        raise _too_large(tensor, beyond, kernel, use.name)
    return narrow.masked_fill_(beyond, _UNTOUCHED), beyond


def _too_large(tensor: torch.Tensor, beyond: torch.Tensor, kernel: str, name: str) -> ArgumentError:
    place = tuple(beyond.nonzero()[0].tolist())
    index = ", ".join(map(str, place))
    return ArgumentError(
        f"{kernel}: {name}[{index}] is {int(tensor[place])}, which 32 bits cannot hold",
        parameter=name,
        got=int(tensor[place]),
        needed=f"integers from {-(2**31)} to {2**31 - 1}: the chip keeps int64 tensors in 32 bits",
        hint=f"bring {name} into that range, as with {name}.clamp(-2**31, 2**31 - 1) where larger values only mean 'none'",
    )
