"""Reduce on chip what several lanes of one loop add to the same element.

Why: an atomic update whose index does not use every loop variable hits one element several times. On a tile machine the
lanes are combined by a reduction first; the element is then updated once.

Before::

    for i, j in parallel(32, 64): M[j] = M[j] + x[i, j]           # M is in tt_atomic_tensors

After::

    for i, j in parallel(32, 64): M_sum[i, j] = x[i, j]
    reduce(M_sum, M_sum_1, "sum", 0, True)
    for j in parallel(64): M[j] = M[j] + M_sum_1[j]
"""

from __future__ import annotations

from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .names import NewBuffers
from .reduction_identity import reduction_identity
from .rewrite_atomics import atomic_tensors
from .tile_ir import (
    Elementwise,
    parallel,
    parse,
    region_call,
    rewrite,
    same_load,
    sequence,
    uses_var,
    whole,
)

_REDUCTIONS = {"Add": "sum", "Max": "max", "Min": "min"}
_SELECT = "tirx.if_then_else"


def reduce_colliding_updates(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite the updates of atomic tensors that hit an element more than once."""
    tensors = atomic_tensors(func)
    if not tensors:
        return func
    reducer = _Reducer(tensors=tensors, new=NewBuffers.of(func))
    body = rewrite(func.body, reducer.leaf)
    return func.with_body(reducer.new.declared(body))


@dataclass(kw_only=True)
class _Reducer:
    tensors: frozenset[str]
    new: NewBuffers

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        if not isinstance(record, Elementwise) or record.store.buffer.name not in self.tensors:
            return None
        indices = list(record.store.indices)
        missing = [n for n, var in enumerate(record.loop_vars) if not any(uses_var(i, [var]) for i in indices)]
        if not missing:
            return None
        combine, value = self.update(record, stmt)
        kind = _REDUCTIONS[combine.__name__]
        name = f"{record.store.buffer.name}_{kind}"
        partial = self.new.allocate(name, record.extents, value.dtype)
        result = [parallel(record.loop_vars, record.extents, tir.BufferStore(partial, value, list(record.loop_vars)))]
        shape = list(record.extents)
        for dim in reversed(missing):
            del shape[dim]
            smaller = self.new.allocate(name, shape or [1], value.dtype)
            result.append(_reduce(partial, smaller, kind, dim))
            partial = smaller
        fresh = {v: tir.Var(v.name, v.dtype) for n, v in enumerate(record.loop_vars) if n not in missing}
        places = [tir.stmt_functor.substitute(index, fresh) for index in indices]
        old = tir.BufferLoad(record.store.buffer, places)
        new = tir.BufferLoad(partial, list(fresh.values()) or [tir.IntImm("int32", 0)])
        result.append(parallel(list(fresh.values()), shape, tir.BufferStore(old.buffer, combine(old, new), places)))
        return sequence(result)

    def update(self, record: Elementwise, stmt: tir.Stmt) -> tuple[type[tir.PrimExpr], tir.PrimExpr]:
        """(operator, operand) of ``C[i] = C[i] op operand``; where a condition fails, the operand changes nothing."""
        old = tir.BufferLoad(record.store.buffer, list(record.store.indices))
        value, conditions = record.store.value, []
        while isinstance(value, tir.Call) and value.op.name == _SELECT and _is(value.args[2], old):
            conditions.append(value.args[0])
            value = value.args[1]
        if type(value).__name__ not in _REDUCTIONS or not _is(value.a, old):
            raise UnsupportedError(
                f"several lanes store to the same element of {record.store.buffer.name}",
                hint="update it only with T.atomic_add, T.atomic_max or T.atomic_min",
                at=stmt,
            )
        operand = value.b
        for condition in conditions:
            identity = reduction_identity(_REDUCTIONS[type(value).__name__], operand.dtype)
            operand = tir.Call(operand.dtype, tvm.ir.Op.get(_SELECT), [condition, operand, identity])
        return type(value), operand


def _is(expr: tir.PrimExpr, load: tir.BufferLoad) -> bool:
    return isinstance(expr, tir.BufferLoad) and same_load(expr, load)


def _reduce(source: tir.Buffer, destination: tir.Buffer, kind: str, dim: int) -> tir.Stmt:
    arguments = [
        region_call(whole(source), 1),
        region_call(whole(destination), 2),
        tir.StringImm(kind),
        tir.IntImm("int32", dim),
        tir.IntImm("bool", 1),
    ]
    return tir.Evaluate(tir.Call("handle", tvm.ir.Op.get("tl.tileop.reduce"), arguments))
