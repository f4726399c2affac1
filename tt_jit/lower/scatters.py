"""Stores whose place has no block form, as a scatter of on-chip values by the writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from .ops import call
from .tile_ir import Elementwise, parallel, region_call, same_load, whole

_SELECT = "tirx.if_then_else"
_UPDATES = {"Add": "add", "Max": "max", "Min": "min"}
Allocate = Callable[[str, list[tir.PrimExpr], str], tir.Buffer]


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """A scatter and the element-wise statements that compute what it stores."""

    before: tuple[tir.Stmt, ...]
    statement: tir.Stmt


def scatter_of(record: Elementwise, indices: Sequence[tir.PrimExpr], allocate: Allocate) -> Scatter:
    """``T[indices] = value`` of ``record`` as a scatter.

    Where the value is ``op(T[indices], x)``, the scatter updates; where conditions keep the old value, a mask says so.
    """
    store = record.store
    old = tir.BufferLoad(store.buffer, list(store.indices))
    value, condition = store.value, None
    while isinstance(value, tir.Call) and value.op.name == _SELECT and _is(value.args[2], old):
        condition = value.args[0] if condition is None else tir.And(condition, value.args[0])
        value = value.args[1]
    update = _UPDATES.get(type(value).__name__) if _is(getattr(value, "a", None), old) else None
    if update is not None:
        value = value.b
    shape = [tir.IntImm("int32", extent) for extent in record.extents] or [tir.IntImm("int32", 1)]
    source, first = _computed(record, allocate(store.buffer.name, shape, store.buffer.dtype), value)
    before, mask = [first], None
    if condition is not None:
        chosen = tir.Call("int32", tvm.ir.Op.get(_SELECT), [condition, tir.IntImm("int32", 1), tir.IntImm("int32", 0)])
        mask, second = _computed(record, allocate(f"{store.buffer.name}_mask", shape, "int32"), chosen)
        before.append(second)
    target = tir.BufferLoad(store.buffer, list(indices))
    arguments = [
        target,
        region_call(whole(source), 1),
        region_call(whole(mask), 1) if mask is not None else 0,
        update or "",
        *record.loop_vars,
        *record.extents,
    ]
    return Scatter(before=tuple(before), statement=tir.Evaluate(call("scatter_tile", *arguments)))


def _is(expr: object, load: tir.BufferLoad) -> bool:
    return isinstance(expr, tir.BufferLoad) and same_load(expr, load)


def _computed(record: Elementwise, buffer: tir.Buffer, value: tir.PrimExpr) -> tuple[tir.Buffer, tir.Stmt]:
    """``buffer`` and the statement that computes it, with loop variables of its own."""
    fresh = {var: tir.Var(var.name, var.dtype) for var in record.loop_vars}
    indices = list(fresh.values()) or [tir.IntImm("int32", 0)]
    inner = tir.BufferStore(buffer, tir.stmt_functor.substitute(value, fresh), indices)
    return buffer, parallel(list(fresh.values()), record.extents, inner)
