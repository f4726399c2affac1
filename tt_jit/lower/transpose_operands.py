"""Make every transposed access an explicit transpose into a buffer of its own.

Why: the matrix engine transposes tiles of its second operand on the way in, not of the first, and element-wise steps
see equal lanes of all operands. A transposed first operand of a gemm, and an element-wise load ``X[j, i]``, read a
transposed copy.

Before::

    gemm(A_shared, B_shared, C_local, transpose_A=True)         # A_shared: (K, M)

After::

    transpose(A_shared, A_shared_t)                             # A_shared_t: (M, K)
    gemm(A_shared_t, B_shared, C_local)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tvm import tirx as tir

from .base import LoweringContext
from .names import NewBuffers
from .tile_ir import (
    Elementwise,
    Region,
    TileGemm,
    gemm_with,
    loads_in,
    parallel,
    parse,
    replace_loads,
    rewrite,
    same_load,
    sequence,
    transpose,
    whole,
    with_span_of,
)


def transpose_operands(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Insert transposed copies where a statement reads a matrix across its tiles."""
    transposer = _Transposer(new=NewBuffers.of(func))
    body = rewrite(func.body, transposer.leaf)
    return func.with_body(transposer.new.declared(body))


@dataclass(kw_only=True)
class _Transposer:
    new: NewBuffers

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        if isinstance(record, TileGemm) and record.transpose_a:
            return self.gemm(record, stmt)
        if isinstance(record, Elementwise):
            return self.elementwise(record, stmt)
        return None

    def transposed(self, source: Region) -> tir.Buffer:
        """A new buffer for the transpose of the last two dims of ``source``."""
        *_, rows, cols = source.extents
        return self.new.allocate(f"{source.buffer.name}_t", (cols, rows), source.buffer.dtype)

    def gemm(self, record: TileGemm, stmt: tir.Stmt) -> tir.Stmt:
        buffer = self.transposed(record.a)
        flipped = replace(record, a=whole(buffer), transpose_a=False)
        return sequence([with_span_of(transpose(record.a, whole(buffer)), stmt), gemm_with(stmt, flipped)])

    def elementwise(self, record: Elementwise, stmt: tir.Stmt) -> tir.Stmt | None:
        store = record.store
        if len(store.indices) < 2:
            return None
        row, col = store.indices[-2:]
        before: list[tir.Stmt] = []
        replacements: list[tuple[tir.BufferLoad, tir.BufferLoad]] = []
        for load in loads_in(store.value):
            if len(load.indices) != 2 or not isinstance(row, tir.Var) or not isinstance(col, tir.Var):
                continue
            if any(same_load(done, load) for done, _ in replacements):
                continue
            if load.indices[0].same_as(col) and load.indices[1].same_as(row):
                buffer = self.transposed(whole(load.buffer))
                before.append(with_span_of(transpose(whole(load.buffer), whole(buffer)), stmt))
                replacements.append((load, tir.BufferLoad(buffer, [row, col])))
        if not replacements:
            return None
        inner = tir.BufferStore(store.buffer, replace_loads(store.value, replacements), list(store.indices))
        return sequence([*before, parallel(record.loop_vars, record.extents, inner)])
