"""Atomic operations as ordinary updates, ``C[i] = C[i] + x``.

Why: the chip's NoC has no atomic arithmetic on tensors. What makes an update atomic here is where and when it runs:
``serialize_conflicting_blocks`` puts all blocks that may touch the same elements on one core, one after another, and
``order_tensor_accesses`` lets the core read an element only after its own earlier write. The order of the additions is
the order of the blocks, hence the same in every run.

Several lanes of one ``T.Parallel`` that update the same element are summed (or compared) on chip first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .tile_ir import (
    Region,
    parallel,
    region_call,
    region_of,
    sequence,
    tile_operator_name,
    uses_var,
    whole,
    with_span_of,
)

ATOMICS_ATTRIBUTE = "tt_atomic_tensors"
_KINDS = {"add": "sum", "max": "max", "min": "min"}
_VECTOR_WIDTHS = {"addx2": 2, "addx4": 4}
_INDEX = "int32"


@dataclass(frozen=True, kw_only=True)
class Atomic:
    """``buffer[indices] = combine(buffer[indices], value)``; ``kind`` is ``add``, ``max`` or ``min``."""

    kind: str
    buffer: tir.Buffer
    indices: tuple[tir.PrimExpr, ...]
    value: tir.PrimExpr

    def update(self) -> tir.BufferStore:
        """The update as a store."""
        old = tir.BufferLoad(self.buffer, list(self.indices))
        return tir.BufferStore(self.buffer, _combine(self.kind, old, self.value), list(self.indices))

    def only_if(self, guard: tir.PrimExpr) -> Atomic:
        """The update where ``guard`` holds, and one that changes nothing elsewhere."""
        value = tir.Call(
            self.value.dtype,
            tvm.ir.Op.get("tirx.if_then_else"),
            [guard, self.value, _identity(self.kind, self.value.dtype)],
        )
        return Atomic(kind=self.kind, buffer=self.buffer, indices=self.indices, value=value)

    def substitute(self, values: dict[tir.Var, tir.PrimExpr]) -> Atomic:
        """The update with variables replaced."""
        return Atomic(
            kind=self.kind,
            buffer=self.buffer,
            indices=tuple(tir.stmt_functor.substitute(index, values) for index in self.indices),
            value=tir.stmt_functor.substitute(self.value, values),
        )


def element_atomic(stmt: tir.Stmt, expression: Callable[[tir.PrimExpr], tir.PrimExpr]) -> Atomic | None:
    """The update of an element by ``T.atomic_add(C[i], x)`` and the like; ``expression`` normalizes what it reads."""
    if not isinstance(stmt, tir.Evaluate) or not isinstance(stmt.value, tir.Call):
        return None
    call = stmt.value
    name = call.op.name if isinstance(call.op, tvm.ir.Op) else ""
    if not name.startswith("tl.atomic_") or not name.endswith("_elem_op"):
        return None
    operation = name.removeprefix("tl.atomic_").removesuffix("_elem_op")
    if operation in _VECTOR_WIDTHS:
        raise UnsupportedError(
            f"T.atomic_{operation} outside of T.Parallel over the rest of its row",
            hint="use T.atomic_add on the tile or on single elements; vectors of elements bring nothing here",
            at=stmt,
        )
    if operation not in _KINDS:
        raise UnsupportedError(
            f"T.atomic_{operation.removesuffix('_ret')}" + (" with return_prev" if operation.endswith("_ret") else ""),
            hint="T.atomic_add, T.atomic_max and T.atomic_min without return_prev are supported",
            at=stmt,
        )
    target = call.args[0].args[0]
    value = expression(call.args[1])
    if value.dtype != target.buffer.dtype:
        value = tir.Cast(target.buffer.dtype, value)
    indices = tuple(expression(index) for index in target.indices)
    return Atomic(kind=operation, buffer=target.buffer, indices=indices, value=value)


def tile_atomic(stmt: tir.Stmt) -> tir.Stmt | None:
    """The element-wise update that ``T.atomic_add(C[by * 32, 0], tile)`` and the like stand for."""
    name = tile_operator_name(stmt)
    if name is None or not name.startswith("atomic"):
        return None
    kind = name.removeprefix("atomic")
    source, target = region_of(stmt.value.args[0]), region_of(stmt.value.args[1])
    if kind not in _KINDS or not all(isinstance(extent, tir.IntImm) for extent in target.extents):
        raise UnsupportedError(f"T.{name} of a tile", hint="use T.atomic_add, atomic_max or atomic_min", at=stmt)
    variables = [tir.Var(f"i{n}", _INDEX) for n in range(len(target.kept_dims))]
    value: tir.PrimExpr = tir.BufferLoad(source.buffer, _indices(source, variables))
    if value.dtype != target.buffer.dtype:
        value = tir.Cast(target.buffer.dtype, value)
    atomic = Atomic(kind=kind, buffer=target.buffer, indices=tuple(_indices(target, variables)), value=value)
    extents = [int(target.extents[dim].value) for dim in target.kept_dims]
    return with_span_of(parallel(variables, extents, atomic.update()), stmt)


def vector_atomic(loop_vars: Sequence[tir.Var], stmt: tir.Stmt) -> tuple[tir.Var, int, tir.Stmt] | None:
    """``T.atomic_addx4(C[i, j * 4], x[i, j * 4])`` as an update of single elements, for a widened loop over ``j``.

    Returns the loop variable, the width, and the statement in which ``j`` counts single elements.
    """
    if not isinstance(stmt, tir.Evaluate) or not isinstance(stmt.value, tir.Call):
        return None
    name = stmt.value.op.name if isinstance(stmt.value.op, tvm.ir.Op) else ""
    width = _VECTOR_WIDTHS.get(name.removeprefix("tl.atomic_").removesuffix("_elem_op"))
    if width is None:
        return None
    pointer, source = stmt.value.args
    target, value = pointer.args[0], source.args[0]
    analyzer = tvm.arith.Analyzer()
    for var in loop_vars:
        zero = {var: tir.IntImm(_INDEX, 0)}
        loads = []
        for load in (target, value):
            last = load.indices[-1]
            rest = tir.stmt_functor.substitute(last, zero)
            if not analyzer.can_prove_equal(last, rest + var * width):
                break
            loads.append(tir.BufferLoad(load.buffer, [*load.indices[:-1], analyzer.simplify(rest + var)]))
        if len(loads) < 2 or any(uses_var(index, [var]) for load in loads for index in load.indices[:-1]):
            continue
        address = tir.Call(pointer.dtype, pointer.op, [loads[0], *pointer.args[1:]])
        single = tir.Call("handle", tvm.ir.Op.get("tl.atomic_add_elem_op"), [address, loads[1]])
        return var, width, with_span_of(tir.Evaluate(single), stmt)
    return None


def without_collisions(
    atomic: Atomic,
    loop_vars: Sequence[tir.Var],
    extents: Sequence[int],
    allocate: Callable[[str, Sequence[int], str], tir.Buffer],
) -> tir.Stmt:
    """The update as tile statements; lanes that meet in one element are reduced on chip first."""
    missing = [n for n, var in enumerate(loop_vars) if not any(uses_var(index, [var]) for index in atomic.indices)]
    if not missing:
        return parallel(loop_vars, extents, atomic.update())
    name = f"{atomic.buffer.name}_{_KINDS[atomic.kind]}"
    partial = allocate(name, extents, atomic.value.dtype)
    before: list[tir.Stmt] = [parallel(loop_vars, extents, tir.BufferStore(partial, atomic.value, list(loop_vars)))]
    shape = list(extents)
    for dim in reversed(missing):
        del shape[dim]
        smaller = allocate(name, shape or [1], atomic.value.dtype)
        before.append(_reduce(partial, smaller, _KINDS[atomic.kind], dim))
        partial = smaller
    kept = [var for n, var in enumerate(loop_vars) if n not in missing]
    fresh = {var: tir.Var(var.name, var.dtype) for var in kept}
    value = tir.BufferLoad(partial, [fresh[var] for var in kept] or [tir.IntImm(_INDEX, 0)])
    reduced = Atomic(
        kind=atomic.kind,
        buffer=atomic.buffer,
        indices=tuple(tir.stmt_functor.substitute(index, fresh) for index in atomic.indices),
        value=value,
    )
    return sequence([*before, parallel(list(fresh.values()), shape, reduced.update())])


def _reduce(source: tir.Buffer, destination: tir.Buffer, kind: str, dim: int) -> tir.Stmt:
    arguments = [
        region_call(whole(source), 1),
        region_call(whole(destination), 2),
        tir.StringImm(kind),
        tir.IntImm(_INDEX, dim),
        tir.IntImm("bool", 1),
    ]
    return tir.Evaluate(tir.Call("handle", tvm.ir.Op.get("tl.tileop.reduce"), arguments))


def _indices(region: Region, variables: Sequence[tir.Var]) -> list[tir.PrimExpr]:
    at = dict(zip(region.kept_dims, variables, strict=True))
    return [low + at[dim] if dim in at else low for dim, low in enumerate(region.mins)]


def _combine(kind: str, old: tir.PrimExpr, value: tir.PrimExpr) -> tir.PrimExpr:
    if kind == "add":
        return old + value
    return tir.Max(old, value) if kind == "max" else tir.Min(old, value)


def _identity(kind: str, dtype: str) -> tir.PrimExpr:
    if kind == "add":
        return tir.const(0, dtype)
    return tvm.tirx.min_value(dtype) if kind == "max" else tvm.tirx.max_value(dtype)
