"""Cut element-wise expressions that need more DST registers than there are.

Why: half of DST holds four fp32 tiles. An expression that keeps more values alive at once is cut: its largest part that
fits is computed first, into a buffer of its own. The cut is repeated until every statement fits.

Before::

    for i, j: D[i, j] = ((a*b + c*d) * (e*f + g*h)) + ((i*j + k*l) * (m*n + o*p))      # five registers

After::

    for i, j: D_part[i, j] = (a*b + c*d) * (e*f + g*h)
    for i, j: D[i, j] = D_part[i, j] + ((i*j + k*l) * (m*n + o*p))
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tvm import tirx as tir

from ..data_format import compute_format
from ..errors import InternalError
from .base import LoweringContext
from .names import NewBuffers
from .numeric_policy import is_fast, is_narrow
from .tensorize_tile_maps import TileScope, smallest_program, tile_map_of
from .tile_ir import Elementwise, is_gather, leaves, parallel, parse, rewrite, sequence, with_span_of
from .tile_layout import layouts_of, with_layouts

_OPERANDS = ("a", "b", "value", "condition", "true_value", "false_value")


def split_expressions(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite every element-wise statement to fit DST."""
    buffers = [leaf.buffer for leaf in leaves(func.body) if isinstance(leaf, tir.AllocBuffer)]
    formats = {b.name: _format(str(b.dtype)) for b in buffers}
    scope = TileScope(
        rings={},
        formats=formats,
        layouts=layouts_of(func),
        context=context,
        fast=is_fast(func),
        narrow=is_narrow(func),
    )
    splitter = _Splitter(new=NewBuffers.of(func), scope=scope)
    body = rewrite(func.body, splitter.leaf)
    func = func.with_body(splitter.new.declared(body))
    return with_layouts(func, scope.layouts)


def _format(dtype: str) -> str:
    fmt = compute_format(dtype)
    return fmt.name if fmt is not None else "Float32"


@dataclass(kw_only=True)
class _Splitter:
    new: NewBuffers
    scope: TileScope

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        if not isinstance(record, Elementwise) or is_gather(record) or self.slots(record, stmt) <= self.scope.dst_tiles:
            return None
        parts: list[tir.Stmt] = []
        while self.slots(record, stmt) > self.scope.dst_tiles:
            part = self.largest_part(record.store.value, record, stmt)
            if part is None:
                raise InternalError(f"no part of the expression {record.store.value} fits DST")
            buffer = self.allocate(record, part)
            indices = list(record.store.indices)
            stored = part if part.dtype == buffer.dtype else tir.Cast(buffer.dtype, part)
            first = replace(record, store=tir.BufferStore(buffer, stored, indices))
            parts.append(with_span_of(_fresh(first), stmt))
            loaded = tir.BufferLoad(buffer, indices)
            loaded = loaded if part.dtype == buffer.dtype else tir.Cast(part.dtype, loaded)
            value = _replace(record.store.value, part, loaded)
            record = replace(record, store=tir.BufferStore(record.store.buffer, value, indices))
        rest = parallel(record.loop_vars, record.extents, record.store)
        return sequence([*parts, with_span_of(rest, stmt)])

    def slots(self, record: Elementwise, stmt: tir.Stmt) -> int:
        """DST registers that one tile of ``record`` needs."""
        return smallest_program(tile_map_of(record, stmt, self.scope), self.scope.dst_tiles).slots

    def largest_part(self, expr: tir.PrimExpr, record: Elementwise, stmt: tir.Stmt) -> tir.PrimExpr | None:
        """The subexpression with the largest register need that fits and is worth a buffer (more than one register)."""
        best: tuple[int, tir.PrimExpr] | None = None
        for child in operands(expr):
            if str(child.dtype) == "bool" or not operands(child):
                candidate = self.largest_part(child, record, stmt)
            else:
                need = self.slots(replace(record, store=self.store_of(child, record)), stmt)
                candidate = child if need <= self.scope.dst_tiles else self.largest_part(child, record, stmt)
            if candidate is None:
                continue
            need = self.slots(replace(record, store=self.store_of(candidate, record)), stmt)
            if need > 1 and (best is None or need > best[0]):
                best = (need, candidate)
        return best[1] if best is not None else None

    def store_of(self, value: tir.PrimExpr, record: Elementwise) -> tir.BufferStore:
        """A store of ``value`` shaped like the record's own, for measuring."""
        return tir.BufferStore(
            record.store.buffer, tir.Cast(record.store.buffer.dtype, value), list(record.store.indices)
        )

    def allocate(self, record: Elementwise, part: tir.PrimExpr) -> tir.Buffer:
        like = record.store.buffer
        narrows = self.scope.fast and str(like.dtype) == "bfloat16" and str(part.dtype) in ("float32", "float16")
        buffer = self.new.allocate(f"{like.name}_part", like.shape, "bfloat16" if narrows else part.dtype)
        self.scope.layouts[buffer.name] = replace(self.scope.layouts[like.name], column_major=False)
        self.scope.formats[buffer.name] = _format(str(buffer.dtype))
        return buffer


def operands(expr: tir.PrimExpr) -> list[tir.PrimExpr]:
    """The operands of a TIR expression (loads and constants have none)."""
    if isinstance(expr, tir.Call):
        return list(expr.args)
    if isinstance(expr, (tir.BufferLoad, tir.Var)):
        return []
    return [getattr(expr, name) for name in _OPERANDS if isinstance(getattr(expr, name, None), tir.PrimExpr)]


def _fresh(record: Elementwise) -> tir.Stmt:
    """The loops of ``record`` over new variables."""
    variables = [tir.Var(v.name, v.dtype) for v in record.loop_vars]
    renames = dict(zip(record.loop_vars, variables, strict=True))
    return parallel(variables, record.extents, tir.stmt_functor.substitute(record.store, renames))


def _replace(expr: tir.PrimExpr, old: tir.PrimExpr, new: tir.PrimExpr) -> tir.PrimExpr:
    def visit(node: Any) -> tir.PrimExpr | None:
        return new if node.same_as(old) else None

    return tir.stmt_functor.ir_transform(tir.Evaluate(expr), visit, None, None).value
