"""Make one function of every ``T.Kernel``, and parameters of the workspaces between them.

Why: TileLang runs the kernels of one PrimFunc in order, each after all blocks of the one before; on the chip each is a
program of its own. The functions keep all parameters, so that tensors keep their places. A ``T.alloc_global`` buffer
outlives a program, hence becomes a tensor behind the parameters, which the runtime allocates.

Before::

    W = alloc_buffer((64, 64), scope="global"); S = alloc_buffer((32, 64), scope="shared"); ...
    for bx in thread_binding(2, "blockIdx.x"): ...          # writes W
    for bx in thread_binding(4, "blockIdx.x"): ...          # reads W

After::

    main_1(A, C, W): S = alloc_buffer(...); for bx in thread_binding(2, "blockIdx.x"): ...
    main_2(A, C, W): S_1 = alloc_buffer(...); for bx in thread_binding(4, "blockIdx.x"): ...
    (each with attributes tt_program: 1 or 2, tt_workspaces: ["W"])

A function with one kernel keeps its name.
"""

from __future__ import annotations

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .tile_ir import GLOBAL_SCOPE, sequence, statements_of

PROGRAM_ATTRIBUTE = "tt_program"
WORKSPACES_ATTRIBUTE = "tt_workspaces"


def split_kernels(module: tvm.IRModule, context: LoweringContext) -> tvm.IRModule:
    """One PrimFunc per ``T.Kernel``, in order, with ``tt_program`` and ``tt_workspaces``."""
    functions: dict[object, tir.PrimFunc] = {}
    for name, func in module.functions.items():
        split = _split(func)
        if len(split) == 1:
            functions[name] = split[0].with_attr(PROGRAM_ATTRIBUTE, 1)
            continue
        for number, kernel in enumerate(split, start=1):
            symbol = f"{symbol_of(func, name.name_hint)}_{number}"
            functions[symbol] = kernel.with_attr(PROGRAM_ATTRIBUTE, number).with_attr("global_symbol", symbol)
    return tvm.IRModule(functions)


def symbol_of(func: tir.PrimFunc, default: str) -> str:
    """The function's name in the user's program."""
    return str(func.attrs["global_symbol"]) if func.attrs and "global_symbol" in func.attrs else default


def workspaces_of(func: tir.PrimFunc) -> frozenset[str]:
    """Names of the tensors that are no parameters of the user's function."""
    return frozenset(str(name) for name in func.attrs[WORKSPACES_ATTRIBUTE])


def _split(func: tir.PrimFunc) -> list[tir.PrimFunc]:
    parts = statements_of(func.body)
    allocations = [part for part in parts if isinstance(part, tir.AllocBuffer)]
    workspaces = [part.buffer for part in allocations if part.buffer.scope() == GLOBAL_SCOPE]
    on_chip = [part for part in allocations if part.buffer.scope() != GLOBAL_SCOPE]
    bodies = [part for part in parts if not isinstance(part, tir.AllocBuffer)]
    params, buffer_map = list(func.params), dict(func.buffer_map.items())
    for buffer in workspaces:
        param = tir.Var(f"{buffer.name}_handle", "handle")
        params.append(param)
        buffer_map[param] = buffer
    if sum(map(_is_kernel, bodies)) > 1:
        for body in bodies:
            if not _is_kernel(body):
                raise UnsupportedError(
                    "a statement between two T.Kernel blocks",
                    hint="move it into one of the kernels",
                    at=body,
                )
        programs = [[*_used(on_chip, body), body] for body in bodies]
    else:
        programs = [[*on_chip, *bodies]]
    names = [buffer.name for buffer in workspaces]
    return [
        tir.PrimFunc(params, sequence(body), func.ret_type, buffer_map, func.attrs).with_attr(
            WORKSPACES_ATTRIBUTE, names
        )
        for body in programs
    ]


def _is_kernel(stmt: tir.Stmt) -> bool:
    return isinstance(stmt, tir.For) and stmt.kind == tir.ForKind.THREAD_BINDING


def _used(allocations: list[tir.AllocBuffer], body: tir.Stmt) -> list[tir.AllocBuffer]:
    """The allocations that ``body`` uses."""
    names: set[str] = set()

    def visit(node: object) -> None:
        if isinstance(node, (tir.BufferLoad, tir.BufferStore)):
            names.add(node.buffer.name)

    tir.stmt_functor.post_order_visit(body, visit)
    return [part for part in allocations if part.buffer.name in names]
