"""Put an element-wise statement into the next one where nobody else reads its result.

Why: between two statements a tile goes through the packer to L1 and through the unpacker back to DST; inside of one it
stays in DST. The several stores of one ``T.Parallel`` body arrive here as neighbours over the same lanes.

Before::

    for i, j: X[i, j] = A[i, j] * 2
    for i, j: Y[i, j] = exp(X[i, j]) + B[i]

After::

    for i, j: Y[i, j] = exp(A[i, j] * 2) + B[i]

Statements stay apart where the sum of both needs more registers than DST has, and where it would read and rewrite a
part of a buffer (``separate_partial_updates``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import tvm
from tvm import tirx as tir

from ..data_format import compute_format
from ..errors import TilingError, UnsupportedError
from .base import LoweringContext
from .liveness import Liveness, Names
from .numeric_policy import is_fast, is_narrow
from .separate_partial_updates import sweeps_in_order
from .split_expressions import operands
from .tensorize_tile_maps import TileScope, smallest_program, tile_map_of
from .tile_ir import (
    GLOBAL_SCOPE,
    Elementwise,
    is_gather,
    is_scalar_variable,
    leaves,
    loads_in,
    parallel,
    parse,
    sequence,
    statements_of,
    with_body,
    with_span_of,
)
from .tile_layout import layouts_of

_LARGEST = 64
"""Nodes of an expression: what is used twice is written twice."""


def fuse_elementwise(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Fuse neighbours throughout the function."""
    buffers = [leaf.buffer for leaf in leaves(func.body) if isinstance(leaf, tir.AllocBuffer)]
    formats = {buffer.name: compute_format(str(buffer.dtype)) for buffer in buffers}
    scope = TileScope(
        rings={},
        formats={name: fmt.name for name, fmt in formats.items() if fmt is not None},
        layouts=layouts_of(func),
        context=context,
        fast=is_fast(func),
        narrow=is_narrow(func),
    )
    fuser = _Fuser(scope=scope, liveness=Liveness())
    return func.with_body(sequence(fuser.block(statements_of(func.body), frozenset())))


@dataclass(frozen=True, kw_only=True)
class _Fuser:
    scope: TileScope
    liveness: Liveness

    def block(self, statements: Sequence[tir.Stmt], live: Names) -> list[tir.Stmt]:
        """``statements``, fused; ``live`` are the buffers that are read after them."""
        result: list[tir.Stmt] = []
        after: list[Names] = []
        for stmt in reversed(statements):
            stmt = self.inside(stmt, live)
            fused = self.fused(stmt, result[-1], after[-1]) if result else None
            if fused is None:
                result.append(stmt)
                after.append(live)
            else:
                result[-1] = fused
            live = self.liveness.live_before(result[-1], after[-1])
        return result[::-1]

    def inside(self, stmt: tir.Stmt, live: Names) -> tir.Stmt:
        """``stmt`` with the bodies of its control flow fused."""
        if isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL:
            head = self.liveness.live_at_head(stmt, live)
            return with_body(stmt, sequence(self.block(statements_of(stmt.body), head)))
        if isinstance(stmt, tir.While):
            head = self.liveness.live_at_head(stmt, live)
            body = sequence(self.block(statements_of(stmt.body), head))
            return with_span_of(tir.While(stmt.condition, body), stmt)
        if isinstance(stmt, tir.IfThenElse):
            then = sequence(self.block(statements_of(stmt.then_case), live))
            other = sequence(self.block(statements_of(stmt.else_case), live)) if stmt.else_case is not None else None
            return with_span_of(tir.IfThenElse(stmt.condition, then, other), stmt)
        return stmt

    def fused(self, first: tir.Stmt, second: tir.Stmt, live: Names) -> tir.Stmt | None:
        """Both statements as one, or None; ``live`` are the buffers that are read after them."""
        one, two = parse(first), parse(second)
        if not _is_map(one) or not _is_map(two) or one.extents != two.extents:
            return None
        names = dict(zip(one.loop_vars, two.loop_vars, strict=True))
        value = tir.stmt_functor.substitute(one.store.value, names)
        place = [tir.stmt_functor.substitute(index, names) for index in one.store.indices]
        kept, target = one.store.buffer, two.store.buffer
        replaces = target.same_as(kept) and _same(two.store.indices, place)
        loads = [load for load in loads_in(two.store.value) if load.buffer.same_as(kept)]
        if not loads or (kept.name in live and not replaces):
            return None
        if not all(_same(load.indices, place) for load in loads):
            return None
        own = [load for load in loads_in(value) if load.buffer.same_as(target)]
        if not all(_same(load.indices, two.store.indices) for load in own) or (own and not sweeps_in_order(two)):
            return None
        store = tir.BufferStore(target, _with(two.store.value, kept, value), list(two.store.indices))
        record = replace(two, store=store)
        if _size(store.value) > _LARGEST or not self.fits(record, second):
            return None
        return with_span_of(parallel(record.loop_vars, record.extents, store), second)

    def fits(self, record: Elementwise, stmt: tir.Stmt) -> bool:
        """Whether DST holds what one tile of ``record`` needs."""
        try:
            program = smallest_program(tile_map_of(record, stmt, self.scope), self.scope.dst_tiles)
        except (TilingError, UnsupportedError):
            # The statements have a form on their own, or the error is theirs.
            return False
        return program.slots <= self.scope.dst_tiles


def _is_map(record: object) -> TypeGuard[Elementwise]:
    """Whether ``record`` computes lanes of an on-chip buffer."""
    if not isinstance(record, Elementwise) or is_gather(record) or is_scalar_variable(record.store.buffer):
        return False
    return record.store.buffer.scope() != GLOBAL_SCOPE and record.store.buffer.scope() != "local.var"


def _same(one: Sequence[tir.PrimExpr], other: Sequence[tir.PrimExpr]) -> bool:
    return len(one) == len(other) and all(tvm.ir.structural_equal(a, b) for a, b in zip(one, other, strict=True))


def _with(value: tir.PrimExpr, buffer: tir.Buffer, replacement: tir.PrimExpr) -> tir.PrimExpr:
    """``value`` with ``replacement`` for every load of ``buffer``."""

    def visit(node: Any) -> tir.PrimExpr | None:
        return replacement if isinstance(node, tir.BufferLoad) and node.buffer.same_as(buffer) else None

    return tir.stmt_functor.ir_transform(tir.Evaluate(value), visit, None, ["tirx.BufferLoad"]).value


def _size(value: tir.PrimExpr) -> int:
    """Nodes of the expression as a tree."""
    return 1 + sum(map(_size, operands(value)))
