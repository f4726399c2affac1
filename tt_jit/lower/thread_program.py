"""The body of a kernel with code for single threads, in a form that is easy to cut: plain loops, branches and stores.

Values bound to names are inlined or kept in variables, the axes of the threads have one variable each, vectorised and
unrolled loops are serial ones, and tile operators on a thread's own memory are loops over its elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .scalar_loops import has_serial_loops, serial_loops
from .thread_regions import indivisible, is_indivisible, is_per_thread, is_reduction, is_sync
from .tile_ir import (
    Region,
    TileStatement,
    loads_in,
    parse,
    sequence,
    with_span_of,
)

THREAD_INDEX = "tl.launch_thread_idx"
_AXES = ("threadIdx.x", "threadIdx.y", "threadIdx.z")
_LOOPS = (tir.ForKind.SERIAL, tir.ForKind.UNROLLED, tir.ForKind.VECTORIZED)


def thread_index_of(expr: object) -> int | None:
    """The axis of a call of ``tl.launch_thread_idx``."""
    if isinstance(expr, tir.Call) and isinstance(expr.op, tvm.ir.Op) and expr.op.name == THREAD_INDEX:
        return int(expr.args[0].value)
    return None


def uses_threads(stmt: tir.Stmt) -> bool:
    """Whether ``stmt`` depends on the number of its thread."""
    numbers = [node.var for node in nodes_of(stmt, tir.Bind) if thread_index_of(node.value) is not None]
    bound = [loop for loop in nodes_of(stmt, tir.For) if _axis_of(loop) is not None]
    return bool(bound) or any(var.same_as(number) for var in nodes_of(stmt, tir.Var) for number in numbers)


def nodes_of(stmt: tir.Stmt, kind: type) -> list[Any]:
    """Every node of ``kind`` in ``stmt``."""
    found: list[Any] = []

    def visit(node: object) -> None:
        if isinstance(node, kind):
            found.append(node)

    tir.stmt_functor.post_order_visit(stmt, visit)
    return found


def _axis_of(stmt: tir.For) -> int | None:
    tag = str(stmt.thread_binding.thread_tag) if stmt.thread_binding is not None else ""
    return _AXES.index(tag) if tag in _AXES else None


@dataclass(kw_only=True)
class ThreadProgram:
    """Rewrites the body of one kernel.

    ``buffers`` are those that it and the blocks inside allocate; ``named`` keep the values that names are bound to.
    """

    variables: Sequence[tir.Var]
    buffers: list[tir.Buffer] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    values: dict[tir.Var, tir.PrimExpr] = field(default_factory=dict)

    def statement(self, stmt: tir.Stmt) -> tir.Stmt:
        """The plain form of ``stmt``."""
        if isinstance(stmt, tir.SeqStmt):
            return sequence([self.statement(child) for child in stmt.seq])
        if isinstance(stmt, tir.SBlockRealize):
            return self.statement(stmt.block)
        if isinstance(stmt, tir.SBlock):
            self.buffers += list(stmt.alloc_buffers)
            return self.statement(stmt.body)
        if isinstance(stmt, tir.AllocBuffer):
            self.buffers.append(stmt.buffer)
            return sequence([])
        if isinstance(stmt, tir.Bind):
            return self.bind(stmt)
        if isinstance(stmt, tir.For):
            return self.loop(stmt)
        if isinstance(stmt, tir.IfThenElse):
            other = self.statement(stmt.else_case) if stmt.else_case is not None else None
            branch = tir.IfThenElse(self.expression(stmt.condition), self.statement(stmt.then_case), other)
            return with_span_of(branch, stmt)
        if isinstance(stmt, tir.While):
            return with_span_of(tir.While(self.expression(stmt.condition), self.statement(stmt.body)), stmt)
        if is_indivisible(stmt):
            return indivisible(self.statement(stmt.body))
        if isinstance(stmt, tir.AttrStmt) and not is_reduction(stmt):
            return self.statement(stmt.body)
        return self.simple(stmt)

    def simple(self, stmt: tir.Stmt) -> tir.Stmt:
        plain = with_span_of(self.substituted(stmt), stmt)
        if is_reduction(plain) or is_sync(plain) or isinstance(plain, tir.BufferStore):
            return plain
        record = parse(plain)
        if record is not None and any(is_per_thread(region.buffer) for region in _regions(record)):
            if not has_serial_loops(record):
                raise UnsupportedError("this tile operator on a thread's own memory (T.alloc_local)", at=stmt)
            return serial_loops(record, plain)
        return plain

    def substituted(self, stmt: tir.Stmt) -> tir.Stmt:
        return tir.stmt_functor.substitute(stmt, self.values) if self.values else stmt

    def expression(self, expr: tir.PrimExpr) -> tir.PrimExpr:
        return tir.stmt_functor.substitute(expr, self.values) if self.values else expr

    def bind(self, stmt: tir.Bind) -> tir.Stmt:
        axis = thread_index_of(stmt.value)
        if axis is not None:
            self.values[stmt.var] = self.variables[axis]
            return sequence([])
        value = self.expression(stmt.value)
        if not loads_in(value):
            self.values[stmt.var] = value
            return sequence([])
        # What stands in memory may change behind the name: the value is kept.
        buffer = tir.decl_buffer((1,), stmt.var.dtype, stmt.var.name, scope="local")
        self.buffers.append(buffer)
        self.named.add(buffer.name)
        zero = tir.IntImm("int32", 0)
        self.values[stmt.var] = tir.BufferLoad(buffer, [zero])
        return with_span_of(tir.BufferStore(buffer, value, [zero]), stmt)

    def loop(self, stmt: tir.For) -> tir.Stmt:
        axis = _axis_of(stmt)
        if axis is not None:
            self.values[stmt.loop_var] = self.variables[axis]
            return self.statement(stmt.body)
        low, extent = self.expression(stmt.min), self.expression(stmt.extent)
        kind = tir.ForKind.SERIAL if stmt.kind in _LOOPS else stmt.kind
        body = self.statement(stmt.body) if kind == tir.ForKind.SERIAL else self.substituted(stmt.body)
        annotations = stmt.annotations or None
        loop = tir.For(stmt.loop_var, low, extent, kind, body, None, annotations, stmt.step)
        return with_span_of(loop, stmt)


def _regions(record: TileStatement) -> tuple[Region, ...]:
    return tuple(value for value in vars(record).values() if isinstance(value, Region))
