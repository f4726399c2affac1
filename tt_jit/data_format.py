"""Which device data format carries which TileLang dtype, and what a tile of it costs.

ttnn has no Float16 tensor, so ``float16`` travels as Float32 pages (exact, and exact in TF32 too); every fp8 value is
exact in bfloat16; int8 and int16 travel as Int32.
"""

from __future__ import annotations

from dataclasses import dataclass

from .target import TILE_ELEMENTS


@dataclass(frozen=True, kw_only=True)
class DataFormat:
    """A Tensix data format: its name in the kernel API and its bytes per element."""

    name: str
    element_bytes: int
    is_float: bool

    @property
    def tile_bytes(self) -> int:
        """Bytes of one 32x32 tile page."""
        return self.element_bytes * TILE_ELEMENTS


FLOAT32 = DataFormat(name="Float32", element_bytes=4, is_float=True)
FLOAT16_B = DataFormat(name="Float16_b", element_bytes=2, is_float=True)
INT32 = DataFormat(name="Int32", element_bytes=4, is_float=False)
UINT32 = DataFormat(name="UInt32", element_bytes=4, is_float=False)
UINT16 = DataFormat(name="UInt16", element_bytes=2, is_float=False)
UINT8 = DataFormat(name="UInt8", element_bytes=1, is_float=False)

FORMATS = {fmt.name: fmt for fmt in (FLOAT32, FLOAT16_B, INT32, UINT32, UINT16, UINT8)}

_GLOBAL_FORMATS = {
    "float32": FLOAT32,
    "float16": FLOAT32,
    "bfloat16": FLOAT16_B,
    "float8_e4m3fn": FLOAT16_B,
    "float8_e4m3": FLOAT16_B,
    "float8_e5m2": FLOAT16_B,
    "int32": INT32,
    "uint32": UINT32,
    "uint16": UINT16,
    "uint8": UINT8,
    "bool": UINT8,
    "int8": INT32,
    "int16": INT32,
}

_COMPUTE_FORMATS = {**_GLOBAL_FORMATS, "uint16": INT32, "uint8": INT32, "uint32": UINT32, "bool": FLOAT32}


def global_format(dtype: str) -> DataFormat | None:
    """Format of the DRAM pages of a tensor of ``dtype``; None when the chip has no carrier for it."""
    return _GLOBAL_FORMATS.get(dtype)


def compute_format(dtype: str) -> DataFormat | None:
    """Format of an on-chip buffer of ``dtype`` that compute writes (small integers are widened to Int32)."""
    return _COMPUTE_FORMATS.get(dtype)


def is_float_dtype(dtype: str) -> bool:
    """Whether ``dtype`` is a floating-point dtype (fp8 and bfloat16 included)."""
    return dtype.startswith(("float", "bfloat"))
