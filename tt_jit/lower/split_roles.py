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

from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir

from ..errors import InternalError
from .accesses import COMPUTE, READER, ROLES, WRITER
from .base import LoweringContext
from .grid_to_persistent_tt import WORK_COUNT, WORK_START
from .lower_debug_statements import FAIL_ASSERTION
from .memory_space_lower_tt import CircularBuffer, circular_buffers, mailbox_name
from .ops import call, device_name, do, is_device_call, is_scalar_read
from .resolve_tensor_views import argument_shape
from .tensor_layout import tensor_layout
from .tile_ir import (
    ARRAY_SCOPE,
    is_scalar_code,
    is_scalar_variable,
    leaves,
    sequence,
    statements_of,
    with_body,
    with_span_of,
)

_PRODUCER_CALLS = ("cb_reserve_back", "cb_push_back", "get_write_ptr", "scratch_base")
_CONSUMER_CALLS = ("cb_wait_front", "cb_pop_front", "get_read_ptr")
_ROLE_OF_CALL = {
    FAIL_ASSERTION: READER,
    "noc_async_read_page": READER,
    "noc_async_read_barrier": READER,
    "fill_zero_tile": READER,
    "fill_index_tile": READER,
    "open_line": READER,
    "fetch_element": READER,
    "put_lane": READER,
    "read_stick": READER,
    "write_stick": WRITER,
    "open_writer_line": WRITER,
    "fetch_index": WRITER,
    "store_element": WRITER,
    "clear_padding": WRITER,
    "clear_flat_padding": WRITER,
    "noc_async_write_page": WRITER,
    "noc_async_writes_flushed": WRITER,
    "noc_async_write_barrier": WRITER,
}


def split_roles(module: tvm.IRModule, context: LoweringContext) -> tvm.IRModule:
    """One PrimFunc per role that has work, named ``<function>_<role>``."""
    functions = {}
    for name, func in module.functions.items():
        symbol = str(func.attrs["global_symbol"]) if "global_symbol" in func.attrs else name.name_hint
        if not func.attrs.get("tt_ir_validated", False):
            raise InternalError("verify_tt_ir has not run")
        bodies = _role_bodies(func)
        for role in ROLES:
            kernel = _role_function(func, role, bodies[role])
            if kernel is not None:
                functions[f"{symbol}_{role}"] = kernel.with_attr("global_symbol", f"{symbol}_{role}")
    return tvm.IRModule(functions)


def _role_bodies(func: tir.PrimFunc) -> dict[str, list[tir.Stmt]]:
    """The statements of every role; the reader sends a scalar to exactly the roles that use it."""
    parts = [p for p in statements_of(func.body) if not _is_tile_allocation(p)]
    splitters = {role: _Splitter(role=role, rings=circular_buffers(func)) for role in (COMPUTE, WRITER)}
    bodies = {role: splitter.body(parts) for role, splitter in splitters.items()}
    receivers = {role: splitter.received for role, splitter in splitters.items()}
    reader = _Splitter(role=READER, rings=circular_buffers(func), receivers=receivers)
    return {READER: reader.body(parts), **bodies}


def _is_tile_allocation(stmt: tir.Stmt) -> bool:
    if not isinstance(stmt, tir.AllocBuffer):
        return False
    return not is_scalar_variable(stmt.buffer) and stmt.buffer.scope() != ARRAY_SCOPE


def _role_function(func: tir.PrimFunc, role: str, kept: list[tir.Stmt]) -> tir.PrimFunc | None:
    if not any(not isinstance(stmt, tir.AllocBuffer) for stmt in kept):
        return None
    if role == WRITER:
        kept.append(do("noc_async_write_barrier"))
    body = sequence(kept)
    used = _used_variables(body)
    tensors = [func.buffer_map[p] for p in func.params if p in func.buffer_map]
    scalars = [p for p in func.params if p not in func.buffer_map]
    own_tensors = [b.name for b in tensors if any(v.same_as(b.data) for v in used)]
    # The kernel computes the page size of a tensor whose rows have a run-time length.
    used += [v for b in tensors if b.name in own_tensors for v in _row_length(func, b)]
    core = [v for v in used if v.name in (WORK_START, WORK_COUNT)]
    symbols = [v for b in tensors for v in (*argument_shape(func, b), *b.strides) if isinstance(v, tir.Var)]
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


def _row_length(func: tir.PrimFunc, tensor: tir.Buffer) -> list[tir.Var]:
    """The symbols in the length of a row-major tensor's rows."""
    if tensor_layout(func, tensor).kind != "row_major" or len(tensor.shape) == 0:
        return []
    return _used_variables(tir.Evaluate(tensor.shape[-1]))


@dataclass(kw_only=True)
class _Splitter:
    """Keeps the statements of one role; control flow without any is dropped, and so are values that nothing uses."""

    role: str
    rings: dict[str, CircularBuffer]
    receivers: dict[str, set[str]] = field(default_factory=dict)
    received: set[str] = field(default_factory=set)

    def body(self, statements: list[tir.Stmt]) -> list[tir.Stmt]:
        """The role's statements; repeated, because dropping a store can make another value unused."""
        kept = self.keep(statements, frozenset())
        while True:
            live = frozenset(v.name for stmt in kept for v in _loaded_variables(stmt))
            again = self.keep(statements, live)
            if len(_leaf_list(again)) == len(_leaf_list(kept)) and self.stable(kept, again):
                self.received = {s.var.name for s in _leaf_list(again) if _is_receive(s)}
                return again
            kept = again

    @staticmethod
    def stable(one: list[tir.Stmt], other: list[tir.Stmt]) -> bool:
        return bool(tvm.ir.structural_equal(sequence(one), sequence(other), map_free_vars=True))

    def keep(self, statements: list[tir.Stmt], live: frozenset[str]) -> list[tir.Stmt]:
        """The statements of the role; ``live`` are the integer variables that it reads."""
        kept: list[tir.Stmt] = []
        for stmt in statements:
            kept += self.keep_one(stmt, live)
        return _without_unused_binds(kept)

    def keep_one(self, stmt: tir.Stmt, live: frozenset[str]) -> list[tir.Stmt]:
        if isinstance(stmt, (tir.For, tir.While)):
            body = self.keep(statements_of(stmt.body), live)
            if not body:
                return []
            loop = sequence(body)
            rebuilt = with_body(stmt, loop) if isinstance(stmt, tir.For) else tir.While(stmt.condition, loop)
            return [with_span_of(rebuilt, stmt)]
        if isinstance(stmt, tir.IfThenElse):
            return self.keep_branch(stmt, live)
        if is_scalar_read(stmt):
            return self.scalar(stmt)
        if isinstance(stmt, tir.Bind):
            mine = not is_device_call(stmt.value) or _role_of(stmt.value, self.rings) == self.role
            return [stmt] if mine else []
        if isinstance(stmt, tir.Evaluate) and is_device_call(stmt.value):
            return [stmt] if _role_of(stmt.value, self.rings) == self.role else []
        if is_scalar_code(stmt) or (isinstance(stmt, tir.AllocBuffer) and stmt.buffer.scope() == ARRAY_SCOPE):
            return [stmt] if self.role == READER else []
        if isinstance(stmt, (tir.BufferStore, tir.AllocBuffer)):
            return [stmt] if stmt.buffer.name in live else []
        return [stmt]

    def keep_branch(self, stmt: tir.IfThenElse, live: frozenset[str]) -> list[tir.Stmt]:
        then = self.keep(statements_of(stmt.then_case), live)
        other = self.keep(statements_of(stmt.else_case), live) if stmt.else_case is not None else []
        if not then and not other:
            return []
        if not then:
            return [with_span_of(tir.IfThenElse(tir.Not(stmt.condition), sequence(other), None), stmt)]
        branch = tir.IfThenElse(stmt.condition, sequence(then), sequence(other) if other else None)
        return [with_span_of(branch, stmt)]

    def scalar(self, stmt: tir.Bind) -> list[tir.Stmt]:
        """The reader fetches the value and sends it on; the others receive it."""
        if self.role != READER:
            received = call("receive_scalar", self.mailbox(self.role), dtype=str(stmt.var.dtype))
            return [with_span_of(tir.Bind(stmt.var, received), stmt)]
        sends = [
            do("send_scalar", self.mailbox(role), stmt.var)
            for role, names in self.receivers.items()
            if stmt.var.name in names
        ]
        return [with_span_of(part, stmt) for part in (stmt, *sends)]

    @staticmethod
    def mailbox(role: str) -> tir.Var:
        return tir.Var(mailbox_name(role), "handle")


def _is_receive(stmt: tir.Stmt) -> bool:
    return isinstance(stmt, tir.Bind) and is_device_call(stmt.value) and device_name(stmt.value) == "receive_scalar"


def _leaf_list(statements: list[tir.Stmt]) -> list[tir.Stmt]:
    return [leaf for stmt in statements for leaf in leaves(stmt)]


def _loaded_variables(stmt: tir.Stmt) -> list[tir.Buffer]:
    """Integer variables that ``stmt`` reads."""
    found: list[tir.Buffer] = []

    def visit(node: object) -> None:
        if isinstance(node, tir.BufferLoad) and is_scalar_variable(node.buffer):
            found.append(node.buffer)

    tir.stmt_functor.post_order_visit(stmt, visit)
    return found


def _role_of(device_call: tir.Call, rings: dict[str, CircularBuffer]) -> str:
    name = device_name(device_call)
    if name in _PRODUCER_CALLS:
        return rings[device_call.args[0].name].producer
    if name in _CONSUMER_CALLS:
        return rings[device_call.args[0].name].consumer
    if name.startswith("update_element_"):
        return WRITER
    if name.startswith(("scatter_", "gather_")):
        return READER if name.startswith("scatter_") else WRITER
    return _ROLE_OF_CALL.get(name, COMPUTE)


def _without_unused_binds(statements: list[tir.Stmt]) -> list[tir.Stmt]:
    if all(isinstance(stmt, tir.Bind) and not is_device_call(stmt.value) for stmt in statements):
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
