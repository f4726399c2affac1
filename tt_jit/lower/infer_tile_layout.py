"""Decide how every on-chip buffer is cut into tiles.

Why: a 1-D buffer means nothing on a tile machine until we know whether it lies along the rows or along the columns of
the matrices it meets. The kinds of all 1-D buffers are found by unification over every use; buffers that no use ties
down are stored flat (dense, 1024 elements a tile) when their size allows it, else as rows.

Before::

    for i, j in parallel(64, 64): S[i, j] = S[i, j] - m[i]      # m: 64 elements

After::

    func_attr({"tt_tile_layouts": {"S": {"kind": "matrix", "rows": 64, "cols": 64, ...},
                                   "m": {"kind": "column", "rows": 64, "cols": 1, ...}}})
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tvm import tirx as tir

from ..errors import UnsupportedError
from ..target import TILE_ELEMENTS
from .base import LoweringContext
from .tile_ir import (
    Elementwise,
    Region,
    TileCopy,
    TileGemm,
    TileReduce,
    TileScan,
    is_const_int,
    is_scalar_variable,
    leaves,
    loads_in,
    parse,
)
from .tile_layout import TileLayout, with_layouts

ON_CHIP_SCOPES = ("shared", "shared.dyn", "local.fragment", "local", "local.var", "local.reducer")


def infer_tile_layout(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Attach ``tt_tile_layouts``."""
    buffers = [leaf.buffer for leaf in leaves(func.body) if isinstance(leaf, tir.AllocBuffer)]
    on_chip = {b.name: b for b in buffers if b.scope() in ON_CHIP_SCOPES and not is_scalar_variable(b)}
    kinds = _Kinds(rank_one={n: _extents(b)[0] for n, b in on_chip.items() if len(b.shape) == 1})
    gemm_order = _GemmOrder()
    for stmt in leaves(func.body):
        record = parse(stmt)
        if record is not None:
            kinds.visit(record, stmt)
            gemm_order.visit(record)
    layouts = {name: _layout(buffer, kinds, gemm_order) for name, buffer in on_chip.items()}
    return with_layouts(func, layouts)


def _extents(buffer: tir.Buffer) -> tuple[int, ...]:
    if not all(isinstance(extent, tir.IntImm) for extent in buffer.shape):
        raise UnsupportedError(
            f"on-chip buffer {buffer.name} has a run-time shape {list(buffer.shape)}",
            hint="allocate on-chip buffers with compile-time sizes",
            at=buffer,
        )
    return tuple(int(extent.value) for extent in buffer.shape)


def _layout(buffer: tir.Buffer, kinds: _Kinds, gemm_order: _GemmOrder) -> TileLayout:
    extents = _extents(buffer)
    if len(extents) == 0:
        return TileLayout(kind="scalar", outer=(), rows=1, cols=1)
    if len(extents) == 1:
        size = extents[0]
        kind = kinds.kind_of(buffer.name)
        rows, cols = (size, 1) if kind == "column" else (1, size)
        return TileLayout(kind=kind, outer=(), rows=rows, cols=cols)
    return TileLayout(
        kind="matrix",
        outer=extents[:-2],
        rows=extents[-2],
        cols=extents[-1],
        column_major=gemm_order.is_column_major(buffer.name),
    )


@dataclass(kw_only=True)
class _GemmOrder:
    """Which buffers are only ever the transposed right operand of a gemm: their tiles are stored column by column.

    ``matmul_block`` wants consecutive tiles of B along N; B given as (N, K) has them so in column-major tile order.
    """

    transposed: set[str] = field(default_factory=set)
    plain: set[str] = field(default_factory=set)

    def visit(self, record: object) -> None:
        if isinstance(record, TileGemm):
            (self.transposed if record.transpose_b else self.plain).add(record.b.buffer.name)
            self.plain.update((record.a.buffer.name, record.c.buffer.name))

    def is_column_major(self, name: str) -> bool:
        return name in self.transposed and name not in self.plain


@dataclass(kw_only=True)
class _Kinds:
    """Unification of the kinds of 1-D buffers."""

    rank_one: dict[str, int]
    parent: dict[str, str] = field(default_factory=dict)
    kind: dict[str, str] = field(default_factory=dict)

    def root(self, name: str) -> str:
        while self.parent.get(name, name) != name:
            name = self.parent[name]
        return name

    def kind_of(self, name: str) -> str:
        if self.rank_one[name] == 1:
            return "scalar"
        default = "flat" if self.rank_one[name] % TILE_ELEMENTS == 0 else "row"
        return self.kind.get(self.root(name), default)

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
            rank = len(record.source.buffer.shape)
            if rank >= 2:
                self.require(record.destination.buffer.name, "column" if record.dim == rank - 1 else "row", stmt)
        elif isinstance(record, TileScan):
            for region in (record.source, record.destination):
                self.require(region.buffer.name, "column", stmt)
        elif isinstance(record, TileCopy):
            self.visit_copy(record.source, record.destination, stmt)
            self.visit_copy(record.destination, record.source, stmt)

    def visit_copy(self, one: Region, other: Region, stmt: tir.Stmt) -> None:
        if one.is_global or other.is_global or one.buffer.name not in self.rank_one:
            return
        if other.buffer.name in self.rank_one:
            self.unify(one.buffer.name, other.buffer.name, stmt)
        else:
            last = len(other.extents) - 1
            self.require(one.buffer.name, "row" if last in other.kept_dims else "column", stmt)

    def visit_elementwise(self, record: Elementwise, stmt: tir.Stmt) -> None:
        store = record.store
        accesses = [(store.buffer, list(store.indices))]
        accesses += [(load.buffer, list(load.indices)) for load in loads_in(store.value)]
        row_var, col_var = _axes(accesses, self.rank_one)
        vectors = [(b.name, ix[0]) for b, ix in accesses if b.name in self.rank_one]
        for name, index in vectors:
            if row_var is not None and index.same_as(row_var):
                self.require(name, "column", stmt)
            elif col_var is not None and index.same_as(col_var):
                self.require(name, "row", stmt)
        if row_var is None and col_var is None:
            for (first, index), (second, other) in pairwise(vectors):
                if not isinstance(index, tir.IntImm) and not isinstance(other, tir.IntImm):
                    self.unify(first, second, stmt)


def _axes(
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
