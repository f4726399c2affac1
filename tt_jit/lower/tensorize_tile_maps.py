"""Element-wise statements, fills and on-chip copies as loops over DST batches.

One acquire computes as many output tiles as DST has room for; each step of the DST program runs for all of them before
the next step, so that an operation is initialised once per batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from ..data_format import is_float_dtype
from ..errors import InternalError, TilingError, UnsupportedError
from ..target import TILE_ELEMENTS, TILE_HEIGHT
from .base import LoweringContext
from .dst_program import COLUMN, FLOAT, FULL, INT, ROW, SCALAR, UNIFORM, DstProgram, Node, Step, schedule
from .memory_space_lower_tt import CircularBuffer
from .ops import do
from .tile_access import Axes, TileAccess, axes_of, tile_access
from .tile_expressions import INDEX_BUFFER_PREFIX, ExpressionBuilder
from .tile_ir import Elementwise, Region, TileCopy, TileFill, is_const_int, sequence, uses_var
from .tile_layout import TileLayout

INDEX_TILES = (INDEX_BUFFER_PREFIX + "row", INDEX_BUFFER_PREFIX + "col")
NARROW_FORMATS = ("Float16_b", "Bfp8_b", "Bfp4_b")
UINT16_FROM_INT32 = ("(uint32_t)DataFormat::Int32", "(uint32_t)DataFormat::UInt16")
INTEGER_FORMATS = ("Int32", "UInt32", "UInt16", "UInt8")


@dataclass(frozen=True, kw_only=True)
class TileScope:
    """What the tensorizers know: rings, page formats and tile layouts by buffer name, the policy, the width of DST."""

    rings: dict[str, CircularBuffer]
    formats: dict[str, str]
    layouts: dict[str, TileLayout]
    context: LoweringContext
    fast: bool = False
    narrow: bool = False

    @property
    def dst_tiles(self) -> int:
        """DST slots of one acquire."""
        target = self.context.target
        return target.dst_tiles_16bit if self.narrow else target.dst_tiles_32bit

    @property
    def float_format(self) -> str:
        """How DST holds floats."""
        return "Float16_b" if self.narrow else FLOAT

    def is_fpu_readable(self, buffer: tir.Buffer) -> bool:
        """Whether the matrix engine reads the buffer without loss: 16 bits and less, or no more in DST anyway."""
        if self.narrow and self.formats[buffer.name] == "Float32":
            return True
        return self.formats[buffer.name] in NARROW_FORMATS

    def dst_format(self, buffer: tir.Buffer) -> str:
        """DST format of a loaded tile."""
        return INT if self.formats[buffer.name] in INTEGER_FORMATS else FLOAT


@dataclass(frozen=True, kw_only=True)
class TileMap:
    """``destination tiles = root`` for tile rows and columns [0, rows) x [0, cols) of the access."""

    access: TileAccess
    axes: Axes
    rows: int
    cols: int
    build: Callable[[bool], DstProgram]
    tile_row: tir.Var
    tile_col: tir.Var
    stmt: tir.Stmt


def copy_as_elementwise(record: TileCopy | TileFill, stmt: tir.Stmt) -> Elementwise:
    """The ``T.Parallel`` form of an on-chip copy or fill."""
    destination = record.destination
    variables, extents, indices = [], [], []
    for dim, (low, extent) in enumerate(zip(destination.mins, destination.extents, strict=True)):
        if is_const_int(extent, 1):
            indices.append(low)
            continue
        if not isinstance(extent, tir.IntImm):
            raise TilingError(f"on-chip region of {destination.buffer.name} has run-time extent {extent}", at=stmt)
        variable = tir.Var(f"i{dim}", "int32")
        variables.append(variable)
        extents.append(int(extent.value))
        indices.append(variable if is_const_int(low, 0) else low + variable)
    if isinstance(record, TileFill):
        value = record.value
    else:
        value = _source_load(record.source, variables, stmt)
    if value.dtype != destination.buffer.dtype:
        value = tir.Cast(destination.buffer.dtype, value)
    store = tir.BufferStore(destination.buffer, value, indices)
    return Elementwise(loop_vars=tuple(variables), extents=tuple(extents), store=store)


def _source_load(source: Region, variables: list[tir.Var], stmt: tir.Stmt) -> tir.PrimExpr:
    kept = source.kept_dims
    if len(kept) != len(variables):
        raise TilingError(
            f"T.copy from {source.buffer.name}: {len(kept)} dims against {len(variables)} dims of the destination",
            hint="give both sides the same extents",
            at=stmt,
        )
    pairs = dict(zip(kept, variables, strict=True))
    indices = []
    for dim, low in enumerate(source.mins):
        if dim not in pairs:
            indices.append(low)
        else:
            indices.append(pairs[dim] if is_const_int(low, 0) else low + pairs[dim])
    return tir.BufferLoad(source.buffer, indices)


def tensorize_elementwise(record: Elementwise, stmt: tir.Stmt, scope: TileScope, *, in_place: bool) -> tir.Stmt:
    """Device loops that compute the store of ``record`` tile by tile."""
    tile_map = tile_map_of(record, stmt, scope)
    body = emit_tile_map(tile_map, scope, in_place=in_place)
    axes = tile_map.axes
    used = [v for v in (axes.row, axes.col, axes.flat) if v is not None]
    for var, extent in reversed(list(zip(record.loop_vars, record.extents, strict=True))):
        if not any(var.same_as(v) for v in used):
            body = _serial(var, extent, body)
    return body


def tile_map_of(record: Elementwise, stmt: tir.Stmt, scope: TileScope) -> TileMap:
    """The tiles that ``record`` computes and the DST program of one of them."""
    store = record.store
    layout = scope.layouts[store.buffer.name]
    axes = axes_of(store.buffer, layout, list(store.indices), record.loop_vars)
    extent_of = dict(zip(record.loop_vars, record.extents, strict=True))
    _check_lanes_apart(record, stmt)
    access = tile_access(store.buffer, layout, list(store.indices), axes, stmt)
    _check_covers_tiles(access, axes, extent_of, stmt)
    tile_row, tile_col = tir.Var("tile_row", "int32"), tir.Var("tile_col", "int32")
    origin = {}
    if axes.row is not None:
        origin[axes.row] = tile_row * TILE_HEIGHT
    if axes.col is not None:
        origin[axes.col] = tile_col * TILE_HEIGHT
    if axes.flat is not None:
        origin[axes.flat] = tile_col * TILE_ELEMENTS

    # What is stored with more bits than bfloat16 has is what errors would grow in.
    fast = scope.fast and str(store.buffer.dtype) == "bfloat16"

    def build(share: bool) -> DstProgram:
        def load(node: tir.BufferLoad) -> Node:
            loaded = _load(node, builder, scope, axes, tile_row, tile_col, stmt)
            return _spread_load(loaded, builder, access.shape(axes)) if scope.narrow else loaded

        builder = ExpressionBuilder(
            load=load, origin_of=origin, stmt=stmt, share=share, fast=fast, float_format=scope.float_format
        )
        value = builder.value(_without_final_cast(store))
        root = builder.spread(builder.materialize(value, scope.dst_format(store.buffer)))
        if scope.formats[store.buffer.name] == "UInt16":
            # The packer takes 16-bit integers from another half of a DST word than the one that holds an int32.
            root = builder.unary("typecast_tile", root, template=UINT16_FROM_INT32)
        return schedule([root], fpu_formats=scope.is_fpu_readable, float_format=scope.float_format)

    return TileMap(
        access=access,
        axes=axes,
        rows=_tiles(extent_of.get(axes.row, 1), TILE_HEIGHT),
        cols=_tiles(extent_of.get(axes.col if axes.flat is None else axes.flat, 1), _unit(axes)),
        build=build,
        tile_row=tile_row,
        tile_col=tile_col,
        stmt=stmt,
    )


def smallest_program(tile_map: TileMap, limit: int) -> DstProgram:
    """The DST program of one tile; loads are repeated instead of kept when that saves slots."""
    program = tile_map.build(True)
    return program if program.slots <= limit else tile_map.build(False)


def _without_final_cast(store: tir.BufferStore) -> tir.PrimExpr:
    """The stored value without its cast between float dtypes: the packer rounds to the buffer's format anyway."""
    value = store.value
    while isinstance(value, tir.Cast) and is_float_dtype(value.dtype) and is_float_dtype(value.value.dtype):
        value = value.value
    return value


def _unit(axes: Axes) -> int:
    return TILE_ELEMENTS if axes.flat is not None else TILE_HEIGHT


def _tiles(extent: int, unit: int) -> int:
    return -(-extent // unit)


def _check_lanes_apart(record: Elementwise, stmt: tir.Stmt) -> None:
    """No two lanes with different values store to one element."""
    for var, extent in zip(record.loop_vars, record.extents, strict=True):
        meets = extent > 1 and not any(uses_var(index, [var]) for index in record.store.indices)
        if meets and uses_var(record.store.value, [var]):
            raise UnsupportedError(
                f"all lanes along {var.name} store to the same elements of {record.store.buffer.name}",
                hint="combine them with T.reduce_sum (max, min), or with T.alloc_reducer",
                at=stmt,
            )


def _check_covers_tiles(access: TileAccess, axes: Axes, extent_of: dict[tir.Var, int], stmt: tir.Stmt) -> None:
    """A store must fill whole tiles: a smaller block would overwrite its neighbours."""
    layout = access.layout
    lines = [(axes.row, layout.rows, TILE_HEIGHT), (axes.col, layout.cols, TILE_HEIGHT)]
    if axes.flat is not None:
        lines = [(axes.flat, layout.cols, TILE_ELEMENTS)]
    for var, size, unit in lines:
        extent = extent_of[var] if var is not None else 1
        if extent % unit and extent != size and size != 1:
            raise TilingError(
                f"{access.buffer.name} is written in blocks of {extent} of its {size} elements, less than whole tiles",
                hint=f"write whole rows and columns, or blocks that are multiples of {unit}",
                at=stmt,
            )


def _load(
    node: tir.BufferLoad,
    builder: ExpressionBuilder,
    scope: TileScope,
    axes: Axes,
    tile_row: tir.Var,
    tile_col: tir.Var,
    stmt: tir.Stmt,
) -> Node:
    layout = scope.layouts[node.buffer.name]
    fmt = scope.dst_format(node.buffer)
    if node.buffer.name in INDEX_TILES:
        return builder.node("load", buffer=node.buffer, index=tir.IntImm("int32", 0), format=fmt)
    access = tile_access(node.buffer, layout, list(node.indices), axes, stmt)
    index = access.index(tile_row, tile_col)
    return builder.node("load", buffer=node.buffer, index=index, shape=access.shape(axes), format=fmt)


def _spread_load(node: Node, builder: ExpressionBuilder, target: str) -> Node:
    """``node`` for DST registers of 16 bits, inside of which nothing is broadcast: spread on the way into DST."""
    if node.format == INT or node.shape in (FULL, target):
        return node
    template = {COLUMN: "BroadcastType::COL", ROW: "BroadcastType::ROW"}.get(node.shape, "BroadcastType::SCALAR")
    shape = UNIFORM if node.shape == SCALAR else FULL
    return builder.node("unary_bcast", buffer=node.buffer, index=node.index, template=(template,), shape=shape)


def emit_tile_map(tile_map: TileMap, scope: TileScope, *, in_place: bool) -> tir.Stmt:
    """Loops over batches of output tiles: acquire, steps, pack."""
    program = smallest_program(tile_map, scope.dst_tiles)
    if program.slots > scope.dst_tiles:
        raise InternalError(
            f"an expression needs {program.slots} DST registers; {scope.dst_tiles} are there (split_expressions failed)"
        )
    layout = tile_map.access.layout
    column_first = layout.column_major
    inner = tile_map.rows if column_first else tile_map.cols
    outer = tile_map.cols if column_first else tile_map.rows
    limit = scope.dst_tiles // program.slots
    linear = _is_linear(tile_map, program)
    if linear:
        inner, outer = inner * outer, 1
    batch = max(b for b in range(1, limit + 1) if inner % b == 0)
    emitter = _Emitter(tile_map=tile_map, program=program, scope=scope, batch=batch, in_place=in_place, linear=linear)
    return emitter.loops(outer, inner)


def _is_linear(tile_map: TileMap, program: DstProgram) -> bool:
    """Whether every tile index is the linear number of the output tile, so that rows need not be told apart."""
    layout = tile_map.access.layout
    if layout.column_major or tile_map.rows != layout.tile_rows or tile_map.cols != layout.tile_cols:
        return False
    linear = tile_map.access.index(tile_map.tile_row, tile_map.tile_col)
    analyzer = tvm.arith.Analyzer()
    for step in program.steps:
        moving = [i for b, i in zip(step.buffers, step.indices, strict=True) if b.name not in INDEX_TILES]
        if any(not analyzer.can_prove_equal(index, linear) for index in moving):
            return False
        if any(uses_var(i, (tile_map.tile_row, tile_map.tile_col)) for i in step.immediates):
            return False
    return True


@dataclass(kw_only=True)
class _Emitter:
    tile_map: TileMap
    program: DstProgram
    scope: TileScope
    batch: int
    in_place: bool
    linear: bool

    def loops(self, outer: int, inner: int) -> tir.Stmt:
        layout = self.tile_map.access.layout
        names = ("c", "r") if layout.column_major else ("r", "c")
        first, second = tir.Var(names[0], "int32"), tir.Var("tile" if self.linear else names[1], "int32")
        start = first if outer > 1 else tir.IntImm("int32", 0)
        step = second if inner // self.batch > 1 else tir.IntImm("int32", 0)
        body = self.acquire(start, step * self.batch)
        if inner // self.batch > 1:
            body = _serial(second, inner // self.batch, body)
        return _serial(first, outer, body) if outer > 1 else body

    def acquire(self, major: tir.PrimExpr, minor: tir.PrimExpr) -> tir.Stmt:
        """One acquire section for ``batch`` tiles starting at (``major``, ``minor``) in storage order."""
        buffer = self.tile_map.access.buffer
        parts = [do("tile_regs_acquire")]
        parts += [self.step(step, major, minor) for step in self.program.steps]
        parts += [do("tile_regs_commit")]
        if self.in_place:
            parts += [do("cb_pop_front", buffer, self.batch), do("cb_reserve_back", buffer, self.batch)]
        parts += [do("tile_regs_wait"), self.pack(major, minor), do("tile_regs_release")]
        if self.in_place:
            parts += [do("cb_push_back", buffer, self.batch)]
        return sequence(parts)

    def step(self, step: Step, major: tir.PrimExpr, minor: tir.PrimExpr) -> tir.Stmt:
        def at(lane: tir.PrimExpr | int) -> tir.Stmt:
            indices = [self.index(b, i, major, minor, lane) for b, i in zip(step.buffers, step.indices, strict=True)]
            slots = [self.slot(slot, lane) for slot in step.slots]
            immediates = [self.at_lane(i, major, minor, lane) for i in step.immediates]
            return do(step.operation, *step.template, *step.buffers, *indices, *slots, *immediates)

        return self.lanes(at)

    def index(
        self,
        buffer: tir.Buffer,
        index: tir.PrimExpr,
        major: tir.PrimExpr,
        minor: tir.PrimExpr,
        lane: tir.PrimExpr | int,
    ) -> tir.PrimExpr:
        if self.in_place and buffer.same_as(self.tile_map.access.buffer):
            return lane if isinstance(lane, tir.PrimExpr) else tir.IntImm("int32", lane)
        if self.linear and buffer.name not in INDEX_TILES:
            return self.linear_index(minor, lane)
        return self.at_lane(index, major, minor, lane)

    def linear_index(self, minor: tir.PrimExpr, lane: tir.PrimExpr | int) -> tir.PrimExpr:
        """The number of the output tile, counted from the first tile of its plane."""
        return tvm.arith.Analyzer().simplify(self.tile_map.access.index(0, 0) + minor + lane)

    def at_lane(
        self, expr: tir.PrimExpr, major: tir.PrimExpr, minor: tir.PrimExpr, lane: tir.PrimExpr | int
    ) -> tir.PrimExpr:
        row, col = (minor + lane, major) if self.tile_map.access.layout.column_major else (major, minor + lane)
        values = {self.tile_map.tile_row: row, self.tile_map.tile_col: col}
        return tvm.arith.Analyzer().simplify(tir.stmt_functor.substitute(expr, values))

    def slot(self, slot: int, lane: tir.PrimExpr | int) -> tir.PrimExpr:
        base = slot * self.batch
        if isinstance(lane, int):
            return tir.IntImm("int32", base + lane)
        return lane if base == 0 else lane + base

    def pack(self, major: tir.PrimExpr, minor: tir.PrimExpr) -> tir.Stmt:
        access = self.tile_map.access
        whole = (self.tile_map.rows, self.tile_map.cols) == (access.layout.tile_rows, access.layout.tile_cols)
        sequential = self.in_place or (whole and access.layout.planes == 1)

        def at(lane: tir.PrimExpr | int) -> tir.Stmt:
            slot = self.slot(self.program.results[0], lane)
            if sequential:
                return do("pack_tile", slot, access.buffer)
            index = (
                self.linear_index(minor, lane)
                if self.linear
                else self.at_lane(access.index(self.tile_map.tile_row, self.tile_map.tile_col), major, minor, lane)
            )
            return do("pack_tile", "true", slot, access.buffer, index)

        return self.lanes(at)

    def lanes(self, at: Callable[[tir.PrimExpr | int], tir.Stmt]) -> tir.Stmt:
        if self.batch == 1:
            return at(0)
        lane = tir.Var("t", "int32")
        return _serial(lane, self.batch, at(lane))


def _serial(var: tir.Var, extent: int, body: tir.Stmt) -> tir.Stmt:
    return tir.For(var, tir.IntImm("int32", 0), tir.IntImm("int32", extent), tir.ForKind.SERIAL, body)
