"""Buffers that share memory, and which of their names see what was written through another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tvm import tirx as tir

from .accesses import accesses_of
from .tile_ir import GLOBAL_SCOPE, is_nop, leaves, parse


@dataclass(kw_only=True)
class ViewGroup:
    """An allocated buffer and the views of its memory, in order of first use."""

    base: tir.Buffer
    views: list[tir.Buffer] = field(default_factory=list)
    leaders: dict[tir.Buffer, tir.Buffer] = field(default_factory=dict)

    def leader(self, buffer: tir.Buffer) -> tir.Buffer:
        """The member that stands for all whose contents ``buffer`` shares; the allocated buffer where it is one."""
        while buffer in self.leaders:
            buffer = self.leaders[buffer]
        return buffer

    def join(self, one: tir.Buffer, other: tir.Buffer) -> None:
        """Note that what is written through one of the two is read through the other."""
        first, second = self.leader(one), self.leader(other)
        if second.same_as(self.base):
            first, second = second, first
        if not first.same_as(second):
            self.leaders[second] = first


def view_groups(body: tir.Stmt) -> dict[tir.Var, ViewGroup]:
    """The groups of ``body`` that have views, by their memory."""
    groups = {
        leaf.buffer.data: ViewGroup(base=leaf.buffer)
        for leaf in leaves(body)
        if isinstance(leaf, tir.AllocBuffer) and leaf.buffer.scope() != GLOBAL_SCOPE
    }
    for buffer in buffers_in(body):
        group = groups.get(buffer.data)
        if group is not None and not any(buffer.same_as(known) for known in (group.base, *group.views)):
            group.views.append(buffer)
    viewed = {data: group for data, group in groups.items() if group.views}
    if viewed:
        _Sharing(groups=viewed).statement(body, {})
    return viewed


def buffers_in(stmt: tir.Stmt) -> Iterator[tir.Buffer]:
    """The buffer of every load and store inside ``stmt``."""
    nodes: list[object] = []
    tir.stmt_functor.post_order_visit(stmt, nodes.append)
    for node in nodes:
        if isinstance(node, (tir.BufferLoad, tir.BufferStore)):
            yield node.buffer


Contents = dict[tir.Var, frozenset[tir.Buffer]]


@dataclass(kw_only=True)
class _Sharing:
    """Which names may have written what the memory holds, along every path; a read of another's writing joins them."""

    groups: dict[tir.Var, ViewGroup]

    def statement(self, stmt: tir.Stmt, contents: Contents) -> Contents:
        """The writers after ``stmt``, given those before it."""
        if isinstance(stmt, tir.SeqStmt):
            for child in stmt.seq:
                contents = self.statement(child, contents)
            return contents
        if isinstance(stmt, tir.IfThenElse):
            self.reads(tir.Evaluate(stmt.condition), contents)
            after = self.statement(stmt.then_case, contents)
            other = self.statement(stmt.else_case, contents) if stmt.else_case is not None else contents
            return _either(after, other)
        if isinstance(stmt, tir.While) or (isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL):
            return self.loop(stmt, contents)
        return contents if is_nop(stmt) or isinstance(stmt, tir.AllocBuffer) else self.leaf(stmt, contents)

    def loop(self, stmt: tir.For | tir.While, contents: Contents) -> Contents:
        own = [stmt.condition] if isinstance(stmt, tir.While) else [stmt.min, stmt.extent]
        for expression in own:
            self.reads(tir.Evaluate(expression), contents)
        after = self.statement(stmt.body, contents)
        if isinstance(stmt, tir.For) and stmt.kind == tir.ForKind.THREAD_BINDING:
            return after
        while (merged := _either(contents, after)) != contents:
            contents = merged
            after = self.statement(stmt.body, contents)
        return contents

    def leaf(self, stmt: tir.Stmt, contents: Contents) -> Contents:
        record = parse(stmt)
        if record is None:
            self.reads(stmt, contents)
            return {**contents, **{b.data: _added(contents, b) for b in buffers_in(stmt) if b.data in self.groups}}
        accesses = accesses_of(record)
        for buffer in accesses.reads:
            self.read(buffer, contents)
        after = dict(contents)
        for buffer, whole in accesses.writes:
            if buffer.data in self.groups:
                after[buffer.data] = frozenset([buffer]) if whole else _added(contents, buffer)
        return after

    def reads(self, stmt: tir.Stmt, contents: Contents) -> None:
        for buffer in buffers_in(stmt):
            self.read(buffer, contents)

    def read(self, buffer: tir.Buffer, contents: Contents) -> None:
        for writer in contents.get(buffer.data, frozenset()):
            self.groups[buffer.data].join(writer, buffer)


def _added(contents: Contents, buffer: tir.Buffer) -> frozenset[tir.Buffer]:
    return contents.get(buffer.data, frozenset()) | {buffer}


def _either(one: Contents, other: Contents) -> Contents:
    return {data: one.get(data, frozenset()) | other.get(data, frozenset()) for data in (*one, *other)}
