"""Insert the circular-buffer protocol: reserve, push, wait, pop.

Why: a TileLang buffer is memory that may be read at any time; a circular buffer holds a block from its push to its pop.
Liveness decides: a block is in the ring exactly while some later statement may read it. So a write reserves and pushes,
a read waits, the last read pops, and where control flow joins, a block that is live on one side only is popped on the
edge of the other. The rule needs no patterns, hence works for any nesting of loops and branches.

Before::

    for k in serial(8):
        copy(A[...], A_shared)
        gemm(A_shared, B_shared, C_local)

After::

    for k in serial(8):
        tt.cb_reserve_back(A_shared, 4); copy(A[...], A_shared)
        tt.noc_async_read_barrier(); tt.cb_push_back(A_shared, 4)
        tt.cb_wait_front(A_shared, 4); ...
        tt.cb_wait_front(C_local, 16); tt.cb_pop_front(C_local, 16); tt.cb_reserve_back(C_local, 16)
        gemm(A_shared, B_shared, C_local)
        tt.cb_push_back(C_local, 16); tt.cb_pop_front(A_shared, 4); ...

A compute statement that reads and rewrites the same buffer tile by tile is wrapped in ``attr("tt_in_place")`` instead:
its lowering rotates the ring batch by batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tvm import tirx as tir

from .accesses import COMPUTE, READER, WRITER, Accesses
from .base import LoweringContext
from .liveness import Liveness, Names
from .memory_space_lower_tt import CircularBuffer, circular_buffers
from .ops import do
from .tile_ir import TileGemm, fill, is_const_int, parse, sequence, statements_of, whole, with_body, with_span_of

IN_PLACE = "tt_in_place"


def insert_cb_protocol(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite the body of ``func`` with explicit circular-buffer calls."""
    protocol = _Protocol(rings=circular_buffers(func))
    parts = statements_of(func.body)
    allocations = [part for part in parts if isinstance(part, tir.AllocBuffer)]
    body = [part for part in parts if not isinstance(part, tir.AllocBuffer)]
    entry = protocol.live_in(body, frozenset())
    unwritten = [stmt for name in sorted(entry) for stmt in protocol.publish_unwritten(name)]
    return func.with_body(sequence([*allocations, *unwritten, *protocol.place(body, frozenset())]))


@dataclass(kw_only=True)
class _Protocol(Liveness):
    rings: dict[str, CircularBuffer]
    buffers: dict[str, tir.Buffer] = field(default_factory=dict)
    cleared: set[str] = field(default_factory=set)

    def accesses(self, stmt: tir.Stmt) -> Accesses | None:
        if hash(stmt) not in self.known:
            record = parse(stmt)
            found = super().accesses(stmt)
            if isinstance(record, TileGemm) and not isinstance(record.clear, tir.IntImm):
                self.cleared.add(record.c.buffer.name)
            for buffer in self._buffers(found):
                self.buffers[buffer.name] = buffer
        return super().accesses(stmt)

    @staticmethod
    def _buffers(accesses: Accesses | None) -> list[tir.Buffer]:
        return [*accesses.reads, *(b for b, _ in accesses.writes)] if accesses is not None else []

    # ---- placement -------------------------------------------------------------------------------------------------

    def place(self, statements: Sequence[tir.Stmt], live_after: Names) -> list[tir.Stmt]:
        """``statements`` with protocol calls, given what is live after them."""
        after = [live_after]
        for stmt in reversed(statements):
            after.append(self.live_before(stmt, after[-1]))
        after.reverse()
        result: list[tir.Stmt] = []
        loads = _LoadGroup()
        for number, stmt in enumerate(statements):
            before, behind = after[number], after[number + 1]
            accesses = self.accesses(stmt) if not _is_control(stmt) else None
            if accesses is not None and accesses.role == READER and not accesses.has_effects:
                if not self.is_dead(accesses, behind):
                    if loads.has(accesses):
                        result += loads.close(self)
                    result += self.displaced(accesses, before)
                    loads.add(stmt, accesses)
                continue
            result += loads.close(self)
            result += self.place_one(stmt, accesses, before, behind)
        return result + loads.close(self)

    def place_one(self, stmt: tir.Stmt, accesses: Accesses | None, before: Names, behind: Names) -> list[tir.Stmt]:
        if (isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL) or isinstance(stmt, tir.While):
            return self.place_loop(stmt, before, behind)
        if isinstance(stmt, tir.IfThenElse):
            return self.place_branch(stmt, before, behind)
        if accesses is None:
            return [stmt]
        if self.is_dead(accesses, behind):
            return []
        return self.place_leaf(stmt, accesses, before, behind)

    def place_loop(self, loop: tir.For | tir.While, head: Names, behind: Names) -> list[tir.Stmt]:
        body = statements_of(loop.body)
        inside = self.live_in(body, head)
        placed = [*self.drop(head - inside), *self.place(body, head)]
        if isinstance(loop, tir.While):
            rebuilt = with_span_of(tir.While(loop.condition, sequence(placed)), loop)
        else:
            rebuilt = with_body(loop, sequence(placed))
        return [rebuilt, *self.drop(head - behind)]

    def place_branch(self, stmt: tir.IfThenElse, before: Names, behind: Names) -> list[tir.Stmt]:
        branches = []
        for case in (stmt.then_case, stmt.else_case):
            body = statements_of(case) if case is not None else []
            branches.append([*self.drop(before - self.live_in(body, behind)), *self.place(body, behind)])
        other = sequence(branches[1]) if branches[1] else None
        return [with_span_of(tir.IfThenElse(stmt.condition, sequence(branches[0]), other), stmt)]

    def place_leaf(self, stmt: tir.Stmt, accesses: Accesses, before: Names, behind: Names) -> list[tir.Stmt]:
        in_place = self.in_place_buffer(stmt, accesses)
        waits = [self.call("cb_wait_front", b.name) for b in accesses.reads]
        reserves, pushes = [], []
        if in_place is None:
            for buffer, _ in accesses.writes:
                if buffer.name in before:
                    if not accesses.is_read(buffer):
                        waits.append(self.call("cb_wait_front", buffer.name))
                    reserves.append(self.call("cb_pop_front", buffer.name))
                reserves.append(self.call("cb_reserve_back", buffer.name))
                pushes.append(self.call("cb_push_back", buffer.name))
            core = [stmt]
        else:
            core = [with_span_of(tir.AttrStmt(self.buffers[in_place].data, IN_PLACE, 1, stmt), stmt)]
        if accesses.role == WRITER:
            core.append(do("noc_async_writes_flushed"))
        written = {b.name for b, _ in accesses.writes}
        read = {b.name for b in accesses.reads}
        done = sorted((before | written) - behind)
        pops = [self.call("cb_pop_front", n) if n in read - written else self.drop_one(n) for n in done]
        return [with_span_of(part, stmt) for part in (*waits, *reserves, *core, *pushes, *pops)]

    def in_place_buffer(self, stmt: tir.Stmt, accesses: Accesses) -> str | None:
        """The buffer that the statement reads and rewrites tile by tile, if any."""
        if accesses.role != COMPUTE:
            return None
        record = parse(stmt)
        if isinstance(record, TileGemm) and accumulates_in_l1(record, self.rings[record.c.buffer.name]):
            return None
        for buffer, _ in accesses.writes:
            if accesses.is_read(buffer):
                return buffer.name
        return None

    def displaced(self, accesses: Accesses, before: Names) -> list[tir.Stmt]:
        """Pops of older blocks that a load replaces."""
        return self.drop(frozenset(b.name for b, _ in accesses.writes if b.name in before))

    def publish_unwritten(self, name: str) -> list[tir.Stmt]:
        """A block that may be read before it is written starts as zeros; one that a gemm clears itself, as it is."""
        starts = [] if name in self.cleared or self.rings[name].producer != COMPUTE else [self.zeros(name)]
        return [self.call("cb_reserve_back", name), *starts, self.call("cb_push_back", name)]

    def zeros(self, name: str) -> tir.Stmt:
        """A fill of the whole buffer with zeros."""
        buffer = self.buffers[name]
        return fill(whole(buffer), tir.const(0, buffer.dtype))

    def drop(self, names: Names) -> list[tir.Stmt]:
        return [self.drop_one(name) for name in sorted(names)]

    def drop_one(self, name: str) -> tir.Stmt:
        return sequence([self.call("cb_wait_front", name), self.call("cb_pop_front", name)])

    def call(self, operation: str, name: str) -> tir.Stmt:
        return do(operation, self.buffers[name], self.rings[name].tiles)


@dataclass(kw_only=True)
class _LoadGroup:
    """Neighbouring loads share one barrier, so that their reads are in flight together."""

    loads: list[tuple[tir.Stmt, Accesses]] = field(default_factory=list)

    def has(self, accesses: Accesses) -> bool:
        names = {b.name for _, a in self.loads for b, _ in a.writes}
        return any(b.name in names for b, _ in accesses.writes)

    def add(self, stmt: tir.Stmt, accesses: Accesses) -> None:
        self.loads.append((stmt, accesses))

    def close(self, protocol: _Protocol) -> list[tir.Stmt]:
        result: list[tir.Stmt] = []
        names = [b.name for _, accesses in self.loads for b, _ in accesses.writes]
        for stmt, accesses in self.loads:
            result += [with_span_of(protocol.call("cb_reserve_back", b.name), stmt) for b, _ in accesses.writes]
            result.append(stmt)
        if self.loads:
            last, _ = self.loads[-1]
            result.append(with_span_of(do("noc_async_read_barrier"), last))
            result += [with_span_of(protocol.call("cb_push_back", name), last) for name in names]
        self.loads = []
        return result


def accumulates_in_l1(record: TileGemm, ring: CircularBuffer) -> bool:
    """Whether the gemm adds to C with the packer's L1 accumulation (fp32 partial sums) instead of reloading C."""
    return not is_const_int(record.clear, 1) and ring.format == "Float32"


def _is_control(stmt: tir.Stmt) -> bool:
    return isinstance(stmt, (tir.For, tir.While, tir.IfThenElse)) and not (
        isinstance(stmt, tir.For) and stmt.kind == tir.ForKind.PARALLEL
    )
