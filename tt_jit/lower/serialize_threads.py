"""Run code for single threads as loops over all threads of the block, cut where threads wait for each other.

Why: a Tensix core has no threads, and code that depends on a thread's number has no tile form. One data-movement core
runs it for one thread after another, as code for single elements. Wherever a thread may see what another one wrote
(T.sync_threads, tile operators, a shared buffer written and then read), the loop over the threads ends and another one
starts. What a thread keeps across such a cut becomes an array over all threads; a variable that is the same in all of
them stays one variable. Loops and branches around a cut are taken by all threads alike; a branch that is not becomes
a condition inside the loops.

Before::

    tx = launch_thread_idx(0)                       # 64 threads
    total[0] = 0
    for k in serial(4):
        x_shared[tx] = X[k * 64 + tx]
        total[0] = total[0] + x_shared[63 - tx]
    Y[tx] = total[0]

After::

    tt_scalar_code: for tx in serial(64): total[tx, 0] = 0
    for k in serial(4):
        tt_scalar_code: for tx in serial(64): x_shared[tx] = X[k * 64 + tx]
        tt_scalar_code: for tx in serial(64): total[tx, 0] = total[tx, 0] + x_shared[63 - tx]
    tt_scalar_code: for tx in serial(64): Y[tx] = total[tx, 0]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .scalar_code import elements_of, reads_only_own_values
from .scalar_loops import nest
from .thread_program import ThreadProgram, nodes_of, uses_threads
from .thread_regions import (
    Threads,
    conflict,
    has_free_jump,
    is_per_thread,
    is_reduction,
    is_sync,
    reduction_of,
    without_marks,
)
from .tile_ir import (
    is_const_int,
    is_scalar_variable,
    loads_in,
    scalar_code,
    sequence,
    statements_of,
    with_body,
    with_span_of,
)

_LAUNCH = "tl.launch_threads"
_DEFAULT_LAUNCH = (128, 1, 1)
"""What TileLang launches where T.Kernel names no number of threads."""
_ZERO = tir.IntImm("int32", 0)


def serialize_threads(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite every kernel of ``func`` that depends on thread numbers."""
    return func.with_body(_kernels(func.body, context)) if uses_threads(func.body) else func


def _kernels(stmt: tir.Stmt, context: LoweringContext) -> tir.Stmt:
    """``stmt`` with the innermost body of every grid nest rewritten."""
    if isinstance(stmt, tir.SeqStmt):
        return sequence([_kernels(child, context) for child in stmt.seq])
    if isinstance(stmt, tir.SBlockRealize):
        block = stmt.block
        inner = tir.SBlock(
            block.iter_vars,
            block.reads,
            block.writes,
            block.name_hint,
            _kernels(block.body, context),
            block.init,
            block.alloc_buffers,
            block.match_buffers,
            block.annotations,
        )
        return tir.SBlockRealize(stmt.iter_values, stmt.predicate, inner)
    if isinstance(stmt, tir.For) and stmt.kind == tir.ForKind.THREAD_BINDING:
        inner = stmt.body
        if isinstance(inner, tir.For) and inner.kind == tir.ForKind.THREAD_BINDING:
            return with_body(stmt, _kernels(inner, context))
        return with_body(stmt, _serialized(inner, context)) if uses_threads(inner) else stmt
    return stmt


def _launch_of(block: tir.SBlock) -> tuple[int, ...]:
    extents = (block.annotations or {}).get(_LAUNCH, ())
    return tuple(int(getattr(extent, "value", extent)) for extent in extents)


def _serialized(body: tir.Stmt, context: LoweringContext) -> tir.Stmt:
    blocks = nodes_of(body, tir.SBlock)
    extents = next((launch for launch in map(_launch_of, blocks) if launch), _DEFAULT_LAUNCH)
    variables = tuple(tir.Var(name, "int32") for name in ("tx", "ty", "tz"))
    axes = tuple(var if extent > 1 else _ZERO for var, extent in zip(variables, extents, strict=True))
    program = ThreadProgram(variables=axes)
    plain = program.statement(body)
    threads = Threads(variables=variables, extents=extents, named=program.named)
    threads.learn(plain)
    # The first round finds the regions, which tell what must outlive one; the second one writes them.
    survey = _Cutter(threads=threads)
    survey.items(statements_of(plain), None)
    if survey.regions:
        context.note(
            what=f"code for single threads runs on a data-movement core, {threads.count} threads one after another",
            why="a Tensix core has no threads (T.get_thread_binding)",
            hint="write the work of all threads as T.Parallel over the block",
            at=survey.regions[0][0],
        )
    kept = _kept_across(survey.regions, threads)
    buffers = {b.name: _over_threads(b, threads) for b in program.buffers if b.name in kept}
    cutter = _Cutter(threads=threads, arrays=buffers)
    result = cutter.items(statements_of(plain), None)
    allocated = [buffers.get(b.name, b) for b in program.buffers]
    return _with_annotations(sequence([*map(tir.AllocBuffer, [*allocated, *cutter.flags]), *result]), blocks)


def _with_annotations(body: tir.Stmt, blocks: Sequence[tir.SBlock]) -> tir.Stmt:
    """``body`` in a block that has what the user's block says about buffers."""
    annotations = {key: value for block in blocks for key, value in (block.annotations or {}).items()}
    inner = tir.SBlock([], [], [], "tilelang_root", body, None, [], [], annotations)
    return tir.SBlockRealize([], tir.IntImm("bool", 1), inner)


def _over_threads(buffer: tir.Buffer, threads: Threads) -> tir.Buffer:
    shape = [tir.IntImm("int32", threads.count), *buffer.shape]
    return tir.decl_buffer(shape, buffer.dtype, buffer.name, scope="local")


def _kept_across(regions: Sequence[Sequence[tir.Stmt]], threads: Threads) -> set[str]:
    """The per-thread buffers whose values outlive one region of one pass through it."""
    seen: dict[str, int] = {}
    kept: set[str] = set()
    for number, region in enumerate(regions):
        body = sequence(region)
        for name in {e.buffer.name for e in elements_of(body) if e.buffer.name in threads.varying}:
            if seen.setdefault(name, number) != number or not reads_only_own_values(region, name):
                kept.add(name)
    return kept


@dataclass(kw_only=True)
class _Cutter:
    """Cuts a program into regions that one thread after another can run."""

    threads: Threads
    arrays: dict[str, tir.Buffer] = field(default_factory=dict)
    flags: list[tir.Buffer] = field(default_factory=list)
    regions: list[list[tir.Stmt]] = field(default_factory=list)

    def items(self, statements: Sequence[tir.Stmt], guard: tir.PrimExpr | None) -> list[tir.Stmt]:
        """``statements`` for all threads (for which ``guard`` holds)."""
        result: list[tir.Stmt] = []
        group: list[tir.Stmt] = []
        for stmt in statements:
            split = self.threads.must_split(stmt, apart=guard is not None)
            if group and (split or conflict(group, stmt)):
                result += self.region(group, guard)
                group = []
            if split:
                result += self.split(stmt, guard)
            else:
                group.append(stmt)
        return [*result, *(self.region(group, guard) if group else [])]

    def region(self, group: list[tir.Stmt], guard: tir.PrimExpr | None) -> list[tir.Stmt]:
        """One loop over the threads."""
        if any(has_free_jump(stmt) for stmt in group):
            raise UnsupportedError(
                "a break or continue that only some threads take, in a loop in which threads wait for each other",
                at=group[0],
            )
        body = sequence(group)
        if guard is not None:
            body = with_span_of(tir.IfThenElse(guard, body, None), group[0])
        self.regions.append(statements_of(without_marks(body)))
        return [self.threaded(body, group[0])]

    def threaded(self, body: tir.Stmt, place: tir.Stmt) -> tir.Stmt:
        axes = [(v, e) for v, e in zip(self.threads.variables, self.threads.extents, strict=True) if e > 1]
        body = self.with_arrays(_serial(without_marks(body)))
        fresh = {var: tir.Var(var.name, "int32") for var, _ in axes}
        body = tir.stmt_functor.substitute(body, fresh)
        loops = nest([fresh[var] for var, _ in reversed(axes)], [extent for _, extent in reversed(axes)], body)
        return scalar_code(with_span_of(loops, place))

    def with_arrays(self, body: tir.Stmt) -> tir.Stmt:
        """``body`` with the thread's own place in the arrays over all threads."""
        if not self.arrays:
            return body

        def visit(node: Any) -> object | None:
            array = self.arrays.get(node.buffer.name)
            if array is None or len(node.indices) == len(array.shape):
                return None
            indices = [self.threads.number, *node.indices]
            if isinstance(node, tir.BufferLoad):
                return tir.BufferLoad(array, indices)
            return with_span_of(tir.BufferStore(array, node.value, indices), node)

        return tir.stmt_functor.ir_transform(body, None, visit, ["tirx.BufferLoad", "tirx.BufferStore"])

    # ---- statements that threads do together -----------------------------------------------------------------------

    def split(self, stmt: tir.Stmt, guard: tir.PrimExpr | None) -> list[tir.Stmt]:
        if is_sync(stmt):
            return []
        if isinstance(stmt, tir.SeqStmt):
            return self.items(statements_of(stmt), guard)
        if is_reduction(stmt):
            return [self.reduction(stmt, guard)]
        if self.threads.is_collective(stmt):
            return self.collective(stmt, guard)
        if isinstance(stmt, tir.BufferStore):
            if not is_per_thread(stmt.buffer):
                return self.collective(stmt, guard)
            return [stmt if _is_plain(stmt) else scalar_code(stmt)]
        if isinstance(stmt, tir.IfThenElse) and not self.threads.is_uniform_control(stmt):
            return self.guarded(stmt, guard)
        if not self.threads.is_uniform_control(stmt):
            raise UnsupportedError(
                "a loop in which threads wait for each other, with a number of passes that differs between them",
                at=stmt,
            )
        if isinstance(stmt, tir.For):
            return [with_body(stmt, sequence(self.items(statements_of(stmt.body), guard)))]
        if isinstance(stmt, tir.While):
            body = sequence(self.items(statements_of(stmt.body), guard))
            return [with_span_of(tir.While(stmt.condition, body), stmt)]
        if isinstance(stmt, tir.IfThenElse):
            return [self.branch(stmt, guard)]
        return [scalar_code(stmt)]

    def branch(self, stmt: tir.IfThenElse, guard: tir.PrimExpr | None) -> tir.Stmt:
        """A branch that all threads take alike; one that leaves a loop stays as it stands."""
        cases: list[tir.Stmt | None] = []
        for case in (stmt.then_case, stmt.else_case):
            if case is None:
                cases.append(None)
                continue
            parts = statements_of(case)
            jump = [part for part in parts[-1:] if has_free_jump(part) and not self.threads.must_split(part)]
            cases.append(sequence([*self.items(parts[: len(parts) - len(jump)], guard), *map(scalar_code, jump)]))
        return with_span_of(tir.IfThenElse(stmt.condition, cases[0], cases[1]), stmt)

    def guarded(self, stmt: tir.IfThenElse, guard: tir.PrimExpr | None) -> list[tir.Stmt]:
        """A branch of some threads in which they wait for each other: its condition goes into every region."""
        condition, result = stmt.condition, []
        if loads_in(condition):
            flag = tir.decl_buffer((self.threads.count,), "bool", f"active_{len(self.flags)}", scope="local")
            self.flags.append(flag)
            store = with_span_of(tir.BufferStore(flag, condition, [self.threads.number]), stmt)
            self.regions.append([store])
            result.append(self.threaded(store, stmt))
            condition = tir.BufferLoad(flag, [self.threads.number])
        for case, wanted in ((stmt.then_case, condition), (stmt.else_case, tir.Not(condition))):
            if case is not None:
                result += self.items(statements_of(case), wanted if guard is None else tir.And(guard, wanted))
        return result

    def collective(self, stmt: tir.Stmt, guard: tir.PrimExpr | None) -> list[tir.Stmt]:
        """A tile operation, which some of the threads can do as well as all of them."""
        if guard is None:
            return [stmt]
        if loads_in(guard):
            raise UnsupportedError("a tile operation in a branch that threads take by values in memory", at=stmt)
        analyzer = tvm.arith.Analyzer()
        for var, extent in zip(self.threads.variables, self.threads.extents, strict=True):
            analyzer.bind(var, tvm.ir.Range.from_min_extent(0, extent))
        return [] if analyzer.can_prove(tir.Not(guard)) else [stmt]

    def reduction(self, stmt: tir.AttrStmt, guard: tir.PrimExpr | None) -> tir.Stmt:
        """``T.tvm_thread_allreduce``: along the reduced axes a loop that sums up and one that hands out."""
        record = reduction_of(stmt)
        if len(record.values) != 1 or guard is not None:
            raise UnsupportedError("T.tvm_thread_allreduce of several values, or in a branch of some threads", at=stmt)
        value, result, reducer = record.values[0], record.results[0], record.reducer
        total = tir.decl_buffer((1,), value.dtype, f"reduced_{len(self.flags)}", scope="local")
        self.flags.append(total)
        old = tir.BufferLoad(total, [_ZERO])
        combined = tir.stmt_functor.substitute(reducer.result[0], {reducer.lhs[0]: old, reducer.rhs[0]: value})
        add: tir.Stmt = tir.BufferStore(total, combined, [_ZERO])
        if not is_const_int(record.condition, 1):
            add = tir.IfThenElse(record.condition, add, None)
        start = tir.BufferStore(total, reducer.identity_element[0], [_ZERO])
        hand_out = tir.BufferStore(result.buffer, old, list(result.indices))
        self.regions += [[add], [hand_out]]
        axes = dict(zip(self.threads.variables, self.threads.extents, strict=True))
        inner = [var for var in axes if any(var.same_as(axis) for axis in record.axes)]
        outer = [var for var in axes if not any(var.same_as(axis) for axis in record.axes) and axes[var] > 1]
        parts = [start, self.loops(inner, add, axes), self.loops(inner, hand_out, axes)]
        body = self.loops(outer, sequence(parts), axes)
        return scalar_code(with_span_of(body, stmt))

    def loops(self, variables: list[tir.Var], body: tir.Stmt, axes: dict[tir.Var, int]) -> tir.Stmt:
        fresh = {var: tir.Var(var.name, "int32") for var in variables}
        body = tir.stmt_functor.substitute(self.with_arrays(body), fresh)
        return nest([fresh[var] for var in reversed(variables)], [axes[var] for var in reversed(variables)], body)


def _serial(body: tir.Stmt) -> tir.Stmt:
    """``body`` with every loop as one that a thread runs alone."""

    def visit(loop: tir.For) -> tir.Stmt | None:
        if loop.kind == tir.ForKind.SERIAL:
            return None
        return with_span_of(tir.For(loop.loop_var, loop.min, loop.extent, tir.ForKind.SERIAL, loop.body), loop)

    return tir.stmt_functor.ir_transform(body, None, visit, ["tirx.For"])


def _is_plain(stmt: tir.BufferStore) -> bool:
    """Whether ``stmt`` sets an integer variable that every kernel of the core can follow."""
    if not is_scalar_variable(stmt.buffer):
        return False
    return all(load.buffer.scope() == "global" or is_scalar_variable(load.buffer) for load in loads_in(stmt.value))
