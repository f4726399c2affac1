"""Which on-chip buffers some later statement may still read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tvm import tirx as tir

from .accesses import Accesses, accesses_of
from .tile_ir import leaves, parse, statements_of

Names = frozenset[str]


@dataclass(kw_only=True)
class Liveness:
    """Backwards liveness of buffers, by name; accesses of a statement are looked up once."""

    known: dict[int, Accesses | None] = field(default_factory=dict)
    keep_alive: list[tir.Stmt] = field(default_factory=list)

    def accesses(self, stmt: tir.Stmt) -> Accesses | None:
        """What a statement reads and writes; None when it is no tile statement."""
        key = hash(stmt)
        if key not in self.known:
            record = parse(stmt)
            self.keep_alive.append(stmt)
            self.known[key] = accesses_of(record) if record is not None else None
        return self.known[key]

    def live_in(self, statements: Sequence[tir.Stmt], live: Names) -> Names:
        """Buffers live before ``statements`` when ``live`` are live after them."""
        for stmt in reversed(statements):
            live = self.live_before(stmt, live)
        return live

    def live_before(self, stmt: tir.Stmt, live: Names) -> Names:
        """Buffers live before ``stmt`` when ``live`` are live after it."""
        if (isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL) or isinstance(stmt, tir.While):
            return self.live_at_head(stmt, live)
        if isinstance(stmt, tir.IfThenElse):
            other = self.live_in(statements_of(stmt.else_case), live) if stmt.else_case is not None else live
            return self.live_in(statements_of(stmt.then_case), live) | other
        accesses = self.accesses(stmt)
        if accesses is None or self.is_dead(accesses, live):
            return live
        killed = {b.name for b, whole in accesses.writes if whole}
        partial = {b.name for b, whole in accesses.writes if not whole}
        return (live - killed) | partial | {b.name for b in accesses.reads}

    def live_at_head(self, loop: tir.For | tir.While, live: Names) -> Names:
        """Buffers live at the head of ``loop`` (a zero-trip loop is possible), by iteration to the fixed point."""
        body = statements_of(loop.body)
        head = live
        while True:
            grown = head | self.live_in(body, head)
            if grown == head:
                return head
            head = grown

    @staticmethod
    def is_dead(accesses: Accesses, live: Names) -> bool:
        """Whether nobody reads what the statement writes."""
        if accesses.has_effects:
            return False
        return bool(accesses.writes) and not any(b.name in live for b, _ in accesses.writes)

    def carried(self, statements: Sequence[tir.Stmt], live: Names) -> Names:
        """Buffers that some loop of ``statements`` hands from pass to pass: live at its head, written inside."""
        found: Names = frozenset()
        for stmt in reversed(statements):
            if isinstance(stmt, tir.IfThenElse):
                for case in (stmt.then_case, stmt.else_case):
                    found |= self.carried(statements_of(case), live) if case is not None else frozenset()
            elif (isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL) or isinstance(stmt, tir.While):
                head = self.live_at_head(stmt, live)
                found |= (head & self.written(stmt)) | self.carried(statements_of(stmt.body), head)
            live = self.live_before(stmt, live)
        return found

    def written(self, stmt: tir.Stmt) -> Names:
        """Buffers that ``stmt`` writes anywhere inside."""
        found = [self.accesses(leaf) for leaf in leaves(stmt)]
        return frozenset(b.name for accesses in found if accesses is not None for b, _ in accesses.writes)
