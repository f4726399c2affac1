"""Give blocks that update the same elements to one core, in their order.

Why: an atomic update reads, computes and writes; nothing keeps another core from writing in between. Blocks stay
parallel along the grid axes that provably lead to different elements (the axis selects a block of some dim); the other
axes become loops inside a block. No lock is needed, and the order of the updates is always the same. The price is
parallelism: a split-K grid runs its splits on one core, one after another.

Before::

    for bx in thread_binding(2, "blockIdx.x"):
        for bz in thread_binding(4, "blockIdx.z"): ...; C[bx*32 + i, j] = C[bx*32 + i, j] + c[i, j]

After::

    for bx in thread_binding(2, "blockIdx.x"):
        for bz in serial(4): ...
    func_attr({"tt_ordered_tensors": ["C"]})

``tt_ordered_tensors`` are the tensors that a core may read after its own write: see ``order_tensor_accesses``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir

from .base import LoweringContext
from .ops import scalar_source
from .ranges import leaves_with_ranges
from .rewrite_atomics import atomic_tensors
from .scalar_code import elements_of
from .tile_ir import (
    GLOBAL_SCOPE,
    Elementwise,
    Region,
    TileCopy,
    TileScalarCode,
    TileScatter,
    is_const_int,
    is_gather,
    loads_in,
    parse,
    sequence,
    statements_of,
    with_body,
    with_span_of,
)

ORDERED_ATTRIBUTE = "tt_ordered_tensors"


def serialize_conflicting_blocks(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Make serial loops of the grid axes along which atomic updates may meet; name the tensors whose order matters."""
    axes = [loop.loop_var for loop in _grid(func.body) if not is_const_int(loop.extent, 1)]
    tensors = _tensors(func, axes)
    atomics = atomic_tensors(func)
    serial = [
        axis for axis in axes if any(name in atomics and not uses.separated_by(axis) for name, uses in tensors.items())
    ]
    if serial:
        context.note(
            what=f"the blocks along {', '.join(axis.name for axis in serial)} run one after another on one core",
            why="they update the same elements atomically",
            hint="give each block elements of its own, and add them up in another T.Kernel",
            at=func,
        )
        func = func.with_body(_serialized(func.body, serial))
    ordered = sorted(name for name, uses in tensors.items() if uses.needs_order(axes))
    return func.with_attr(ORDERED_ATTRIBUTE, ordered) if ordered else func


@dataclass(frozen=True, kw_only=True)
class _Access:
    """One access of a tensor; ``strides`` has, per axis and dim, how far the axis moves it past its own extent."""

    is_read: bool
    is_write: bool
    by_reader: bool
    in_loop: bool
    strides: Mapping[tuple[tir.Var, int], int]


@dataclass(kw_only=True)
class _Uses:
    """All accesses of one tensor, in program order."""

    rank: int
    found: list[_Access] = field(default_factory=list)

    def separated_by(self, axis: tir.Var) -> bool:
        """Whether different values of ``axis`` lead to different elements."""
        for dim in range(self.rank):
            strides = {access.strides.get((axis, dim)) for access in self.found}
            if len(strides) == 1 and None not in strides:
                return True
        return False

    def needs_order(self, axes: list[tir.Var]) -> bool:
        """Whether a core may read an element that it wrote before."""
        if not any(a.is_write for a in self.found) or not any(a.is_read for a in self.found):
            return False
        if all(a.by_reader for a in self.found):
            return False
        if not all(self.separated_by(axis) for axis in axes):
            return True
        first_write = next(n for n, a in enumerate(self.found) if a.is_write)
        last_read = max(n for n, a in enumerate(self.found) if a.is_read)
        return first_write < last_read or any(a.in_loop for a in self.found)


def _tensors(func: tir.PrimFunc, axes: list[tir.Var]) -> dict[str, _Uses]:
    tensors: dict[str, _Uses] = {}
    looped = _inside_loops(func.body)

    def add(
        region: Region, stmt: tir.Stmt, analyzer: tvm.arith.Analyzer, *, is_read: bool, by_reader: bool | None = None
    ) -> None:
        uses = tensors.setdefault(region.buffer.name, _Uses(rank=len(region.buffer.shape)))
        strides = {}
        for dim, (low, extent) in enumerate(zip(region.mins, region.extents, strict=True)):
            for axis in axes:
                stride = _stride(low, extent, axis, analyzer)
                if stride is not None:
                    strides[axis, dim] = stride
        in_loop = any(stmt.same_as(other) for other in looped)
        by_reader = is_read if by_reader is None else by_reader
        access = _Access(is_read=is_read, is_write=not is_read, by_reader=by_reader, in_loop=in_loop, strides=strides)
        uses.found.append(access)

    def add_elements(record: Elementwise | TileScatter, stmt: tir.Stmt, analyzer: tvm.arith.Analyzer) -> None:
        """Gathers and scatters: single elements at places that depend on the loop variables."""
        for var, extent in zip(record.loop_vars, record.extents, strict=True):
            analyzer.bind(var, tvm.ir.Range.from_min_extent(0, extent), True)
        places = list(record.target.indices) if isinstance(record, TileScatter) else [record.store.value]
        for load in (load for place in places for load in loads_in(place)):
            add(_element(load), stmt, analyzer, is_read=True)
        if isinstance(record, TileScatter):
            add(_element(record.target), stmt, analyzer, is_read=False)

    for stmt, analyzer in leaves_with_ranges(func):
        scalar = scalar_source(stmt)
        if scalar is not None and scalar.buffer.scope() == GLOBAL_SCOPE:
            add(_element(scalar), stmt, analyzer, is_read=True)
        record = parse(stmt)
        if isinstance(record, TileScatter) or is_gather(record):
            add_elements(record, stmt, analyzer)
        if isinstance(record, TileScalarCode):
            for element in elements_of(record.body):
                if element.buffer.scope() == GLOBAL_SCOPE:
                    for var, extent in element.ranges.items():
                        analyzer.bind(var, extent, True)
                    place = _element(tir.BufferLoad(element.buffer, list(element.indices)))
                    add(place, stmt, analyzer, is_read=not element.is_write, by_reader=True)
        if isinstance(record, TileCopy):
            if record.source.is_global:
                add(record.source, stmt, analyzer, is_read=True)
            if record.destination.is_global:
                add(record.destination, stmt, analyzer, is_read=False)
    return tensors


def _element(load: tir.BufferLoad) -> Region:
    ones = tuple(tir.IntImm("int32", 1) for _ in load.indices)
    return Region(buffer=load.buffer, mins=tuple(load.indices), extents=ones)


def _stride(low: tir.PrimExpr, extent: tir.PrimExpr, axis: tir.Var, analyzer: tvm.arith.Analyzer) -> int | None:
    """``c`` when the access covers part of ``[c * axis, c * (axis + 1))``."""
    linear = tvm.arith.detect_linear_equation(low, [axis])
    if not linear or not isinstance(linear[0], tir.IntImm) or not isinstance(extent, tir.IntImm):
        return None
    stride = int(linear[0].value)
    rest = analyzer.const_int_bound(linear[1])
    fits = stride > 0 and int(rest.min_value) >= 0 and int(rest.max_value) + int(extent.value) <= stride
    return stride if fits else None


def _inside_loops(body: tir.Stmt) -> list[tir.Stmt]:
    """Statements inside serial loops."""
    found: list[tir.Stmt] = []

    def visit(stmt: tir.Stmt, inside: bool) -> None:
        if isinstance(stmt, tir.SeqStmt):
            for child in stmt.seq:
                visit(child, inside)
        elif isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL:
            visit(stmt.body, inside or stmt.kind != tir.ForKind.THREAD_BINDING)
        elif isinstance(stmt, tir.While):
            visit(stmt.body, True)
        elif isinstance(stmt, tir.IfThenElse):
            visit(stmt.then_case, inside)
            if stmt.else_case is not None:
                visit(stmt.else_case, inside)
        elif inside:
            found.append(stmt)

    visit(body, False)
    return found


def _grid(body: tir.Stmt) -> list[tir.For]:
    loops: list[tir.For] = []
    for part in statements_of(body):
        while isinstance(part, tir.For) and part.kind == tir.ForKind.THREAD_BINDING:
            loops.append(part)
            part = part.body
    return loops


def _serialized(body: tir.Stmt, serial: list[tir.Var]) -> tir.Stmt:
    """``body`` with the grid loops over ``serial`` made serial, inside the others (x fastest, as in the grid)."""
    parts = []
    for part in statements_of(body):
        loops = _grid(part)
        if not loops:
            parts.append(part)
            continue
        inner = loops[-1].body
        chosen = [loop for loop in loops if any(loop.loop_var.same_as(axis) for axis in serial)]
        for loop in chosen:
            inner = with_span_of(tir.For(loop.loop_var, loop.min, loop.extent, tir.ForKind.SERIAL, inner), loop)
        for loop in reversed([loop for loop in loops if not any(loop.same_as(other) for other in chosen)]):
            inner = with_body(loop, inner)
        parts.append(inner)
    return sequence(parts)
