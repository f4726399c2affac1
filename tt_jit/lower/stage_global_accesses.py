"""Bring every element-wise access of a global tensor on chip with an explicit copy.

Why: the reader and the writer move whole tiles; compute sees only circular buffers. A ``T.Parallel`` body that reads or
writes a tensor element by element, and a copy from tensor to tensor, become copies plus on-chip work.

Before::

    for i, j in parallel(64, 64): C[by*64 + i, bx*64 + j] = A[by*64 + i, bx*64 + j] * bias[bx*64 + j]

After::

    copy(A[by*64:+64, bx*64:+64], A_tile); copy(bias[bx*64:+64], bias_tile)
    for i, j in parallel(64, 64): C_tile[i, j] = A_tile[i, j] * bias_tile[j]
    copy(C_tile, C[by*64:+64, bx*64:+64])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from ..errors import InternalError, UnsupportedError
from .base import LoweringContext
from .copied_blocks import copied_blocks, element_behind
from .names import NewBuffers
from .scatters import scatter_of
from .store_bounds import bounded_store
from .tile_ir import (
    Elementwise,
    Region,
    TileCopy,
    TileFill,
    TileGemm,
    TileReduce,
    copy,
    is_const_int,
    is_scalar_variable,
    loads_in,
    outer_loads,
    parallel,
    parse,
    region_call,
    replace_loads,
    rewrite,
    same_load,
    sequence,
    uses_var,
    whole,
)


def stage_global_accesses(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite element-wise global accesses of ``func`` into copies and on-chip accesses."""
    stager = _Stager(context=context, new=NewBuffers.of(func), copied=copied_blocks(func.body))
    body = rewrite(func.body, stager.leaf)
    return func.with_body(stager.new.declared(body))


@dataclass(kw_only=True)
class _Stager:
    context: LoweringContext
    new: NewBuffers
    copied: dict[str, Region]

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        if isinstance(record, TileCopy) and record.source.is_global and record.destination.is_global:
            return self.through_chip(record)
        if isinstance(record, Elementwise):
            return self.elementwise(record, stmt)
        if isinstance(record, TileFill) and record.destination.is_global:
            return self.fill(record)
        if isinstance(record, TileGemm):
            self.refuse_global(stmt, record.a, record.b, record.c)
        if isinstance(record, TileReduce):
            self.refuse_global(stmt, record.source, record.destination)
        return None

    def refuse_global(self, stmt: tir.Stmt, *regions: Region) -> None:
        for region in regions:
            if region.is_global:
                raise UnsupportedError(
                    f"{region.buffer.name} is a global tensor used directly by a tile operation",
                    hint="copy it to a shared or fragment buffer first (T.copy)",
                    at=stmt,
                )

    def allocate(self, like: str, shape: list[tir.PrimExpr], dtype: str) -> tir.Buffer:
        return self.new.allocate(f"{like}_tile", shape, dtype)

    def through_chip(self, record: TileCopy) -> tir.Stmt:
        shape = [record.source.extents[d] for d in record.source.kept_dims] or [tir.IntImm("int32", 1)]
        buffer = self.allocate(record.source.buffer.name, shape, record.source.buffer.dtype)
        return sequence([copy(record.source, whole(buffer)), copy(whole(buffer), record.destination)])

    def fill(self, record: TileFill) -> tir.Stmt:
        shape = [record.destination.extents[d] for d in record.destination.kept_dims] or [tir.IntImm("int32", 1)]
        buffer = self.allocate(record.destination.buffer.name, shape, record.destination.buffer.dtype)
        op = tvm.ir.Op.get("tl.tileop.fill")
        fill = tir.Evaluate(tir.Call("handle", op, [region_call(whole(buffer), 2), record.value]))
        return sequence([fill, copy(whole(buffer), record.destination)])

    def elementwise(self, record: Elementwise, stmt: tir.Stmt) -> tir.Stmt | None:
        store = record.store
        if store.buffer.scope() == "global" and not _is_block(store.indices, record):
            return self.scatter(record, stmt)
        bounded = bounded_store(record) if store.buffer.scope() == "global" else None
        stored = bounded.value if bounded is not None else store.value
        before: list[tir.Stmt] = []
        replacements: list[tuple[tir.BufferLoad, tir.BufferLoad]] = []
        for load in outer_loads(stored):
            if any(same_load(old, load) for old, _ in replacements):
                continue
            origin = load if load.buffer.scope() == "global" else self.origin(load, record)
            if origin is not None:
                replacements.append((load, self.staged_load(origin, record, before, stmt)))
        value = replace_loads(stored, replacements) if replacements else stored
        if store.buffer.scope() != "global":
            if not replacements:
                return None
            inner = tir.BufferStore(store.buffer, value, list(store.indices))
            return sequence([*before, parallel(record.loop_vars, record.extents, inner)])
        region, indices = _block_of(store.buffer, store.indices, record, stmt)
        shape = [region.extents[d] for d in _var_dims(store.indices, record)] or [tir.IntImm("int32", 1)]
        buffer = self.allocate(store.buffer.name, shape, store.buffer.dtype)
        inner = tir.BufferStore(buffer, value, indices or [tir.IntImm("int32", 0)])
        work = parallel(record.loop_vars, record.extents, inner)
        if bounded is not None and bounded.limits:
            region = _cut(region, store.indices, record, bounded.limits)
        return sequence([*before, work, copy(whole(buffer), region)])

    def scatter(self, record: Elementwise, stmt: tir.Stmt) -> tir.Stmt:
        """The store as a scatter of values that are computed first."""
        self.context.note(
            what=f"{record.store.buffer.name} is written one element after another",
            why="the places of the elements are no block of the tensor",
            hint="store blocks: each loop of T.Parallel alone in one dimension, with stride 1",
            at=stmt,
        )
        access = f"store to {record.store.buffer.name}"
        indices = [self.index_in_tensors(index, access, stmt) for index in record.store.indices]
        scatter = scatter_of(record, indices, self.allocate)
        return sequence([*(self.leaf(part) or part for part in scatter.before), scatter.statement])

    def index_in_tensors(self, index: tir.PrimExpr, access: str, stmt: tir.Stmt) -> tir.PrimExpr:
        """``index`` with on-chip copies replaced by the tensors that they were copied from."""
        replacements = []
        for load in loads_in(index):
            if load.buffer.scope() == "global" or is_scalar_variable(load.buffer):
                continue
            block = self.copied.get(load.buffer.name)
            if block is None:
                raise InternalError(f"the place of a {access} depends on {load.buffer.name}, which is computed on chip")
            replacements.append((load, element_behind(load, block)))
        return replace_loads(index, replacements) if replacements else index

    def origin(self, load: tir.BufferLoad, record: Elementwise) -> tir.BufferLoad | None:
        """The tensor element behind an irregular access of a buffer that only holds a copied block of a tensor."""
        block = self.copied.get(load.buffer.name)
        if block is None or not uses_var(_tuple(load.indices), record.loop_vars) or _is_block(load.indices, record):
            return None
        return element_behind(load, block)

    def staged_load(
        self,
        load: tir.BufferLoad,
        record: Elementwise,
        before: list[tir.Stmt],
        stmt: tir.Stmt,
    ) -> tir.BufferLoad:
        if not _is_block(load.indices, record):
            access = f"load from {load.buffer.name}"
            places = [self.index_in_tensors(index, access, stmt) for index in load.indices]
            return self.gathered_load(tir.BufferLoad(load.buffer, places), record, before)
        region, indices = _block_of(load.buffer, load.indices, record, stmt)
        shape = [region.extents[d] for d in _var_dims(load.indices, record)] or [tir.IntImm("int32", 1)]
        buffer = self.allocate(load.buffer.name, shape, load.buffer.dtype)
        before.append(copy(region, whole(buffer)))
        return tir.BufferLoad(buffer, indices or [tir.IntImm("int32", 0)])

    def gathered_load(self, load: tir.BufferLoad, record: Elementwise, before: list[tir.Stmt]) -> tir.BufferLoad:
        """The load of a buffer that the reader fills lane by lane: the index has no block form."""
        self.context.note(
            what=f"{load.buffer.name} is read one element after another",
            why="the places of the elements are no block of the tensor",
            hint="load blocks: each loop of T.Parallel alone in one dimension, with stride 1",
            at=record.store,
        )
        used = [
            (var, extent)
            for var, extent in zip(record.loop_vars, record.extents, strict=True)
            if any(uses_var(index, [var]) for index in load.indices)
        ]
        buffer = self.allocate(load.buffer.name, [tir.IntImm("int32", extent) for _, extent in used], load.buffer.dtype)
        fresh = [tir.Var(var.name, var.dtype) for var, _ in used]
        renames = {var: new for (var, _), new in zip(used, fresh, strict=True)}
        value = tir.BufferLoad(load.buffer, [tir.stmt_functor.substitute(index, renames) for index in load.indices])
        before.append(parallel(fresh, [extent for _, extent in used], tir.BufferStore(buffer, value, fresh)))
        return tir.BufferLoad(buffer, [var for var, _ in used])


def _tuple(indices: Sequence[tir.PrimExpr]) -> tir.PrimExpr:
    """The indices as one expression, to ask which variables occur."""
    return tir.Call("handle", tvm.ir.Op.get("tirx.tvm_tuple"), list(indices))


def _cut(
    region: Region, indices: Sequence[tir.PrimExpr], record: Elementwise, limits: Mapping[int, tir.PrimExpr]
) -> Region:
    """The part of ``region`` that the limits of the loop variables leave."""
    extents = list(region.extents)
    for dim, index in enumerate(indices):
        position = _single_unit_var(index, record)
        if position is not None and position in limits:
            extents[dim] = tir.Min(extents[dim], limits[position])
    return Region(buffer=region.buffer, mins=region.mins, extents=tuple(extents))


def _is_block(indices: Sequence[tir.PrimExpr], record: Elementwise) -> bool:
    """Whether the access sweeps a block: each loop variable alone, with stride 1, in at most one dim."""
    positions = [_single_unit_var(index, record) for index in indices]
    used = [position for position in positions if position is not None]
    return all(position >= 0 for position in used) and len(set(used)) == len(used)


def _var_dims(indices: list[tir.PrimExpr], record: Elementwise) -> list[int]:
    return [d for d, index in enumerate(indices) if uses_var(index, record.loop_vars)]


def _block_of(
    buffer: tir.Buffer, indices: list[tir.PrimExpr], record: Elementwise, stmt: tir.Stmt
) -> tuple[Region, list[tir.PrimExpr]]:
    """The region that ``buffer[indices]`` sweeps over the parallel loops, and the indices into a copy of it."""
    mins, extents, local = [], [], []
    zero = {var: tir.IntImm("int32", 0) for var in record.loop_vars}
    used: set[int] = set()
    for index in indices:
        position = _single_unit_var(index, record)
        if position is None:
            mins.append(index)
            extents.append(tir.IntImm("int32", 1))
            continue
        if position < 0 or position in used:
            raise UnsupportedError(
                f"the access {buffer.name}[{', '.join(str(i) for i in indices)}] has no tile form",
                hint="each parallel index must appear once, with stride 1, in one dimension of a global access",
                at=stmt,
            )
        used.add(position)
        mins.append(tvm.arith.Analyzer().simplify(tir.stmt_functor.substitute(index, zero)))
        extents.append(tir.IntImm("int32", record.extents[position]))
        local.append(record.loop_vars[position])
    return Region(buffer=buffer, mins=tuple(mins), extents=tuple(extents)), local


def _single_unit_var(index: tir.PrimExpr, record: Elementwise) -> int | None:
    """Position of the one loop variable that ``index`` uses with coefficient 1; None without any, -1 otherwise."""
    if not uses_var(index, record.loop_vars):
        return None
    coefficients = tvm.arith.detect_linear_equation(index, list(record.loop_vars))
    if not coefficients:
        return -1
    hits = [n for n, c in enumerate(coefficients[:-1]) if not is_const_int(c, 0)]
    return hits[0] if len(hits) == 1 and is_const_int(coefficients[hits[0]], 1) else -1
