"""Turn ``T.device_assert`` into a branch that stops the kernel, and refuse ``T.print`` by its name.

Why: an assertion about values of the whole block is control flow like any other; the reader, which knows all values
that steer control flow, stops when it fails. A print would need the values of tiles at a place where only the host
could show them; TileLang writes it as a loop over elements for the first thread, which no later pass should meet.

Before::

    T.device_assert(count[0] < 8, "too many")

After::

    if not count[0] < 8: tt.fail_assertion("too many")
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .ops import do
from .tile_ir import with_span_of

FAIL_ASSERTION = "fail_assertion"
_PLACE = re.compile(r"\s+at \S+:\d+ in \w+$")
_ASSERTIONS = ("tl.device_assert", "tl.device_assert_with_msg")


def lower_debug_statements(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite assertions; raise UnsupportedError at a print, and at an assertion about single lanes."""
    found = list(_debug_calls(func.body, in_lanes=False))
    for stmt, in_lanes in found:
        if _printed(stmt.value) is not None:
            raise UnsupportedError(
                f"T.print of {_printed(stmt.value)}: the chip has no place to print to",
                hint="store the value to an output tensor and print that, or leave T.print out",
                at=stmt,
            )
        if in_lanes:
            raise UnsupportedError(
                "T.device_assert about single lanes of T.Parallel",
                hint="reduce the condition over the lanes first (T.reduce_min), and assert the result",
                at=stmt,
            )
    if not found:
        return func

    def visit(node: tir.Evaluate) -> tir.Stmt | None:
        if not _is_assertion(node.value):
            return None
        condition, *messages = node.value.args
        # TileLang appends the place, which is no part of the program.
        message = _PLACE.sub("", " ".join(str(text.value) for text in messages)).strip()
        failure = do(FAIL_ASSERTION, message or "T.device_assert")
        return with_span_of(tir.IfThenElse(tir.Not(condition), failure, None), node)

    return func.with_body(tir.stmt_functor.ir_transform(func.body, None, visit, ["tirx.Evaluate"]))


def _debug_calls(stmt: tir.Stmt, *, in_lanes: bool) -> Iterator[tuple[tir.Evaluate, bool]]:
    """Every print and assertion, and whether it stands inside T.Parallel."""
    if isinstance(stmt, tir.SeqStmt):
        for child in stmt.seq:
            yield from _debug_calls(child, in_lanes=in_lanes)
    elif isinstance(stmt, tir.SBlockRealize):
        yield from _debug_calls(stmt.block.body, in_lanes=in_lanes)
    elif isinstance(stmt, tir.For):
        is_parallel = stmt.kind == tir.ForKind.PARALLEL
        yield from _debug_calls(stmt.body, in_lanes=in_lanes or is_parallel)
    elif isinstance(stmt, (tir.While, tir.SBlock, tir.AttrStmt)):
        yield from _debug_calls(stmt.body, in_lanes=in_lanes)
    elif isinstance(stmt, tir.IfThenElse):
        yield from _debug_calls(stmt.then_case, in_lanes=in_lanes)
        if stmt.else_case is not None:
            yield from _debug_calls(stmt.else_case, in_lanes=in_lanes)
    elif isinstance(stmt, tir.Evaluate) and (_is_assertion(stmt.value) or _printed(stmt.value) is not None):
        yield stmt, in_lanes


def _is_assertion(value: tir.PrimExpr) -> bool:
    return isinstance(value, tir.Call) and isinstance(value.op, tvm.ir.Op) and value.op.name in _ASSERTIONS


def _printed(value: tir.PrimExpr) -> str | None:
    """What ``T.print`` prints; None for other expressions."""
    if not isinstance(value, tir.Call) or not isinstance(value.op, tvm.ir.Op) or value.op.name != "tirx.call_extern":
        return None
    name, *arguments = [str(a.value) if isinstance(a, tir.StringImm) else "" for a in value.args]
    if not name.startswith("debug_print"):
        return None
    return arguments[1] if "buffer" in name else arguments[0].removeprefix("expr<").removesuffix(">") or "a message"
