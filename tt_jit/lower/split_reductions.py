"""Cut reductions into steps that reduce rows or columns of one matrix into a whole vector.

Why: the tile form of a reduction gives one column or one row of tiles. Reductions of buffers with leading dims, and
reductions into a part of a buffer, become such steps, one per plane, and element-wise stores of their results; a
reduction over a leading dim is element-wise work.

Before::

    reduce(S[0:4, 0:64, 0:32], out[0:4, 0:32], "max", 1, True)

After::

    for p in serial(4):
        reduce(S[p, 0:64, 0:32], out_part, "max", 1, True)
        for j in parallel(32): out[p, j] = out_part[j]
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .names import NewBuffers
from .tensorize_reduce import REDUCTIONS
from .tile_ir import (
    PrimExpr,
    Region,
    TileReduce,
    is_const_int,
    parallel,
    parse,
    reduce,
    rewrite,
    sequence,
    transpose,
    whole,
)

_COMBINE = {"sum": tir.Add, "abssum": tir.Add, "max": tir.Max, "absmax": tir.Max, "min": tir.Min}


def split_reductions(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite every reduction that is not one of a matrix or vector into a whole buffer."""
    splitter = _Splitter(new=NewBuffers.of(func))
    body = rewrite(func.body, splitter.leaf)
    return func.with_body(splitter.new.declared(body))


@dataclass(kw_only=True)
class _Splitter:
    new: NewBuffers

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        if not isinstance(record, TileReduce) or record.kind not in REDUCTIONS:
            return None
        if record.source.is_global or record.destination.is_global or _is_plain(record):
            return None
        return self.steps(record)

    def steps(self, record: TileReduce) -> tir.Stmt:
        if _is_plain(record):
            return reduce(record.source, record.destination, record.kind, record.dim, record.clear)
        rank, kept = len(record.source.extents), _kept(record)
        if len(kept) != len(record.destination.kept_dims):
            raise UnsupportedError(
                f"the reduction of {record.source.buffer.name} over dim {record.dim} has {len(kept)} dims, "
                f"{record.destination.buffer.name} has {len(record.destination.kept_dims)}"
            )
        if record.dim < rank - 2:
            return _across_planes(record, kept)
        if kept and kept[0] < rank - 2:
            return self.per_plane(record, kept[0])
        return self.through_vector(record, kept)

    def per_plane(self, record: TileReduce, dim: int) -> tir.Stmt:
        """One reduction per index of the leading dim ``dim`` of the source."""
        plane, count = tir.Var("plane", "int32"), _size(record.source, dim)
        source = _at(record.source, dim, plane)
        destination = _at(record.destination, record.destination.kept_dims[0], plane)
        body = self.steps(replace(record, source=source, destination=destination))
        return tir.For(plane, tir.IntImm("int32", 0), tir.IntImm("int32", count), tir.ForKind.SERIAL, body)

    def through_vector(self, record: TileReduce, kept: list[int]) -> tir.Stmt:
        """A reduction into a vector, which is stored to its place in the destination."""
        source, target = record.source, record.destination
        dim, before = record.dim, []
        if kept and not _lies_along(record):
            rows, cols = source.extents[-2:]
            turned = self.new.allocate(f"{source.buffer.name}_t", (cols, rows), str(source.buffer.dtype))
            before.append(transpose(source, whole(turned)))
            source, dim = whole(turned), len(source.extents) - 1 - dim
        length = _size(record.source, kept[0]) if kept else 1
        vector = self.new.allocate(f"{target.buffer.name}_part", (length,), str(target.buffer.dtype))
        lane = tir.Var("lane", "int32")
        indices = list(target.mins)
        for position in target.kept_dims:
            indices[position] = indices[position] + lane
        part: PrimExpr = tir.BufferLoad(vector, [lane if kept else tir.IntImm("int32", 0)])
        if not record.clear:
            part = _COMBINE[record.kind](tir.BufferLoad(target.buffer, indices), part)
        store = parallel([lane], [length], tir.BufferStore(target.buffer, part, indices)) if kept else None
        store = tir.BufferStore(target.buffer, part, indices) if store is None else store
        return sequence([*before, reduce(source, whole(vector), record.kind, dim, True), store])


def _is_plain(record: TileReduce) -> bool:
    """Whether the reduction has a tile form: of a vector, or of planes that the destination has too."""
    source, target = record.source, record.destination
    rank, shape = len(source.extents), target.buffer.shape
    if rank == 1 or not target.is_whole:
        return rank == 1
    planes = [dim for dim in _kept(record) if dim < rank - 2]
    if record.dim < rank - 2:
        return False
    if len(shape) == rank:
        return is_const_int(shape[record.dim], 1) and (not planes or source.is_whole)
    if planes:
        return False
    return len(shape) == 1 or (all(is_const_int(extent, 1) for extent in shape[:-2]) and _lies_along(record))


def _lies_along(record: TileReduce) -> bool:
    """Whether the results lie in the destination as the reduction gives them: rows' in a column, columns' in a row."""
    rank = len(record.destination.extents)
    kept = record.destination.kept_dims
    if rank == 1 or not kept:
        return True
    gives_column = record.dim == len(record.source.extents) - 1
    return kept[-1] == (rank - 2 if gives_column else rank - 1)


def _across_planes(record: TileReduce, kept: list[int]) -> tir.Stmt:
    """A reduction over a leading dim: planes are combined element by element."""
    source, target = record.source, record.destination
    plane = tir.Var("plane", "int32")

    def step(at: PrimExpr, *, first: bool) -> tir.Stmt:
        variables = [tir.Var(f"i{dim}", "int32") for dim in kept]
        indices, place = list(source.mins), list(target.mins)
        indices[record.dim] = indices[record.dim] + at
        for dim, position, variable in zip(kept, target.kept_dims, variables, strict=True):
            indices[dim] = indices[dim] + variable
            place[position] = place[position] + variable
        simplify = tvm.arith.Analyzer().simplify
        indices, place = [simplify(i) for i in indices], [simplify(i) for i in place]
        value: PrimExpr = tir.BufferLoad(source.buffer, indices)
        if REDUCTIONS[record.kind].absolute:
            value = tir.abs(value)
        if value.dtype != target.buffer.dtype:
            value = tir.Cast(target.buffer.dtype, value)
        if not first:
            value = _COMBINE[record.kind](tir.BufferLoad(target.buffer, place), value)
        extents = [_size(source, dim) for dim in kept]
        return parallel(variables, extents, tir.BufferStore(target.buffer, value, place))

    count, zero = _size(source, record.dim), tir.IntImm("int32", 0)
    if not record.clear:
        return tir.For(plane, zero, tir.IntImm("int32", count), tir.ForKind.SERIAL, step(plane, first=False))
    rest = tir.For(plane, zero, tir.IntImm("int32", count - 1), tir.ForKind.SERIAL, step(plane + 1, first=False))
    return sequence([step(zero, first=True), *([rest] if count > 1 else [])])


def _kept(record: TileReduce) -> list[int]:
    """Dims of the source that the results still have."""
    return [dim for dim in record.source.kept_dims if dim != record.dim]


def _size(region: Region, dim: int) -> int:
    extent = region.extents[dim]
    if not isinstance(extent, tir.IntImm):
        raise UnsupportedError(f"a reduction over a part of {region.buffer.name} of run-time size {extent}")
    return int(extent.value)


def _at(region: Region, dim: int, index: PrimExpr) -> Region:
    """The slice number ``index`` of ``region`` along ``dim``."""
    mins, extents = list(region.mins), list(region.extents)
    mins[dim] = tvm.arith.Analyzer().simplify(mins[dim] + index)
    extents[dim] = tir.IntImm("int32", 1)
    return replace(region, mins=tuple(mins), extents=tuple(extents))
