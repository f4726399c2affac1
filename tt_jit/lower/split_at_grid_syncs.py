"""Make one launch of every part of a launch between ``T.sync_grid`` calls.

Why: all blocks wait there for each other. On the chip the blocks of a launch share cores, and wait for nobody; that all
blocks are done is known between launches. What a block has in tensors is still there afterwards, what it had on chip
is not.

Before::

    for bx in thread_binding(64, "blockIdx.x"): copy(x, W[bx, 0]); sync_grid(); copy(W[63 - bx, 0], x); ...

After::

    for bx in thread_binding(64, "blockIdx.x"): copy(x, W[bx, 0])
    for bx in thread_binding(64, "blockIdx.x"): copy(W[63 - bx, 0], x); ...
"""

from __future__ import annotations

import math

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .tile_ir import (
    GLOBAL_SCOPE,
    Elementwise,
    TileReduce,
    is_const_int,
    leaves,
    parse,
    region_of,
    sequence,
    statements_of,
    with_body,
)

_WRITE_ONLY = 2


def split_at_grid_syncs(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Split the launches of ``func``; the names bound before a wait are bound again after it."""
    if not _waits(func.body):
        return func
    return func.with_body(sequence(part for stmt in statements_of(func.body) for part in _launches(stmt)))


def _launches(stmt: tir.Stmt) -> list[tir.Stmt]:
    if not _waits(stmt):
        return [stmt]
    if not isinstance(stmt, tir.For) or stmt.kind != tir.ForKind.THREAD_BINDING:
        raise UnsupportedError(
            "T.sync_grid inside a loop or a condition", hint="wait between the statements of the block", at=stmt
        )
    statements = statements_of(stmt.body)
    if len(statements) == 1 and not _is_wait(statements[0]):
        return [with_body(stmt, part) for part in _launches(statements[0])]
    parts = _parts(statements)
    for number, part in enumerate(parts):
        _check_starts_empty(part, parts[:number])
    return [with_body(stmt, sequence(part)) for part in parts]


def _parts(statements: list[tir.Stmt]) -> list[list[tir.Stmt]]:
    binds: list[tir.Stmt] = []
    parts: list[list[tir.Stmt]] = [[]]
    for stmt in statements:
        if _is_wait(stmt):
            parts.append(list(binds))
        elif _waits(stmt):
            _launches(stmt)
        else:
            binds += [stmt] if isinstance(stmt, tir.Bind) else []
            parts[-1].append(stmt)
    return [part for part in parts if not all(isinstance(stmt, tir.Bind) for stmt in part)]


def _is_wait(stmt: object) -> bool:
    if not isinstance(stmt, tir.Evaluate) or not isinstance(stmt.value, tir.Call):
        return False
    return isinstance(stmt.value.op, tvm.ir.Op) and stmt.value.op.name == "tl.sync_grid"


def _waits(stmt: tir.Stmt) -> bool:
    return any(_is_wait(leaf) for leaf in leaves(stmt))


# ---- what a part finds on chip -------------------------------------------------------------------------------------


def _check_starts_empty(part: list[tir.Stmt], earlier: list[list[tir.Stmt]]) -> None:
    """No buffer that an earlier part used is read before it is overwritten."""
    used = {buffer.name for before in earlier for stmt in before for buffer in _on_chip(stmt)}
    for leaf in (leaf for stmt in part for leaf in leaves(stmt)):
        overwritten = _overwritten(leaf)
        for buffer in _on_chip(leaf):
            if buffer.name in used and buffer.name != overwritten:
                raise UnsupportedError(
                    f"{buffer.name} keeps its content on chip over T.sync_grid",
                    hint="store it to a tensor before, and load it again after",
                    at=leaf,
                )
            used.discard(buffer.name)


def _on_chip(stmt: tir.Stmt) -> list[tir.Buffer]:
    found: dict[str, tir.Buffer] = {}

    def visit(node: object) -> None:
        if isinstance(node, (tir.BufferLoad, tir.BufferStore)) and node.buffer.scope() != GLOBAL_SCOPE:
            found[node.buffer.name] = node.buffer

    tir.stmt_functor.post_order_visit(stmt, visit)
    return list(found.values())


def _overwritten(leaf: tir.Stmt) -> str | None:
    """The buffer that ``leaf`` writes completely without reading it."""
    record = parse(leaf)
    if isinstance(leaf, tir.BufferStore):
        record = Elementwise(loop_vars=(), extents=(), store=leaf)
    if isinstance(record, Elementwise):
        store = record.store
        loads = [buffer.name for buffer in _on_chip(tir.Evaluate(store.value))]
        size = math.prod(int(extent) for extent in store.buffer.shape)
        whole = math.prod(record.extents) >= size
        return str(store.buffer.name) if whole and store.buffer.name not in loads else None
    if not isinstance(leaf, tir.Evaluate) or not isinstance(leaf.value, tir.Call):
        return None
    if isinstance(record, TileReduce) and not record.clear:
        return None
    regions = [arg for arg in leaf.value.args if isinstance(arg, tir.Call) and "region" in str(arg.op)]
    written = [region_of(arg) for arg in regions if is_const_int(arg.args[1], _WRITE_ONLY)]
    return next((str(region.buffer.name) for region in written if region.is_whole), None)
