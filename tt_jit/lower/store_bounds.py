"""Conditions of a store that only cut its block short, as run-time extents.

Why: ``if start + i < end: Y[start + i, j] = x[i, j]`` must leave the rows behind ``end`` alone: they may belong to
another core. A store that keeps the old value where the condition fails would write them back. Such conditions become
the number of rows (or columns) that the block has; what else a condition asks stays a select between new and old value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from .tile_ir import Elementwise, is_const_int, same_load, uses_var

_SELECT = "tirx.if_then_else"


@dataclass(frozen=True, kw_only=True)
class BoundedStore:
    """The value of a store and, by position of the loop variable, how many of its values take part."""

    value: tir.PrimExpr
    limits: dict[int, tir.PrimExpr]


def bounded_store(record: Elementwise) -> BoundedStore:
    """``record`` with the conditions that bound one loop variable from above taken out of its value."""
    store = record.store
    value, old = store.value, tir.BufferLoad(store.buffer, list(store.indices))
    limits: dict[int, tir.PrimExpr] = {}
    conditions: list[tir.PrimExpr] = []
    while isinstance(value, tir.Call) and value.op.name == _SELECT and _is(value.args[2], old):
        for part in _conjuncts(value.args[0]):
            found = _limit(part, record)
            if found is None:
                conditions.append(part)
            else:
                position, limit = found
                limits[position] = tir.Min(limits[position], limit) if position in limits else limit
        value = value.args[1]
    for condition in reversed(conditions):
        value = tir.Call(value.dtype, tvm.ir.Op.get(_SELECT), [condition, value, old])
    return BoundedStore(value=value, limits=limits)


def _is(expr: tir.PrimExpr, load: tir.BufferLoad) -> bool:
    return isinstance(expr, tir.BufferLoad) and same_load(expr, load)


def _conjuncts(condition: tir.PrimExpr) -> list[tir.PrimExpr]:
    if isinstance(condition, tir.And):
        return [*_conjuncts(condition.a), *_conjuncts(condition.b)]
    return [condition]


def _limit(condition: tir.PrimExpr, record: Elementwise) -> tuple[int, tir.PrimExpr] | None:
    """(position of the loop variable, number of its values) when ``condition`` is ``variable < number``."""
    margin = _margin(condition)
    if margin is None:
        return None
    coefficients = tvm.arith.detect_linear_equation(margin, list(record.loop_vars))
    if not coefficients:
        return None
    used = [n for n, coefficient in enumerate(coefficients[:-1]) if not is_const_int(coefficient, 0)]
    if len(used) != 1 or not is_const_int(coefficients[used[0]], -1) or record.extents[used[0]] == 1:
        return None
    variable = record.loop_vars[used[0]]
    if not any(_is_variable_and_offset(index, variable, record.loop_vars) for index in record.store.indices):
        return None
    return used[0], tvm.arith.Analyzer().simplify(coefficients[-1])


def _margin(condition: tir.PrimExpr) -> tir.PrimExpr | None:
    """An expression that is positive exactly where ``condition`` holds."""
    if isinstance(condition, tir.Not):
        inverse = {"LT": tir.GE, "LE": tir.GT, "GT": tir.LE, "GE": tir.LT}.get(type(condition.a).__name__)
        return _margin(inverse(condition.a.a, condition.a.b)) if inverse is not None else None
    if not isinstance(condition, (tir.LT, tir.LE, tir.GT, tir.GE)) or not str(condition.a.dtype).startswith("int"):
        return None
    small, large = (condition.a, condition.b) if isinstance(condition, (tir.LT, tir.LE)) else (condition.b, condition.a)
    return large - small if isinstance(condition, (tir.LT, tir.GT)) else large - small + 1


def _is_variable_and_offset(index: tir.PrimExpr, variable: tir.Var, loop_vars: Sequence[tir.Var]) -> bool:
    return not uses_var(tvm.arith.Analyzer().simplify(index - variable), loop_vars)
