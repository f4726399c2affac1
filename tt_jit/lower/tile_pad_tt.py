"""Make the lanes past the end of a buffer harmless where an operation would mix them in.

Why: a 100-wide buffer occupies four tiles, 128 lanes. Element-wise work may leave anything in the last 28; a reduction
over the row, or a gemm over K, would add it. Such an operand is copied first, with the identity in its padding lanes.

Before::

    reduce(S[0:64, 0:100], m, "max", 1, True)

After::

    for i, j in parallel(64, 128): S_padded[i, j] = if_then_else(j < 100, S[i, j], -inf)
    reduce(S_padded[0:64, 0:128], m, "max", 1, True)
    func_attr({"tt_padding_info": {"S": {"rows": 64, "cols": 100, "padded_rows": 64, "padded_cols": 128, ...}}})
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import tvm
from tvm import tirx as tir

from ..target import TILE_ELEMENTS, TILE_HEIGHT
from .base import LoweringContext
from .names import NewBuffers
from .reduction_identity import reduction_identity
from .tensorize_reduce import REDUCTIONS
from .tile_ir import (
    Region,
    TileCopy,
    TileGemm,
    TileReduce,
    gemm_with,
    is_const_int,
    leaves,
    parallel,
    parse,
    region_call,
    rewrite,
    sequence,
    whole,
    with_span_of,
)
from .tile_layout import TileLayout, layouts_of, with_layouts

PADDING_ATTRIBUTE = "tt_padding_info"


def tile_pad_tt(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Insert padded copies and attach ``tt_padding_info``."""
    loaded = set()
    written = set()
    for stmt in leaves(func.body):
        record = parse(stmt)
        if isinstance(record, TileCopy) and record.source.is_global:
            loaded.add(record.destination.buffer.name)
        elif isinstance(record, TileCopy):
            written.add(record.destination.buffer.name)
        elif record is not None and hasattr(record, "store"):
            written.add(record.store.buffer.name)
    padder = _Padder(new=NewBuffers.of(func), layouts=layouts_of(func), zero_padded=loaded - written)
    body = rewrite(func.body, padder.leaf)
    func = with_layouts(func.with_body(padder.new.declared(body)), padder.layouts)
    return func.with_attr(PADDING_ATTRIBUTE, padder.info)


@dataclass(kw_only=True)
class _Padder:
    new: NewBuffers
    layouts: dict[str, TileLayout]
    zero_padded: set[str]
    info: dict[str, dict[str, object]] = field(default_factory=dict)

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        if isinstance(record, TileReduce) and record.kind in REDUCTIONS:
            return self.reduce(record, stmt)
        if isinstance(record, TileGemm):
            return self.gemm(record, stmt)
        return None

    def reduce(self, record: TileReduce, stmt: tir.Stmt) -> tir.Stmt | None:
        rank = len(record.source.buffer.shape)
        axis = record.dim - rank
        identity = reduction_identity(record.kind, str(record.source.buffer.dtype))
        if (rank > 1 and axis < -2) or not self.is_ragged(record.source, axis):
            return None
        work, padded = self.padded(record.source, axis, identity)
        args = list(stmt.value.args)
        args[0] = region_call(whole(padded), 1)
        reduce = tir.Evaluate(tir.Call(stmt.value.dtype, stmt.value.op, args, stmt.value.annotations))
        return sequence([with_span_of(work, stmt), with_span_of(reduce, stmt)])

    def gemm(self, record: TileGemm, stmt: tir.Stmt) -> tir.Stmt | None:
        before: list[tir.Stmt] = []
        regions: dict[str, Any] = {}
        for side, axis in (("a", -2 if record.transpose_a else -1), ("b", -1 if record.transpose_b else -2)):
            region = getattr(record, side)
            if region.is_whole and region.buffer.name not in self.zero_padded and self.is_ragged(region, axis):
                work, padded = self.padded(region, axis, reduction_identity("sum", str(region.buffer.dtype)))
                before.append(with_span_of(work, stmt))
                regions[side] = whole(padded)
        if not before:
            return None
        return sequence([*before, gemm_with(stmt, replace(record, **regions))])

    def is_ragged(self, region: Region, axis: int) -> bool:
        layout = self.layouts[region.buffer.name]
        if layout.kind == "scalar":
            return False
        return _size(region, axis) % (TILE_ELEMENTS if layout.kind == "flat" else TILE_HEIGHT) != 0

    def padded(self, region: Region, axis: int, identity: tir.PrimExpr) -> tuple[tir.Stmt, tir.Buffer]:
        """(copy of the region with the identity in the padding lanes, the padded buffer)."""
        buffer, layout = region.buffer, self.layouts[region.buffer.name]
        shape = [int(extent.value) for extent in region.extents]
        size, unit = shape[axis], TILE_ELEMENTS if layout.kind == "flat" else TILE_HEIGHT
        shape[axis] = -(-size // unit) * unit
        padded = self.new.allocate(f"{buffer.name}_padded", shape, buffer.dtype)
        along_cols = axis == -1 and layout.kind != "column"
        if layout.kind == "matrix":
            layout = replace(layout, outer=tuple(shape[:-2]), rows=_size(region, -2), cols=_size(region, -1))
        changed: dict[str, Any] = {"cols": shape[axis]} if along_cols else {"rows": shape[axis]}
        self.layouts[padded.name] = replace(layout, **changed)
        self.info[buffer.name] = {
            "rows": layout.rows,
            "cols": layout.cols,
            "padded_rows": self.layouts[padded.name].rows,
            "padded_cols": self.layouts[padded.name].cols,
            "value": str(identity.value),
        }
        variables = [tir.Var(f"i{d}", "int32") for d in range(len(shape))]
        indices = [var if is_const_int(low, 0) else low + var for low, var in zip(region.mins, variables, strict=True)]
        value = tir.Call(
            buffer.dtype,
            tvm.ir.Op.get("tirx.if_then_else"),
            [variables[axis] < size, tir.BufferLoad(buffer, indices), identity],
        )
        return parallel(variables, shape, tir.BufferStore(padded, value, variables)), padded


def _size(region: Region, axis: int) -> int:
    return int(region.extents[axis].value)
