"""Under the policy ``fast``, keep intermediate floats on chip as bfloat16, and let float16 tensors travel as bfloat16.

Why: half the bytes, and a format that every unit reads without conversion. What a loop hands from pass to pass keeps
its dtype, and so do copies of it and everything that it is updated with: an error there would grow with the number of
passes. What is only loaded from a float32 tensor stays as it is, which costs no conversion. Expressions keep their
dtypes too, so only storing rounds. Later passes take approximate forms of functions where the result is stored as
bfloat16, and only there.

Before::

    func_attr({"tt_precision": "fast"})
    X = alloc_fragment((64, 64), "float32"); Y = alloc_fragment((64, 64), "float32")
    copy(A[...], X)                                               # A: float16
    for i, j: Y[i, j] = exp(X[i, j])

After::

    func_attr({"tt_precision": "fast", "tt_tensor_dtypes": {"A": "float16"}})
    X = alloc_fragment((64, 64), "bfloat16"); Y = alloc_fragment((64, 64), "bfloat16")
    copy(A[...], X)                                               # A: bfloat16, as the kernels see it
    for i, j: Y[i, j] = cast("bfloat16", exp(cast("float32", X[i, j])))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import tvm
from tvm import tirx as tir

from .accesses import accesses_of
from .base import LoweringContext
from .liveness import Liveness, Names
from .numeric_policy import TENSOR_DTYPES, is_fast
from .tile_ir import (
    GLOBAL_SCOPE,
    Elementwise,
    TileCopy,
    TileFill,
    TileGemm,
    TileReduce,
    TileScatter,
    TileTranspose,
    is_const_int,
    leaves,
    loads_in,
    parallel,
    parse,
    rewrite,
    statements_of,
)

_NARROW = "bfloat16"
_WIDE = ("float32", "float16")
_MOVED = (TileCopy, TileFill, TileGemm, TileReduce, TileTranspose, Elementwise)


def narrow_intermediates(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite the dtypes of buffers in a ``fast`` kernel."""
    if not is_fast(func):
        return func
    kept = _kept(func.body)
    replaced: dict[tir.Buffer, tir.Buffer] = {}
    for leaf in leaves(func.body):
        if isinstance(leaf, tir.AllocBuffer) and _may_change(leaf.buffer, _WIDE) and leaf.buffer.name not in kept:
            replaced[leaf.buffer] = _narrow(leaf.buffer)
    tensors = {b: _narrow(b) for b in func.buffer_map.values() if _may_change(b, ("float16",)) and b.name not in kept}
    replaced.update(tensors)
    if not replaced:
        return func
    rewriter = _Rewriter(replaced=replaced)
    buffer_map = {param: replaced.get(buffer, buffer) for param, buffer in func.buffer_map.items()}
    body = rewrite(func.body, rewriter.leaf)
    func = tir.PrimFunc(func.params, body, func.ret_type, buffer_map, func.attrs, func.span)
    dtypes = {buffer.name: str(buffer.dtype) for buffer in tensors}
    return func.with_attr(TENSOR_DTYPES, {**func.attrs.get(TENSOR_DTYPES, {}), **dtypes}) if tensors else func


def _may_change(buffer: tir.Buffer, dtypes: Iterable[str]) -> bool:
    return str(buffer.dtype) in dtypes and buffer.scope() != "local.var"


def _narrow(buffer: tir.Buffer) -> tir.Buffer:
    return tir.decl_buffer(
        buffer.shape, _NARROW, buffer.name, strides=buffer.strides or None, scope=buffer.scope(), span=buffer.span
    )


def _kept(body: tir.Stmt) -> Names:
    """Buffers that keep their dtype: carried by loops, sums of products, or read as something else than tiles."""
    carried = Liveness().carried(statements_of(body), frozenset())
    kept = set(carried)
    sums: set[str] = set()
    for stmt in leaves(body):
        record = parse(stmt)
        if isinstance(record, TileGemm) and not is_const_int(record.clear, 1):
            name = record.c.buffer.name
            kept |= {name} & sums
            sums.add(name)
        if isinstance(record, TileScatter) or not isinstance(record, _MOVED):
            kept |= {buffer.name for buffer in _mentioned(stmt)}
        elif isinstance(record, Elementwise):
            loads = [load.buffer for load in loads_in(record.store.value)]
            picked = [*loads, record.store.buffer]
            if any(b.scope() == GLOBAL_SCOPE for b in picked):
                # Elements are picked by the data movement kernels, which do not convert them.
                kept |= {b.name for b in picked}
            kept |= {load.buffer.name for load in _reinterpreted(record.store.value)}
            if record.store.buffer.name in carried and any(b.same_as(record.store.buffer) for b in loads):
                kept |= {b.name for b in loads}
    kept |= _loaded_only(body)
    copies = [record for record in map(parse, leaves(body)) if isinstance(record, TileCopy) and _is_plain(record)]
    for _ in copies:
        kept |= {copy.destination.buffer.name for copy in copies if copy.source.buffer.name in kept}
    return frozenset(kept)


def _loaded_only(body: tir.Stmt) -> Names:
    """Buffers that hold blocks of float32 tensors and nothing else."""
    loaded: set[str] = set()
    computed: set[str] = set()
    for record in map(parse, leaves(body)):
        if record is None:
            continue
        names = {buffer.name for buffer, _ in accesses_of(record).writes}
        if isinstance(record, TileCopy) and record.source.is_global and str(record.source.buffer.dtype) == "float32":
            loaded |= names
        else:
            computed |= names
    return frozenset(loaded - computed)


def _is_plain(copy: TileCopy) -> bool:
    """Whether a copy stays on chip and changes no value."""
    on_chip = not copy.source.is_global and not copy.destination.is_global
    return on_chip and copy.source.buffer.dtype == copy.destination.buffer.dtype


def _mentioned(stmt: tir.Stmt) -> list[tir.Buffer]:
    """Every buffer that occurs in ``stmt``, but for a declaration's own."""
    found: list[tir.Buffer] = []

    def visit(node: object) -> None:
        if isinstance(node, (tir.BufferLoad, tir.BufferStore)):
            found.append(node.buffer)

    tir.stmt_functor.post_order_visit(stmt, visit)
    return found


def _reinterpreted(value: tir.PrimExpr) -> list[tir.BufferLoad]:
    """Loads whose bit patterns are used."""
    found: list[tir.BufferLoad] = []

    def visit(node: object) -> None:
        if isinstance(node, tir.Call) and isinstance(node.op, tvm.ir.Op) and node.op.name.endswith("reinterpret"):
            found.extend(loads_in(node))

    tir.stmt_functor.post_order_visit(tir.Evaluate(value), visit)
    return found


@dataclass(frozen=True, kw_only=True)
class _Rewriter:
    replaced: Mapping[tir.Buffer, tir.Buffer]

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        if isinstance(stmt, tir.AllocBuffer):
            return tir.AllocBuffer(self.replaced[stmt.buffer]) if stmt.buffer in self.replaced else None
        record = parse(stmt)
        if isinstance(record, Elementwise):
            return parallel(record.loop_vars, record.extents, self.store(record.store))
        if isinstance(record, TileFill) and record.destination.buffer in self.replaced:
            value = tir.Cast(_NARROW, record.value)
            args = list(stmt.value.args)
            stmt = tir.Evaluate(tir.Call(stmt.value.dtype, stmt.value.op, [args[0], value, *args[2:]]))
        return self.regions(stmt)

    def store(self, store: tir.BufferStore) -> tir.BufferStore:
        value = self.with_casts(store.value)
        target = self.replaced.get(store.buffer)
        if target is None:
            return tir.BufferStore(store.buffer, value, list(store.indices))
        return tir.BufferStore(target, tir.Cast(_NARROW, value), list(store.indices))

    def with_casts(self, value: tir.PrimExpr) -> tir.PrimExpr:
        """``value`` with loads of narrowed buffers widened to the dtype that the expression expects."""

        def visit(node: Any) -> tir.PrimExpr | None:
            if isinstance(node, tir.BufferLoad) and node.buffer in self.replaced:
                return tir.Cast(node.buffer.dtype, tir.BufferLoad(self.replaced[node.buffer], list(node.indices)))
            return None

        return tir.stmt_functor.ir_transform(tir.Evaluate(value), None, visit, ["tirx.BufferLoad"]).value

    def regions(self, stmt: tir.Stmt) -> tir.Stmt | None:
        """A tile operation on the new buffers; its operands are regions, not values."""

        def visit(node: Any) -> tir.PrimExpr | None:
            if isinstance(node, tir.BufferLoad) and node.buffer in self.replaced:
                return tir.BufferLoad(self.replaced[node.buffer], list(node.indices))
            return None

        if not any(buffer in self.replaced for buffer in _mentioned(stmt)):
            return None
        return tir.stmt_functor.ir_transform(stmt, None, visit, ["tirx.BufferLoad"])
