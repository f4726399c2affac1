"""Replace loop indices that are used as values by tiles that hold the indices.

Why: ``if_then_else(i >= j, x, -inf)`` needs i and j in every lane. One constant tile holds the row number of each
lane, another the column number; the rest of an index is the tile's coordinate, a scalar.

Before::

    for i, j in parallel(64, 64): S[i, j] = if_then_else(i >= j, S[i, j], 0)

After::

    tt.index_tile(tile_index_row, "row"); tt.index_tile(tile_index_col, "col")
    for i, j in parallel(64, 64):
        S[i, j] = if_then_else(i // 32 * 32 + int32(tile_index_row[i % 32, j % 32])
                               >= j // 32 * 32 + int32(tile_index_col[i % 32, j % 32]), S[i, j], 0)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tvm import tirx as tir

from ..target import TILE_ELEMENTS, TILE_HEIGHT, TILE_WIDTH
from .base import LoweringContext
from .ops import do
from .tile_access import axes_of
from .tile_expressions import INDEX_BUFFER_PREFIX
from .tile_ir import Elementwise, parallel, parse, region_call, rewrite, sequence, uses_var, whole
from .tile_layout import TileLayout, layouts_of, with_layouts


def materialize_index_tiles(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite index uses in element-wise values; the index tiles are filled once, before the work loop."""
    rewriter = _Rewriter(layouts=layouts_of(func))
    body = rewrite(func.body, rewriter.leaf)
    fills = []
    for axis, buffer in sorted(rewriter.tiles.items()):
        fills += [tir.AllocBuffer(buffer), do("index_tile", region_call(whole(buffer), 2), axis)]
    return with_layouts(func.with_body(sequence([*fills, body])), rewriter.layouts)


@dataclass(kw_only=True)
class _Rewriter:
    layouts: dict[str, TileLayout]
    tiles: dict[str, tir.Buffer] = field(default_factory=dict)

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        if not isinstance(record, Elementwise) or not uses_var(_without_indices(record.store.value), record.loop_vars):
            return None
        store = record.store
        axes = axes_of(store.buffer, self.layouts[store.buffer.name], list(store.indices), record.loop_vars)
        valued = _without_indices(store.value)
        value = _replace_vars(
            store.value,
            {
                var: self.index_value(var, axes.row, axes.col, axes.flat)
                for var in (axes.row, axes.col, axes.flat)
                if var is not None and uses_var(valued, [var])
            },
        )
        return parallel(record.loop_vars, record.extents, tir.BufferStore(store.buffer, value, list(store.indices)))

    def index_value(self, var: tir.Var, row: tir.Var | None, col: tir.Var | None, flat: tir.Var | None) -> tir.PrimExpr:
        zero = tir.IntImm("int32", 0)
        if flat is not None:
            lane = tir.floormod(var, TILE_ELEMENTS)
            indices = [tir.floordiv(lane, TILE_WIDTH), tir.floormod(lane, TILE_WIDTH)]
            inner = self.tile("row", indices) * TILE_WIDTH + self.tile("col", indices)
            return tir.floordiv(var, TILE_ELEMENTS) * TILE_ELEMENTS + inner
        indices = [
            tir.floormod(row, TILE_HEIGHT) if row is not None else zero,
            tir.floormod(col, TILE_WIDTH) if col is not None else zero,
        ]
        axis = "row" if row is not None and var.same_as(row) else "col"
        return tir.floordiv(var, TILE_HEIGHT) * TILE_HEIGHT + self.tile(axis, indices)

    def tile(self, axis: str, indices: list[tir.PrimExpr]) -> tir.PrimExpr:
        if axis not in self.tiles:
            name = INDEX_BUFFER_PREFIX + axis
            self.tiles[axis] = tir.decl_buffer((TILE_HEIGHT, TILE_WIDTH), "float32", name, scope="shared")
            self.layouts[name] = TileLayout(kind="matrix", outer=(), rows=TILE_HEIGHT, cols=TILE_WIDTH)
        return tir.Cast("int32", tir.BufferLoad(self.tiles[axis], indices))


def _without_indices(expr: tir.PrimExpr) -> tir.PrimExpr:
    """``expr`` with every buffer load replaced by a constant, so that only value uses of variables remain."""

    def visit(node: object) -> object | None:
        if isinstance(node, tir.BufferLoad):
            return tir.const(0, node.dtype)
        return None

    return tir.stmt_functor.ir_transform(tir.Evaluate(expr), visit, None, ["tirx.BufferLoad"]).value


def _replace_vars(expr: tir.PrimExpr, values: dict[tir.Var, tir.PrimExpr]) -> tir.PrimExpr:
    """Substitute variables in value position only: loads keep their indices."""
    loads: list[tir.BufferLoad] = []

    def hide(node: object) -> object | None:
        if isinstance(node, tir.BufferLoad):
            loads.append(node)
            return tir.Call(node.dtype, "tirx.call_extern", [tir.StringImm(f"load{len(loads) - 1}")])
        return None

    def restore(node: object) -> object | None:
        if isinstance(node, tir.Call) and node.args and isinstance(node.args[0], tir.StringImm):
            name = str(node.args[0].value)
            if name.startswith("load"):
                return loads[int(name[4:])]
        return None

    hidden = tir.stmt_functor.ir_transform(tir.Evaluate(expr), hide, None, ["tirx.BufferLoad"]).value
    replaced = tir.stmt_functor.substitute(hidden, values)
    return tir.stmt_functor.ir_transform(tir.Evaluate(replaced), None, restore, ["tirx.Call"]).value
