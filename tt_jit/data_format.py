"""Which device data format carries which TileLang dtype, and what a tile of it costs.

ttnn has no Float16 tensor, so ``float16`` travels as Float32 pages (exact, and exact in TF32 too); every fp8 value is
exact in bfloat16; int8 and int16 travel as Int32. Elements of 4 bits are widened by the host (``packed.py``), those of
int64 are narrowed after a look at every value (``narrowed.py``), and the compiler makes int32 of them early. The block
floats carry no dtype of their own: a floating-point tensor is kept in one where the user asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .target import TILE_ELEMENTS


@dataclass(frozen=True, kw_only=True)
class DataFormat:
    """A Tensix data format: its name in the kernel API and its bytes per element.

    The elements of a block float have `block_bits` each and cannot be addressed; 16 of them share an exponent byte.
    """

    name: str
    element_bytes: int
    is_float: bool
    block_bits: int = 0

    @property
    def is_block(self) -> bool:
        return self.block_bits > 0

    @property
    def tile_bytes(self) -> int:
        """Bytes of one 32x32 tile page."""
        if self.is_block:
            return TILE_ELEMENTS * self.block_bits // 8 + TILE_ELEMENTS // 16
        return self.element_bytes * TILE_ELEMENTS


FLOAT32 = DataFormat(name="Float32", element_bytes=4, is_float=True)
FLOAT16_B = DataFormat(name="Float16_b", element_bytes=2, is_float=True)
INT32 = DataFormat(name="Int32", element_bytes=4, is_float=False)
UINT32 = DataFormat(name="UInt32", element_bytes=4, is_float=False)
UINT16 = DataFormat(name="UInt16", element_bytes=2, is_float=False)
UINT8 = DataFormat(name="UInt8", element_bytes=1, is_float=False)
BFP8_B = DataFormat(name="Bfp8_b", element_bytes=0, is_float=True, block_bits=8)
BFP4_B = DataFormat(name="Bfp4_b", element_bytes=0, is_float=True, block_bits=4)

FORMATS = {fmt.name: fmt for fmt in (FLOAT32, FLOAT16_B, INT32, UINT32, UINT16, UINT8, BFP8_B, BFP4_B)}

_GLOBAL_FORMATS = {
    "float32": FLOAT32,
    "custom[tfloat32]": FLOAT32,
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
    "int4": INT32,
    "uint4": UINT8,
    "float4_e2m1fn": FLOAT16_B,
}

_COMPUTE_FORMATS = {
    **_GLOBAL_FORMATS,
    "uint16": INT32,
    "uint8": INT32,
    "uint4": INT32,
    "uint32": UINT32,
    "bool": FLOAT32,
}


def global_format(dtype: str) -> DataFormat | None:
    """Format of the DRAM pages of a tensor of ``dtype``; None when the chip has no carrier for it."""
    return _GLOBAL_FORMATS.get(dtype)


def compute_format(dtype: str) -> DataFormat | None:
    """Format of an on-chip buffer of ``dtype`` that compute writes (small integers are widened to Int32)."""
    return _COMPUTE_FORMATS.get(dtype)


def is_float_dtype(dtype: str) -> bool:
    """Whether ``dtype`` is a floating-point dtype (fp8, bfloat16 and tfloat32 included)."""
    return dtype.startswith(("float", "bfloat", "custom[tfloat"))
