"""Split the program into the three kernels of a Tensix core.

Why: reader, compute and writer are separate programs that meet only in circular buffers. Each keeps the loops and
branches around its own statements, so that the three make the same sequence of blocks.

Before::

    for work in serial(...):
        tt.noc_async_read_page(...); tt.cb_push_back(A_shared, 4)
        tt.cb_wait_front(A_shared, 4); tt.matmul_block(...)

After::

    main_reader:  for work in serial(...): tt.noc_async_read_page(...); tt.cb_push_back(A_shared, 4)
    main_compute: for work in serial(...): tt.cb_wait_front(A_shared, 4); tt.matmul_block(...)
    (each with attributes tt_role, tt_core_arguments, tt_common_arguments, tt_tensors)
"""

from __future__ import annotations

import tvm
from tvm import tirx as tir

from .accesses import COMPUTE, READER, ROLES, WRITER
from .base import LoweringContext
from .grid_to_persistent_tt import WORK_COUNT, WORK_START
from .memory_space_lower_tt import CircularBuffer, circular_buffers
from .ops import device_name, do, is_device_call
from .tile_ir import sequence, statements_of, with_body, with_span_of

_PRODUCER_CALLS = ("cb_reserve_back", "cb_push_back", "get_write_ptr")
_CONSUMER_CALLS = ("cb_wait_front", "cb_pop_front", "get_read_ptr")
_ROLE_OF_CALL = {
    "noc_async_read_page": READER,
    "noc_async_read_barrier": READER,
    "fill_zero_tile": READER,
    "fill_index_tile": READER,
    "noc_async_write_page": WRITER,
    "noc_async_writes_flushed": WRITER,
    "noc_async_write_barrier": WRITER,
}


def split_roles(module: tvm.IRModule, context: LoweringContext) -> tvm.IRModule:
    """One PrimFunc per role that has work, named ``<function>_<role>``."""
    functions = {}
    for name, func in module.functions.items():
        symbol = str(func.attrs["global_symbol"]) if "global_symbol" in func.attrs else name.name_hint
        for role in ROLES:
            kernel = _role_function(func, role)
            if kernel is not None:
                functions[f"{symbol}_{role}"] = kernel.with_attr("global_symbol", f"{symbol}_{role}")
    return tvm.IRModule(functions)


def _role_function(func: tir.PrimFunc, role: str) -> tir.PrimFunc | None:
    rings = circular_buffers(func)
    parts = [p for p in statements_of(func.body) if not isinstance(p, tir.AllocBuffer)]
    kept = _keep(parts, role, rings)
    if not kept:
        return None
    if role == WRITER:
        kept.append(do("noc_async_write_barrier"))
    body = sequence(kept)
    used = _used_variables(body)
    tensors = [func.buffer_map[p] for p in func.params if p in func.buffer_map]
    scalars = [p for p in func.params if p not in func.buffer_map]
    own_tensors = [b.name for b in tensors if any(v.same_as(b.data) for v in used)]
    core = [v for v in used if v.name in (WORK_START, WORK_COUNT)]
    symbols = [v for b in tensors for v in (*b.shape, *b.strides) if isinstance(v, tir.Var)]
    common: list[tir.Var] = []
    for var in (*symbols, *scalars):
        if any(var.same_as(u) for u in used) and not any(var.same_as(c) for c in common):
            common.append(var)
    core.sort(key=lambda v: (WORK_START, WORK_COUNT).index(v.name))
    kernel = tir.PrimFunc(func.params, body, None, func.buffer_map, func.attrs)
    return (
        kernel.with_attr("tt_role", role)
        .with_attr("tt_core_arguments", [v.name for v in core])
        .with_attr("tt_common_arguments", [v.name for v in common])
        .with_attr("tt_tensors", own_tensors)
    )


def _keep(statements: list[tir.Stmt], role: str, rings: dict[str, CircularBuffer]) -> list[tir.Stmt]:
    """The statements of ``role``; control flow without any is dropped, and so are Binds that nothing uses."""
    kept: list[tir.Stmt] = []
    for stmt in statements:
        if isinstance(stmt, (tir.For, tir.While)):
            body = _keep(statements_of(stmt.body), role, rings)
            if body:
                loop = sequence(body)
                rebuilt = with_body(stmt, loop) if isinstance(stmt, tir.For) else tir.While(stmt.condition, loop)
                kept.append(with_span_of(rebuilt, stmt))
        elif isinstance(stmt, tir.IfThenElse):
            kept += _keep_branch(stmt, role, rings)
        elif isinstance(stmt, tir.Bind):
            if not is_device_call(stmt.value) or _role_of(stmt.value, rings) == role:
                kept.append(stmt)
        elif isinstance(stmt, tir.Evaluate) and is_device_call(stmt.value):
            if _role_of(stmt.value, rings) == role:
                kept.append(stmt)
        else:
            kept.append(stmt)
    return _without_unused_binds(kept)


def _keep_branch(stmt: tir.IfThenElse, role: str, rings: dict[str, CircularBuffer]) -> list[tir.Stmt]:
    then = _keep(statements_of(stmt.then_case), role, rings)
    other = _keep(statements_of(stmt.else_case), role, rings) if stmt.else_case is not None else []
    if not then and not other:
        return []
    if not then:
        return [with_span_of(tir.IfThenElse(tir.Not(stmt.condition), sequence(other), None), stmt)]
    return [with_span_of(tir.IfThenElse(stmt.condition, sequence(then), sequence(other) if other else None), stmt)]


def _role_of(call: tir.Call, rings: dict[str, CircularBuffer]) -> str:
    name = device_name(call)
    if name in _PRODUCER_CALLS:
        return rings[call.args[0].name].producer
    if name in _CONSUMER_CALLS:
        return rings[call.args[0].name].consumer
    return _ROLE_OF_CALL.get(name, COMPUTE)


def _without_unused_binds(statements: list[tir.Stmt]) -> list[tir.Stmt]:
    if all(isinstance(stmt, tir.Bind) for stmt in statements):
        return []
    kept: list[tir.Stmt] = []
    used: list[tir.Var] = []
    for stmt in reversed(statements):
        if isinstance(stmt, tir.Bind) and not any(stmt.var.same_as(v) for v in used):
            continue
        used += _used_variables(stmt)
        kept.append(stmt)
    kept.reverse()
    return kept


def _used_variables(stmt: tir.Stmt) -> list[tir.Var]:
    """Variables that expressions of ``stmt`` mention, each once."""
    found: dict[int, tir.Var] = {}

    def visit(node: object) -> None:
        if isinstance(node, tir.Var):
            found.setdefault(hash(node), node)

    tir.stmt_functor.post_order_visit(stmt, visit)
    return list(found.values())
