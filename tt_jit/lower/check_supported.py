"""Refuse what has no lowering, at the user's line, before any pass works on it.

Why: an unknown operation must never be dropped or reach the printer. Constructs that exist only on GPUs (warp shuffles,
barriers, PTX, tensor-memory) are told apart from what is not supported yet.

Before::

    T.ptx_mma(...)

After: UnsupportedError (category ``gpu_only``) with file, line and caret.
"""

from __future__ import annotations

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .ops import is_device_call
from .scalar_code import COPY_TILES, SCALAR_DTYPES, SCALAR_FUNCTIONS
from .tile_ir import is_scalar_code, is_scalar_variable, leaves, parse, rewrite, sequence, tile_operator_name

_GPU_WORDS = (
    "ptx",
    "mma",
    "wgmma",
    "tma",
    "warp",
    "mbarrier",
    "cp_async",
    "tcgen05",
    "shfl",
    "cluster",
    "ldmatrix",
    "nvcc",
)
_GPU_SCOPES = ("shared.barrier", "shared.tmem", "local.descriptor")
_HINTS = (
    "tirx.tvm_storage_sync",
    "tl.no_set_max_nreg",
    "tl.set_max_nreg",
    "tirx.assume",
    "tl.annotate_producer_reg_dealloc",
)


def check_supported(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Return ``func`` without compiler hints; raise UnsupportedError for anything without a lowering."""
    _refuse_threads(func.body)
    for stmt in leaves(func.body):
        if is_scalar_code(stmt):
            for part in leaves(stmt.body):
                _check_scalar_code(part)
        elif isinstance(stmt, tir.AllocBuffer):
            _check_buffer(stmt)
        elif isinstance(stmt, tir.Bind) or (isinstance(stmt, tir.BufferStore) and is_scalar_variable(stmt.buffer)):
            continue
        elif parse(stmt) is None and not _is_hint(stmt) and not _is_device_call(stmt):
            raise _refusal(stmt)
    return func.with_body(rewrite(func.body, lambda stmt: sequence([]) if _is_hint(stmt) else None))


def _refuse_threads(stmt: tir.Stmt) -> None:
    """Raise at the innermost statement that depends on the number of its thread."""
    if isinstance(stmt, tir.SeqStmt):
        for child in stmt.seq:
            _refuse_threads(child)
        return
    own: list[tir.PrimExpr] = []
    if isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL:
        _refuse_threads(stmt.body)
        own = [stmt.min, stmt.extent]
    elif isinstance(stmt, tir.IfThenElse):
        own = [stmt.condition]
        for case in (stmt.then_case, stmt.else_case):
            if case is not None:
                _refuse_threads(case)
    part = sequence([tir.Evaluate(expr) for expr in own]) if own else stmt
    if _mentions_thread(part):
        raise UnsupportedError(
            "code for single threads (T.get_thread_binding)",
            hint="write the work of all threads as T.Parallel over the block",
            at=stmt,
        )


def _mentions_thread(stmt: tir.Stmt) -> bool:
    found = False

    def visit(node: object) -> None:
        nonlocal found
        if isinstance(node, tir.Call) and _name(node) == "tl.launch_thread_idx":
            found = True

    tir.stmt_functor.post_order_visit(stmt, visit)
    return found


def _check_buffer(stmt: tir.AllocBuffer) -> None:
    scope = stmt.buffer.scope()
    if scope in _GPU_SCOPES:
        raise UnsupportedError(f"{stmt.buffer.name} lives in {scope} memory", category="gpu_only", at=stmt)


def _check_scalar_code(stmt: tir.Stmt) -> None:
    """Refuse calls and dtypes that code for single elements has no C++ for."""

    def visit(node: object) -> None:
        if isinstance(node, tir.Call) and _name(node).split(".")[-1] not in (*SCALAR_FUNCTIONS, COPY_TILES):
            calls.append(_name(node))
        if isinstance(node, (tir.BufferLoad, tir.BufferStore)) and str(node.buffer.dtype) not in SCALAR_DTYPES:
            dtypes.append(str(node.buffer.dtype))

    calls: list[str] = []
    dtypes: list[str] = []
    tir.stmt_functor.post_order_visit(stmt, visit)
    if calls and isinstance(stmt, tir.Evaluate):
        raise _refusal(stmt)
    gpu_only = next((name for name in calls if _is_gpu_only(name)), None)
    if gpu_only is not None:
        raise UnsupportedError(f"{gpu_only} is a GPU instruction", category="gpu_only", at=stmt)
    if calls:
        raise UnsupportedError(
            f"T.{calls[0].split('.')[-1]} in code for single elements",
            hint="compute it with T.Parallel over a tile, which the vector unit does",
            at=stmt,
        )
    if dtypes:
        raise UnsupportedError(f"{dtypes[0]} in code for single elements", at=stmt)


def _is_gpu_only(name: str) -> bool:
    return any(word in name.lower() for word in _GPU_WORDS)


def _is_hint(stmt: tir.Stmt) -> bool:
    return isinstance(stmt, tir.Evaluate) and isinstance(stmt.value, tir.Call) and _name(stmt.value) in _HINTS


def _is_device_call(stmt: tir.Stmt) -> bool:
    """Whether an earlier pass has lowered the statement already."""
    return isinstance(stmt, tir.Evaluate) and is_device_call(stmt.value)


def _name(call: tir.Call) -> str:
    return call.op.name if isinstance(call.op, tvm.ir.Op) else str(call.op)


def _refusal(stmt: tir.Stmt) -> UnsupportedError:
    if isinstance(stmt, tir.BufferStore):
        where = stmt.buffer.scope() or "global"
        return UnsupportedError(
            f"the element store to {stmt.buffer.name} ({where}) outside of T.Parallel",
            hint="write it as T.Parallel over a tile, or with T.copy",
            at=stmt,
        )
    if isinstance(stmt, tir.For):
        return UnsupportedError(
            "this T.Parallel loop (run-time extent, or more than one statement form)",
            hint="use compile-time extents and element-wise stores",
            at=stmt,
        )
    if not isinstance(stmt, tir.Evaluate) or not isinstance(stmt.value, tir.Call):
        return UnsupportedError(f"a {type(stmt).__name__} statement", at=stmt)
    name = _name(stmt.value)
    if name == "tirx.call_extern" and stmt.value.args:
        function = str(stmt.value.args[0].value)
        return UnsupportedError(f"the CUDA function {function} (T.call_extern)", category="gpu_only", at=stmt)
    if _is_gpu_only(name):
        return UnsupportedError(f"{name} is a GPU instruction", category="gpu_only", at=stmt)
    operator = tile_operator_name(stmt)
    return UnsupportedError(f"the operation T.{operator}" if operator else f"the call {name}", at=stmt)
