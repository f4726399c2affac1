"""Choose whether DST holds 4 tiles of 32 bits or 8 tiles of 16.

Why: with bfloat16 lanes DST holds twice the tiles, so that half as many acquires, initialisations and reads of operands
do the same work, but every result is rounded to bfloat16. Only the policy ``fast`` asks for it, and only where no
error can grow: no integers, no sums inside of DST but those of a product, and what a loop carries is added by the
packer, in L1.

Before::

    func_attr({"tt_precision": "fast"})
    for i, j: D[i, j] = A[i, j] * S[i]

After::

    func_attr({"tt_precision": "fast", "tt_dst_bits": 16})
"""

from __future__ import annotations

from tvm import tirx as tir

from ..data_format import compute_format
from .accesses import COMPUTE, accesses_of
from .base import LoweringContext
from .numeric_policy import DST_BITS, is_fast
from .tensorize_tile_maps import INDEX_TILES, INTEGER_FORMATS, TileScope, copy_as_elementwise, tile_map_of
from .tile_ir import (
    Elementwise,
    TileCopy,
    TileFill,
    TileGemm,
    TileReduce,
    TileStatement,
    TileTranspose,
    is_const_int,
    leaves,
    parse,
)
from .tile_layout import layouts_of

_NARROW = (Elementwise, TileCopy, TileFill, TileGemm, TileReduce, TileTranspose)


def choose_dst_width(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Attach ``tt_dst_bits``."""
    return func.with_attr(DST_BITS, 16 if is_fast(func) and _may_be_narrow(func, context) else 32)


def _may_be_narrow(func: tir.PrimFunc, context: LoweringContext) -> bool:
    statements = [(parse(stmt), stmt) for stmt in leaves(func.body)]
    buffers = {stmt.buffer.name: stmt.buffer for _, stmt in statements if isinstance(stmt, tir.AllocBuffer)}
    formats = {name: compute_format(str(buffer.dtype)) for name, buffer in buffers.items()}
    scope = TileScope(
        rings={},
        formats={name: fmt.name for name, fmt in formats.items() if fmt is not None},
        layouts=layouts_of(func),
        context=context,
        fast=True,
        narrow=True,
    )
    return all(_is_narrow(record, stmt, scope) for record, stmt in statements if record is not None)


def _is_narrow(record: TileStatement, stmt: tir.Stmt, scope: TileScope) -> bool:
    """Whether ``record`` is as right in 16-bit DST as the policy ``fast`` promises."""
    accesses = accesses_of(record)
    if accesses.role != COMPUTE:
        return True
    touched = [*accesses.reads, *(buffer for buffer, _ in accesses.writes)]
    if not isinstance(record, _NARROW) or any(scope.formats[b.name] in INTEGER_FORMATS for b in touched):
        return False
    if any(buffer.name in INDEX_TILES for buffer in accesses.reads):
        return False
    if isinstance(record, TileGemm):
        # Sums over several steps need a float32 block in L1: the packer adds to it.
        return is_const_int(record.clear, 1) or scope.formats[record.c.buffer.name] == "Float32"
    if isinstance(record, TileReduce):
        return record.kind in ("max", "min", "absmax")
    if isinstance(record, (TileCopy, TileFill)):
        record = copy_as_elementwise(record, stmt)
    if not isinstance(record, Elementwise):
        return True
    is_constant = isinstance(record.store.value, (tir.IntImm, tir.FloatImm))
    carried = scope.formats[record.store.buffer.name] == "Float32" and not is_constant
    return not carried and not tile_map_of(record, stmt, scope).build(True).wide
