"""Read the values that steer control flow and addresses, once, in a statement of their own.

Why: a loop bound, a branch condition or a block index may come from memory (sequence lengths, block masks, tables), or
from what compute made of it. The reader core fetches such a value, from DRAM or from a circular buffer, and passes it
to the other roles, so the read must be an explicit statement at a place that all three kernels reach. What a
floating-point value decides is decided by the reader: the others get the answer. A ``while`` on such values keeps its
condition in a variable.

Before::

    for k in serial(Lengths[bx] // 32):
        copy(X[Table[k], 0], tile)
    if best[0] > 0.5: ...                        # best is computed on chip

After::

    scalar = tt.read_scalar(Lengths[bx])
    for k in serial(scalar // 32):
        scalar_1 = tt.read_scalar(Table[k])
        copy(X[scalar_1, 0], tile)
    scalar_2 = tt.read_scalar(best[0])
    decision = tt.decide(scalar_2 > 0.5)
    if decision != 0: ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir

from .base import LoweringContext
from .copied_blocks import copied_blocks, element_behind
from .float_decisions import check_decision, decisions_in, replace_decisions
from .names import NewBuffers
from .ops import DECIDE, READ_SCALAR, call
from .stored_buffers import stored_in
from .tile_ir import (
    GLOBAL_SCOPE,
    Elementwise,
    Region,
    TileCopy,
    is_integer,
    is_scalar_variable,
    loads_in,
    parse,
    replace_loads,
    same_load,
    sequence,
    uses_var,
    with_body,
    with_span_of,
)

Values = list[tuple[tir.BufferLoad, tir.Var]]


def read_scalars(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Hoist every scalar read into a Bind in front of the statement that needs it."""
    hoister = _Hoister(
        blocks=copied_blocks(func.body), written=stored_in([func.body]), new=NewBuffers.of(func), params=func.params
    )
    body = hoister.statement(func.body)
    return func.with_body(hoister.new.declared(body))


@dataclass(kw_only=True)
class _Hoister:
    """``known`` are values that cannot change while their variables are in scope; ``current`` belong to one statement.

    ``copied`` names the buffers whose copy from a tensor has been passed, so that an element of one is an element of
    its tensor.
    """

    blocks: dict[str, Region]
    written: set[tir.Var]
    new: NewBuffers
    params: Sequence[tir.Var]
    counts: dict[str, int] = field(default_factory=dict)
    known: Values = field(default_factory=list)
    current: Values = field(default_factory=list)
    copied: frozenset[str] = frozenset()

    # ---- statements ------------------------------------------------------------------------------------------------

    def statement(self, stmt: tir.Stmt) -> tir.Stmt:
        if isinstance(stmt, tir.SeqStmt):
            outer = list(self.known)
            body = sequence([self.statement(child) for child in stmt.seq])
            self.known = outer
            return body
        self.current = []
        before: list[tir.Stmt] = []
        if isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL:
            # A bound of a narrow dtype comes back as int32, a loop counts in the dtype of its variable.
            dtype = str(stmt.loop_var.dtype)
            low, extent = (self.hoist(bound, before, stmt).astype(dtype) for bound in (stmt.min, stmt.extent))
            loop = tir.For(
                stmt.loop_var,
                low,
                extent,
                stmt.kind,
                stmt.body,
                stmt.thread_binding,
                stmt.annotations or None,
                stmt.step,
            )
            return sequence([*before, with_body(with_span_of(loop, stmt), self.inner(stmt.body))])
        if isinstance(stmt, tir.IfThenElse):
            condition = self.hoist(stmt.condition, before, stmt)
            other = self.inner(stmt.else_case) if stmt.else_case is not None else None
            branch = tir.IfThenElse(condition, self.inner(stmt.then_case), other)
            return sequence([*before, with_span_of(branch, stmt)])
        if isinstance(stmt, tir.While):
            return self.while_loop(stmt)
        result = self.leaf(stmt, before)
        record = parse(stmt)
        if isinstance(record, TileCopy) and record.source.is_global:
            self.copied |= {record.destination.buffer.name}
        return result

    def inner(self, stmt: tir.Stmt) -> tir.Stmt:
        known, copied = list(self.known), self.copied
        result = self.statement(stmt)
        self.known, self.copied = known, copied
        return result

    def while_loop(self, stmt: tir.While) -> tir.Stmt:
        """The loop; a condition that has to be read is read before the loop and at the end of its body."""
        if not decisions_in(stmt.condition, self.params) and not any(map(_is_memory, loads_in(stmt.condition))):
            return with_span_of(tir.While(stmt.condition, self.inner(stmt.body)), stmt)
        going = self.new.allocate("going", (1,), "bool", scope="local.var")
        first = self.evaluated(going, stmt)
        body = sequence([self.inner(stmt.body), self.evaluated(going, stmt)])
        return sequence([first, with_span_of(tir.While(tir.BufferLoad(going, [0]), body), stmt)])

    def evaluated(self, going: tir.Buffer, stmt: tir.While) -> tir.Stmt:
        self.current = []
        before: list[tir.Stmt] = []
        value = self.hoist(stmt.condition, before, stmt)
        return sequence([*before, with_span_of(tir.BufferStore(going, value, [0]), stmt)])

    def leaf(self, stmt: tir.Stmt, before: list[tir.Stmt]) -> tir.Stmt:
        if isinstance(stmt, tir.Bind):
            return sequence([*before_and(before, tir.Bind(stmt.var, self.hoist(stmt.value, before, stmt)), stmt)])
        if isinstance(stmt, tir.BufferStore) and is_scalar_variable(stmt.buffer):
            indices = [self.hoist(index, before, stmt) for index in stmt.indices]
            value = self.hoist(stmt.value, before, stmt)
            return sequence([*before_and(before, tir.BufferStore(stmt.buffer, value, indices), stmt)])
        record = parse(stmt)
        if isinstance(record, Elementwise):
            return self.replaced(stmt, _uniform_integers(record), before)
        if isinstance(stmt, tir.Evaluate) and isinstance(stmt.value, tir.Call):
            stmt = self.decided(stmt, [expr for arg in stmt.value.args for expr in _places(arg)], before)
            found = [load for arg in stmt.value.args for expr in _places(arg) for load in loads_in(expr)]
            return self.replaced(stmt, [load for load in found if _is_memory(load)], before)
        return stmt

    def decided(self, stmt: tir.Stmt, places: list[tir.PrimExpr], before: list[tir.Stmt]) -> tir.Stmt:
        """``stmt`` with what floats decide in ``places`` replaced by variables."""
        decisions = [decision for place in places for decision in decisions_in(place, self.params)]
        values = [(decision, self.decision(decision, before, stmt)) for decision in decisions]
        return with_span_of(replace_decisions(stmt, values), stmt)

    def replaced(self, stmt: tir.Stmt, found: list[tir.BufferLoad], before: list[tir.Stmt]) -> tir.Stmt:
        """``stmt`` with the loads in ``found`` replaced by variables read before it."""
        if not found:
            return sequence([*before, stmt])
        values = [(load, self.variable(load, before, stmt)) for load in found]

        def visit(node: object) -> object | None:
            return next((value for old, value in values if same_load(node, old)), None)

        body = tir.stmt_functor.ir_transform(stmt, visit, None, ["tirx.BufferLoad"])
        return sequence([*before, with_span_of(body, stmt)])

    # ---- expressions -----------------------------------------------------------------------------------------------

    def hoist(self, expr: tir.PrimExpr, before: list[tir.Stmt], stmt: tir.Stmt) -> tir.PrimExpr:
        """``expr`` with every value from memory, and what floating-point values decide, replaced by a variable."""
        found = decisions_in(expr, self.params)
        values = [(decision, self.decision(decision, before, stmt)) for decision in found]
        return self.loaded(replace_decisions(tir.Evaluate(expr), values).value, before, stmt)

    def decision(self, decision: tir.PrimExpr, before: list[tir.Stmt], stmt: tir.Stmt) -> tir.Var:
        """The variable that holds what floats decide."""
        check_decision(decision, stmt)
        var = self.fresh("decision", "int32")
        value = tir.Cast("int32", self.loaded(decision, before, stmt))
        before.append(with_span_of(tir.Bind(var, call(DECIDE, value, dtype="int32")), stmt))
        return var

    def loaded(self, expr: tir.PrimExpr, before: list[tir.Stmt], stmt: tir.Stmt) -> tir.PrimExpr:
        """``expr`` with the loads replaced; a narrow float is a float32 variable that is cast back."""
        found = [load for load in loads_in(expr) if _is_memory(load)]
        values: list[tuple[tir.BufferLoad, tir.PrimExpr]] = []
        for load in found:
            var = self.variable(load, before, stmt)
            values.append((load, var if is_integer(load.buffer) else var.astype(load.dtype)))
        return replace_loads(expr, values) if values else expr

    def variable(self, load: tir.BufferLoad, before: list[tir.Stmt], stmt: tir.Stmt) -> tir.Var:
        """The variable that holds the value of ``load`` (indices that are loads themselves come first)."""
        for old, var in (*self.known, *self.current):
            if same_load(old, load):
                return var
        element = self.element(load)
        indices = [self.hoist(index, before, stmt) for index in element.indices]
        dtype = "int32" if is_integer(load.buffer) else "float32"
        var = self.fresh("scalar", dtype)
        read = call(READ_SCALAR, tir.BufferLoad(element.buffer, indices), dtype=dtype)
        before.append(with_span_of(tir.Bind(var, read), stmt))
        lasting = load.buffer.scope() == GLOBAL_SCOPE and load.buffer.data not in self.written
        (self.known if lasting and not any(map(loads_in, indices)) else self.current).append((load, var))
        return var

    def element(self, load: tir.BufferLoad) -> tir.BufferLoad:
        """The tensor element that ``load`` reads, through a buffer that holds a copy of it; else ``load`` itself."""
        name = load.buffer.name
        return element_behind(load, self.blocks[name]) if name in self.blocks and name in self.copied else load

    def fresh(self, name: str, dtype: str) -> tir.Var:
        count = self.counts.get(name, 0)
        self.counts[name] = count + 1
        return tir.Var(name if count == 0 else f"{name}_{count}", dtype)


def before_and(before: list[tir.Stmt], new: tir.Stmt, old: tir.Stmt) -> list[tir.Stmt]:
    """``before`` and then ``new``, which takes the source line of ``old``."""
    return [*before, with_span_of(new, old)]


def _is_memory(load: tir.BufferLoad) -> bool:
    return not is_scalar_variable(load.buffer)


def _uniform_integers(record: Elementwise) -> list[tir.BufferLoad]:
    """Integers that are the same for all lanes: elements of tensors, and anything that an index is made of."""
    accesses = [*record.store.indices, *(index for load in loads_in(record.store.value) for index in load.indices)]
    inside_indices = [load for index in accesses for load in loads_in(index)]
    return [
        load
        for load in (*loads_in(record.store.value), *inside_indices)
        if is_integer(load.buffer)
        and _is_memory(load)
        and not any(uses_var(index, record.loop_vars) for index in load.indices)
        and (load.buffer.scope() == GLOBAL_SCOPE or any(load.same_as(inner) for inner in inside_indices))
    ]


def _places(arg: tir.PrimExpr) -> list[tir.PrimExpr]:
    """The indices and extents of a region (its own load names the buffer, it reads nothing); other arguments whole."""
    if isinstance(arg, tir.Call) and isinstance(arg.op, tvm.ir.Op) and arg.op.name == "tl.region":
        return [*arg.args[0].indices, *arg.args[1:]]
    return [arg] if isinstance(arg, tir.PrimExpr) else []
