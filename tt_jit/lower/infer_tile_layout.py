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

from dataclasses import dataclass, field

from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .tile_ir import TileGemm, is_scalar_variable, leaves, parse
from .tile_layout import TileLayout, with_layouts
from .vector_kinds import VectorKinds

ON_CHIP_SCOPES = ("shared", "shared.dyn", "local.fragment", "local", "local.var", "local.reducer")


def infer_tile_layout(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Attach ``tt_tile_layouts``."""
    buffers = [leaf.buffer for leaf in leaves(func.body) if isinstance(leaf, tir.AllocBuffer)]
    on_chip = {b.name: b for b in buffers if b.scope() in ON_CHIP_SCOPES and not is_scalar_variable(b)}
    kinds = VectorKinds(rank_one={n: _extents(b)[0] for n, b in on_chip.items() if len(b.shape) == 1})
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


def _layout(buffer: tir.Buffer, kinds: VectorKinds, gemm_order: _GemmOrder) -> TileLayout:
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
