"""Running the pipeline up to a pass, and comparing programs.

Programs before and after a pass are written in TileLang. What TileLang has no word for, the device calls, are spelled
``tt.cb_push_back(A, 4)`` with ``tt`` below. ``assert_program`` compares the statements structurally (names of loop
variables and buffers do not count) and the on-chip allocations by name, shape, dtype and scope.
"""

from typing import Any

import pytest
import tvm
from tvm import tirx as tir

from tt_jit.errors import TTJitError
from tt_jit.lower import PIPELINE
from tt_jit.lower.base import LoweringContext, run_pipeline
from tt_jit.lower.ops import call
from tt_jit.lower.tile_ir import sequence, statements_of
from tt_jit.target import Target

WORMHOLE = Target.named("wormhole_b0")
WORK_START, WORK_COUNT = tir.Var("work_start", "int32"), tir.Var("work_count", "int32")


class _DeviceCalls:
    """``tt.name(...)`` is the call of the device operation ``name``."""

    def __getattr__(self, name: str) -> Any:
        dtype = "int32" if name in ("get_write_ptr", "get_read_ptr") else "void"
        return lambda *arguments: call(name, *arguments, dtype=dtype)


tt = _DeviceCalls()


def position_of(name: str) -> int:
    return [step.name for step in PIPELINE].index(name)


def run(func: tir.PrimFunc, first: int, last: int, target: Target = WORMHOLE) -> tvm.IRModule:
    """``func`` after the passes ``first`` .. ``last - 1`` of the pipeline."""
    return run_pipeline(tvm.IRModule({"main": func}), PIPELINE[first:last], LoweringContext(target=target))


def before(func: tir.PrimFunc, name: str, target: Target = WORMHOLE) -> tir.PrimFunc:
    """What the pass ``name`` gets."""
    (result,) = run(func, 0, position_of(name), target).functions.values()
    return result


def after(func: tir.PrimFunc, name: str, target: Target = WORMHOLE) -> tir.PrimFunc:
    """What the pass ``name`` makes of ``func``."""
    (result,) = run(func, 0, position_of(name) + 1, target).functions.values()
    return result


def roles_after(func: tir.PrimFunc, name: str, target: Target = WORMHOLE) -> dict[str, tir.PrimFunc]:
    """The role functions that the pass ``name`` leaves, by role."""
    functions = run(func, 0, position_of(name) + 1, target).functions.values()
    return {str(function.attrs["tt_role"]): function for function in functions}


def refusal(func: tir.PrimFunc, name: str, target: Target = WORMHOLE) -> TTJitError:
    """The error that the pass ``name``, and no earlier one, raises; its location is set by the runner."""
    module = run(func, 0, position_of(name), target)
    with pytest.raises(TTJitError) as caught:
        run_pipeline(module, [PIPELINE[position_of(name)]], LoweringContext(target=target))
    return caught.value


def line_of(error: TTJitError) -> str:
    """The text of the user's line that the error points at."""
    assert error.location is not None, f"no location: {error}"
    return error.location.source_line().strip()


# ---- comparison ----------------------------------------------------------------------------------------------------


def allocations(func: tir.PrimFunc) -> dict[str, tuple[tuple[int, ...], str, str]]:
    """Shape, dtype and scope of every on-chip buffer."""
    buffers: list[tir.Buffer] = []
    _plain(func.body, buffers)
    return {b.name: (tuple(int(e) for e in b.shape), str(b.dtype), b.scope()) for b in buffers}


def assert_program(actual: tir.PrimFunc, expected: tir.PrimFunc) -> None:
    """``actual`` does what ``expected`` says, statement by statement, with the same on-chip buffers."""
    assert allocations(actual) == allocations(expected)
    assert_body(actual, expected)


def assert_body(actual: tir.PrimFunc, expected: tir.PrimFunc) -> None:
    """The statements are the same; allocations do not count."""
    found, wanted = _plain(actual.body, []), _plain(expected.body, [])
    if not tvm.ir.structural_equal(found, wanted, map_free_vars=True):
        pytest.fail(f"found:\n{found}\n\nexpected:\n{wanted}")


def _plain(stmt: tir.Stmt, buffers: list[tir.Buffer]) -> tir.Stmt:
    """``stmt`` without blocks, thread indices and allocations, which are collected in ``buffers``."""
    if isinstance(stmt, tir.SeqStmt):
        return sequence([_plain(child, buffers) for child in stmt.seq])
    if isinstance(stmt, tir.SBlockRealize):
        buffers.extend(stmt.block.alloc_buffers)
        return _plain(stmt.block.body, buffers)
    if isinstance(stmt, tir.AllocBuffer):
        buffers.append(stmt.buffer)
        return sequence([])
    if isinstance(stmt, tir.Bind) and "launch_thread_idx" in str(stmt.value):
        return sequence([])
    if isinstance(stmt, tir.For):
        body = _plain(stmt.body, buffers)
        thread, annotations = stmt.thread_binding, stmt.annotations
        return tir.For(stmt.loop_var, stmt.min, stmt.extent, stmt.kind, body, thread, annotations, stmt.step)
    if isinstance(stmt, tir.IfThenElse):
        other = _plain(stmt.else_case, buffers) if stmt.else_case is not None else None
        return tir.IfThenElse(stmt.condition, _plain(stmt.then_case, buffers), other)
    if isinstance(stmt, tir.While):
        return tir.While(stmt.condition, _plain(stmt.body, buffers))
    if isinstance(stmt, tir.AttrStmt):
        return tir.AttrStmt(stmt.node, stmt.attr_key, stmt.value, _plain(stmt.body, buffers))
    return stmt


def outline(func: tir.PrimFunc) -> list[str]:
    """Names of the device calls of ``func`` in program order."""
    names: list[str] = []

    def visit(node: object) -> None:
        if isinstance(node, tir.Call) and isinstance(node.op, tvm.ir.Op) and node.op.name.startswith("tt."):
            names.append(node.op.name.removeprefix("tt."))

    for stmt in statements_of(func.body):
        tir.stmt_functor.post_order_visit(stmt, visit)
    return names
