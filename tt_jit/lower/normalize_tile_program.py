"""Give every traced kernel one shape, so that later passes meet few forms.

Why: TileLang traces carry thread indices, early Binds (``T.Persistent`` binds a value before the loop that defines its
variable), nested blocks, several statements per ``T.Parallel`` and conditional stores. Each has one canonical form
here.

Before::

    for bx in thread_binding(8, "blockIdx.x"):
        tx = launch_thread_idx(0)
        with sblock("tilelang_root"):
            C = sblock_alloc_buffer((64, 64))
            n = min(4, bx + 1)
            for k in serial(n): ...
            for i, j in parallel(64, 64):
                if i >= j: C[i, j] = 0
                D[i, j] = C[i, j] * 2

After::

    C = alloc_buffer((64, 64))
    for bx in thread_binding(8, "blockIdx.x"):
        for k in serial(min(4, bx + 1)): ...
        for i, j in parallel(64, 64): C[i, j] = if_then_else(i >= j, 0, C[i, j])
        for i, j in parallel(64, 64): D[i, j] = C[i, j] * 2
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tvm import tirx as tir

from ..data_format import is_float_dtype
from ..errors import UnsupportedError
from .base import LoweringContext
from .lower_reducers import REDUCERS_ATTRIBUTE
from .names import unique_name
from .parallel_bodies import ParallelBody, assigned_once, moves_outside
from .stored_buffers import may_change
from .thread_regions import is_indivisible, without_marks
from .tile_ir import is_const_int, is_scalar_code, loads_in, scalar_code, sequence, uses_var, with_span_of

_GRID_PREFIX = "blockIdx."
_HINT_ATTRIBUTES = ("threadblock_swizzle_pattern", "tl.min_blocks_per_sm", "pragma_import_c")


def normalize_tile_program(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite ``func`` to allocations, then the grid loops, then tile statements and plain control flow."""
    normalizer = _Normalizer(uses=_uses_of_data(func.body), views=_buffers_by_data(func.body))
    body = normalizer.statement(func.body, {})
    allocations = [tir.AllocBuffer(buffer) for buffer in normalizer.buffers]
    func = func.with_body(sequence([*allocations, body]))
    return func.with_attr(REDUCERS_ATTRIBUTE, normalizer.reducers) if normalizer.reducers else func


@dataclass(kw_only=True)
class _Normalizer:
    uses: Counter[tir.Var]
    views: dict[tir.Var, list[tir.Buffer]]
    buffers: list[tir.Buffer] = field(default_factory=list)
    renamed: dict[tir.Buffer, tir.Buffer] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    reducers: dict[str, str] = field(default_factory=dict)

    def note_reducers(self, block: tir.SBlock) -> None:
        """Remember the operation of every ``T.alloc_reducer`` of ``block``."""
        for key in ("reducer_info", "reducer_info_v2"):
            for data, info in (block.annotations or {}).get(key, {}).items():
                for buffer in block.alloc_buffers:
                    if buffer.data.same_as(data):
                        self.reducers[self.renamed.get(buffer, buffer).name] = str(info["op"])

    def allocate(self, buffer: tir.Buffer) -> None:
        name = unique_name(buffer.name or "buffer", self.names)
        self.names.add(name)
        if name != buffer.name or name != buffer.data.name:
            fresh = tir.decl_buffer(buffer.shape, buffer.dtype, name, scope=buffer.scope())
            for view in self.views.get(buffer.data, []):
                self.renamed[view] = tir.decl_buffer(
                    view.shape, view.dtype, view.name, data=fresh.data, scope=view.scope()
                )
            self.renamed[buffer] = fresh
            buffer = fresh
        self.buffers.append(buffer)

    def discard(self, buffer: tir.Buffer) -> None:
        """Take back the declaration of ``buffer``."""
        declared = self.renamed.get(buffer, buffer)
        self.buffers = [other for other in self.buffers if not other.same_as(declared)]
        self.names.discard(declared.name)

    def statement(self, stmt: tir.Stmt, binds: dict[tir.Var, tir.PrimExpr], rest: Sequence[tir.Stmt] = ()) -> tir.Stmt:
        """Normal form of ``stmt``, which ``rest`` follows in its sequence.

        ``binds`` maps inlined variables to their values and grows along a sequence.
        """
        if isinstance(stmt, tir.SeqStmt):
            scope, parts = dict(binds), list(stmt.seq)
            return sequence([self.statement(child, scope, parts[n + 1 :]) for n, child in enumerate(parts)])
        if isinstance(stmt, tir.Bind):
            return self.bind(stmt, binds, rest)
        if isinstance(stmt, tir.SBlockRealize):
            return self.statement(stmt.block, binds)
        if isinstance(stmt, tir.SBlock):
            for buffer in stmt.alloc_buffers:
                self.allocate(buffer)
            self.note_reducers(stmt)
            _check_safe_values(stmt)
            return self.statement(stmt.body, binds)
        if isinstance(stmt, tir.AllocBuffer):
            self.allocate(stmt.buffer)
            return sequence([])
        if isinstance(stmt, tir.AttrStmt) and stmt.attr_key in _HINT_ATTRIBUTES:
            return self.statement(stmt.body, binds)
        if isinstance(stmt, tir.For):
            return self.loop(stmt, binds)
        if isinstance(stmt, tir.IfThenElse):
            condition = self.expression(stmt.condition, binds)
            other = self.statement(stmt.else_case, dict(binds)) if stmt.else_case is not None else None
            then = self.statement(stmt.then_case, dict(binds))
            return with_span_of(tir.IfThenElse(condition, then, other), stmt)
        if isinstance(stmt, tir.While):
            body = self.statement(stmt.body, dict(binds))
            return with_span_of(tir.While(self.expression(stmt.condition, binds), body), stmt)
        if is_scalar_code(stmt):
            return self.scalar(stmt.body, binds, str(stmt.node.value))
        if is_indivisible(stmt):
            return self.scalar(stmt.body, binds, "the old value of an atomic operation is used")
        return self.simple(stmt, binds)

    def scalar(self, stmt: tir.Stmt, binds: dict[tir.Var, tir.PrimExpr], why: str) -> tir.Stmt:
        """``stmt`` as code for single elements: it stays as it stands, only names from outside change."""

        def visit(node: Any) -> object | None:
            fresh = self.renamed.get(node.buffer)
            if fresh is None:
                return None
            if isinstance(node, tir.BufferLoad):
                return tir.BufferLoad(fresh, list(node.indices))
            return with_span_of(tir.BufferStore(fresh, node.value, list(node.indices)), node)

        body = tir.stmt_functor.substitute(stmt, binds) if binds else stmt
        if self.renamed:
            body = tir.stmt_functor.ir_transform(body, None, visit, ["tirx.BufferLoad", "tirx.BufferStore"])
        return scalar_code(body, why)

    def simple(self, stmt: tir.Stmt, binds: dict[tir.Var, tir.PrimExpr]) -> tir.Stmt:
        if isinstance(stmt, tir.BufferStore):
            buffer = self.renamed.get(stmt.buffer, stmt.buffer)
            indices = [self.expression(index, binds) for index in stmt.indices]
            return with_span_of(tir.BufferStore(buffer, self.expression(stmt.value, binds), indices), stmt)
        if isinstance(stmt, tir.Evaluate):
            return with_span_of(tir.Evaluate(self.expression(stmt.value, binds)), stmt)
        raise UnsupportedError(
            f"a {type(stmt).__name__} statement ({getattr(stmt, 'attr_key', 'no attribute')}) has no lowering", at=stmt
        )

    def bind(self, stmt: tir.Bind, binds: dict[tir.Var, tir.PrimExpr], rest: Sequence[tir.Stmt]) -> tir.Stmt:
        """A value is written where it is used, unless what it was read from changes before that.

        A value in terms of a loop that comes later (``T.Persistent``) is known only inside of that loop.
        """
        value = self.expression(stmt.value, binds)
        if uses_var(value, _loop_variables(rest)):
            binds[stmt.var] = value
            return sequence([])
        changes = may_change(stmt.value, rest)
        if is_float_dtype(str(stmt.var.dtype)):
            if not changes:
                binds[stmt.var] = value
                return sequence([])
            variable = tir.decl_buffer((1,), stmt.var.dtype, stmt.var.name, scope="local.var")
            self.allocate(variable)
            variable = self.renamed.get(variable, variable)
            binds[stmt.var] = tir.BufferLoad(variable, [0])
            return with_span_of(tir.BufferStore(variable, value, [0]), stmt)
        if changes or any(load.buffer.scope() != "local.var" for load in loads_in(value)):
            return with_span_of(tir.Bind(stmt.var, value), stmt)
        binds[stmt.var] = value
        return sequence([])

    def loop(self, stmt: tir.For, binds: dict[tir.Var, tir.PrimExpr]) -> tir.Stmt:
        low, extent = self.expression(stmt.min, binds), self.expression(stmt.extent, binds)
        if stmt.kind in (tir.ForKind.PARALLEL, tir.ForKind.VECTORIZED):
            return self.parallel(stmt, binds)
        body = self.statement(stmt.body, dict(binds))
        if stmt.kind == tir.ForKind.THREAD_BINDING and not _is_grid_loop(stmt):
            raise UnsupportedError("threadIdx loops have no meaning on Tensix", category="gpu_only", at=stmt)
        kind = tir.ForKind.THREAD_BINDING if stmt.kind == tir.ForKind.THREAD_BINDING else tir.ForKind.SERIAL
        return with_span_of(
            tir.For(stmt.loop_var, low, extent, kind, body, stmt.thread_binding, stmt.annotations or None, stmt.step),
            stmt,
        )

    def parallel(self, stmt: tir.For, binds: dict[tir.Var, tir.PrimExpr]) -> tir.Stmt:
        loops: list[tir.For] = []
        body: tir.Stmt = stmt
        while isinstance(body, tir.For) and body.kind in (tir.ForKind.PARALLEL, tir.ForKind.VECTORIZED):
            loops.append(body)
            body = body.body
        single = [loop for loop in loops if is_const_int(loop.extent, 1)]
        if single:
            binds = {**binds, **{loop.loop_var: self.expression(loop.min, binds) for loop in single}}
            loops = [loop for loop in loops if not is_const_int(loop.extent, 1)]
        if not moves_outside(body, [loop.loop_var for loop in loops]):
            for loop in reversed(loops):
                body = tir.For(loop.loop_var, loop.min, loop.extent, tir.ForKind.SERIAL, body)
            why = "a loop that depends on the lane, or the old value of an atomic operation, stands inside T.Parallel"
            return self.scalar(with_span_of(without_marks(body), stmt), binds, why)
        private = self.private_to(stmt)
        once = dict.fromkeys(assigned_once(body, private), tir.const(0))
        parallel = ParallelBody(names=self, loops=loops, private=private, values=once)
        return sequence([with_span_of(part, stmt) for part in parallel.statements(body, dict(binds), None)])

    def private_to(self, stmt: tir.Stmt) -> frozenset[tir.Var]:
        """Data of the buffers that nothing but ``stmt`` uses."""
        return frozenset(data for data, uses in _uses_of_data(stmt).items() if uses == self.uses[data])

    def expression(self, expr: tir.PrimExpr, binds: dict[tir.Var, tir.PrimExpr]) -> tir.PrimExpr:
        if binds:
            expr = _substitute(expr, binds)
        if self.renamed and any(load.buffer in self.renamed for load in loads_in(expr)):
            expr = self.with_renamed_buffers(expr)
        return expr

    def with_renamed_buffers(self, expr: tir.PrimExpr) -> tir.PrimExpr:
        def visit(node: Any) -> tir.PrimExpr | None:
            fresh = self.renamed.get(node.buffer)
            return tir.BufferLoad(fresh, list(node.indices)) if fresh is not None else None

        return tir.stmt_functor.ir_transform(tir.Evaluate(expr), None, visit, ["tirx.BufferLoad"]).value


def _loop_variables(statements: Sequence[tir.Stmt]) -> list[tir.Var]:
    """The variables of all loops in ``statements``."""
    found: list[tir.Var] = []

    def visit(node: object) -> None:
        if isinstance(node, tir.For):
            found.append(node.loop_var)

    for stmt in statements:
        tir.stmt_functor.post_order_visit(stmt, visit)
    return found


def _uses_of_data(stmt: tir.Stmt) -> Counter[tir.Var]:
    """How often every buffer occurs in ``stmt``, by its data."""
    found: Counter[tir.Var] = Counter()

    def visit(node: object) -> None:
        if isinstance(node, (tir.BufferLoad, tir.BufferStore)):
            found[node.buffer.data] += 1

    tir.stmt_functor.post_order_visit(stmt, visit)
    return found


def _buffers_by_data(stmt: tir.Stmt) -> dict[tir.Var, list[tir.Buffer]]:
    """All names under which memory is accessed in ``stmt``."""
    found: dict[tir.Var, list[tir.Buffer]] = {}

    def visit(node: object) -> None:
        if isinstance(node, (tir.BufferLoad, tir.BufferStore)):
            known = found.setdefault(node.buffer.data, [])
            if not any(node.buffer.same_as(other) for other in known):
                known.append(node.buffer)

    tir.stmt_functor.post_order_visit(stmt, visit)
    return found


def _check_safe_values(block: tir.SBlock) -> None:
    """Refuse ``T.annotate_safe_value`` with another value than the 0 that reads past the end give."""
    for data, value in (block.annotations or {}).get("safe_value_map", {}).items():
        if not isinstance(value, (tir.IntImm, tir.FloatImm, int, float)) or float(getattr(value, "value", value)) != 0:
            raise UnsupportedError(
                f"T.annotate_safe_value of {data.name} with {value}: reads past the end of a tensor give 0",
                hint="select the value with T.if_then_else and the condition that the index is inside",
                at=block,
            )


def _is_grid_loop(stmt: tir.For) -> bool:
    binding = stmt.thread_binding
    return binding is not None and str(binding.thread_tag).startswith(_GRID_PREFIX)


def _substitute(expr: tir.PrimExpr, binds: dict[tir.Var, tir.PrimExpr]) -> tir.PrimExpr:
    return tir.stmt_functor.substitute(expr, binds)
