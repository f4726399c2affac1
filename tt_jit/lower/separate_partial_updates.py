"""Compute what a statement writes to a part of a buffer that it also reads before it writes any of it.

Why: a buffer that is rewritten in place turns in its ring tile by tile, which is right only when every tile is read and
written in the order of the ring. An update of a part of a buffer, or one that reads other elements of the buffer than
it writes, computes a new block first.

Before::

    for i, j in parallel(32, 64): S[i + 32, j] = S[i, j] + S[i + 32, j]          # S: (64, 64)

After::

    for i, j in parallel(32, 64): S_new[i, j] = S[i, j] + S[i + 32, j]
    for i, j in parallel(32, 64): S[i + 32, j] = S_new[i, j]
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tvm import tirx as tir

from .base import LoweringContext
from .lanes import is_tiled, lanes_of, serial_loops, without_loops
from .names import NewBuffers
from .tile_ir import Elementwise, PrimExpr, is_const_int, loads_in, parallel, parse, rewrite, same_load, sequence


def separate_partial_updates(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite the updates that cannot be made in place."""
    separator = _Separator(new=NewBuffers.of(func))
    body = rewrite(func.body, separator.leaf)
    return func.with_body(separator.new.declared(body))


@dataclass(kw_only=True)
class _Separator:
    new: NewBuffers

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        if not isinstance(record, Elementwise) or not is_tiled(record.store.buffer):
            return None
        store = record.store
        own = [load for load in loads_in(store.value) if load.buffer.same_as(store.buffer)]
        target = tir.BufferLoad(store.buffer, list(store.indices))
        if not own or (all(same_load(load, target) for load in own) and sweeps_in_order(record)):
            return None
        lanes = lanes_of(store.buffer, store.indices, record.loop_vars)
        serial = [var for var in record.loop_vars if not any(var.same_as(lane.var) for lane in lanes)]
        block = without_loops(record, serial)
        return serial_loops(record, serial, self.separated(block))

    def separated(self, record: Elementwise) -> tir.Stmt:
        """The new block, then its copy to its place."""
        store, extent_of = record.store, dict(zip(record.loop_vars, record.extents, strict=True))
        lanes = lanes_of(store.buffer, store.indices, record.loop_vars)
        shape = [extent_of[lane.var] if lane.var is not None else 1 for lane in lanes]
        place: list[PrimExpr] = [lane.var if lane.var is not None else tir.IntImm("int32", 0) for lane in lanes]
        block = self.new.allocate(f"{store.buffer.name}_new", shape, str(store.buffer.dtype))
        first = parallel(record.loop_vars, record.extents, tir.BufferStore(block, store.value, place))
        fresh = {var: tir.Var(var.name, var.dtype) for var in record.loop_vars}
        moved = tir.BufferStore(store.buffer, tir.BufferLoad(block, place), list(store.indices))
        second = replace(record, loop_vars=tuple(fresh.values()), store=tir.stmt_functor.substitute(moved, fresh))
        return sequence([first, parallel(second.loop_vars, second.extents, second.store)])


def sweeps_in_order(record: Elementwise) -> bool:
    """Whether the store runs through all of its buffer, leading dims in the order of the loops."""
    store, remaining = record.store, list(zip(record.loop_vars, record.extents, strict=True))
    leading = len(store.indices) - 2
    positions = []
    for dim, (index, size) in enumerate(zip(store.indices, store.buffer.shape, strict=True)):
        if is_const_int(size, 1) and is_const_int(index, 0):
            continue
        found = [n for n, (var, extent) in enumerate(remaining) if index.same_as(var) and is_const_int(size, extent)]
        if not found:
            return False
        if dim < leading:
            positions.append(found[0])
    return positions == sorted(positions)
