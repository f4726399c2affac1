"""Reductions in DST: tiles are combined lane by lane, then the last tile is reduced inside.

Everything stays in fp32 (or int32): the vector engine reduces exactly where the matrix engine would round its operands
to TF32. Lanes past the end of a row or column already hold the identity of the reduction (``tile_pad_tt``).
"""

from __future__ import annotations

from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .dst_program import INT
from .integer_expressions import INT32, bits_of, is_unsigned
from .ops import do
from .tensorize_matmul import operand
from .tensorize_tile_maps import TileScope
from .tile_ir import Region, TileReduce, TileScan, is_const_int, sequence
from .tile_layout import TileLayout


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """One kind of reduction: pool of the in-tile step and the combining call per format."""

    pool: str
    combine_float: str
    combine_int: str
    absolute: bool = False


REDUCTIONS = {
    "sum": Reduction(pool="SUM", combine_float="add_binary_tile", combine_int="add_int_tile"),
    "abssum": Reduction(pool="SUM", combine_float="add_binary_tile", combine_int="add_int_tile", absolute=True),
    "max": Reduction(pool="MAX", combine_float="binary_max_tile", combine_int="binary_max_int32_tile"),
    "absmax": Reduction(
        pool="MAX", combine_float="binary_max_tile", combine_int="binary_max_int32_tile", absolute=True
    ),
    "min": Reduction(pool="MIN", combine_float="binary_min_tile", combine_int="binary_min_int32_tile"),
}


def tensorize_reduce(record: TileReduce, stmt: tir.Stmt, scope: TileScope, *, in_place: bool) -> tir.Stmt:
    """Device loops of one reduction; ``in_place`` folds the old destination in and rotates its ring."""
    if record.kind not in REDUCTIONS:
        raise UnsupportedError(
            f"T.reduce {record.kind!r} has no Tensix form", hint=f"supported: {', '.join(sorted(REDUCTIONS))}", at=stmt
        )
    plan = _ReducePlan(
        record=record,
        reduction=REDUCTIONS[record.kind],
        source=_block(record.source, scope, stmt),
        destination=scope.layouts[record.destination.buffer.name],
        scope=scope,
        in_place=in_place,
        stmt=stmt,
    )
    return plan.loops()


@dataclass(frozen=True, kw_only=True)
class _Block:
    """The tiles of a region: how many, and where the first one lies."""

    layout: TileLayout
    planes: int
    tile_rows: int
    tile_cols: int
    first: tuple[tir.PrimExpr | int, tir.PrimExpr | int, tir.PrimExpr | int] = (0, 0, 0)

    def index(
        self, plane: tir.PrimExpr | int, row: tir.PrimExpr | int, col: tir.PrimExpr | int
    ) -> tir.PrimExpr:
        """Position of a tile of the block in the circular buffer."""
        first = self.first
        return self.layout.index(first[0] + plane, first[1] + row, first[2] + col)


def _block(region: Region, scope: TileScope, stmt: tir.Stmt) -> _Block:
    layout = scope.layouts[region.buffer.name]
    if region.is_whole:
        return _Block(layout=layout, planes=layout.planes, tile_rows=layout.tile_rows, tile_cols=layout.tile_cols)
    if layout.kind != "matrix" or not all(is_const_int(extent, 1) for extent in region.extents[:-2]):
        raise UnsupportedError(f"a reduction over part of {region.buffer.name} is not supported", at=stmt)
    matrix = operand(region, scope, stmt, "a reduction")
    first = (matrix.plane, matrix.row, matrix.col)
    return _Block(layout=layout, planes=1, tile_rows=matrix.rows, tile_cols=matrix.cols, first=first)


@dataclass(frozen=True, kw_only=True)
class _ReducePlan:
    record: TileReduce
    reduction: Reduction
    source: _Block
    destination: TileLayout
    scope: TileScope
    in_place: bool
    stmt: tir.Stmt

    @property
    def format(self) -> str:
        return self.scope.dst_format(self.record.source.buffer)

    @property
    def unsigned(self) -> bool:
        """Whether lanes are compared as numbers from 0 to 2**32."""
        return str(self.record.source.buffer.dtype) == "uint32"

    @property
    def axis(self) -> str:
        """``row`` reduces along the columns of each row, ``col`` along the rows, ``all`` everything."""
        rank, kind = len(self.record.source.buffer.shape), self.source.layout.kind
        if kind == "matrix" and self.record.dim >= rank - 2:
            return "row" if self.record.dim == rank - 1 else "col"
        if kind in ("column", "row", "flat"):
            return {"column": "col", "row": "row", "flat": "all"}[kind]
        raise UnsupportedError(
            f"reduction over dim {self.record.dim} of {self.record.source.buffer.name} (rank {rank})", at=self.stmt
        )

    def loops(self) -> tir.Stmt:
        axis = self.axis
        keep = tir.Var("r" if axis == "row" else "c", "int32")
        count, length = self.source.tile_rows, self.source.tile_cols
        if axis == "col":
            count, length = length, count
        kept: tir.PrimExpr = keep if count > 1 else tir.IntImm("int32", 0)
        planes = self.source.planes
        plane = tir.Var("p", "int32")
        plane_index: tir.PrimExpr = plane if planes > 1 else tir.IntImm("int32", 0)
        if planes > 1 and self.destination.planes != planes:
            raise UnsupportedError(f"{self.record.destination.buffer.name} must keep the leading dims", at=self.stmt)
        body = self.one(axis, plane_index, kept, length)
        body = _serial(keep, count, body) if count > 1 else body
        return _serial(plane, planes, body) if planes > 1 else body

    def one(self, axis: str, plane: tir.PrimExpr, kept: tir.PrimExpr, length: int) -> tir.Stmt:
        """One tile of results: combine ``length`` tiles in slot 0, reduce inside, fold the old value, pack."""
        source, destination = self.record.source.buffer, self.record.destination.buffer

        def tile(position: tir.PrimExpr | int) -> tir.PrimExpr:
            row, col = (kept, position) if axis != "col" else (position, kept)
            return tvm.arith.Analyzer().simplify(self.source.index(plane, row, col))

        parts = [do("tile_regs_acquire"), *self.load(source, tile(0), 0)]
        if length > 2:
            step = tir.Var("s", "int32")
            parts.append(
                _serial(step, length - 1, sequence([*self.load(source, tile(step + 1), 1), self.combine(0, 1)]))
            )
        elif length == 2:
            parts += [*self.load(source, tile(1), 1), self.combine(0, 1)]
        parts += self.inside(axis)
        if self.in_place:
            parts += [do("copy_tile", destination, 0, 1), self.combine(0, 1)]
        parts += self.wrapped(str(destination.dtype))
        parts.append(do("tile_regs_commit"))
        if self.in_place:
            parts += [do("cb_pop_front", destination, 1), do("cb_reserve_back", destination, 1)]
        parts += [do("tile_regs_wait"), do("pack_tile", 0, destination), do("tile_regs_release")]
        if self.in_place:
            parts.append(do("cb_push_back", destination, 1))
        return sequence(parts)

    def load(self, buffer: tir.Buffer, index: tir.PrimExpr, slot: int) -> list[tir.Stmt]:
        steps = [do("copy_tile", buffer, index, slot)]
        if self.reduction.absolute:
            steps.append(do("abs_tile_int32" if self.format == INT else "abs_tile", slot))
        return steps

    def combine(self, first: int, second: int) -> tir.Stmt:
        if self.format == INT:
            template = ("DataFormat::Int32",) if self.reduction.combine_int.endswith("int_tile") else ()
            operation = self.reduction.combine_int.replace("int32", "uint32" if self.unsigned else "int32")
            return do(operation, *template, first, second, first)
        return do(self.reduction.combine_float, first, second, first)

    def wrapped(self, dtype: str) -> list[tir.Stmt]:
        """Reduce slot 0 to the range of an 8- or 16-bit dtype, which a sum may leave."""
        if self.format != INT or bits_of(dtype) >= 32 or self.reduction.pool != "SUM":
            return []
        if is_unsigned(dtype):
            return [do("bitwise_and_tile", *INT32, 0, 2 ** bits_of(dtype) - 1)]
        shift = 32 - bits_of(dtype)
        return [do("left_shift_tile", *INT32, 0, shift), do("right_shift_tile", *INT32, 0, shift)]

    def inside(self, axis: str) -> list[tir.Stmt]:
        """Reduce slot 0 within the tile."""
        dims = {"row": ["REDUCE_ROW"], "col": ["REDUCE_COL"], "all": ["REDUCE_COL", "REDUCE_ROW"]}[axis]
        pool = f"PoolType::{self.reduction.pool}"
        held = INT if self.format == INT else self.scope.float_format
        fmt = f"DataFormat::{'UInt32' if self.unsigned else held}"
        return [do("sfpu_reduce", pool, fmt, f"ReduceDim::{dim}", 0) for dim in dims]


def tensorize_scan(record: TileScan, scope: TileScope) -> tir.Stmt:
    """Cumulative sums down each column of tiles; ``cumsum_tile`` keeps the carry between tiles."""
    layout = scope.layouts[record.source.buffer.name]
    target = scope.layouts[record.destination.buffer.name]
    row, col = tir.Var("r", "int32"), tir.Var("c", "int32")
    at_row: tir.PrimExpr = row if layout.tile_rows > 1 else tir.IntImm("int32", 0)
    at_col: tir.PrimExpr = col if layout.tile_cols > 1 else tir.IntImm("int32", 0)
    simplify = tvm.arith.Analyzer().simplify
    body = sequence(
        [
            do("tile_regs_acquire"),
            do("copy_tile", record.source.buffer, simplify(layout.index(0, at_row, at_col)), 0),
            do("cumsum_tile", 0, simplify(tir.EQ(at_row, 0))),
            do("tile_regs_commit"),
            do("tile_regs_wait"),
            do("pack_tile", "true", 0, record.destination.buffer, simplify(target.index(0, at_row, at_col))),
            do("tile_regs_release"),
        ]
    )
    if layout.tile_rows > 1:
        body = _serial(row, layout.tile_rows, body)
    return _serial(col, layout.tile_cols, body) if layout.tile_cols > 1 else body


def _serial(var: tir.Var, extent: int, body: tir.Stmt) -> tir.Stmt:
    return tir.For(var, tir.IntImm("int32", 0), tir.IntImm("int32", extent), tir.ForKind.SERIAL, body)
