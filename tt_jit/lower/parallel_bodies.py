"""The body of a ``T.Parallel`` loop as loops of one store each, in order.

Lanes do not see each other, so that every step of the body may be done for all lanes before the next one: a loop inside
the body moves outside, ``if`` becomes a select between the new and the old value. What a lane remembers across a step
that changes its source gets a buffer: a value bound to a name, a condition, a variable of the lane (``T.alloc_var``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .names import FRAGMENT_SCOPE
from .reduction_identity import reduction_identity
from .scalar_code import jump_of
from .stored_buffers import may_change, stored_in
from .thread_regions import is_indivisible
from .tile_ir import is_const_int, loads_in, sequence, statements_of, uses_var, with_span_of

Binds = dict[tir.Var, tir.PrimExpr]
LANE_SCOPES = ("local", "local.var")


class Names(Protocol):
    """What a body needs of the function around it."""

    renamed: dict[tir.Buffer, tir.Buffer]
    reducers: dict[str, str]

    def expression(self, expr: tir.PrimExpr, binds: Binds) -> tir.PrimExpr:
        """``expr`` with bound variables and renamed buffers replaced."""

    def simple(self, stmt: tir.Stmt, binds: Binds) -> tir.Stmt:
        """The store ``stmt`` with bound variables and renamed buffers replaced."""

    def allocate(self, buffer: tir.Buffer) -> None:
        """Declare ``buffer``, under another name where its own is taken."""

    def discard(self, buffer: tir.Buffer) -> None:
        """Do not declare ``buffer`` after all."""


def moves_outside(stmt: tir.Stmt, lanes: Sequence[tir.Var]) -> bool:
    """Whether ``stmt``, inside of T.Parallel over ``lanes``, consists of stores, branches and loops of one count."""
    if isinstance(stmt, tir.SeqStmt):
        return all(moves_outside(child, lanes) for child in stmt.seq)
    if isinstance(stmt, tir.IfThenElse):
        return moves_outside(stmt.then_case, lanes) and (stmt.else_case is None or moves_outside(stmt.else_case, lanes))
    if isinstance(stmt, tir.For):
        bounds = (stmt.min, stmt.extent)
        if any(loads_in(bound) or uses_var(bound, lanes) for bound in bounds):
            return False
        is_lane = stmt.kind in (tir.ForKind.PARALLEL, tir.ForKind.VECTORIZED)
        if is_lane and not isinstance(stmt.extent, tir.IntImm):
            return False
        return moves_outside(stmt.body, [*lanes, stmt.loop_var] if is_lane else lanes)
    return not isinstance(stmt, tir.While) and not is_indivisible(stmt) and jump_of(stmt) is None


@dataclass(kw_only=True)
class ParallelBody:
    """Collects the loops that a body becomes; ``loops`` are those around it, outermost first."""

    names: Names
    loops: list[tir.For]
    private: frozenset[tir.Var]
    """Data of the buffers that only this T.Parallel uses."""
    lanes: dict[tir.Var, tir.Buffer] = field(default_factory=dict)
    values: dict[tir.Var, tir.PrimExpr] = field(default_factory=dict)
    """Variables of the lane that are assigned once, at the top of the body: their value stands for them."""
    count: int = 0

    def statements(
        self, stmt: tir.Stmt, binds: Binds, guard: tir.PrimExpr | None, rest: Sequence[tir.Stmt] = ()
    ) -> list[tir.Stmt]:
        """What ``stmt`` becomes where ``guard`` holds; ``rest`` follows it in its sequence."""
        if isinstance(stmt, tir.SeqStmt):
            parts = list(stmt.seq)
            return [s for n, part in enumerate(parts) for s in self.statements(part, binds, guard, parts[n + 1 :])]
        if isinstance(stmt, tir.Bind):
            return self.bind(stmt, binds, rest)
        if isinstance(stmt, tir.IfThenElse):
            return self.branch(stmt, binds, guard, rest)
        if isinstance(stmt, tir.For):
            return self.inner_loop(stmt, binds, guard)
        if isinstance(stmt, tir.BufferStore):
            if stmt.buffer.data in self.values and not _is_needed_later(stmt, rest):
                self.values[stmt.buffer.data] = self.expression(stmt.value, binds)
                self.names.discard(stmt.buffer)
                return []
            self.values.pop(stmt.buffer.data, None)
            return [self.guarded(stmt, binds, guard)]
        if isinstance(stmt, tir.Evaluate) and is_reducer_update(stmt.value):
            return [self.nest(self.reducer_update(stmt, binds, guard), stmt, binds)]
        raise UnsupportedError(
            f"a {type(stmt).__name__} inside T.Parallel cannot be evaluated tile by tile",
            hint="move tile operators outside of T.Parallel, or write the body as element-wise expressions",
            at=stmt,
        )

    def bind(self, stmt: tir.Bind, binds: Binds, rest: Sequence[tir.Stmt]) -> list[tir.Stmt]:
        value = self.expression(stmt.value, binds)
        if not _is_needed_later(stmt, rest):
            binds[stmt.var] = value
            return []
        kept, store = self.kept(stmt.var.name, value, stmt, binds)
        binds[stmt.var] = kept
        return [store]

    def branch(
        self, stmt: tir.IfThenElse, binds: Binds, guard: tir.PrimExpr | None, rest: Sequence[tir.Stmt]
    ) -> list[tir.Stmt]:
        merged = _merged_branches(stmt)
        if merged is not None:
            return self.statements(merged, binds, guard, rest)
        cases = [case for case in (stmt.then_case, stmt.else_case) if case is not None]
        condition = self.expression(stmt.condition, binds)
        before: list[tir.Stmt] = []
        if may_change(stmt.condition, cases) and not (len(cases) == 1 and isinstance(cases[0], tir.BufferStore)):
            condition, store = self.kept("condition", condition, stmt, binds)
            before.append(store)
        holds = condition if guard is None else tir.And(guard, condition)
        results = [*before, *self.statements(stmt.then_case, dict(binds), holds)]
        if stmt.else_case is not None:
            negated = tir.Not(condition)
            otherwise = negated if guard is None else tir.And(guard, negated)
            results += self.statements(stmt.else_case, dict(binds), otherwise)
        return results

    def inner_loop(self, stmt: tir.For, binds: Binds, guard: tir.PrimExpr | None) -> list[tir.Stmt]:
        low, extent = self.expression(stmt.min, binds), self.expression(stmt.extent, binds)
        if stmt.kind in (tir.ForKind.PARALLEL, tir.ForKind.VECTORIZED):
            if is_const_int(stmt.extent, 1):
                return self.statements(stmt.body, {**binds, stmt.loop_var: low}, guard)
            inner = ParallelBody(names=self.names, loops=[*self.loops, stmt], private=self.private, lanes=self.lanes)
            inner.values, inner.count = self.values, 1
            return inner.statements(stmt.body, dict(binds), guard)
        body = sequence(self.statements(stmt.body, dict(binds), guard))
        annotations = stmt.annotations or None
        loop = tir.For(stmt.loop_var, low, extent, tir.ForKind.SERIAL, body, None, annotations, stmt.step)
        return [with_span_of(loop, stmt)]

    # ---- stores ----------------------------------------------------------------------------------------------------

    def guarded(self, stmt: tir.BufferStore, binds: Binds, guard: tir.PrimExpr | None) -> tir.Stmt:
        if stmt.buffer.data in self.private and stmt.buffer.scope() in LANE_SCOPES:
            self.lane_buffer(stmt.buffer)
        store = self.of_lanes(self.names.simple(stmt, binds))
        lengths, guard = _guarded_lengths(guard, store)
        if guard is not None and not _guards_only_bounds(guard, store):
            old = tir.BufferLoad(store.buffer, list(store.indices))
            value = tir.Call(store.value.dtype, tvm.ir.Op.get("tirx.if_then_else"), [guard, store.value, old])
            store = with_span_of(tir.BufferStore(store.buffer, value, list(store.indices)), stmt)
        return self.nest(store, stmt, binds, lengths)

    def reducer_update(self, stmt: tir.Evaluate, binds: Binds, guard: tir.PrimExpr | None) -> tir.BufferStore:
        """``T.reducer_update(total[i], value)`` as the store ``total[i] = total[i] + value``."""
        target, value = stmt.value.args[0], stmt.value.args[1]
        buffer = self.names.renamed.get(target.buffer, target.buffer)
        operation = self.names.reducers.get(buffer.name, "sum")
        combine = {"sum": tir.Add, "max": tir.Max, "min": tir.Min}.get(operation)
        if combine is None:
            raise UnsupportedError(f"the reducer {buffer.name} with op={operation!r}", at=stmt)
        if guard is not None:
            identity = reduction_identity(operation, value.dtype)
            value = tir.Call(value.dtype, tvm.ir.Op.get("tirx.if_then_else"), [guard, value, identity])
        store = tir.BufferStore(target.buffer, combine(target, value), list(target.indices))
        return self.of_lanes(self.names.simple(with_span_of(store, stmt), binds))

    def nest(
        self, store: tir.BufferStore, stmt: tir.Stmt, binds: Binds, lengths: dict[tir.Var, tir.PrimExpr] | None = None
    ) -> tir.Stmt:
        """The loops around one store, at most ``lengths`` long; the first one keeps the user's variables."""
        variables = [loop.loop_var for loop in self.loops]
        if self.count:
            variables = [tir.Var(v.name, v.dtype) for v in variables]
            renames = {loop.loop_var: v for loop, v in zip(self.loops, variables, strict=True)}
            store = with_span_of(tir.stmt_functor.substitute(store, renames), store)
        self.count += 1
        nest: tir.Stmt = store
        for loop, var in zip(reversed(self.loops), reversed(variables), strict=True):
            low, extent = self.names.expression(loop.min, binds), self.names.expression(loop.extent, binds)
            if lengths and loop.loop_var in lengths:
                extent = tvm.arith.Analyzer().simplify(tir.Min(extent, lengths[loop.loop_var]))
            nest = tir.For(var, low, extent, tir.ForKind.PARALLEL, nest)
        return with_span_of(with_span_of(nest, store), self.loops[0] if self.loops else stmt)

    # ---- what a lane remembers -------------------------------------------------------------------------------------

    def kept(self, name: str, value: tir.PrimExpr, stmt: tir.Stmt, binds: Binds) -> tuple[tir.PrimExpr, tir.Stmt]:
        """A buffer with ``value`` for every lane: (how it is read, the loop that writes it)."""
        is_bool = str(value.dtype) == "bool"
        buffer = self.declare(name, "float32" if is_bool else str(value.dtype))
        if is_bool:
            one, zero = tir.const(1.0, "float32"), tir.const(0.0, "float32")
            value = tir.Call("float32", tvm.ir.Op.get("tirx.if_then_else"), [value, one, zero])
        place = [loop.loop_var for loop in self.loops]
        load = tir.BufferLoad(buffer, place)
        store = self.nest(with_span_of(tir.BufferStore(buffer, value, place), stmt), stmt, binds)
        return (load != tir.const(0.0, "float32") if is_bool else load), store

    def lane_buffer(self, variable: tir.Buffer) -> None:
        """The buffer that holds ``variable``, a variable of the lane, for all lanes."""
        if variable.data not in self.lanes:
            self.names.discard(variable)
            self.lanes[variable.data] = self.declare(variable.name, str(variable.dtype))

    def declare(self, name: str, dtype: str) -> tir.Buffer:
        shape = [loop.extent for loop in self.loops]
        buffer = tir.decl_buffer(shape, dtype, name, scope=FRAGMENT_SCOPE)
        self.names.allocate(buffer)
        return self.names.renamed.get(buffer, buffer)

    def expression(self, expr: tir.PrimExpr, binds: Binds) -> tir.PrimExpr:
        result = self.of_lanes(tir.Evaluate(self.names.expression(expr, binds))).value
        assert isinstance(result, tir.PrimExpr)
        return result

    def of_lanes(self, stmt: tir.Stmt) -> tir.Stmt:
        """``stmt`` with the variables of the lane replaced by their values, or the lane's place in their buffers."""
        if not self.lanes and not self.values:
            return stmt
        place = [loop.loop_var for loop in self.loops]

        def visit(node: tir.BufferLoad | tir.BufferStore) -> object | None:
            if node.buffer.data in self.values and isinstance(node, tir.BufferLoad):
                return self.values[node.buffer.data]
            buffer = self.lanes.get(node.buffer.data)
            if buffer is None:
                return None
            indices = place[: len(buffer.shape)]
            if isinstance(node, tir.BufferLoad):
                return tir.BufferLoad(buffer, indices)
            return with_span_of(tir.BufferStore(buffer, node.value, indices), node)

        return tir.stmt_functor.ir_transform(stmt, None, visit, ["tirx.BufferLoad", "tirx.BufferStore"])


def assigned_once(body: tir.Stmt, private: frozenset[tir.Var]) -> list[tir.Var]:
    """Variables of the lane with one assignment, in the sequence of the body itself."""
    top: list[tir.Var] = []
    for stmt in statements_of(body):
        store = _merged_branches(stmt) if isinstance(stmt, tir.IfThenElse) else stmt
        if isinstance(store, tir.BufferStore) and store.buffer.data in private and store.buffer.scope() in LANE_SCOPES:
            top.append(store.buffer.data)
    others = [
        data
        for stmt in statements_of(body)
        if not isinstance(stmt, tir.BufferStore)
        and (not isinstance(stmt, tir.IfThenElse) or _merged_branches(stmt) is None)
        for data in stored_in([stmt])
    ]
    return [data for data in top if top.count(data) == 1 and data not in others]


def is_reducer_update(value: tir.PrimExpr) -> bool:
    """Whether ``value`` is ``T.reducer_update(...)``."""
    return isinstance(value, tir.Call) and isinstance(value.op, tvm.ir.Op) and value.op.name == "tl.reducer_update"


def _is_needed_later(stmt: tir.Bind | tir.BufferStore, rest: Sequence[tir.Stmt]) -> bool:
    """Whether the variable is used after a statement of ``rest`` that changes what its value was read from."""
    var = stmt.var if isinstance(stmt, tir.Bind) else stmt.buffer.data
    for number, other in enumerate(rest):
        if may_change(stmt.value, [other]):
            later = list(rest[number + 1 :]) if isinstance(other, tir.BufferStore) else list(rest[number:])
            return any(_mentions(part, var) for part in later)
    return False


def _mentions(stmt: tir.Stmt, var: tir.Var) -> bool:
    found = False

    def visit(node: object) -> None:
        nonlocal found
        if isinstance(node, tir.Var) and node.same_as(var):
            found = True
        if isinstance(node, tir.BufferLoad) and node.buffer.data.same_as(var):
            found = True

    tir.stmt_functor.post_order_visit(stmt, visit)
    return found


def _merged_branches(stmt: tir.IfThenElse) -> tir.BufferStore | None:
    """``if c: X[i] = a; else: X[i] = b`` as the one store ``X[i] = if_then_else(c, a, b)``."""
    yes, no = stmt.then_case, stmt.else_case
    if not isinstance(yes, tir.BufferStore) or not isinstance(no, tir.BufferStore) or not yes.buffer.same_as(no.buffer):
        return None
    if not all(tvm.ir.structural_equal(a, b) for a, b in zip(yes.indices, no.indices, strict=True)):
        return None
    value = tir.Call(yes.value.dtype, tvm.ir.Op.get("tirx.if_then_else"), [stmt.condition, yes.value, no.value])
    return with_span_of(tir.BufferStore(yes.buffer, value, list(yes.indices)), yes)


def _guarded_lengths(
    guard: tir.PrimExpr | None, store: tir.BufferStore
) -> tuple[dict[tir.Var, tir.PrimExpr], tir.PrimExpr | None]:
    """Lengths of the loops that ``guard`` keeps inside of an on-chip buffer, and what else it asks."""
    if guard is None or store.buffer.scope() == "global":
        return {}, guard
    if isinstance(guard, tir.And):
        lengths, first = _guarded_lengths(guard.a, store)
        more, second = _guarded_lengths(guard.b, store)
        rest = first if second is None else second if first is None else tir.And(first, second)
        return {**lengths, **more}, rest
    if isinstance(guard, tir.LT) and isinstance(guard.a, tir.Var):
        for index, size in zip(store.indices, store.buffer.shape, strict=True):
            if index.same_as(guard.a) and tvm.ir.structural_equal(guard.b, size):
                return {guard.a: size}, None
    return {}, guard


def _guards_only_bounds(guard: tir.PrimExpr, store: tir.BufferStore) -> bool:
    """Whether ``guard`` only keeps a global store inside its tensor, which every tile store does anyway."""
    if store.buffer.scope() != "global":
        return False
    if isinstance(guard, tir.And):
        return _guards_only_bounds(guard.a, store) and _guards_only_bounds(guard.b, store)
    if not isinstance(guard, tir.LT):
        return False
    analyzer = tvm.arith.Analyzer()
    return any(
        analyzer.can_prove_equal(guard.a, index) and analyzer.can_prove_equal(guard.b, size)
        for index, size in zip(store.indices, store.buffer.shape, strict=True)
    )
