"""Replace views of on-chip buffers (``T.reshape``, ``T.view``) by accesses of one buffer, or by buffers of their own.

Why: a view is another name, shape or dtype for the same memory; tiles are cut by shape, so the two names would mean
different circular buffers. Names that never see each other's contents (memory that is used again for something else)
become separate buffers. Names that do are one buffer: element-wise accesses get its indices, and a tile operation runs
once per slice that is a block in both shapes.

Before::

    r = view of s (64, 128) as (64, 4, 32)
    for i, j, k: r[i, j, k] = r[i, j, k] * 2
    reduce(r[0:64, 0:4, 0:32], out[0:64, 0:4], "sum", 2, True)

After::

    for i, j, k: s[i, j*32 + k] = s[i, j*32 + k] * 2
    for j in serial(4): reduce(s[0:64, j*32:+32], out[0:64, j], "sum", 1, True)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .names import NewBuffers
from .reshaping import Factor, own_indices, reshaping
from .tile_ir import (
    Elementwise,
    PrimExpr,
    Region,
    TileCopy,
    TileFill,
    TileReduce,
    copy,
    fill,
    is_const_int,
    parallel,
    parse,
    reduce,
    region_call,
    region_of,
    rewrite,
    sequence,
    whole,
)
from .view_groups import ViewGroup, buffers_in, view_groups

_READ, _WRITE = 1, 2


def resolve_buffer_views(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite every access through a view."""
    groups = view_groups(func.body)
    if not groups:
        return func
    resolver = _Resolver(groups=groups, new=NewBuffers.of(func))
    body = rewrite(func.body, resolver.leaf)
    return func.with_body(resolver.new.declared(body))


@dataclass(kw_only=True)
class _Resolver:
    groups: dict[tir.Var, ViewGroup]
    new: NewBuffers
    separate: dict[tir.Buffer, tir.Buffer] = field(default_factory=dict)

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        if isinstance(stmt, tir.AllocBuffer) or not any(map(self.is_view, buffers_in(stmt))):
            return None
        record = parse(stmt)
        if isinstance(record, TileCopy):
            return self.blockwise(record.source, record.destination)
        if isinstance(record, TileFill):
            return self.fill(record)
        if isinstance(record, TileReduce):
            return self.reduce(record, stmt)
        if isinstance(record, Elementwise):
            return self.elementwise(record)
        return self.with_regions(stmt)

    def is_view(self, buffer: tir.Buffer) -> bool:
        """Whether ``buffer`` is another name for an allocated buffer."""
        group = self.groups.get(buffer.data)
        return group is not None and not buffer.same_as(group.base)

    def memory_of(self, buffer: tir.Buffer) -> tir.Buffer:
        """The buffer that holds what is accessed through ``buffer`` (itself where it is no view)."""
        if not self.is_view(buffer):
            return buffer
        group = self.groups[buffer.data]
        leader = group.leader(buffer)
        if not leader.same_as(group.base):
            if leader not in self.separate:
                self.separate[leader] = self.new.allocate(
                    leader.name, leader.shape, str(leader.dtype), scope=leader.scope()
                )
            leader = self.separate[leader]
        if buffer.dtype != leader.dtype:
            raise UnsupportedError(
                f"{buffer.name} reads the bits of {leader.name} ({leader.dtype}) as {buffer.dtype}",
                hint="convert values with a cast, or write through the name that is read",
            )
        return leader

    # ---- element-wise ----------------------------------------------------------------------------------------------

    def elementwise(self, record: Elementwise) -> tir.Stmt:
        """The same work with the indices of the memory; a loop over a dim that the memory splits becomes two."""
        record = self.with_split_loops(record)
        analyzer = tvm.arith.Analyzer()
        for var, extent in zip(record.loop_vars, record.extents, strict=True):
            analyzer.bind(var, tvm.ir.Range.from_min_extent(0, extent), True)
        value = self.expression(record.store.value, analyzer)
        store = tir.BufferStore(*self.access(record.store.buffer, record.store.indices, analyzer, value))
        return parallel(record.loop_vars, record.extents, store)

    def expression(self, expr: PrimExpr, analyzer: tvm.arith.Analyzer) -> PrimExpr:
        def visit(node: Any) -> PrimExpr:
            return tir.BufferLoad(*self.access(node.buffer, node.indices, analyzer))

        return tir.stmt_functor.ir_transform(tir.Evaluate(expr), None, visit, ["tirx.BufferLoad"]).value

    def access(
        self, buffer: tir.Buffer, indices: Sequence[PrimExpr], analyzer: tvm.arith.Analyzer, *value: PrimExpr
    ) -> tuple[Any, ...]:
        memory = self.memory_of(buffer)
        if not self.is_view(buffer):
            return buffer, *value, list(indices)
        return memory, *value, own_indices(indices, _sizes(buffer), _sizes(memory), analyzer)

    def with_split_loops(self, record: Elementwise) -> Elementwise:
        for var, extent in zip(record.loop_vars, record.extents, strict=True):
            inner = self.split_of(record, var, extent)
            if inner is not None:
                high, low = tir.Var(f"{var.name}_high", "int32"), tir.Var(f"{var.name}_low", "int32")
                store = tir.stmt_functor.substitute(record.store, {var: high * inner + low})
                pairs = list(zip(record.loop_vars, record.extents, strict=True))
                at = next(n for n, (other, _) in enumerate(pairs) if other.same_as(var))
                pairs[at : at + 1] = [(high, extent // inner), (low, inner)]
                loop_vars, extents = zip(*pairs, strict=True)
                return self.with_split_loops(replace(record, loop_vars=loop_vars, extents=extents, store=store))
        return record

    def split_of(self, record: Elementwise, var: tir.Var, extent: int) -> int | None:
        """The innermost length into which the memory of a view cuts the dim that ``var`` runs over."""
        nodes: list[Any] = []
        tir.stmt_functor.post_order_visit(record.store, nodes.append)
        for node in nodes:
            if not isinstance(node, (tir.BufferLoad, tir.BufferStore)) or not self.is_view(node.buffer):
                continue
            shapes = reshaping(_sizes(node.buffer), _sizes(self.memory_of(node.buffer)))
            for group in shapes.groups if shapes is not None else ():
                factors = [factor for factor in group if node.indices[factor.view_dim].same_as(var)]
                if len(factors) > 1 and extent == _product(factors):
                    return factors[-1].size
        return None

    # ---- tile operations -------------------------------------------------------------------------------------------

    def blockwise(self, source: Region, destination: Region) -> tir.Stmt:
        """The copy, once per slice that is a block in both shapes of a view."""
        if self.is_view(source.buffer):
            slices = self.slices(source)
            return slices.looped(self.blockwise(slices.own, slices.paired(source, destination)))
        if self.is_view(destination.buffer):
            slices = self.slices(destination)
            return slices.looped(copy(slices.paired(destination, source), slices.own))
        return copy(source, destination)

    def fill(self, record: TileFill) -> tir.Stmt:
        memory = self.memory_of(record.destination.buffer)
        if record.destination.is_whole:
            return fill(whole(memory), record.value)
        slices = self.slices(record.destination)
        return slices.looped(fill(slices.own, record.value))

    def reduce(self, record: TileReduce, stmt: tir.Stmt) -> tir.Stmt:
        """One reduction per slice of the source, where slices keep the reduced dim; else over a reshaped copy."""
        source, target = record.source, record.destination
        slices = self.slices(source) if self.is_view(source.buffer) else None
        if slices is None or self.is_view(target.buffer) or not slices.keep(record.dim):
            return self.with_regions(stmt)
        without = [dim for dim in range(len(source.extents)) if dim != record.dim]
        keeps = len(target.extents) == len(source.extents)
        place = {dim: dim if keeps else number for number, dim in enumerate(without)}
        part = _sliced(target, {place[dim]: run for dim, run in slices.runs.items() if dim in place})
        return slices.looped(reduce(slices.own, part, record.kind, slices.innermost[record.dim], record.clear))

    def with_regions(self, stmt: tir.Stmt) -> tir.Stmt:
        """``stmt`` on blocks of the memory, or on copies of the views in their own shape, written back behind it."""
        before: list[tir.Stmt] = []
        after: list[tir.Stmt] = []

        def visit(node: Any) -> PrimExpr | None:
            if isinstance(node, tir.BufferLoad):
                return tir.BufferLoad(*self.access(node.buffer, node.indices, tvm.arith.Analyzer()))
            if not isinstance(node.op, tvm.ir.Op) or node.op.name != "tl.region":
                return None
            region = region_of(node)
            if not self.is_view(region.buffer):
                return node
            access = int(node.args[1])
            own = self.block(region)
            if own is not None:
                return region_call(own, access)
            buffer = region.buffer
            reshaped = self.new.allocate(buffer.name, buffer.shape, str(buffer.dtype), scope=buffer.scope())
            if access != _WRITE or not region.is_whole:
                before.append(self.blockwise(whole(buffer), whole(reshaped)))
            if access != _READ:
                after.append(self.blockwise(whole(reshaped), whole(buffer)))
            return region_call(replace(region, buffer=reshaped), access)

        operation = tir.stmt_functor.ir_transform(stmt, visit, None, ["tirx.Call", "tirx.BufferLoad"])
        return sequence([*before, operation, *after])

    def block(self, region: Region) -> Region | None:
        """The region as one block of the memory, with the same last two dims; None where there is none."""
        slices = self.slices(region)
        rank, own_rank = len(region.extents), len(slices.own.extents)
        if slices.loops or not all(slices.has(rank - n, own_rank - n) for n in (1, 2)):
            return None
        return slices.own

    def slices(self, region: Region) -> _Slices:
        """``region`` of a view, cut into blocks of its memory."""
        memory = self.memory_of(region.buffer)
        shapes = reshaping(_sizes(region.buffer), _sizes(memory))
        if shapes is None:
            raise self.no_block(region)
        loops: list[tuple[Factor, tir.Var]] = []
        mins: list[PrimExpr] = [tir.IntImm("int32", 0) for _ in memory.shape]
        extents: list[PrimExpr] = [tir.IntImm("int32", 1) for _ in memory.shape]
        runs: dict[int, tuple[PrimExpr, PrimExpr]] = {}
        innermost: dict[int, int] = {}
        for group in shapes.groups:
            for number, factor in enumerate(group):
                low, extent = self.part(region, factor, group)
                if number == len(group) - 1:
                    position: PrimExpr = tir.IntImm("int32", 0)
                    innermost[factor.view_dim] = factor.own_dim
                    extents[factor.own_dim] = extent
                elif is_const_int(extent, 1):
                    position = tir.IntImm("int32", 0)
                else:
                    position = tir.Var(f"{region.buffer.name}_slice", "int32")
                    if not isinstance(extent, tir.IntImm):
                        raise self.no_block(region)
                    loops.append((replace(factor, size=int(extent.value)), position))
                    extent = tir.IntImm("int32", 1)
                mins[factor.own_dim] = mins[factor.own_dim] * factor.size + low + position
                start, _ = runs.get(factor.view_dim, (tir.IntImm("int32", 0), extent))
                runs[factor.view_dim] = (start * factor.size + position, extent)
        simplify = tvm.arith.Analyzer().simplify
        own = Region(buffer=memory, mins=tuple(map(simplify, mins)), extents=tuple(extents))
        runs = {dim: (simplify(start), extent) for dim, (start, extent) in runs.items()}
        return _Slices(own=own, loops=tuple(loops), runs=runs, innermost=innermost)

    def part(self, region: Region, factor: Factor, group: tuple[Factor, ...]) -> tuple[PrimExpr, PrimExpr]:
        """(first position, extent) of ``region`` along one factor."""
        low, extent = region.mins[factor.view_dim], region.extents[factor.view_dim]
        if sum(other.view_dim == factor.view_dim for other in group) == 1:
            return low, extent
        if is_const_int(low, 0) and is_const_int(extent, int(region.buffer.shape[factor.view_dim])):
            return tir.IntImm("int32", 0), tir.IntImm("int32", factor.size)
        raise self.no_block(region)

    def no_block(self, region: Region) -> UnsupportedError:
        memory = self.memory_of(region.buffer)
        return UnsupportedError(
            f"this operation on {region.buffer.name} {_sizes(region.buffer)} is no block of the memory of "
            f"{memory.name} {_sizes(memory)}, whose contents it shares",
            hint="copy the view into a buffer of its own shape first",
        )


@dataclass(frozen=True, kw_only=True)
class _Slices:
    """A region of a view as serial ``loops`` over blocks ``own`` of its memory.

    ``runs``: start and extent of the block along each dim of the view, from the start of the region; ``innermost``: the
    dims of the view that the block still has, with the dim of the memory.
    """

    own: Region
    loops: tuple[tuple[Factor, tir.Var], ...]
    runs: dict[int, tuple[PrimExpr, PrimExpr]]
    innermost: dict[int, int]

    def looped(self, body: tir.Stmt) -> tir.Stmt:
        """``body`` inside the loops over the slices."""
        for factor, var in reversed(self.loops):
            low, extent = tir.IntImm("int32", 0), tir.IntImm("int32", factor.size)
            body = tir.For(var, low, extent, tir.ForKind.SERIAL, body)
        return body

    def keep(self, dim: int) -> bool:
        """Whether every slice has all of the view's dim ``dim``."""
        return dim in self.innermost and not any(factor.view_dim == dim for factor, _ in self.loops)

    def has(self, dim: int, own_dim: int) -> bool:
        """Whether the view's dim ``dim`` is the memory's dim ``own_dim``, or has one element."""
        return self.innermost.get(dim, own_dim) == own_dim

    def paired(self, view: Region, other: Region) -> Region:
        """The part of ``other``, which a copy pairs with all of ``view``, that belongs to one slice."""
        kept = dict(zip(view.kept_dims, other.kept_dims, strict=True))
        return _sliced(other, {kept[dim]: run for dim, run in self.runs.items() if dim in kept})


def _sliced(region: Region, runs: dict[int, tuple[PrimExpr, PrimExpr]]) -> Region:
    mins, extents = list(region.mins), list(region.extents)
    for dim, (start, extent) in runs.items():
        mins[dim] = tvm.arith.Analyzer().simplify(mins[dim] + start)
        extents[dim] = extent
    return Region(buffer=region.buffer, mins=tuple(mins), extents=tuple(extents))


def _sizes(buffer: tir.Buffer) -> tuple[int, ...]:
    if not all(isinstance(extent, tir.IntImm) for extent in buffer.shape):
        raise UnsupportedError(
            f"the view {buffer.name} has a run-time shape {list(buffer.shape)}",
            hint="give views compile-time shapes",
        )
    return tuple(int(extent.value) for extent in buffer.shape)


def _product(factors: Sequence[Factor]) -> int:
    total = 1
    for factor in factors:
        total *= factor.size
    return total
