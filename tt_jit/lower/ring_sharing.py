"""Buffers that are never in use at the same time take turns in one ring.

A block is in its ring from its push to its pop. Where the blocks of two buffers are never there together, both pass
through one ring in program order, which is the same order for the thread that pushes and the one that pops. Buffers of
one format between the same two threads can share; the ring's block is the largest of theirs, and a smaller block takes
all of its place. A buffer that is updated in place turns in its ring tile by tile, so that it shares only with blocks
of its own size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tvm import tirx as tir

from .accesses import COMPUTE, Accesses
from .liveness import Liveness, Names
from .tile_ir import statements_of

if TYPE_CHECKING:
    from .memory_space_lower_tt import CircularBuffer


@dataclass(kw_only=True)
class RingUse(Liveness):
    """Which buffers are in their rings at the same time, and which are updated in place."""

    together: dict[str, set[str]] = field(default_factory=dict)
    in_place: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, body: tir.Stmt) -> RingUse:
        """The use that ``insert_cb_protocol`` will make of rings in ``body``."""
        use = cls()
        statements = [part for part in statements_of(body) if not isinstance(part, tir.AllocBuffer)]
        use.walk(statements, frozenset())
        use.meet(use.live_in(statements, frozenset()))
        return use

    def conflict(self, one: str, other: str) -> bool:
        """Whether the two buffers need rings of their own (unknown ones always do)."""
        return one not in self.together or other not in self.together or other in self.together[one]

    def meet(self, names: Names) -> None:
        for name in names:
            self.together.setdefault(name, set()).update(names)

    def walk(self, statements: Sequence[tir.Stmt], live: Names) -> Names:
        """Note what meets inside of ``statements`` when ``live`` are live after them; the buffers live before."""
        for stmt in reversed(statements):
            before = self.live_before(stmt, live)
            self.meet(before | live)
            if isinstance(stmt, tir.IfThenElse):
                for case in (stmt.then_case, stmt.else_case):
                    if case is not None:
                        self.walk(statements_of(case), live)
            elif (isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL) or isinstance(stmt, tir.While):
                self.walk(statements_of(stmt.body), before)
            else:
                self.leaf(self.accesses(stmt), before | live)
            live = before
        return live

    def leaf(self, accesses: Accesses | None, around: Names) -> None:
        if accesses is None:
            return
        read, written = {b.name for b in accesses.reads}, {b.name for b, _ in accesses.writes}
        self.meet(around | read | written)
        if accesses.role == COMPUTE:
            self.in_place |= read & written


def share_rings(
    buffers: Sequence[CircularBuffer], use: RingUse, is_enough: Callable[[list[CircularBuffer]], bool]
) -> list[CircularBuffer]:
    """``buffers`` with ids shared, one after another until ``is_enough``; large ones and those of compute first."""
    result = list(buffers)
    order = sorted(buffers, key=lambda b: (not (b.producer == b.consumer == COMPUTE), -b.bytes))
    for candidate in order:
        if is_enough(result):
            break
        result = _joined(result, candidate.name, use)
    return result


def _joined(buffers: list[CircularBuffer], name: str, use: RingUse) -> list[CircularBuffer]:
    """``buffers`` with ``name`` in the ring of others, if any will do: the one that fits best."""
    own = next(b for b in buffers if b.name == name)
    if sum(b.id == own.id for b in buffers) > 1:
        return buffers
    best: tuple[int, int] | None = None
    for ring in sorted({b.id for b in buffers if b.id != own.id}):
        members = [b for b in buffers if b.id == ring]
        if _may_join(own, members, use):
            waste = abs(members[0].tiles - own.tiles)
            best = (waste, ring) if best is None or waste < best[0] else best
    if best is None:
        return buffers
    members = [own, *(b for b in buffers if b.id == best[1])]
    tiles = max(b.tiles for b in members)
    pages = tiles * max(b.pages // b.tiles for b in members)
    return [replace(b, id=best[1], tiles=tiles, pages=pages) if b in members else b for b in buffers]


def _may_join(own: CircularBuffer, members: list[CircularBuffer], use: RingUse) -> bool:
    def kind(ring: CircularBuffer) -> tuple[object, ...]:
        return ring.format, ring.page_size, ring.unpack_to_dest_fp32, ring.producer, ring.consumer

    resized = any(b.tiles != own.tiles for b in members)
    return all(
        kind(b) == kind(own) and not use.conflict(own.name, b.name) and not (resized and b.name in use.in_place)
        for b in members
    ) and not (resized and own.name in use.in_place)
