"""Gemm statements as matmul_block loops, and transposes.

C is computed in subblocks that fill DST; all of K is accumulated in DST before a subblock is packed. Partial sums of
an outer K loop are added by the packer in L1 (fp32 C), or reloaded into DST (narrower C).
"""

from __future__ import annotations

from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from ..errors import TilingError, UnsupportedError
from ..target import TILE_HEIGHT
from .insert_cb_protocol import accumulates_in_l1
from .ops import do
from .tensorize_tile_maps import NARROW_FORMATS, TileScope
from .tile_ir import Region, TileGemm, TileTranspose, is_const_int, sequence
from .tile_layout import TileLayout


@dataclass(frozen=True, kw_only=True)
class Operand:
    """A matrix operand: tile offsets of the region inside its buffer, and its size in tiles."""

    buffer: tir.Buffer
    layout: TileLayout
    plane: tir.PrimExpr
    row: tir.PrimExpr
    col: tir.PrimExpr
    rows: int
    cols: int

    def index(self, row: tir.PrimExpr | int, col: tir.PrimExpr | int) -> tir.PrimExpr:
        """Position of tile (``row``, ``col``) of the region in the circular buffer."""
        return tvm.arith.Analyzer().simplify(self.layout.index(self.plane, self.row + row, self.col + col))


def operand(region: Region, scope: TileScope, stmt: tir.Stmt, operation: str = "T.gemm") -> Operand:
    """Decode a matrix region; it must start on a tile."""
    layout = scope.layouts[region.buffer.name]
    if layout.kind != "matrix":
        raise UnsupportedError(f"{region.buffer.name} is not a matrix: {operation} needs 2-D operands", at=stmt)
    *outer, row, col = region.mins
    extents = [int(extent.value) for extent in region.extents[-2:]]
    return Operand(
        buffer=region.buffer,
        layout=layout,
        plane=layout.plane_of(list(outer)),
        row=_tile(row, region, stmt, operation),
        col=_tile(col, region, stmt, operation),
        rows=-(-extents[0] // TILE_HEIGHT),
        cols=-(-extents[1] // TILE_HEIGHT),
    )


def _tile(offset: tir.PrimExpr, region: Region, stmt: tir.Stmt, operation: str) -> tir.PrimExpr:
    analyzer = tvm.arith.Analyzer()
    if not is_const_int(analyzer.simplify(tir.floormod(offset, TILE_HEIGHT)), 0):
        raise TilingError(
            f"{operation} operand {region.buffer.name} starts at {offset}, inside a tile",
            hint=f"slice {operation.removeprefix('T.').removeprefix('a ')} operands at multiples of 32",
            at=stmt,
        )
    return analyzer.simplify(tir.floordiv(offset, TILE_HEIGHT))


def tensorize_gemm(record: TileGemm, stmt: tir.Stmt, scope: TileScope, *, in_place: bool) -> tir.Stmt:
    """matmul_block loops of one gemm; ``in_place`` reloads C and rotates its ring."""
    a, b, c = (operand(region, scope, stmt) for region in (record.a, record.b, record.c))
    for side in (record.a, record.b):
        if scope.rings[side.buffer.name].format not in ("Float32", *NARROW_FORMATS):
            raise UnsupportedError(f"T.gemm of {side.buffer.dtype} operands has no Tensix form yet", at=stmt)
    depth = a.cols
    if (b.cols if record.transpose_b else b.rows) != depth:
        raise TilingError(f"T.gemm: K is {a.cols} tiles in {a.buffer.name}, another number in {b.buffer.name}", at=stmt)
    height, width = _subblock(c, scope.dst_tiles, linear=in_place)
    if _strided_b(record, b, width):
        height, width = _subblock(c, scope.dst_tiles, linear=in_place, max_width=1)
    plan = _MatmulPlan(record=record, a=a, b=b, c=c, depth=depth, height=height, width=width, in_place=in_place)
    in_l1 = not in_place and accumulates_in_l1(record, scope.rings[c.buffer.name])
    loops = plan.loops()
    if not in_l1:
        return loops
    accumulate = tvm.arith.Analyzer().simplify(tir.Not(record.clear))
    flag: object = 1 if is_const_int(accumulate, 1) else tir.Cast("uint32", accumulate)
    return sequence([do("pack_reconfig_l1_acc", flag), loops, do("pack_reconfig_l1_acc", 0)])


def _strided_b(record: TileGemm, b: Operand, width: int) -> bool:
    """Whether tiles of B that are neighbours along N do not lie next to each other in its ring."""
    return width > 1 and record.transpose_b != b.layout.column_major


def _subblock(c: Operand, limit: int, *, linear: bool, max_width: int = 8) -> tuple[int, int]:
    """Largest (rows, columns) of C tiles that fit DST; near-square reads fewest operand tiles.

    ``linear`` asks for tiles that follow each other in the ring (C is reloaded and rotated).
    """
    best = (1, 1)
    for height in range(1, limit + 1):
        for width in range(1, min(limit // height, max_width) + 1):
            fits = c.rows % height == 0 and c.cols % width == 0
            if not fits or (linear and height > 1 and width != c.cols):
                continue
            if (height * width, -abs(height - width), width) > (best[0] * best[1], -abs(best[0] - best[1]), best[1]):
                best = (height, width)
    return best


@dataclass(frozen=True, kw_only=True)
class _MatmulPlan:
    record: TileGemm
    a: Operand
    b: Operand
    c: Operand
    depth: int
    height: int
    width: int
    in_place: bool

    def loops(self) -> tir.Stmt:
        rows, cols = self.c.rows // self.height, self.c.cols // self.width
        i, j, k = (tir.Var(name, "int32") for name in ("m", "n", "kk"))
        row: tir.PrimExpr = i * self.height if rows > 1 else tir.IntImm("int32", 0)
        col: tir.PrimExpr = j * self.width if cols > 1 else tir.IntImm("int32", 0)
        inner: tir.PrimExpr = k if self.depth > 1 else tir.IntImm("int32", 0)
        multiply = self.multiply(row, col, inner)
        if self.depth > 1:
            multiply = _serial(k, self.depth, multiply)
        body = sequence([do("tile_regs_acquire"), *self.reload(), multiply, *self.store(row, col)])
        if cols > 1:
            body = _serial(j, cols, body)
        return _serial(i, rows, body) if rows > 1 else body

    def multiply(self, row: tir.PrimExpr, col: tir.PrimExpr, k: tir.PrimExpr) -> tir.Stmt:
        b_index = self.b.index(col, k) if self.record.transpose_b else self.b.index(k, col)
        stride = self.a.layout.tile_cols
        return do(
            "matmul_block",
            self.a.buffer,
            self.b.buffer,
            self.a.index(row, k),
            b_index,
            0,
            1 if self.record.transpose_b else 0,
            self.width,
            self.height,
            stride,
        )

    def reload(self) -> list[tir.Stmt]:
        if not self.in_place:
            return []
        loads = [do("copy_tile", self.c.buffer, t, t) for t in range(self.height * self.width)]
        if isinstance(self.record.clear, tir.IntImm):
            return loads
        keeps = tvm.arith.Analyzer().simplify(tir.Not(self.record.clear))
        return [tir.IfThenElse(keeps, sequence(loads), None)]

    def store(self, row: tir.PrimExpr, col: tir.PrimExpr) -> list[tir.Stmt]:
        count = self.height * self.width
        parts = [do("tile_regs_commit")]
        if self.in_place:
            parts += [do("cb_pop_front", self.c.buffer, count), do("cb_reserve_back", self.c.buffer, count)]
        parts.append(do("tile_regs_wait"))
        for r in range(self.height):
            for w in range(self.width):
                slot = r * self.width + w
                if self.in_place:
                    parts.append(do("pack_tile", slot, self.c.buffer))
                else:
                    parts.append(do("pack_tile", "true", slot, self.c.buffer, self.c.index(row + r, col + w)))
        parts.append(do("tile_regs_release"))
        if self.in_place:
            parts.append(do("cb_push_back", self.c.buffer, count))
        return parts


def _turnable(region: Region, scope: TileScope, stmt: tir.Stmt) -> Operand:
    """A side of a transpose: a matrix region, or a whole vector (``orient_vectors``)."""
    layout = scope.layouts[region.buffer.name]
    if layout.kind not in ("column", "row"):
        return operand(region, scope, stmt)
    zero = tir.IntImm("int32", 0)
    return Operand(
        buffer=region.buffer,
        layout=layout,
        plane=zero,
        row=zero,
        col=zero,
        rows=layout.tile_rows,
        cols=layout.tile_cols,
    )


def tensorize_transpose(record: TileTranspose, stmt: tir.Stmt, scope: TileScope) -> tir.Stmt:
    """Tile-wise transpose: tile (r, c) of the destination is tile (c, r) of the source, transposed."""
    source, destination = _turnable(record.source, scope, stmt), _turnable(record.destination, scope, stmt)
    row, col = tir.Var("r", "int32"), tir.Var("c", "int32")
    body = sequence(
        [
            do("tile_regs_acquire"),
            do("transpose_tile", source.buffer, source.index(col, row), 0),
            do("tile_regs_commit"),
            do("tile_regs_wait"),
            do("pack_tile", "true", 0, destination.buffer, destination.index(row, col)),
            do("tile_regs_release"),
        ]
    )
    return _serial(row, destination.rows, _serial(col, destination.cols, body))


def _serial(var: tir.Var, extent: int, body: tir.Stmt) -> tir.Stmt:
    return tir.For(var, tir.IntImm("int32", 0), tir.IntImm("int32", extent), tir.ForKind.SERIAL, body)
