"""Copies between row-major tensors and tiles: pieces of rows, moved lane by lane by the data-movement cores.

Why: a tensor that is accessed along different dims, or at places inside a tile, has no tile layout that suits all of
its accesses. Its pages are then rows of the last dim. The reader fetches the piece of each row that a block covers (a
*stick*) into scratch memory and deals its elements to their lanes; the writer collects sticks from the lanes and writes
exactly their bytes, so that neighbours in the same row stay as they are. Sticks are fetched in groups, to wait once per
group. A stick lies in scratch memory at its DRAM address modulo 64, which satisfies the NoC's alignment rules on every
chip.

Before::

    copy(Partial[by, 0:+64], column)                      # Partial: row-major, column: 64 lanes of row 0

After::

    column_l1 = tt.get_write_ptr(column); sticks = tt.scratch_base(reader_scratch)
    tt.read_stick(Partial, by, 0, 256, sticks)
    tt.noc_async_read_barrier()
    tt.scatter_cols("uint32_t", sticks, 0, 0, 64, 64, column_l1, 0, 0, 4096)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from ..target import TILE_ELEMENTS, TILE_HEIGHT, TILE_WIDTH
from .accesses import READER
from .ops import call, do
from .sticks import COL, ELEMENT_TYPES, FLAT, PLANE, ROW, SCRATCH, Line, Sticks, decompose, sides_of
from .tensorize_tile_maps import TileScope
from .tile_ir import Region, TileCopy, sequence
from .tile_layout import TileLayout


def tensorize_row_major(record: TileCopy, stmt: tir.Stmt, scope: TileScope, analyzer: tvm.arith.Analyzer) -> tir.Stmt:
    """The stick loops of one copy between a row-major tensor and L1."""
    tensor, chip, role = sides_of(record)
    layout = scope.layouts[chip.buffer.name]
    block = _Block(
        tensor=tensor,
        chip=chip,
        layout=layout,
        page_size=scope.rings[chip.buffer.name].page_size,
        sticks=decompose(tensor, chip, layout, stmt),
        analyzer=analyzer,
        base=tir.Var(f"{chip.buffer.name}_l1", "int32"),
        scratch=tir.Var("sticks", "int32"),
    )
    pointer = call("get_write_ptr" if role == READER else "get_read_ptr", chip.buffer, dtype="int32")
    scratch = call("scratch_base", tir.Var(SCRATCH[role], "handle"), dtype="int32")
    before = [tir.Bind(block.base, pointer), tir.Bind(block.scratch, scratch)]
    if role == READER:
        return sequence([*before, block.clear(), block.loops(block.load_group)])
    return sequence([*before, block.loops(block.store_group)])


@dataclass(kw_only=True)
class _Block:
    """One copied block and the variables of its loops."""

    tensor: Region
    chip: Region
    layout: TileLayout
    page_size: int
    sticks: Sticks
    analyzer: tvm.arith.Analyzer
    base: tir.Var
    scratch: tir.Var

    def loops(self, group: Callable[[dict[int, tir.PrimExpr], tir.PrimExpr, tir.PrimExpr], tir.Stmt]) -> tir.Stmt:
        """Loops over all groups of sticks around ``group(indices, first of the group, sticks in the group)``."""
        variables = {line.chip_dim: tir.Var("prc"[min(2, n)], "int32") for n, line in enumerate(self.sticks.loops)}
        for line in self.sticks.loops:
            self.analyzer.bind(variables[line.chip_dim], tvm.ir.Range.from_min_extent(0, line.extent), True)
        zero, one = tir.IntImm("int32", 0), tir.IntImm("int32", 1)
        if not self.sticks.loops:
            return group({}, zero, one)
        *outer, inner = self.sticks.loops
        size = self.sticks.group
        first = tir.Var("first", "int32")
        self.analyzer.bind(first, tvm.ir.Range.from_min_extent(0, -(-inner.extent // size)), True)
        if inner.extent <= size:
            body = group(dict(variables), zero, tir.IntImm("int32", inner.extent))
        else:
            count = tir.IntImm("int32", size)
            if inner.extent % size:
                count = tir.Min(count, inner.extent - first * size)
            body = group(dict(variables), first * size, count)
            body = _serial(first, -(-inner.extent // size), body)
        for line in reversed(outer):
            body = _serial(variables[line.chip_dim], line.extent, body)
        return body

    def clear(self) -> tir.Stmt:
        """Zeros for the lanes that no element reaches."""
        layout = self.layout
        if layout.kind == "matrix" and layout.rows % TILE_HEIGHT == 0 and layout.cols % TILE_WIDTH == 0:
            return sequence([])
        if layout.kind == "flat" and layout.cols % TILE_ELEMENTS == 0:
            return sequence([])
        tile = tir.Var("tile", "int32")
        if layout.tiles == 1:
            return do("fill_zero_tile", self.base, self.page_size)
        return _serial(tile, layout.tiles, do("fill_zero_tile", self.base + tile * self.page_size, self.page_size))

    def load_group(self, at: dict[int, tir.PrimExpr], first: tir.PrimExpr, count: tir.PrimExpr) -> tir.Stmt:
        """Fetch the sticks of a group, wait, deal them to their lanes."""

        def fetch(stick: dict[int, tir.PrimExpr], slot: tir.PrimExpr) -> tir.Stmt:
            page, first_byte, _, elements = self.piece(stick)
            return do("read_stick", self.tensor.buffer, page, first_byte, elements * self.sticks.element_bytes, slot)

        def scatter(stick: dict[int, tir.PrimExpr], slot: tir.PrimExpr) -> tir.Stmt:
            _, first_byte, skip, elements = self.piece(stick)
            operation, target = self.lanes(stick)
            return do(
                f"scatter_{operation}", self.element, slot, first_byte, skip, elements, self.sticks.length, *target
            )

        return sequence(
            [
                self.each(at, first, count, fetch),
                do("noc_async_read_barrier"),
                self.each(at, first, count, scatter),
            ]
        )

    def store_group(self, at: dict[int, tir.PrimExpr], first: tir.PrimExpr, count: tir.PrimExpr) -> tir.Stmt:
        """Collect the sticks of a group from their lanes and write them; scratch memory is free again behind it."""

        def gather(stick: dict[int, tir.PrimExpr], slot: tir.PrimExpr) -> tir.Stmt:
            page, first_byte, skip, elements = self.piece(stick)
            axis, source = self.lanes(stick)
            size = elements * self.sticks.element_bytes
            return sequence(
                [
                    do(f"gather_{axis}", self.element, slot, first_byte, skip, elements, *source),
                    do("write_stick", self.tensor.buffer, page, first_byte, size, slot),
                ]
            )

        return sequence([self.each(at, first, count, gather), do("noc_async_writes_flushed")])

    def each(
        self,
        at: dict[int, tir.PrimExpr],
        first: tir.PrimExpr,
        count: tir.PrimExpr,
        body: Callable[[dict[int, tir.PrimExpr], tir.PrimExpr], tir.Stmt],
    ) -> tir.Stmt:
        """``body(indices, scratch address)`` for every stick of a group."""
        if not self.sticks.loops:
            return body(at, self.scratch)
        stick = tir.Var("stick", "int32")
        inner = self.sticks.loops[-1]
        self.analyzer.bind(stick, tvm.ir.Range.from_min_extent(0, min(self.sticks.group, inner.extent)), True)
        indices = {**at, inner.chip_dim: tvm.arith.Analyzer().simplify(first + stick)}
        return _serial(stick, count, body(indices, self.scratch + stick * self.sticks.slot_bytes))

    @property
    def element(self) -> str:
        """The C++ type that carries an element's bits."""
        return ELEMENT_TYPES[self.sticks.element_bytes]

    def piece(self, at: dict[int, tir.PrimExpr]) -> tuple[tir.PrimExpr, tir.PrimExpr, tir.PrimExpr, tir.PrimExpr]:
        """(page, first byte in it, lanes to skip, elements that exist) of a stick."""
        shape, last = list(self.tensor.buffer.shape), len(self.tensor.extents) - 1
        index = list(self.tensor.mins)
        for line in self.sticks.loops:
            index[line.tensor_dim] = index[line.tensor_dim] + at[line.chip_dim]
        page: tir.PrimExpr = tir.IntImm("int32", 0)
        conditions: list[tir.PrimExpr] = []
        for dim in range(last):
            page = page * shape[dim] + index[dim]
            conditions += [index[dim] >= 0, index[dim] < shape[dim]]
        start, length = index[last], self.sticks.length
        first, skip = start, tir.IntImm("int32", 0)
        if not self.analyzer.can_prove(start >= 0):
            first, skip = tir.Max(start, 0), tir.Max(0 - start, 0)
        elements: tir.PrimExpr = tir.IntImm("int32", length)
        if not isinstance(self.tensor.extents[last], tir.IntImm):
            elements = tir.Max(tir.Min(elements, self.tensor.extents[last]), 0)
        elements = elements - skip
        if not self.analyzer.can_prove(start + length <= shape[last]):
            elements = tir.Max(tir.Min(elements, shape[last] - first), 0)
        for line in self.sticks.loops:
            extent = self.tensor.extents[line.tensor_dim]
            if not isinstance(extent, tir.IntImm):
                conditions.append(at[line.chip_dim] < extent)
        for condition in conditions:
            if not self.analyzer.can_prove(condition):
                elements = tir.Select(condition, elements, tir.IntImm("int32", 0))
        simplify = tvm.arith.Analyzer().simplify
        return simplify(page), simplify(first * self.sticks.element_bytes), simplify(skip), simplify(elements)

    def lanes(self, at: dict[int, tir.PrimExpr]) -> tuple[str, tuple[tir.PrimExpr, ...]]:
        """(axis of the stick, (address of its first tile, row and column in it, bytes to the next tile along it))."""
        zero = tir.IntImm("int32", 0)
        row, col, planes, tile = zero, zero, [zero] * len(self.layout.outer), None
        for line in self.sticks.loops:
            index = at[line.chip_dim]
            if line.axis == ROW:
                row = index
            elif line.axis == COL:
                col = index
            elif line.axis == PLANE:
                planes[line.chip_dim] = index
            else:
                tile = tir.floordiv(index, TILE_ELEMENTS)
                row, col = tir.floordiv(tir.floormod(index, TILE_ELEMENTS), TILE_WIDTH), tir.floormod(index, TILE_WIDTH)
        if tile is None:
            plane = self.layout.plane_of(planes)
            tile = self.layout.index(plane, tir.floordiv(row, TILE_HEIGHT), tir.floordiv(col, TILE_WIDTH))
        stick = self.sticks.stick
        axis = stick.axis if stick is not None else COL
        simplify = tvm.arith.Analyzer().simplify
        address = simplify(self.base + tile * self.page_size)
        in_tile = simplify(tir.floormod(row, TILE_HEIGHT)), simplify(tir.floormod(col, TILE_WIDTH))
        return axis, (address, *in_tile, tir.IntImm("int32", self.next_tile(stick) * self.page_size))

    def next_tile(self, stick: Line | None) -> int:
        """Tiles between neighbouring tiles along the stick."""
        layout = self.layout
        if stick is None or stick.axis == FLAT:
            return 1
        if stick.axis == COL:
            return layout.tile_rows if layout.column_major else 1
        if stick.axis == ROW:
            return 1 if layout.column_major else layout.tile_cols
        step = layout.tile_rows * layout.tile_cols
        for extent in layout.outer[stick.chip_dim + 1 :]:
            step *= extent
        return step


def _serial(variable: tir.Var, extent: tir.PrimExpr | int, body: tir.Stmt) -> tir.Stmt:
    count = tir.IntImm("int32", extent) if isinstance(extent, int) else extent
    return tir.For(variable, tir.IntImm("int32", 0), count, tir.ForKind.SERIAL, body)
