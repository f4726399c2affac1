"""Let a core read a tensor only after its own earlier writes to it.

Why: the reader runs ahead of the writer. Where a kernel reads back what it wrote (atomic updates, state kept in DRAM),
the writer tells the reader through a ring of one page that carries nothing but its count. A tensor that is read and
written strictly in turn needs a token before each read only, so that other loads still run ahead.

Before::

    for bz in serial(4): copy(C[...], C_tile); ...; copy(C_tile_1, C[...])            # tt_ordered_tensors: ["C"]

After::

    tt.cb_reserve_back(order_C, 1); tt.cb_push_back(order_C, 1)                       # writer
    for bz in serial(4):
        tt.cb_wait_front(order_C, 1); tt.cb_pop_front(order_C, 1)                     # reader
        copy(C[...], C_tile); ...; copy(C_tile_1, C[...])
        tt.noc_async_write_barrier(); tt.cb_reserve_back(order_C, 1); tt.cb_push_back(order_C, 1)   # writer
    tt.cb_wait_front(order_C, 1); tt.cb_pop_front(order_C, 1)                         # reader

Otherwise, and where several tensors share the ring, the reader waits right behind each write.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx as tir

from .base import LoweringContext
from .ops import do, scalar_source
from .scalar_code import tensors_of
from .serialize_conflicting_blocks import ORDERED_ATTRIBUTE
from .tile_ir import (
    TileCopy,
    TileScalarCode,
    TileScatter,
    is_gather,
    loads_in,
    parse,
    sequence,
    statements_of,
    with_body,
    with_span_of,
)

_PREFIX = "order_"


def order_tensor_accesses(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Insert the tokens of ``tt_ordered_tensors``."""
    ring = token_ring(func)
    if ring is None:
        return func
    names = _ordered_tensors(func)
    in_turn = len(names) == 1 and _is_in_turn(func.body, names[0])
    inserter = _Inserter(names=names, ring=tir.Var(ring, "handle"), in_turn=in_turn)
    parts = statements_of(func.body)
    allocations = [part for part in parts if isinstance(part, tir.AllocBuffer)]
    body = [inserter.statement(sequence([part for part in parts if not isinstance(part, tir.AllocBuffer)]))]
    if in_turn:
        body = [*inserter.announce(), *body, *inserter.wait()]
    return func.with_body(sequence([*allocations, *body]))


def token_ring(func: tir.PrimFunc) -> str | None:
    """The ring through which the writer tells the reader that a write is complete; None where order does not matter."""
    names = _ordered_tensors(func)
    return f"{_PREFIX}{names[0] if len(names) == 1 else 'tensors'}" if names else None


def _ordered_tensors(func: tir.PrimFunc) -> tuple[str, ...]:
    return tuple(str(name) for name in func.attrs[ORDERED_ATTRIBUTE]) if ORDERED_ATTRIBUTE in func.attrs else ()


@dataclass(frozen=True, kw_only=True)
class _Inserter:
    names: tuple[str, ...]
    ring: tir.Var
    in_turn: bool

    def announce(self) -> list[tir.Stmt]:
        """The writer says that the tensor may be read."""
        return [do("cb_reserve_back", self.ring, 1), do("cb_push_back", self.ring, 1)]

    def wait(self) -> list[tir.Stmt]:
        """The reader waits for the writer's word."""
        return [do("cb_wait_front", self.ring, 1), do("cb_pop_front", self.ring, 1)]

    def statement(self, stmt: tir.Stmt) -> tir.Stmt:
        if isinstance(stmt, tir.SeqStmt):
            return sequence([self.statement(child) for child in stmt.seq])
        if isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL:
            return with_body(stmt, self.statement(stmt.body))
        if isinstance(stmt, tir.IfThenElse):
            other = self.statement(stmt.else_case) if stmt.else_case is not None else None
            return with_span_of(tir.IfThenElse(stmt.condition, self.statement(stmt.then_case), other), stmt)
        if isinstance(stmt, tir.While):
            return with_span_of(tir.While(stmt.condition, self.statement(stmt.body)), stmt)
        kind = next((kind for kind in (_kind(stmt, name) for name in self.names) if kind is not None), None)
        parts = [stmt]
        if kind == "write":
            parts += [do("noc_async_write_barrier"), *self.announce(), *([] if self.in_turn else self.wait())]
        elif kind == "read" and self.in_turn:
            parts = [*self.wait(), stmt]
        return sequence([with_span_of(part, stmt) for part in parts])


def _kind(stmt: tir.Stmt, name: str) -> str | None:
    """Whether ``stmt`` reads or writes the tensor."""
    scalar = scalar_source(stmt)
    if scalar is not None:
        return "read" if scalar.buffer.name == name else None
    record = parse(stmt)
    if isinstance(record, TileScalarCode):
        return "read" if name in tensors_of(record.body) else None
    if isinstance(record, TileScatter):
        return "write" if record.target.buffer.name == name else None
    if is_gather(record):
        return "read" if any(load.buffer.name == name for load in loads_in(record.store.value)) else None
    if isinstance(record, TileCopy):
        if record.source.is_global and record.source.buffer.name == name:
            return "read"
        if record.destination.is_global and record.destination.buffer.name == name:
            return "write"
    return None


def _is_in_turn(stmt: tir.Stmt, name: str) -> bool:
    """Whether every sequence that touches the tensor reads and writes it in turn, read first, write last."""
    if isinstance(stmt, (tir.For, tir.While)) and getattr(stmt, "kind", None) != tir.ForKind.PARALLEL:
        return _is_in_turn(stmt.body, name)
    if isinstance(stmt, tir.IfThenElse):
        return _is_in_turn(stmt.then_case, name) and (stmt.else_case is None or _is_in_turn(stmt.else_case, name))
    parts = statements_of(stmt)
    if len(parts) == 1 and not isinstance(stmt, tir.SeqStmt):
        return _kind(stmt, name) is None
    expected = "read"
    for part in parts:
        kind = _kind(part, name)
        if kind is None:
            # A nested sequence inside of a read-write pair would take the pair's token.
            if _touches(part, name) and expected == "write":
                return False
            if not isinstance(part, tir.SeqStmt) and _is_control(part) and not _is_in_turn(part, name):
                return False
            continue
        if kind != expected:
            return False
        expected = "write" if kind == "read" else "read"
    return expected == "read"


def _is_control(stmt: tir.Stmt) -> bool:
    if isinstance(stmt, tir.For):
        return stmt.kind != tir.ForKind.PARALLEL
    return isinstance(stmt, (tir.While, tir.IfThenElse))


def _touches(stmt: tir.Stmt, name: str) -> bool:
    if isinstance(stmt, (tir.For, tir.While)):
        return _touches(stmt.body, name) if _is_control(stmt) else False
    if isinstance(stmt, tir.IfThenElse):
        return _touches(stmt.then_case, name) or (stmt.else_case is not None and _touches(stmt.else_case, name))
    if isinstance(stmt, tir.SeqStmt):
        return any(_touches(child, name) for child in stmt.seq)
    return _kind(stmt, name) is not None
