"""Make accesses that start or end inside a tile whole-tile work with a condition.

Why: tiles are computed whole. A store to one column, one row or a few rows becomes a store to all of the tiles it
touches that keeps the old value elsewhere. A load of a single row, column or element out of a larger block becomes a
vector (an element) of its own: all but the wanted lanes are replaced by zeros and the rest is summed up, which is
exact.

Before::

    for i in parallel(64): S[i, k] = x[i] * w[k, 0]

After::

    for r, c in parallel(32, 32): w_lanes[r, c] = if_then_else(r == k and c == 0, w[r, c], 0)
    reduce(w_lanes[0:32, 0:32], w_row, "sum", 0, True); reduce(w_row, w_element, "sum", 0, True)
    for i, lane in parallel(64, 32): S[i, lane] = if_then_else(lane == k, x[i] * w_element[0], S[i, lane])

What needs lanes to change places (``S[i + 16, j] = x[i, j]``) is left as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import tvm
from tvm import tirx as tir

from ..target import TILE_HEIGHT
from .base import LoweringContext
from .lanes import Lane, is_aligned, is_tiled, lanes_of, serial_loops, without_loops
from .names import NewBuffers
from .tensorize_tile_maps import copy_as_elementwise
from .tile_ir import (
    GLOBAL_SCOPE,
    Elementwise,
    PrimExpr,
    TileCopy,
    TileFill,
    is_const_int,
    outer_loads,
    parallel,
    parse,
    reduce,
    replace_loads,
    rewrite,
    same_load,
    sequence,
    uses_var,
    whole,
)

_SELECT = "tirx.if_then_else"


def align_partial_accesses(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite element-wise statements, fills and on-chip copies that do not cover whole tiles."""
    aligner = _Aligner(new=NewBuffers.of(func))
    body = rewrite(func.body, aligner.leaf)
    return func.with_body(aligner.new.declared(body))


@dataclass(kw_only=True)
class _Aligner:
    new: NewBuffers

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        if isinstance(record, (TileFill, TileCopy)):
            region = record.destination
            if region.is_global or region.is_whole or not all(isinstance(e, tir.IntImm) for e in region.extents):
                return None
            moved = copy_as_elementwise(record, stmt)
            return self.elementwise(moved) if _is_partial(moved) else None
        return self.elementwise(record) if isinstance(record, Elementwise) else None

    def elementwise(self, record: Elementwise) -> tir.Stmt | None:
        serial = _across_lanes(record)
        if serial:
            inner = without_loops(record, serial)
            body = self.elementwise(inner) or parallel(inner.loop_vars, inner.extents, inner.store)
            return serial_loops(record, serial, body)
        before: list[tir.Stmt] = []
        replacements: list[tuple[tir.BufferLoad, PrimExpr]] = []
        for load in outer_loads(record.store.value):
            if any(same_load(load, done) for done, _ in replacements):
                continue
            single = self.single_lines(load, record)
            if single:
                replacements.append((load, self.extracted(load, single, before)))
        store = record.store
        if replacements:
            value = replace_loads(store.value, replacements)
            record = replace(record, store=tir.BufferStore(store.buffer, value, list(store.indices)))
        widened = self.widened(record)
        if widened is None and not replacements:
            return None
        record = record if widened is None else widened
        return sequence([*before, parallel(record.loop_vars, record.extents, record.store)])

    # ---- loads -----------------------------------------------------------------------------------------------------

    def single_lines(self, load: tir.BufferLoad, record: Elementwise) -> list[Lane]:
        """The tile dims along which ``load`` stays at one place inside a tile."""
        if not is_tiled(load.buffer) or str(load.buffer.dtype) == "bool":
            return []
        lanes = lanes_of(load.buffer, load.indices, record.loop_vars)
        planes = load.indices[: max(0, len(load.indices) - 2)]
        if any(uses_var(index, record.loop_vars) for index in planes):
            return []
        return [lane for lane in lanes if lane.var is None and lane.size > 1 and not lane.starts_on_tile]

    def extracted(self, load: tir.BufferLoad, single: list[Lane], before: list[tir.Stmt]) -> PrimExpr:
        """A load of a new buffer that holds the lines (or the element) that ``load`` reads; filled in ``before``."""
        buffer, dtype = load.buffer, str(load.buffer.dtype)
        dims = list(range(max(0, len(buffer.shape) - 2), len(buffer.shape)))
        lines = {lane.dim: lane for lane in single}
        variables, extents, indices, condition = [], [], list(load.indices), None
        for dim in dims:
            size = int(buffer.shape[dim])
            var = tir.Var(f"lane{dim}", "int32")
            variables.append(var)
            indices[dim] = var
            extents.append(TILE_HEIGHT if dim in lines else size)
            if dim in lines:
                first = _tile_start(lines[dim].offset, size)
                indices[dim] = tvm.arith.Analyzer().simplify(first + var)
                here = tir.EQ(var, tvm.arith.Analyzer().simplify(lines[dim].offset - first))
                condition = here if condition is None else tir.And(condition, here)
        chosen = tir.Call(
            dtype, tvm.ir.Op.get(_SELECT), [condition, tir.BufferLoad(buffer, indices), tir.const(0, dtype)]
        )
        lanes = self.new.allocate(f"{buffer.name}_lanes", extents, dtype)
        before.append(parallel(variables, extents, tir.BufferStore(lanes, chosen, variables)))
        for dim in reversed([dim for dim in dims if dim in lines]):
            shape = list(lanes.shape)
            del shape[dims.index(dim)]
            summed = self.new.allocate(f"{buffer.name}_line", shape or [1], dtype)
            before.append(reduce(whole(lanes), whole(summed), "sum", dims.index(dim), True))
            lanes, dims = summed, [other for other in dims if other != dim]
        return tir.BufferLoad(lanes, [load.indices[dim] for dim in dims] or [tir.IntImm("int32", 0)])

    # ---- stores ----------------------------------------------------------------------------------------------------

    def widened(self, record: Elementwise) -> Elementwise | None:
        """``record`` over all lanes of the tiles it touches; None where it covers whole tiles, or cannot."""
        store = record.store
        if not is_tiled(store.buffer):
            return None
        changed = False
        for lane in lanes_of(store.buffer, store.indices, record.loop_vars):
            wider = self.along(record, lane) if _is_short(lane, record) else record
            if wider is None:
                return None
            changed, record = changed or wider is not record, wider
        return record if changed else None

    def along(self, record: Elementwise, lane: Lane) -> Elementwise | None:
        """``record`` made whole along one tile dim."""
        store, length = record.store, 1
        if lane.var is not None:
            length = dict(zip(record.loop_vars, record.extents, strict=True))[lane.var]
        covered = _covered(lane, length)
        if covered is None or (lane.var is not None and not self.moves_together(record, lane)):
            return None
        start = _tile_start(lane.offset, lane.size)
        simplify = tvm.arith.Analyzer().simplify
        new = tir.Var("lane", "int32")
        shift = simplify(start - lane.offset)
        first = simplify(-shift)
        indices = list(store.indices)
        value = store.value
        if lane.var is not None:
            moved = {lane.var: new + shift}
            value = tir.stmt_functor.substitute(value, moved)
            indices = [tir.stmt_functor.substitute(index, moved) for index in indices]
        indices[lane.dim] = simplify(start + new)
        value = _simplified_indices(value)
        here: PrimExpr = tir.EQ(new, first)
        if length > 1:
            here = new < simplify(first + length)
            here = here if is_const_int(first, 0) else tir.And(new >= first, here)
        old = tir.BufferLoad(store.buffer, indices)
        value = tir.Call(value.dtype, tvm.ir.Op.get(_SELECT), [here, value, old])
        pairs = [
            (var, extent)
            for var, extent in zip(record.loop_vars, record.extents, strict=True)
            if lane.var is None or not var.same_as(lane.var)
        ]
        loop_vars, extents = [var for var, _ in pairs], [extent for _, extent in pairs]
        at = len(pairs) if lane.dim == len(store.indices) - 1 else max(0, len(pairs) - 1)
        loop_vars.insert(at, new)
        extents.insert(at, covered)
        inner = tir.BufferStore(store.buffer, value, indices)
        return replace(record, loop_vars=tuple(loop_vars), extents=tuple(extents), store=inner)

    def moves_together(self, record: Elementwise, lane: Lane) -> bool:
        """Whether every load that follows ``lane.var`` starts at the same lane of its tiles as the store does."""
        assert lane.var is not None
        for load in outer_loads(record.store.value):
            if not any(uses_var(index, [lane.var]) for index in load.indices):
                continue
            if load.buffer.scope() == GLOBAL_SCOPE:
                continue
            found = [other for other in lanes_of(load.buffer, load.indices, record.loop_vars) if other.var is not None]
            matching = [other for other in found if lane.var.same_as(other.var)]
            if len(matching) != 1 or not is_aligned(matching[0].offset - lane.offset):
                return False
        return True


def _across_lanes(record: Elementwise) -> list[tir.Var]:
    """Loop variables that are no lanes of the store but choose lanes, or tiles along them, of an access."""
    store = record.store
    if not is_tiled(store.buffer):
        return []
    accesses = [tir.BufferLoad(store.buffer, list(store.indices)), *outer_loads(store.value)]
    own = [lane.var for lane in lanes_of(store.buffer, store.indices, record.loop_vars) if lane.var is not None]
    return [
        var
        for var in record.loop_vars
        if any(uses_var(index, [var]) for index in store.indices)
        and not any(var.same_as(lane) for lane in own)
        and any(is_tiled(a.buffer) and any(uses_var(index, [var]) for index in a.indices[-2:]) for a in accesses)
    ]


def _tile_start(offset: PrimExpr, size: int) -> PrimExpr:
    """The first lane of the tile that holds the lane ``offset`` of a dim of ``size``."""
    if size <= TILE_HEIGHT:
        return tir.IntImm("int32", 0)
    return tvm.arith.Analyzer().simplify(tir.floordiv(offset, TILE_HEIGHT) * TILE_HEIGHT)


def _is_short(lane: Lane, record: Elementwise) -> bool:
    """Whether a store along ``lane`` leaves out lanes of a tile that belong to the buffer."""
    if lane.size == 1:
        return False
    if lane.var is None:
        return True
    length = dict(zip(record.loop_vars, record.extents, strict=True))[lane.var]
    if not lane.starts_on_tile:
        return True
    end = tvm.arith.Analyzer().simplify(lane.offset + length)
    return length % TILE_HEIGHT != 0 and not is_const_int(end, lane.size)


def _covered(lane: Lane, length: int) -> int | None:
    """Lanes from the start of the first tile that a store of ``length`` lanes touches to the end of its last one."""
    if lane.size <= TILE_HEIGHT:
        return lane.size
    analyzer = tvm.arith.Analyzer()
    first = analyzer.simplify(tir.floormod(lane.offset, TILE_HEIGHT))
    most = int(analyzer.const_int_bound(first).max_value)
    if length > 1 and most >= TILE_HEIGHT - 1:
        step = analyzer.modular_set(lane.offset)
        most = TILE_HEIGHT - max(1, _common(int(step.coeff), TILE_HEIGHT)) + int(step.base) % TILE_HEIGHT
        most = min(most, TILE_HEIGHT - 1)
    tiles = 1 if length == 1 else -(-(most + length) // TILE_HEIGHT)
    if tiles > 1 and not isinstance(lane.offset, tir.IntImm):
        return None
    return tiles * TILE_HEIGHT


def _common(step: int, unit: int) -> int:
    while step % unit:
        unit //= 2
    return unit


def _is_partial(record: Elementwise) -> bool:
    store = record.store
    return any(_is_short(lane, record) for lane in lanes_of(store.buffer, store.indices, record.loop_vars))


def _simplified_indices(value: PrimExpr) -> PrimExpr:
    def visit(node: tir.BufferLoad) -> PrimExpr:
        return tir.BufferLoad(node.buffer, [tvm.arith.Analyzer().simplify(index) for index in node.indices])

    return tir.stmt_functor.ir_transform(tir.Evaluate(value), None, visit, ["tirx.BufferLoad"]).value
