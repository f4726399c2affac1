"""Whether a 1-D buffer lies along rows or columns of the matrices it meets, by unification over its uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from ..target import TILE_ELEMENTS
from .tile_ir import Elementwise, Region, TileCopy, TileReduce, TileScan, is_const_int, loads_in


@dataclass(kw_only=True)
class VectorKinds:
    """Unification of the kinds of 1-D buffers."""

    rank_one: dict[str, int]
    parent: dict[str, str] = field(default_factory=dict)
    kind: dict[str, str] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)

    def root(self, name: str) -> str:
        while self.parent.get(name, name) != name:
            name = self.parent[name]
        return name

    def kind_of(self, name: str) -> str:
        if self.rank_one[name] == 1:
            return "scalar"
        is_cut = any(self.root(other) == self.root(name) for other in self.cut)
        default = "flat" if self.rank_one[name] % TILE_ELEMENTS == 0 and not is_cut else "row"
        return self.kind.get(self.root(name), default)

    def known(self, name: str) -> str | None:
        """``column``, ``row``, or None where nothing has decided yet."""
        return self.kind.get(self.root(name)) if self.rank_one.get(name, 1) > 1 else None

    def clashes(self, name: str, kind: str) -> bool:
        """Whether the buffer lies along the other axis than ``kind``."""
        return self.known(name) not in (None, kind)

    def require(self, name: str, kind: str, stmt: tir.Stmt) -> None:
        if self.rank_one.get(name, 1) == 1:
            return
        root = self.root(name)
        known = self.kind.setdefault(root, kind)
        if known != kind:
            raise UnsupportedError(
                f"the 1-D buffer {name} is used along the {known}s of one tile and along the {kind}s of another",
                hint=f"use two buffers for {name}, one along the rows and one along the columns",
                at=stmt,
            )

    def unify(self, first: str, second: str, stmt: tir.Stmt) -> None:
        if self.rank_one.get(first, 1) == 1 or self.rank_one.get(second, 1) == 1:
            return
        root, other = self.root(first), self.root(second)
        if root == other:
            return
        kind = self.kind.pop(other, None)
        self.parent[other] = root
        if kind is not None:
            self.require(root, kind, stmt)

    def visit(self, record: object, stmt: tir.Stmt) -> None:
        if isinstance(record, Elementwise):
            self.visit_elementwise(record, stmt)
        elif isinstance(record, TileReduce):
            kind = kind_of_reduced(record)
            if kind is not None:
                self.require(record.destination.buffer.name, kind, stmt)
        elif isinstance(record, TileScan):
            for region in (record.source, record.destination):
                self.require(region.buffer.name, "column", stmt)
        elif isinstance(record, TileCopy):
            self.visit_copy(record.source, record.destination, stmt)
            self.visit_copy(record.destination, record.source, stmt)

    def visit_copy(self, one: Region, other: Region, stmt: tir.Stmt) -> None:
        if one.is_global or one.buffer.name not in self.rank_one:
            return
        if not _is_whole_tiles(one.mins[0]) or not (one.is_whole or _is_whole_tiles(one.extents[0])):
            self.cut.add(one.buffer.name)
        if other.is_global:
            return
        if other.buffer.name in self.rank_one:
            self.unify(one.buffer.name, other.buffer.name, stmt)
        else:
            self.require(one.buffer.name, kind_of_copied(other), stmt)

    def visit_elementwise(self, record: Elementwise, stmt: tir.Stmt) -> None:
        store = record.store
        accesses = [(store.buffer, list(store.indices))]
        accesses += [(load.buffer, list(load.indices)) for load in loads_in(store.value)]
        row_var, col_var = axes_of_matrices(accesses, self.rank_one)
        vectors = [(b.name, ix[0]) for b, ix in accesses if b.name in self.rank_one]
        start = {var: tir.IntImm("int32", 0) for var in record.loop_vars}
        self.cut.update(n for n, ix in vectors if not _is_whole_tiles(tir.stmt_functor.substitute(ix, start)))
        for name, index in vectors:
            if row_var is not None and index.same_as(row_var):
                self.require(name, "column", stmt)
            elif col_var is not None and index.same_as(col_var):
                self.require(name, "row", stmt)
        if row_var is None and col_var is None:
            for (first, index), (second, other) in pairwise(vectors):
                if not isinstance(index, tir.IntImm) and not isinstance(other, tir.IntImm):
                    self.unify(first, second, stmt)


def _is_whole_tiles(elements: tir.PrimExpr) -> bool:
    """Whether so many elements of a vector are known to fill tiles."""
    return is_const_int(tvm.arith.Analyzer().simplify(tir.floormod(elements, TILE_ELEMENTS)), 0)


def kind_of_reduced(record: TileReduce) -> str | None:
    """How the result of a reduction lies; None where the source is a vector."""
    rank = len(record.source.buffer.shape)
    if rank < 2:
        return None
    return "column" if record.dim == rank - 1 else "row"


def kind_of_copied(matrix: Region) -> str:
    """How a vector lies that is copied from or to ``matrix``."""
    return "row" if len(matrix.extents) - 1 in matrix.kept_dims else "column"


def axes_of_matrices(
    accesses: Sequence[tuple[tir.Buffer, list[tir.PrimExpr]]], rank_one: dict[str, int]
) -> tuple[tir.PrimExpr | None, tir.PrimExpr | None]:
    """The loop variables along rows and columns, read off the first matrix access."""
    for buffer, indices in accesses:
        if len(buffer.shape) < 2 or buffer.scope() == "global":
            continue
        row, col = indices[-2], indices[-1]
        row_var = row if isinstance(row, tir.Var) else None
        col_var = col if isinstance(col, tir.Var) else None
        if is_const_int(buffer.shape[-1], 1) or row_var is not None or col_var is not None:
            return row_var, col_var
    return None, None
