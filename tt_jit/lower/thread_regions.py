"""Which values differ between the threads of a block, and which statements must see all threads at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir

from .scalar_code import elements_of, jump_of
from .tile_ir import loads_in, statements_of, tile_operator_name, uses_var, with_span_of

PER_THREAD_SCOPES = ("local", "local.var")
REDUCE_SCOPE = "reduce_scope"
_FRAGMENT_SCOPE = "local.fragment"
_INDIVISIBLE = "tt_indivisible"
_SYNCS = ("tirx.tvm_storage_sync", "tl.sync_grid", "tl.sync_threads", "tl.sync_warp")


def is_per_thread(buffer: tir.Buffer) -> bool:
    """Whether every thread has its own copy of ``buffer``."""
    return buffer.scope() in PER_THREAD_SCOPES


def call_name(stmt: tir.Stmt) -> str:
    """The operator that the statement ``stmt`` calls; empty for other statements."""
    if isinstance(stmt, tir.Evaluate) and isinstance(stmt.value, tir.Call) and isinstance(stmt.value.op, tvm.ir.Op):
        return str(stmt.value.op.name)
    return ""


def indivisible(body: tir.Stmt) -> tir.Stmt:
    """``body`` as one step of a thread: an atomic operation whose old value is used."""
    return with_span_of(tir.AttrStmt(tir.StringImm("thread"), _INDIVISIBLE, tir.IntImm("int32", 1), body), body)


def is_indivisible(stmt: tir.Stmt) -> bool:
    """Whether no other thread may come between the parts of ``stmt``."""
    return isinstance(stmt, tir.AttrStmt) and stmt.attr_key == _INDIVISIBLE


def without_marks(stmt: tir.Stmt) -> tir.Stmt:
    """``stmt`` without the marks of ``indivisible``."""
    return tir.stmt_functor.ir_transform(
        stmt, None, lambda node: node.body if is_indivisible(node) else None, ["tirx.AttrStmt"]
    )


def is_sync(stmt: tir.Stmt) -> bool:
    """Whether ``stmt`` makes threads wait for each other."""
    return call_name(stmt) in _SYNCS


def is_reduction(stmt: tir.Stmt) -> bool:
    """Whether ``stmt`` is a ``T.tvm_thread_allreduce`` in its scope."""
    return isinstance(stmt, tir.AttrStmt) and stmt.attr_key == REDUCE_SCOPE


def children_of(stmt: tir.Stmt) -> list[tir.Stmt]:
    """The statements directly inside ``stmt``."""
    if isinstance(stmt, tir.SeqStmt):
        return list(stmt.seq)
    if isinstance(stmt, (tir.For, tir.While)):
        return [stmt.body]
    if isinstance(stmt, tir.IfThenElse):
        return [stmt.then_case, *([stmt.else_case] if stmt.else_case is not None else [])]
    return []


@dataclass(kw_only=True)
class Threads:
    """The threads of a block and what is known of the values that they compute.

    ``varying`` are the per-thread buffers whose copies may differ; all others are kept once. ``named`` buffers get
    their value where it is needed, and nowhere else.
    """

    variables: tuple[tir.Var, ...]
    extents: tuple[int, ...]
    named: set[str] = field(default_factory=set)
    varying: set[str] = field(default_factory=set)
    loops: set[tir.Var] = field(default_factory=set)

    @property
    def count(self) -> int:
        """Threads of the block."""
        count = 1
        for extent in self.extents:
            count *= extent
        return count

    @property
    def number(self) -> tir.PrimExpr:
        """The number of a thread, the first axis fastest."""
        number: tir.PrimExpr = tir.IntImm("int32", 0)
        for var, extent in zip(reversed(self.variables), reversed(self.extents), strict=True):
            number = number * extent + var if extent > 1 else number
        return tvm.arith.Analyzer().simplify(number)

    def varies(self, expr: tir.PrimExpr) -> bool:
        """Whether threads may see different values of ``expr``."""
        if uses_var(expr, [*self.variables, *self.loops]):
            return True
        return any(load.buffer.name in self.varying for load in loads_in(expr) if is_per_thread(load.buffer))

    def learn(self, body: tir.Stmt) -> None:
        """Find the buffers and loops of ``body`` that differ between threads."""
        known = -1
        while known != len(self.varying) + len(self.loops):
            known = len(self.varying) + len(self.loops)
            self._visit(body, divergent=False)

    def _visit(self, stmt: tir.Stmt, *, divergent: bool) -> None:
        if is_indivisible(stmt):
            # Each thread finds another old value.
            for child in statements_of(stmt.body):
                self._visit(child, divergent=True)
        elif isinstance(stmt, tir.For):
            apart = divergent or self.varies(stmt.min) or self.varies(stmt.extent)
            if apart and (self.varies(stmt.min) or self.varies(stmt.extent)):
                self.loops.add(stmt.loop_var)
            # A jump that only some threads take makes the rest of the loop divergent.
            apart = apart or any(self._jumps_apart(child) for child in children_of(stmt))
            self._visit(stmt.body, divergent=apart)
        elif isinstance(stmt, tir.While):
            apart = divergent or self.varies(stmt.condition) or self._jumps_apart(stmt.body)
            self._visit(stmt.body, divergent=apart)
        elif isinstance(stmt, tir.IfThenElse):
            apart = divergent or self.varies(stmt.condition)
            for child in children_of(stmt):
                self._visit(child, divergent=apart)
        elif isinstance(stmt, tir.BufferStore):
            divergent = divergent and stmt.buffer.name not in self.named
            if is_per_thread(stmt.buffer) and (divergent or self.store_varies(stmt)):
                self.varying.add(stmt.buffer.name)
        elif is_reduction(stmt):
            for load in reduction_of(stmt).results:
                self.varying.add(load.buffer.name)
        else:
            for child in children_of(stmt):
                self._visit(child, divergent=divergent)

    def _jumps_apart(self, stmt: tir.Stmt) -> bool:
        """Whether only some threads may take a jump out of the loop around ``stmt``."""
        if isinstance(stmt, tir.IfThenElse) and self.varies(stmt.condition):
            return has_free_jump(stmt)
        if isinstance(stmt, (tir.For, tir.While)):
            return False
        return any(self._jumps_apart(child) for child in children_of(stmt))

    # ---- what cannot be left to one thread after another ------------------------------------------------------------

    def store_varies(self, store: tir.BufferStore) -> bool:
        """Whether threads store different values, or in different places."""
        return any(self.varies(part) for part in (*store.indices, store.value))

    def is_common(self, stmt: tir.Stmt, *, apart: bool = False) -> bool:
        """Whether ``stmt`` is done once for all threads (``apart``: for those that come here)."""
        if not isinstance(stmt, tir.BufferStore):
            return is_sync(stmt) or self.is_collective(stmt) or is_reduction(stmt)
        if is_per_thread(stmt.buffer):
            # What a name is bound to does not change by being stored for every thread that comes here.
            return stmt.buffer.name not in self.varying and not (apart and stmt.buffer.name in self.named)
        if self.store_varies(stmt):
            return False
        # A fragment belongs to all threads together. What all of them store alike elsewhere needs to be stored once,
        # unless it is an update, which may be an atomic one.
        updates = any(load.buffer.same_as(stmt.buffer) for load in loads_in(stmt.value))
        return stmt.buffer.scope() == _FRAGMENT_SCOPE or not (apart or updates)

    def is_collective(self, stmt: tir.Stmt) -> bool:
        """Whether all threads of the block do ``stmt`` together: tile operators, and T.Parallel loops of the block."""
        if isinstance(stmt, tir.For) and stmt.kind == tir.ForKind.PARALLEL:
            names = {element.buffer.name for element in elements_of(stmt)}
            mentioned: list[tir.Var] = []
            tir.stmt_functor.post_order_visit(
                stmt, lambda node: mentioned.append(node) if isinstance(node, tir.Var) else None
            )
            return not names & self.varying and not any(self.varies(var) for var in mentioned)
        return tile_operator_name(stmt) is not None

    def must_split(self, stmt: tir.Stmt, *, apart: bool = False) -> bool:
        """Whether a part of ``stmt`` has to be complete for all threads before another part runs.

        ``apart``: only some threads come here. They wait for each other only where the program says so.
        """
        if self.is_common(stmt, apart=apart):
            return True
        apart = apart or not self.is_uniform_control(stmt)
        if any(self.must_split(child, apart=apart) for child in children_of(stmt)):
            return True
        if apart or not children_of(stmt):
            return False
        return _exchanges(stmt) or (isinstance(stmt, tir.IfThenElse) and has_free_jump(stmt))

    def is_uniform_control(self, stmt: tir.Stmt) -> bool:
        """Whether all threads take the same way through the head of ``stmt``."""
        if isinstance(stmt, tir.For):
            return not self.varies(stmt.min) and not self.varies(stmt.extent)
        if isinstance(stmt, (tir.IfThenElse, tir.While)):
            return not self.varies(stmt.condition)
        return True


def has_free_jump(stmt: tir.Stmt) -> bool:
    """Whether ``stmt`` leaves (or goes on with) a loop around it."""
    if jump_of(stmt) is not None:
        return True
    if isinstance(stmt, (tir.For, tir.While)):
        return False
    return any(has_free_jump(child) for child in children_of(stmt))


def conflict(group: Sequence[tir.Stmt], stmt: tir.Stmt) -> bool:
    """Whether ``stmt`` touches shared data that ``group`` writes, or writes what ``group`` touches."""
    own = [element for element in elements_of(stmt) if not is_per_thread(element.buffer)]
    for other in (element for part in group for element in elements_of(part)):
        if any((mine.is_write or other.is_write) and mine.buffer.same_as(other.buffer) for mine in own):
            return True
    return False


def _exchanges(stmt: tir.Stmt) -> bool:
    """Whether ``stmt`` both reads and writes some buffer that threads share."""
    found = [element for element in elements_of(stmt) if not is_per_thread(element.buffer)]
    return any(
        one.is_write and not other.is_write and one.buffer.same_as(other.buffer) for one in found for other in found
    )


@dataclass(frozen=True, kw_only=True)
class ThreadReduction:
    """``results = reduce(values)`` over the thread axes ``axes``, for every position along the others."""

    reducer: tir.CommReducer
    values: tuple[tir.PrimExpr, ...]
    condition: tir.PrimExpr
    results: tuple[tir.BufferLoad, ...]
    axes: tuple[tir.PrimExpr, ...]


def reduction_of(stmt: tir.AttrStmt) -> ThreadReduction:
    """The record of a ``T.tvm_thread_allreduce`` in its scope."""
    body = stmt.body
    while isinstance(body, tir.SeqStmt):
        body = body.seq[0]
    args = list(body.value.args)
    count = int(args[0].value)
    return ThreadReduction(
        reducer=stmt.node,
        values=tuple(args[1 : count + 1]),
        condition=args[count + 1],
        results=tuple(args[count + 2 : 2 * count + 2]),
        axes=tuple(args[2 * count + 2 :]),
    )
