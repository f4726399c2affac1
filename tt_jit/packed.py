"""Tensors of 4-bit elements: two to a byte in torch, the low half first; one to a byte (or a bfloat16) for the chip.

Elements of half a byte have no address, neither for the host's conversion into pages nor on the chip. They are widened
before a launch, into a dtype that holds every one of them, and what a kernel wrote is packed again after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch

PACKED = {"int4": 2, "uint4": 2, "float4_e2m1fn": 2}
"""How many elements of a dtype share one byte of storage: torch's last dimension is that much shorter."""

_FLOATS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_SIGN = 8

Launch = Callable[[Sequence[torch.Tensor | None], Sequence[int | float]], None]


def unpack(tensor: torch.Tensor, dtype: str) -> torch.Tensor:
    """The elements of a packed tensor, as int8, uint8 or bfloat16."""
    packed = tensor.contiguous().view(torch.uint8)
    codes = torch.stack([packed & 15, packed >> 4], dim=-1).flatten(-2)
    if dtype == "uint4":
        return codes
    if dtype == "int4":
        return (codes << 4).view(torch.int8) >> 4
    return torch.tensor([*_FLOATS, *(-value for value in _FLOATS)], dtype=torch.bfloat16)[codes.long()]


def pack(values: torch.Tensor, dtype: str) -> torch.Tensor:
    """The bytes of a packed tensor. Integers keep their low bits; floats go to the nearest number, ties to even."""
    codes = _float_codes(values) if dtype == "float4_e2m1fn" else values.view(torch.uint8) & 15
    return codes[..., ::2] | codes[..., 1::2] << 4


def _float_codes(values: torch.Tensor) -> torch.Tensor:
    magnitude = values.float().abs()
    code = torch.zeros(values.shape, dtype=torch.uint8)
    for number, (below, above) in enumerate(pairwise(_FLOATS)):
        middle = (below + above) / 2
        # At the middle the even code wins, which is ``number + 1`` where ``number`` is odd.
        code += (magnitude >= middle) if number % 2 else (magnitude > middle)
    return code | torch.signbit(values).to(torch.uint8) * _SIGN


def widening(launch: Launch, dtypes: Sequence[str], written: Sequence[bool]) -> Launch:
    """``launch`` for tensors of ``dtypes``, of which those in ``written`` are outputs too."""
    if not any(dtype in PACKED for dtype in dtypes):
        return launch

    def launch_wide(tensors: Sequence[torch.Tensor | None], scalars: Sequence[int | float]) -> None:
        wide = [
            unpack(tensor, dtype) if tensor is not None and dtype in PACKED else tensor
            for tensor, dtype in zip(tensors, dtypes, strict=True)
        ]
        launch(wide, scalars)
        for tensor, values, dtype, changed in zip(tensors, wide, dtypes, written, strict=True):
            if tensor is not None and values is not None and changed and dtype in PACKED:
                tensor.view(torch.uint8).copy_(pack(values, dtype))

    return launch_wide
