"""What the passes write down about the precision of a kernel, and how later passes read it."""

from __future__ import annotations

from tvm import tirx as tir

FAST = "fast"
DST_BITS = "tt_dst_bits"
TENSOR_DTYPES = "tt_tensor_dtypes"
VALUE_BITS = "tt_value_bits"
"""How many bits, but for the sign, the values of an int64 tensor may have where they are less than 31."""


def is_fast(func: tir.PrimFunc) -> bool:
    """Whether the kernel's policy is ``fast``."""
    return str(func.attrs["tt_precision"]) == FAST


def is_narrow(func: tir.PrimFunc) -> bool:
    """Whether DST holds 16-bit lanes in this kernel."""
    return int(func.attrs[DST_BITS]) == 16


def tensor_dtype(func: tir.PrimFunc, buffer: tir.Buffer) -> str:
    """The dtype of a tensor as the user sees it."""
    return str(func.attrs.get(TENSOR_DTYPES, {}).get(buffer.name, buffer.dtype))
