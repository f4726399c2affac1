"""Turn ``break`` and ``continue`` into variables and branches.

Why: the three kernels of a core make the same sequence of blocks because they have the same loops and branches; a jump
out of the middle of a loop would leave circular buffers half way. A flag says that the loop (or its iteration) is over;
what follows the jump is done where it is not set. A ``for`` loop still counts to its end, doing nothing.

Before::

    for k in serial(8):
        if k == last: break
        copy(A[k * 32, 0], tile)

After::

    stopped = False
    for k in serial(8):
        if not stopped:
            if k == last: stopped = True
            if not stopped: copy(A[k * 32, 0], tile)
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx as tir

from .base import LoweringContext
from .names import NewBuffers
from .scalar_code import jump_of
from .tile_ir import sequence, statements_of, with_body, with_span_of

_FLAGS = {"break": "stopped", "continue": "skipped"}


def structure_loop_exits(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite the jumps of all loops around tile statements."""
    new = NewBuffers.of(func)
    body = _structured(func.body, new)
    return func.with_body(new.declared(body)) if new.buffers else func


def _structured(stmt: tir.Stmt, new: NewBuffers) -> tir.Stmt:
    if isinstance(stmt, tir.SeqStmt):
        return sequence([_structured(child, new) for child in stmt.seq])
    if isinstance(stmt, tir.IfThenElse):
        other = _structured(stmt.else_case, new) if stmt.else_case is not None else None
        return with_span_of(tir.IfThenElse(stmt.condition, _structured(stmt.then_case, new), other), stmt)
    if isinstance(stmt, tir.While) or (isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL):
        return _loop(stmt, new)
    return stmt


def _loop(loop: tir.For | tir.While, new: NewBuffers) -> tir.Stmt:
    body = _structured(loop.body, new)
    flags = {kind: new.allocate(_FLAGS[kind], (1,), "bool", scope="local.var") for kind in sorted(_jumps(body))}
    exits = _Exits(flags=flags)
    body = sequence(exits.rewritten(statements_of(body)))
    before = []
    if "continue" in flags:
        body = sequence([_set(flags["continue"], value=False), body])
    if "break" in flags:
        before.append(_set(flags["break"], value=False))
        going = tir.Not(tir.BufferLoad(flags["break"], [0]))
        if isinstance(loop, tir.While):
            return sequence([*before, with_span_of(tir.While(tir.And(going, loop.condition), body), loop)])
        body = tir.IfThenElse(going, body, None)
    if isinstance(loop, tir.While):
        return with_span_of(tir.While(loop.condition, body), loop)
    return sequence([*before, with_body(loop, body)])


@dataclass(frozen=True, kw_only=True)
class _Exits:
    """The jumps of one loop as flags."""

    flags: dict[str, tir.Buffer]

    def rewritten(self, statements: list[tir.Stmt]) -> list[tir.Stmt]:
        """``statements``; behind one that may jump, the others are done where it did not."""
        done: list[tir.Stmt] = []
        for number, stmt in enumerate(statements):
            jump = jump_of(stmt)
            if jump is not None:
                return [*done, with_span_of(_set(self.flags[jump], value=True), stmt)]
            kinds = _jumps(stmt)
            if not kinds:
                done.append(stmt)
                continue
            done.append(self.branch(stmt))
            rest = self.rewritten(statements[number + 1 :])
            if rest:
                done.append(with_span_of(tir.IfThenElse(self.none_of(kinds), sequence(rest), None), rest[0]))
            return done
        return done

    def branch(self, stmt: tir.Stmt) -> tir.Stmt:
        assert isinstance(stmt, tir.IfThenElse)
        then = sequence(self.rewritten(statements_of(stmt.then_case)))
        other = sequence(self.rewritten(statements_of(stmt.else_case))) if stmt.else_case is not None else None
        return with_span_of(tir.IfThenElse(stmt.condition, then, other), stmt)

    def none_of(self, kinds: set[str]) -> tir.PrimExpr:
        conditions = [tir.Not(tir.BufferLoad(self.flags[kind], [0])) for kind in sorted(kinds)]
        return conditions[0] if len(conditions) == 1 else tir.And(*conditions)


def _set(flag: tir.Buffer, *, value: bool) -> tir.Stmt:
    return tir.BufferStore(flag, tir.IntImm("bool", value), [0])


def _jumps(stmt: tir.Stmt) -> set[str]:
    """The jumps in ``stmt`` that leave the loop around it; those of inner loops are gone already."""
    if isinstance(stmt, tir.SeqStmt):
        return {jump for child in stmt.seq for jump in _jumps(child)}
    if isinstance(stmt, tir.IfThenElse):
        return _jumps(stmt.then_case) | (_jumps(stmt.else_case) if stmt.else_case is not None else set())
    jump = jump_of(stmt)
    return set() if jump is None else {jump}
