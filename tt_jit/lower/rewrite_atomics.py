"""Rewrite atomic operations as ordinary updates, ``C[i] = C[i] + x``.

Why: the chip's NoC has no atomic arithmetic on tensors. What makes an update atomic here is where and when it runs:
``serialize_conflicting_blocks`` puts all blocks that may touch the same elements on one core, one after another, and
``order_tensor_accesses`` lets the core read an element only after its own earlier write. The order of the updates is
the order of the blocks, hence the same in every run.

Before::

    T.atomic_add(C[by * 32, 0], tile)
    for i, j in parallel(32, 64): T.atomic_max(M[j], x[i, j])

After::

    for i, j in parallel(32, 64): C[by * 32 + i, j] = C[by * 32 + i, j] + tile[i, j]
    for i, j in parallel(32, 64): M[j] = max(M[j], x[i, j])          # several lanes meet: see reduce_colliding_updates
    func_attr({"tt_atomic_tensors": ["C", "M"]})
"""

from __future__ import annotations

from collections.abc import Sequence

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .thread_regions import indivisible, is_indivisible
from .tile_ir import Region, parallel, region_of, tile_operator_name, uses_var, with_span_of

ATOMICS_ATTRIBUTE = "tt_atomic_tensors"
_KINDS = ("add", "max", "min")
_VECTOR_WIDTHS = {"addx2": 2, "addx4": 4}
_INDEX = "int32"
_VISITED = ["tirx.Evaluate", "tirx.For", "tirx.BufferStore", "tirx.Bind"]


def rewrite_atomics(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Turn every atomic operation of ``func`` into a store, and attach the names of the tensors they update."""
    names: set[str] = set()
    refusals: list[UnsupportedError] = []

    def visit(node: object) -> object | None:
        # An error cannot pass through the visitor: it is raised behind it.
        try:
            update = _rewritten(node)
        except UnsupportedError as error:
            refusals.append(error)
            return None
        if update is not None:
            names.add(_updated(update).name)
        return update

    body = tir.stmt_functor.ir_transform(func.body, None, visit, _VISITED)
    if refusals:
        raise refusals[0]
    if not names:
        return func
    return func.with_body(body).with_attr(ATOMICS_ATTRIBUTE, sorted(names))


def _rewritten(node: tir.Stmt) -> tir.Stmt | None:
    if isinstance(node, tir.For):
        return _single_atomics(node)
    if isinstance(node, tir.Evaluate):
        return _element_update(node) or _tile_update(node)
    return _update_with_old_value(node)


def atomic_tensors(func: tir.PrimFunc) -> frozenset[str]:
    """Names of the tensors that ``func`` updates atomically."""
    if ATOMICS_ATTRIBUTE not in func.attrs:
        return frozenset()
    return frozenset(str(name) for name in func.attrs[ATOMICS_ATTRIBUTE])


def _updated(update: tir.Stmt) -> tir.Buffer:
    if is_indivisible(update):
        return update.body.seq[1].buffer
    while isinstance(update, tir.For):
        update = update.body
    return update.buffer


def _name(stmt: tir.Stmt) -> str:
    if isinstance(stmt, tir.Evaluate) and isinstance(stmt.value, tir.Call) and isinstance(stmt.value.op, tvm.ir.Op):
        return str(stmt.value.op.name)
    return ""


def _update(kind: str, target: tir.BufferLoad, value: tir.PrimExpr) -> tir.BufferStore:
    """``target = combine(target, value)`` in the target's dtype."""
    if value.dtype != target.dtype:
        value = tir.Cast(target.dtype, value)
    combined = {"add": tir.Add, "max": tir.Max, "min": tir.Min}[kind](target, value)
    return tir.BufferStore(target.buffer, combined, list(target.indices))


def _element_update(stmt: tir.Evaluate) -> tir.Stmt | None:
    """``T.atomic_add(C[i], x)``."""
    name = _name(stmt)
    if not name.startswith("tl.atomic_") or not name.endswith("_elem_op"):
        return None
    operation = _operation(name)
    if operation in _VECTOR_WIDTHS:
        return None
    if operation not in _KINDS:
        raise _refusal(operation, stmt)
    pointer, value = stmt.value.args[:2]
    return with_span_of(_update(operation, pointer.args[0], value), stmt)


def _update_with_old_value(stmt: tir.BufferStore | tir.Bind) -> tir.Stmt | None:
    """``x = T.atomic_add(C[i], y, return_prev=True) + z`` as ``old = C[i]; C[i] = old + y; x = old + z``."""
    found: list[tir.Call] = []

    def collect(node: object) -> None:
        if isinstance(node, tir.Call) and isinstance(node.op, tvm.ir.Op) and str(node.op.name).endswith("_elem_op"):
            found.append(node)

    tir.stmt_functor.post_order_visit(tir.Evaluate(stmt.value), collect)
    if not found:
        return None
    atomic = found[0]
    operation = _operation(str(atomic.op.name))
    kind = operation.removesuffix("_ret")
    if len(found) > 1 or kind not in _KINDS or kind == operation:
        raise _refusal(operation, stmt)
    target, value = atomic.args[0].args[0], atomic.args[1]
    old = tir.Var("old", target.dtype)
    replaced = tir.stmt_functor.ir_transform(
        tir.Evaluate(stmt.value), None, lambda node: old if node.same_as(atomic) else None, ["tirx.Call"]
    ).value
    if isinstance(stmt, tir.Bind):
        rest: tir.Stmt = tir.Bind(stmt.var, replaced)
    else:
        rest = tir.BufferStore(stmt.buffer, replaced, list(stmt.indices))
    parts = [tir.Bind(old, target), _update(kind, target, value), rest]
    return indivisible(tir.SeqStmt([with_span_of(part, stmt) for part in parts]))


def _refusal(operation: str, stmt: tir.Stmt) -> UnsupportedError:
    return UnsupportedError(
        f"T.atomic_{operation.removesuffix('_ret')}" + (" with return_prev" if operation.endswith("_ret") else ""),
        hint="T.atomic_add, T.atomic_max and T.atomic_min are supported, one of them in a statement",
        at=stmt,
    )


def _calls(expr: tir.PrimExpr) -> list[str]:
    """Names of the operators that ``expr`` calls."""
    names: list[str] = []

    def visit(node: object) -> None:
        if isinstance(node, tir.Call) and isinstance(node.op, tvm.ir.Op):
            names.append(str(node.op.name))

    tir.stmt_functor.post_order_visit(tir.Evaluate(expr), visit)
    return names


def _operation(name: str) -> str:
    """``add`` for ``tl.atomic_add_elem_op``."""
    return name.removeprefix("tl.atomic_").removesuffix("_elem_op")


def _tile_update(stmt: tir.Evaluate) -> tir.Stmt | None:
    """``T.atomic_add(C[by * 32, 0], tile)``."""
    name = tile_operator_name(stmt)
    if name is None or not name.startswith("atomic"):
        return None
    kind = name.removeprefix("atomic")
    source, target = region_of(stmt.value.args[0]), region_of(stmt.value.args[1])
    if kind not in _KINDS or not all(isinstance(extent, tir.IntImm) for extent in target.extents):
        raise UnsupportedError(f"T.{name} of a tile", hint="use T.atomic_add, atomic_max or atomic_min", at=stmt)
    variables = [tir.Var(f"i{n}", _INDEX) for n in range(len(target.kept_dims))]
    value = tir.BufferLoad(source.buffer, _indices(source, variables))
    update = _update(kind, tir.BufferLoad(target.buffer, _indices(target, variables)), value)
    extents = [int(target.extents[dim].value) for dim in target.kept_dims]
    return with_span_of(parallel(variables, extents, update), stmt)


def _single_atomics(loop: tir.For) -> tir.For | None:
    """``for j: T.atomic_addx4(C[i, j * 4], x[i, j * 4])`` as a loop over single elements, four times as long."""
    name = _name(loop.body)
    width = _VECTOR_WIDTHS.get(_operation(name))
    if loop.kind != tir.ForKind.PARALLEL or width is None:
        return None
    var, analyzer, loads = loop.loop_var, tvm.arith.Analyzer(), []
    for load in (pointer.args[0] for pointer in loop.body.value.args):
        rest = tir.stmt_functor.substitute(load.indices[-1], {var: tir.IntImm(_INDEX, 0)})
        strided = analyzer.can_prove_equal(load.indices[-1], rest + var * width)
        if not strided or any(uses_var(index, [var]) for index in load.indices[:-1]):
            return None
        loads.append(tir.BufferLoad(load.buffer, [*load.indices[:-1], analyzer.simplify(rest + var)]))
    target, value = loads
    body = with_span_of(_update("add", target, value), loop.body)
    return with_span_of(tir.For(var, loop.min, loop.extent * width, loop.kind, body), loop)


def _indices(region: Region, variables: Sequence[tir.Var]) -> list[tir.PrimExpr]:
    at = dict(zip(region.kept_dims, variables, strict=True))
    return [low + at[dim] if dim in at else low for dim, low in enumerate(region.mins)]
