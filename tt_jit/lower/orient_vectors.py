"""Give a 1-D buffer that lies along the rows of one matrix and along the columns of another a second, turned buffer.

Why: on a tile machine a vector is a column of tiles or a row of tiles (``infer_tile_layout``), and the difference
matrix of ``G[i] - G[j]`` needs both. The first use in program order decides how the buffer lies; a statement that needs
it the other way reads a transposed copy, or writes to one that is transposed back.

Before::

    for i, j in parallel(64, 64): D[i, j] = G[i] - G[j]

After::

    transpose(G, G_t)                                           # G: a column, G_t: a row
    for i, j in parallel(64, 64): D[i, j] = G[i] - G_t[j]
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx as tir

from .base import LoweringContext
from .names import NewBuffers
from .tile_ir import (
    Elementwise,
    Region,
    TileCopy,
    TileReduce,
    copy,
    is_scalar_variable,
    leaves,
    loads_in,
    parallel,
    parse,
    region_call,
    replace_loads,
    rewrite,
    same_load,
    sequence,
    transpose,
    whole,
)
from .vector_kinds import VectorKinds, axes_of_matrices, kind_of_copied, kind_of_reduced

_OTHER = {"column": "row", "row": "column"}


def orient_vectors(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Insert turned copies of vectors where a statement needs them along the other axis."""
    buffers = [leaf.buffer for leaf in leaves(func.body) if isinstance(leaf, tir.AllocBuffer)]
    sizes = {b.name: int(b.shape[0]) for b in buffers if _is_vector(b)}
    orienter = _Orienter(kinds=VectorKinds(rank_one=sizes), new=NewBuffers.of(func))
    body = rewrite(func.body, orienter.leaf)
    return func.with_body(orienter.new.declared(body))


def _is_vector(buffer: tir.Buffer) -> bool:
    return len(buffer.shape) == 1 and isinstance(buffer.shape[0], tir.IntImm) and not is_scalar_variable(buffer)


@dataclass(kw_only=True)
class _Orienter:
    kinds: VectorKinds
    new: NewBuffers

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        changed: list[tir.Stmt] | None = None
        if isinstance(record, Elementwise):
            changed = self.elementwise(record)
        elif isinstance(record, TileReduce):
            changed = self.reduce(record, stmt)
        elif isinstance(record, TileCopy):
            changed = self.copy(record)
        for part in [stmt] if changed is None else changed:
            self.kinds.visit(parse(part), part)
        return None if changed is None else sequence(changed)

    def turned(self, buffer: tir.Buffer) -> tir.Buffer:
        """A new buffer for ``buffer`` along the other axis."""
        known = self.kinds.known(buffer.name)
        assert known is not None
        turned = self.new.allocate(f"{buffer.name}_t", list(buffer.shape), buffer.dtype)
        self.kinds.rank_one[turned.name] = self.kinds.rank_one[buffer.name]
        self.kinds.kind[turned.name] = _OTHER[known]
        return turned

    # ---- statements ------------------------------------------------------------------------------------------------

    def clashing(self, record: Elementwise) -> list[tir.BufferLoad | tir.BufferStore]:
        """Accesses that need their vector along the other axis. One that nothing has decided follows its first use."""
        store = record.store
        accesses = [store, *loads_in(store.value)]
        row, col = axes_of_matrices([(a.buffer, list(a.indices)) for a in accesses], self.kinds.rank_one)
        vectors = [access for access in accesses if access.buffer.name in self.kinds.rank_one]
        wanted: list[str | None]
        if row is None and col is None:
            moving = [access for access in vectors if not isinstance(access.indices[0], tir.IntImm)]
            known = next((kind for kind in (self.kinds.known(a.buffer.name) for a in moving) if kind), None)
            wanted = [None if isinstance(access.indices[0], tir.IntImm) else known for access in vectors]
        else:
            wanted = [_along(access.indices[0], row, col) for access in vectors]
        clashing = []
        for access, kind in zip(vectors, wanted, strict=True):
            root = self.kinds.root(access.buffer.name)
            if kind is not None and self.kinds.rank_one[root] > 1 and self.kinds.kind.setdefault(root, kind) != kind:
                clashing.append(access)
        return clashing

    def elementwise(self, record: Elementwise) -> list[tir.Stmt] | None:
        store = record.store
        clashing = self.clashing(record)
        turned: dict[str, tir.Buffer] = {}
        before: list[tir.Stmt] = []
        replacements: list[tuple[tir.BufferLoad, tir.PrimExpr]] = []
        for load in clashing:
            if not isinstance(load, tir.BufferLoad) or any(same_load(load, done) for done, _ in replacements):
                continue
            name = load.buffer.name
            if name not in turned:
                turned[name] = self.turned(load.buffer)
                before.append(transpose(whole(load.buffer), whole(turned[name])))
            replacements.append((load, tir.BufferLoad(turned[name], list(load.indices))))
        after: list[tir.Stmt] = []
        target = store.buffer
        if any(access.same_as(store) for access in clashing):
            if not _covers(record):
                return None
            target = turned[target.name] if target.name in turned else self.turned(target)
            after.append(transpose(whole(target), whole(store.buffer)))
        if not before and not after:
            return None
        inner = tir.BufferStore(target, replace_loads(store.value, replacements), list(store.indices))
        return [*before, parallel(record.loop_vars, record.extents, inner), *after]

    def reduce(self, record: TileReduce, stmt: tir.Evaluate) -> list[tir.Stmt] | None:
        kind = kind_of_reduced(record)
        destination = record.destination
        if kind is None or not self.kinds.clashes(destination.buffer.name, kind) or not destination.is_whole:
            return None
        turned = self.turned(destination.buffer)
        before = [] if record.clear else [transpose(destination, whole(turned))]
        args = list(stmt.value.args)
        args[1] = region_call(whole(turned), 2)
        work = tir.Evaluate(tir.Call(stmt.value.dtype, stmt.value.op, args, stmt.value.annotations))
        return [*before, work, transpose(whole(turned), destination)]

    def copy(self, record: TileCopy) -> list[tir.Stmt] | None:
        source, destination = record.source, record.destination
        if source.is_global or destination.is_global:
            return None
        vectors = self.kinds.rank_one
        if source.buffer.name in vectors and destination.buffer.name in vectors:
            one, other = self.kinds.known(source.buffer.name), self.kinds.known(destination.buffer.name)
            both_known = one is not None and other is not None and one != other
            if both_known and source.is_whole and destination.is_whole and _same_dtype(source, destination):
                return [transpose(source, destination)]
            return None
        if source.buffer.name in vectors:
            kind = kind_of_copied(destination)
            if self.kinds.clashes(source.buffer.name, kind) and source.is_whole:
                turned = self.turned(source.buffer)
                return [transpose(source, whole(turned)), copy(whole(turned), destination)]
        elif destination.buffer.name in vectors:
            kind = kind_of_copied(source)
            if self.kinds.clashes(destination.buffer.name, kind) and destination.is_whole:
                turned = self.turned(destination.buffer)
                return [copy(source, whole(turned)), transpose(whole(turned), destination)]
        return None


def _along(index: tir.PrimExpr, row: tir.PrimExpr | None, col: tir.PrimExpr | None) -> str | None:
    if row is not None and index.same_as(row):
        return "column"
    return "row" if col is not None and index.same_as(col) else None


def _covers(record: Elementwise) -> bool:
    """Whether the statement writes every element of the vector it stores to."""
    (index,), (size,) = record.store.indices, record.store.buffer.shape
    extents = zip(record.loop_vars, record.extents, strict=True)
    return any(index.same_as(var) and extent == int(size) for var, extent in extents)


def _same_dtype(one: Region, other: Region) -> bool:
    return bool(one.buffer.dtype == other.buffer.dtype)
