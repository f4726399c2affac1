"""Decide which core does which block of the grid.

Why: TileLang launches a grid of blocks; a Tensix program runs one long-lived kernel per core. The grid is flattened (x
fastest) and cut into contiguous shares, so that neighbouring blocks, which share operands, stay on one core.

Before::

    for bx in thread_binding(8, "blockIdx.x"):
        for by in thread_binding(16, "blockIdx.y"): ...

After::

    func_attr({"tt_grid_x": 8, "tt_grid_y": 16, "tt_grid_z": 1, "tt_num_tiles": 128,
               "tt_num_cores": 64, "tt_tiles_per_core": 2})
"""

from __future__ import annotations

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext

GRID_AXES = ("x", "y", "z")


def infer_default_tt_schedule(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Attach the grid and its division among cores (``tt_num_tiles`` counts blocks of work)."""
    policy = str(func.attrs["tt_schedule_policy"])
    if policy != "contiguous":
        raise UnsupportedError(f"tt_schedule_policy {policy!r} is unknown", hint="use 'contiguous'")
    extents = {axis: extent for axis, _, extent in grid_loops(func)}
    total: tir.PrimExpr = tir.IntImm("int32", 1)
    for axis in GRID_AXES:
        extent = extents.get(axis, tir.IntImm("int32", 1))
        func = func.with_attr(f"tt_grid_{axis}", extent)
        total = total * extent
    total = tvm.arith.Analyzer().simplify(total)
    cores: tir.PrimExpr = tir.IntImm("int32", context.target.num_cores)
    if isinstance(total, tir.IntImm):
        cores = tir.IntImm("int32", max(1, min(int(total.value), context.target.num_cores)))
    per_core = tvm.arith.Analyzer().simplify(tir.floordiv(total + cores - 1, cores))
    return (
        func.with_attr("tt_num_tiles", total).with_attr("tt_num_cores", cores).with_attr("tt_tiles_per_core", per_core)
    )


def grid_loops(func: tir.PrimFunc) -> list[tuple[str, tir.Var, tir.PrimExpr]]:
    """(axis, loop variable, extent) of the ``blockIdx`` loops, outermost first."""
    found: list[tuple[str, tir.Var, tir.PrimExpr]] = []

    def visit(stmt: tir.Stmt) -> None:
        if isinstance(stmt, tir.SeqStmt):
            for child in stmt.seq:
                visit(child)
        elif isinstance(stmt, tir.For) and stmt.kind == tir.ForKind.THREAD_BINDING:
            extent = tvm.arith.Analyzer().simplify(stmt.extent)
            found.append((str(stmt.thread_binding.thread_tag)[-1], stmt.loop_var, extent))
            visit(stmt.body)

    visit(func.body)
    return found
