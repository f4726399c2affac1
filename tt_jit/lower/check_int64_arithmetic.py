"""Refuse int64 values in tiles, in conditions and in variables whose 64 bits may matter.

Why: ``narrow_int64_tensors`` makes int32 of all int64 arithmetic on elements of memory whose result fits. What is left
runs as it stands in code for single elements, which has 64 bits. Lanes and the variables of the kernels have 32, and a
result that loses its upper half there would be wrong without a word.

Before::

    for i: Y[i] = if_then_else(cast("int64", Start[b]) + cast("int64", i) < cast("int64", End[b]), X[i], 0)

After: UnsupportedError with file, line and caret, and the hint to cast the sum to int32.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .tile_ir import (
    ARRAY_SCOPE,
    Elementwise,
    TileFill,
    is_scalar_code,
    is_scalar_variable,
    loads_in,
    parse,
    uses_var,
)

_WIDE = "int64"
_COMPARISONS = (tir.LT, tir.LE, tir.GT, tir.GE, tir.EQ, tir.NE)
_HINT = 'where you know that 32 bits hold it, say so: T.cast(value, "int32")'


def check_int64_arithmetic(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Return ``func``; raise UnsupportedError for int64 arithmetic on memory that would run in 32 bits."""
    check = _Check(from_memory=_names_from_memory(func.body))
    check.statement(func.body)
    return func


def _names_from_memory(body: tir.Stmt) -> set[tir.Var]:
    """Names and variables (their data) that hold what was made of elements of memory."""
    found: set[tir.Var] = set()

    def visit(node: object) -> None:
        if isinstance(node, tir.Bind) and _is_memory(node.value, found):
            found.add(node.var)
        elif isinstance(node, tir.BufferStore) and is_scalar_variable(node.buffer) and _is_memory(node.value, found):
            found.add(node.buffer.data)

    known = -1
    while known != len(found):
        known = len(found)
        tir.stmt_functor.post_order_visit(body, visit)
    return found


def _is_memory(expr: tir.PrimExpr, names: Collection[tir.Var]) -> bool:
    """Whether an element of memory takes part in ``expr``, by way of ``names`` or directly."""
    return uses_var(expr, names) or any(
        not is_scalar_variable(load.buffer) or load.buffer.data in names for load in loads_in(expr)
    )


@dataclass(kw_only=True)
class _Check:
    from_memory: set[tir.Var]

    def statement(self, stmt: tir.Stmt) -> None:
        if isinstance(stmt, tir.SeqStmt):
            for child in stmt.seq:
                self.statement(child)
        elif isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL:
            self.statement(stmt.body)
        elif isinstance(stmt, tir.While):
            self.expression(stmt.condition, stmt)
            self.statement(stmt.body)
        elif isinstance(stmt, tir.IfThenElse):
            self.expression(stmt.condition, stmt)
            for case in (stmt.then_case, stmt.else_case):
                if case is not None:
                    self.statement(case)
        elif isinstance(stmt, tir.AllocBuffer):
            _check_buffer(stmt)
        elif isinstance(stmt, tir.Bind):
            # A name of 64 bits may stand for an address: what else it is used for is checked there.
            if str(stmt.var.dtype) != _WIDE:
                self.expression(stmt.value, stmt)
        elif not is_scalar_code(stmt):
            self.leaf(stmt)

    def leaf(self, stmt: tir.Stmt) -> None:
        record = parse(stmt)
        if isinstance(record, Elementwise):
            self.expression(record.store.value, stmt)
        elif isinstance(record, TileFill):
            self.expression(record.value, stmt)
        elif isinstance(stmt, tir.BufferStore):
            self.expression(stmt.value, stmt)

    def expression(self, expr: tir.PrimExpr, stmt: tir.Stmt) -> None:
        """Raise at the first part of ``expr`` that has 64 bits where lanes and variables have 32."""
        found: list[tir.PrimExpr] = []

        def visit(node: object) -> bool:
            if isinstance(node, tir.BufferLoad) or _keeps_low_bits(node):
                return False
            if self.is_wide(node):
                found.append(node)
            return not found

        tir.stmt_functor.pre_order_visit(tir.Evaluate(expr), visit)
        if found:
            raise UnsupportedError(
                f"{found[0]} may need more than 32 bits, which is all that the chip's lanes have", hint=_HINT, at=stmt
            )

    def is_wide(self, node: object) -> bool:
        """Whether ``node`` computes in int64, or compares such values, and memory has a part in it."""
        if isinstance(node, tir.Var):
            return str(node.dtype) == _WIDE and node in self.from_memory
        if isinstance(node, _COMPARISONS):
            return str(node.a.dtype) == _WIDE and _is_memory(node, self.from_memory)
        if not isinstance(node, tir.PrimExpr) or isinstance(node, (tir.Cast, tir.IntImm)):
            return False
        return str(node.dtype) == _WIDE and _is_memory(node, self.from_memory)


def _keeps_low_bits(node: object) -> bool:
    """Whether ``node`` is a cast of an int64 name to a smaller integer, for which the name's low bits are enough."""
    if not isinstance(node, tir.Cast) or not isinstance(node.value, tir.Var):
        return False
    return str(node.dtype).startswith(("int", "uint")) and str(node.dtype) != _WIDE


def _check_buffer(stmt: tir.AllocBuffer) -> None:
    buffer = stmt.buffer
    if str(buffer.dtype) == _WIDE and buffer.scope() not in (ARRAY_SCOPE, "local.var"):
        raise UnsupportedError(
            f"{buffer.name} holds int64 values that may need more than 32 bits, which is all that lanes have",
            hint=f'declare {buffer.name} with "int32" where you know that 32 bits hold its values',
            at=stmt,
        )
