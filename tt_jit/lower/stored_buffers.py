"""Which buffers statements of a traced kernel write: what a value was read from may change before its use."""

from __future__ import annotations

from collections.abc import Sequence

import tvm
from tvm import tirx as tir

from .tile_ir import loads_in

_WRITES = 2


def may_change(value: tir.PrimExpr, statements: Sequence[tir.Stmt]) -> bool:
    """Whether ``statements`` write a buffer that ``value`` reads."""
    loaded = {load.buffer.data for load in loads_in(value)}
    return bool(loaded) and not loaded.isdisjoint(stored_in(statements))


def stored_in(statements: Sequence[tir.Stmt]) -> set[tir.Var]:
    """The data of all buffers that ``statements`` write."""
    found: set[tir.Var] = set()

    def visit(node: object) -> None:
        if isinstance(node, tir.BufferStore):
            found.add(node.buffer.data)
        elif isinstance(node, tir.Call) and isinstance(node.op, tvm.ir.Op):
            if node.op.name == "tl.region" and int(node.args[1].value) & _WRITES:
                found.add(node.args[0].buffer.data)
            elif "atomic" in node.op.name or node.op.name == "tl.reducer_update":
                targets = (load for arg in node.args[:1] for load in loads_in(arg))
                found.update(load.buffer.data for load in targets)

    for stmt in statements:
        tir.stmt_functor.post_order_visit(stmt, visit)
    return found
