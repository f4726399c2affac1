"""Read the values that steer control flow and addresses, once, in a statement of their own.

Why: a loop bound, a branch condition or a block index may come from memory (sequence lengths, block masks, tables).
The reader core fetches such a value and passes it to the other roles, so the read must be an explicit statement at a
place that all three kernels reach.

Before::

    for k in serial(Lengths[bx] // 32):
        copy(X[Table[k], 0], tile)

After::

    scalar = tt.read_scalar(Lengths[bx])
    for k in serial(scalar // 32):
        scalar_1 = tt.read_scalar(Table[k])
        copy(X[scalar_1, 0], tile)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .copied_blocks import copied_blocks, element_behind
from .ops import call
from .tile_ir import (
    GLOBAL_SCOPE,
    Elementwise,
    Region,
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

SCALAR_READ = "read_scalar"


def read_scalars(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Hoist every scalar read of a tensor into a Bind in front of the statement that needs it."""
    return func.with_body(_Hoister(blocks=copied_blocks(func.body)).statement(func.body))


@dataclass(kw_only=True)
class _Hoister:
    blocks: dict[str, Region]
    count: int = 0
    known: list[tuple[tir.BufferLoad, tir.Var]] = field(default_factory=list)

    def statement(self, stmt: tir.Stmt) -> tir.Stmt:
        if isinstance(stmt, tir.SeqStmt):
            outer = list(self.known)
            body = sequence([self.statement(child) for child in stmt.seq])
            self.known = outer
            return body
        before: list[tir.Stmt] = []
        if isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL:
            low, extent = self.hoist(stmt.min, before, stmt), self.hoist(stmt.extent, before, stmt)
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
            if any(_is_scalar_load(load) for load in loads_in(stmt.condition)):
                raise UnsupportedError("a while loop on a value in memory", hint="use a for loop", at=stmt)
            return with_span_of(tir.While(stmt.condition, self.inner(stmt.body)), stmt)
        return self.leaf(stmt, before)

    def inner(self, stmt: tir.Stmt) -> tir.Stmt:
        outer = list(self.known)
        result = self.statement(stmt)
        self.known = outer
        return result

    def leaf(self, stmt: tir.Stmt, before: list[tir.Stmt]) -> tir.Stmt:
        if isinstance(stmt, tir.Bind):
            return sequence([*before_and(before, tir.Bind(stmt.var, self.hoist(stmt.value, before, stmt)), stmt)])
        if isinstance(stmt, tir.BufferStore) and is_scalar_variable(stmt.buffer):
            value = self.hoist(stmt.value, before, stmt)
            return sequence([*before_and(before, tir.BufferStore(stmt.buffer, value, list(stmt.indices)), stmt)])
        record = parse(stmt)
        if isinstance(record, Elementwise):
            found = [
                load
                for load in loads_in(record.store.value)
                if load.buffer.scope() == GLOBAL_SCOPE
                and is_integer(load.buffer)
                and not any(uses_var(index, record.loop_vars) for index in load.indices)
            ]
            return self.replaced(stmt, found, before)
        if isinstance(stmt, tir.Evaluate) and isinstance(stmt.value, tir.Call):
            found = [load for arg in stmt.value.args for load in _index_loads(arg)]
            return self.replaced(stmt, found, before)
        return stmt

    def replaced(self, stmt: tir.Stmt, found: list[tir.BufferLoad], before: list[tir.Stmt]) -> tir.Stmt:
        """``stmt`` with the loads in ``found`` replaced by variables read before it."""
        if not found:
            return stmt
        values = [(load, self.variable(load, before, stmt)) for load in found]

        def visit(node: object) -> object | None:
            return next((value for old, value in values if same_load(node, old)), None)

        body = tir.stmt_functor.ir_transform(stmt, visit, None, ["tirx.BufferLoad"])
        return sequence([*before, with_span_of(body, stmt)])

    def hoist(self, expr: tir.PrimExpr, before: list[tir.Stmt], stmt: tir.Stmt) -> tir.PrimExpr:
        """``expr`` with every scalar load of a tensor replaced by a variable."""
        found = [load for load in loads_in(expr) if _is_scalar_load(load)]
        return replace_loads(expr, [(load, self.variable(load, before, stmt)) for load in found]) if found else expr

    def variable(self, load: tir.BufferLoad, before: list[tir.Stmt], stmt: tir.Stmt) -> tir.Var:
        """The variable that holds the value of ``load`` (indices that are loads themselves come first)."""
        for old, var in self.known:
            if same_load(old, load):
                return var
        if not is_integer(load.buffer):
            raise UnsupportedError(
                f"{load.buffer.name} is {load.buffer.dtype}: control flow and indices take integer tensors", at=stmt
            )
        element = self.element(load, stmt)
        indices = [self.hoist(index, before, stmt) for index in element.indices]
        name = "scalar" if self.count == 0 else f"scalar_{self.count}"
        self.count += 1
        var = tir.Var(name, "int32")
        read = call(SCALAR_READ, tir.BufferLoad(element.buffer, indices), dtype="int32")
        before.append(with_span_of(tir.Bind(var, read), stmt))
        if not any(loads_in(index) for index in indices):
            self.known.append((load, var))
        return var

    def element(self, load: tir.BufferLoad, stmt: tir.Stmt) -> tir.BufferLoad:
        """The tensor element that ``load`` reads, through a buffer that holds a copy of it."""
        if load.buffer.scope() == GLOBAL_SCOPE:
            return load
        if load.buffer.name not in self.blocks:
            raise UnsupportedError(
                f"a computed value of {load.buffer.name} in control flow or an index",
                hint="control flow and addresses take values that stand in a tensor, or were copied from one",
                at=stmt,
            )
        return element_behind(load, self.blocks[load.buffer.name])


def before_and(before: list[tir.Stmt], new: tir.Stmt, old: tir.Stmt) -> list[tir.Stmt]:
    """``before`` and then ``new``, which takes the source line of ``old``."""
    return [*before, with_span_of(new, old)]


def _is_scalar_load(load: tir.BufferLoad) -> bool:
    return not is_scalar_variable(load.buffer)


def _index_loads(arg: tir.PrimExpr) -> list[tir.BufferLoad]:
    """Tensor loads inside the indices of a region (the region's own load names the tensor, it reads nothing)."""
    if isinstance(arg, tir.Call) and isinstance(arg.op, tvm.ir.Op) and arg.op.name == "tl.region":
        inner = [*arg.args[0].indices, *arg.args[1:]]
        return [load for expr in inner for load in loads_in(expr) if _is_scalar_load(load)]
    return [load for load in loads_in(arg) if _is_scalar_load(load)] if isinstance(arg, tir.PrimExpr) else []
