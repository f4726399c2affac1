"""Let the first gemm of an accumulation overwrite instead of clearing the accumulator before it.

Why: the packer can store a block (first step) or add to it (later steps); a separate pass that writes zeros is wasted.

Before::

    fill(C_local, 0)
    for k in serial(8): gemm(A_shared, B_shared, C_local)

After::

    for k in serial(8): gemm(A_shared, B_shared, C_local, clear_accum=(k == 0))
"""

from __future__ import annotations

from dataclasses import replace

import tvm
from tvm import tirx as tir

from .accesses import accesses_of
from .base import LoweringContext
from .tile_ir import (
    TileFill,
    TileGemm,
    gemm_with,
    is_const_int,
    leaves,
    parse,
    sequence,
    statements_of,
    with_body,
    with_span_of,
)


def fold_accumulator_clears(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Remove fills whose only effect is the start value of a gemm."""
    return func.with_body(_rewrite(func.body))


def _rewrite(stmt: tir.Stmt) -> tir.Stmt:
    if isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL:
        return with_body(stmt, _rewrite(stmt.body))
    if isinstance(stmt, tir.IfThenElse):
        other = _rewrite(stmt.else_case) if stmt.else_case is not None else None
        return with_span_of(tir.IfThenElse(stmt.condition, _rewrite(stmt.then_case), other), stmt)
    if not isinstance(stmt, tir.SeqStmt):
        return stmt
    statements = [_rewrite(child) for child in statements_of(stmt)]
    position = 0
    while position < len(statements):
        buffer = _cleared_buffer(statements[position])
        folded = _fold(statements, position + 1, buffer) if buffer is not None else None
        if folded is None:
            position += 1
            continue
        where, replacement = folded
        statements[where] = replacement
        del statements[position]
    return sequence(statements)


def _cleared_buffer(stmt: tir.Stmt) -> tir.Buffer | None:
    """The fp32 buffer that ``stmt`` fills with zeros."""
    record = parse(stmt)
    if not isinstance(record, TileFill) or not record.destination.is_whole or record.destination.is_global:
        return None
    value = record.value
    is_zero = isinstance(value, (tir.IntImm, tir.FloatImm)) and value.value == 0
    buffer = record.destination.buffer
    return buffer if is_zero and str(buffer.dtype) in ("float32", "float16") else None


def _fold(statements: list[tir.Stmt], start: int, buffer: tir.Buffer) -> tuple[int, tir.Stmt] | None:
    """(position, replacement) of the statement that can take the clear over, or None."""
    for position in range(start, len(statements)):
        stmt = statements[position]
        if not _touches(stmt, buffer):
            continue
        record = parse(stmt)
        if isinstance(record, TileGemm):
            return _with_clear(stmt, record, buffer, tir.IntImm("bool", True), position)
        if isinstance(stmt, tir.For) and stmt.kind == tir.ForKind.SERIAL and _runs(stmt):
            return _fold_into_loop(stmt, buffer, position)
        return None
    return None


def _fold_into_loop(loop: tir.For, buffer: tir.Buffer, position: int) -> tuple[int, tir.Stmt] | None:
    body = statements_of(loop.body)
    for number, stmt in enumerate(body):
        if not _touches(stmt, buffer):
            continue
        record = parse(stmt)
        if not isinstance(record, TileGemm):
            return None
        folded = _with_clear(stmt, record, buffer, tir.EQ(loop.loop_var, loop.min), number)
        if folded is None:
            return None
        body[number] = folded[1]
        return position, with_body(loop, sequence(body))
    return None


def _with_clear(
    stmt: tir.Stmt, record: TileGemm, buffer: tir.Buffer, clear: tir.PrimExpr, position: int
) -> tuple[int, tir.Stmt] | None:
    accumulates = record.c.buffer.same_as(buffer) and record.c.is_whole and is_const_int(record.clear, 0)
    if not accumulates or record.a.buffer.same_as(buffer) or record.b.buffer.same_as(buffer):
        return None
    return position, gemm_with(stmt, replace(record, clear=clear))


def _runs(loop: tir.For) -> bool:
    """Whether the loop certainly runs at least once."""
    return bool(tvm.arith.Analyzer().can_prove(loop.extent > 0))


def _touches(stmt: tir.Stmt, buffer: tir.Buffer) -> bool:
    """Whether ``stmt`` reads or writes ``buffer`` anywhere inside."""
    for leaf in leaves(stmt):
        record = parse(leaf)
        if record is None:
            continue
        accesses = accesses_of(record)
        touched = [*accesses.reads, *(b for b, _ in accesses.writes)]
        if any(b.same_as(buffer) for b in touched):
            return True
    return False
