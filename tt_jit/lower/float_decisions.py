"""What floating-point values decide in control flow and addresses: comparisons, and conversions to integers."""

from __future__ import annotations

from collections.abc import Sequence

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .tile_ir import loads_in, uses_var

_TESTS = ("isnan",)
# Float expressions that a RISC-V core evaluates.
_SIMPLE_CALLS = ("isnan", "if_then_else", "fabs")


def decisions_in(expr: tir.PrimExpr, params: Sequence[tir.Var]) -> list[tir.PrimExpr]:
    """The outermost integers and booleans in ``expr`` that come from floating-point values known at run time only."""
    if _is_decision(expr):
        return [expr] if loads_in(expr) or uses_var(expr, params) else []
    return [found for part in _parts(expr) for found in decisions_in(part, params)]


def replace_decisions(stmt: tir.Stmt, values: Sequence[tuple[tir.PrimExpr, tir.Var]]) -> tir.Stmt:
    """``stmt`` with every decision replaced by the variable that holds it."""
    if not values:
        return stmt

    def visit(node: object) -> tir.PrimExpr | None:
        var = next((var for decision, var in values if decision.same_as(node)), None)
        if var is None:
            return None
        assert isinstance(node, tir.PrimExpr)
        return var != 0 if node.dtype == "bool" else var.astype(node.dtype)

    return tir.stmt_functor.ir_transform(stmt, visit, None, None)


def check_decision(decision: tir.PrimExpr, stmt: tir.Stmt) -> None:
    """Refuse functions of floats: only compute has them."""
    calls: list[tir.Call] = []

    def visit(node: object) -> None:
        if isinstance(node, tir.Call) and (_is_float(node) or any(map(_is_float, node.args))):
            calls.append(node)

    tir.stmt_functor.post_order_visit(tir.Evaluate(decision), visit)
    for call in calls:
        if _name(call) not in _SIMPLE_CALLS:
            raise UnsupportedError(
                f"the function {_name(call)} in what steers control flow or an address",
                hint="store its value to a variable first (T.alloc_var), and let that decide",
                at=stmt,
            )


def _name(call: tir.Call) -> str:
    return call.op.name.removeprefix("tirx.") if isinstance(call.op, tvm.ir.Op) else ""


def _is_decision(expr: tir.PrimExpr) -> bool:
    if _is_float(expr):
        return False
    if isinstance(expr, tir.Call):
        return _name(expr) in _TESTS
    return any(map(_is_float, _parts(expr)))


def _parts(expr: tir.PrimExpr) -> list[tir.PrimExpr]:
    """The operands of ``expr``; the indices of a load are read with it."""
    if isinstance(expr, tir.Call):
        return list(expr.args)
    if isinstance(expr, tir.Cast):
        return [expr.value]
    if isinstance(expr, tir.Select):
        return [expr.condition, expr.true_value, expr.false_value]
    if isinstance(expr, tir.BufferLoad):
        return list(expr.indices)
    return [getattr(expr, name) for name in ("a", "b") if hasattr(expr, name)]


def _is_float(expr: tir.PrimExpr) -> bool:
    return isinstance(expr, tir.PrimExpr) and str(expr.dtype).startswith(("float", "bfloat"))
