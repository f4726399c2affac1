"""Make variables of the kernels of small integer buffers that steer control flow or addresses.

Why: ``T.alloc_local((1,), "int32")`` (also as a fragment or shared buffer) that is set element by element outside of
``T.Parallel`` is a variable of the program, like ``T.alloc_var``, not data: as circular-buffer pages it could steer
control flow only by way of compute and the reader. Its elements become variables that all three kernels keep. Buffers
that meet tile work stay buffers; so do those of code for single elements, which only the reader runs.

Before::

    first = alloc_buffer((1,), "int32", scope="local.fragment")
    first[0] = bx * 4
    while first[0] < 9: copy(A[first[0] * 32, 0], tile); first[0] = first[0] + 1

After::

    first = alloc_buffer((1,), "int32", scope="local.var")
    ...
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir

from .base import LoweringContext
from .tile_ir import (
    GLOBAL_SCOPE,
    TileFill,
    is_integer,
    is_scalar_code,
    is_scalar_variable,
    loads_in,
    parse,
    replace_buffers,
    rewrite,
    sequence,
    uses_var,
)

VARIABLE_SCOPE = "local.var"
# Variables lie on the stacks of the RISC-V cores, which are small.
_MOST_ELEMENTS = 32


def promote_scalar_variables(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Give integer buffers that are variables the scope of variables."""
    uses = _Uses()
    uses.visit(func.body, ())
    chosen = uses.chosen()
    if not chosen:
        return func
    variables = {
        name: (buffer, tir.decl_buffer(buffer.shape, buffer.dtype, name, scope=VARIABLE_SCOPE))
        for name, buffer in uses.buffers.items()
        if name in chosen
    }
    return func.with_body(_replaced(func.body, variables))


@dataclass(kw_only=True)
class _Uses:
    """How every small integer buffer on the chip is used."""

    buffers: dict[str, tir.Buffer] = field(default_factory=dict)
    tiles: set[str] = field(default_factory=set)
    steering: set[str] = field(default_factory=set)
    feeds: dict[str, set[str]] = field(default_factory=dict)

    def chosen(self) -> set[str]:
        """Buffers that steer something, directly or by way of another variable, and never meet tile work."""
        steering = set(self.steering)
        while True:
            grown = steering | {source for target in steering for source in self.feeds.get(target, ())}
            if grown == steering:
                return {name for name in steering if name in self.buffers and name not in self.tiles}
            steering = grown

    def visit(self, stmt: tir.Stmt, lanes: tuple[tir.Var, ...]) -> None:
        if isinstance(stmt, tir.SeqStmt):
            for child in stmt.seq:
                self.visit(child, lanes)
        elif isinstance(stmt, tir.AllocBuffer):
            self.declare(stmt.buffer)
        elif isinstance(stmt, tir.For):
            self.steer(stmt.min, stmt.extent)
            self.visit(stmt.body, (*lanes, stmt.loop_var) if stmt.kind == tir.ForKind.PARALLEL else lanes)
        elif isinstance(stmt, tir.IfThenElse):
            self.steer(stmt.condition)
            self.visit(stmt.then_case, lanes)
            if stmt.else_case is not None:
                self.visit(stmt.else_case, lanes)
        elif isinstance(stmt, tir.While):
            self.steer(stmt.condition)
            self.visit(stmt.body, lanes)
        elif isinstance(stmt, tir.Bind):
            self.steer(stmt.value)
        elif isinstance(stmt, tir.BufferStore):
            self.store(stmt, lanes)
        else:
            self.operation(stmt)

    def declare(self, buffer: tir.Buffer) -> None:
        constant = all(isinstance(extent, tir.IntImm) for extent in buffer.shape)
        if not is_integer(buffer) or buffer.scope() in (GLOBAL_SCOPE, VARIABLE_SCOPE) or not constant:
            return
        if math.prod(int(extent.value) for extent in buffer.shape) <= _MOST_ELEMENTS:
            self.buffers[buffer.name] = buffer

    def steer(self, *expressions: tir.PrimExpr) -> None:
        for expr in expressions:
            self.steering.update(load.buffer.name for load in loads_in(expr))

    def store(self, stmt: tir.BufferStore, lanes: tuple[tir.Var, ...]) -> None:
        self.steer(*stmt.indices)
        for load in loads_in(stmt.value):
            if any(uses_var(index, lanes) for index in load.indices):
                self.tiles.add(load.buffer.name)
            self.steer(*load.indices)
        if is_scalar_variable(stmt.buffer):
            self.steer(stmt.value)
        elif lanes:
            self.tiles.add(stmt.buffer.name)
        else:
            sources = {load.buffer.name for load in loads_in(stmt.value)}
            self.feeds.setdefault(stmt.buffer.name, set()).update(sources)

    def operation(self, stmt: tir.Stmt) -> None:
        """A tile operation makes its operands tiles, except for a fill; the places of its regions are steered."""
        if is_scalar_code(stmt):
            # Only the reader runs it: what it changes has to come back to the other kernels.
            self.tiles.update(_buffers_in(stmt.body))
            return
        record = parse(stmt)
        filled = record.destination.buffer if isinstance(record, TileFill) and record.destination.is_whole else None

        def visit(node: object) -> None:
            if isinstance(node, tir.Call) and isinstance(node.op, tvm.ir.Op) and node.op.name == "tl.region":
                operand = node.args[0]
                self.steer(*operand.indices, *node.args[2:])
                if filled is None or not operand.buffer.same_as(filled):
                    self.tiles.add(operand.buffer.name)
            elif isinstance(node, tir.Call):
                self.tiles.update(arg.buffer.name for arg in node.args if isinstance(arg, tir.BufferLoad))

        tir.stmt_functor.post_order_visit(stmt, visit)


def _buffers_in(stmt: tir.Stmt) -> set[str]:
    """The names of the buffers that ``stmt`` reads or writes."""
    found: set[str] = set()

    def visit(node: object) -> None:
        if isinstance(node, (tir.BufferLoad, tir.BufferStore)):
            found.add(node.buffer.name)

    tir.stmt_functor.post_order_visit(stmt, visit)
    return found


def _replaced(body: tir.Stmt, variables: dict[str, tuple[tir.Buffer, tir.Buffer]]) -> tir.Stmt:
    """``body`` with the buffers as ``variables``, by name (old, new), and fills of them as stores."""

    def leaf(stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        if isinstance(record, TileFill) and record.destination.buffer.name in variables:
            return _stores(record)
        return None

    return replace_buffers(rewrite(body, leaf), {old.data: new for old, new in variables.values()})


def _stores(record: TileFill) -> tir.Stmt:
    buffer = record.destination.buffer
    shape = [int(extent.value) for extent in buffer.shape]
    stores = []
    for number in range(math.prod(shape)):
        place = [number // math.prod(shape[dim + 1 :]) % extent for dim, extent in enumerate(shape)]
        stores.append(tir.BufferStore(buffer, record.value.astype(buffer.dtype), place))
    return sequence(stores)
