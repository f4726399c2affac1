"""Make a block of one long row a 1-D buffer, which can fill its tiles.

Why: a block of shape (1, 8192) is 256 tiles with one useful row each. Where a kernel only works on it element by
element, copies it and reduces it as a whole, it means the same as 8192 elements in a line, 1024 to a tile
(``infer_tile_layout``). Rows that meet matrices keep their shape.

Before::

    reduce(x[0:1, 0:8192], peak[0:1], "max", 1, True)                    # x: (1, 8192)
    for j in parallel(8192): x[0, j] = exp(x[0, j] - peak[0])

After::

    reduce(x[0:8192], peak[0:1], "max", 0, True)                         # x: (8192,)
    for j in parallel(8192): x[j] = exp(x[j] - peak[0])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tvm
from tvm import tirx as tir

from ..target import TILE_ELEMENTS
from .base import LoweringContext
from .lanes import is_tiled
from .tile_ir import (
    Elementwise,
    PrimExpr,
    Region,
    TileCopy,
    TileFill,
    TileReduce,
    is_const_int,
    leaves,
    parse,
    reduce,
    rewrite,
)
from .view_groups import buffers_in


def flatten_rows(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Replace the buffers of one row that nothing needs as a matrix."""
    rows = {
        leaf.buffer.name: leaf.buffer
        for leaf in leaves(func.body)
        if isinstance(leaf, tir.AllocBuffer) and _is_long_row(leaf.buffer)
    }
    for stmt in leaves(func.body):
        if isinstance(stmt, tir.AllocBuffer):
            continue
        meant = _meant_as_line(stmt)
        for buffer in buffers_in(stmt):
            if buffer.name in rows and buffer.name not in meant:
                del rows[buffer.name]
    if not rows:
        return func
    flattener = _Flattener(
        lines={
            name: tir.decl_buffer(buffer.shape[1:], buffer.dtype, name, scope=buffer.scope())
            for name, buffer in rows.items()
        }
    )
    return func.with_body(rewrite(func.body, flattener.leaf))


def _is_long_row(buffer: tir.Buffer) -> bool:
    """Whether ``buffer`` is one row that fills whole tiles."""
    if not is_tiled(buffer) or len(buffer.shape) != 2 or not is_const_int(buffer.shape[0], 1):
        return False
    return int(buffer.shape[1]) % TILE_ELEMENTS == 0


def _meant_as_line(stmt: tir.Stmt) -> set[str]:
    """Names of the rows that ``stmt`` uses as one line of elements, whole tiles of it at a time."""
    record = parse(stmt)
    if isinstance(record, (TileCopy, TileFill)):
        regions = [record.destination, record.source] if isinstance(record, TileCopy) else [record.destination]
        return {region.buffer.name for region in regions if _is_line(region)}
    if isinstance(record, TileReduce):
        source = record.source
        return {source.buffer.name} if record.dim == 1 and source.is_whole else set()
    if not isinstance(record, Elementwise) or _meets_matrix(record):
        return set()
    found: dict[str, bool] = {}
    zero = {var: tir.IntImm("int32", 0) for var in record.loop_vars}
    for access in _accesses(record.store):
        if len(access.indices) == 2:
            start = tir.stmt_functor.substitute(access.indices[1], zero)
            line = is_const_int(access.indices[0], 0) and _is_start_of_tile(start)
            found[access.buffer.name] = found.get(access.buffer.name, True) and line
    return {name for name, line in found.items() if line}


def _is_line(region: Region) -> bool:
    """Whether a region is whole tiles of a line."""
    if len(region.extents) != 2 or not isinstance(region.extents[1], tir.IntImm):
        return False
    whole_tiles = int(region.extents[1]) % TILE_ELEMENTS == 0
    return is_const_int(region.mins[0], 0) and whole_tiles and _is_start_of_tile(region.mins[1])


def _is_start_of_tile(start: PrimExpr) -> bool:
    return is_const_int(tvm.arith.Analyzer().simplify(tir.floormod(start, TILE_ELEMENTS)), 0)


def _meets_matrix(record: Elementwise) -> bool:
    """Whether an element-wise statement touches an on-chip buffer of more than one row."""
    on_chip = [buffer for buffer in buffers_in(record.store) if is_tiled(buffer)]
    return any(not is_const_int(extent, 1) for buffer in on_chip for extent in buffer.shape[:-1])


def _accesses(store: tir.BufferStore) -> list[Any]:
    nodes: list[Any] = []
    tir.stmt_functor.post_order_visit(store, nodes.append)
    return [node for node in nodes if isinstance(node, (tir.BufferLoad, tir.BufferStore))]


@dataclass(frozen=True, kw_only=True)
class _Flattener:
    lines: dict[str, tir.Buffer]

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        if isinstance(stmt, tir.AllocBuffer):
            line = self.lines.get(stmt.buffer.name)
            return tir.AllocBuffer(line) if line is not None else None
        if not any(buffer.name in self.lines for buffer in buffers_in(stmt)):
            return None
        record = parse(stmt)
        if isinstance(record, TileReduce) and record.source.buffer.name in self.lines:
            return reduce(self.region(record.source), record.destination, record.kind, 0, record.clear)
        kinds = ["tirx.BufferLoad", "tirx.BufferStore", "tirx.Call"]
        return tir.stmt_functor.ir_transform(stmt, None, self.node, kinds)

    def region(self, region: Region) -> Region:
        return Region(buffer=self.lines[region.buffer.name], mins=region.mins[1:], extents=region.extents[1:])

    def node(self, node: Any) -> Any:
        """An access without its row; a region without the extent of the row, which its access has lost already."""
        if isinstance(node, tir.Call):
            is_region = isinstance(node.op, tvm.ir.Op) and node.op.name == "tl.region"
            if not is_region or node.args[0].buffer.name not in self.lines:
                return None
            load, access, _, *extents = node.args
            return tir.Call(node.dtype, node.op, [load, access, *extents])
        line = self.lines.get(node.buffer.name)
        if line is None:
            return None
        if isinstance(node, tir.BufferStore):
            return tir.BufferStore(line, node.value, list(node.indices)[1:])
        return tir.BufferLoad(line, list(node.indices)[1:])
