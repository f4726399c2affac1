"""Turn the launch grid into one loop over this core's share of blocks.

Why: a Tensix core runs one program for its whole share; block indices are computed from the number of the block, so
that one kernel text serves every core and only ``work_start`` and ``work_count`` differ.

Before::

    for bx in thread_binding(8, "blockIdx.x"):
        for by in thread_binding(16, "blockIdx.y"): body

After::

    for work in serial(work_start, work_start + work_count):
        bx = work % 8
        by = work // 8
        body
"""

from __future__ import annotations

from tvm import tirx as tir

from .base import LoweringContext
from .infer_default_tt_schedule import GRID_AXES, grid_loops
from .tile_ir import is_const_int, parse, sequence, statements_of

WORK_START = "work_start"
WORK_COUNT = "work_count"


def grid_to_persistent_tt(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Replace the ``blockIdx`` loops by a persistent loop; the free variables become per-core arguments."""
    loops = {axis: (var, func.attrs[f"tt_grid_{axis}"]) for axis, var, _ in grid_loops(func)}
    start, count = tir.Var(WORK_START, "int32"), tir.Var(WORK_COUNT, "int32")
    work = tir.Var("work", "int32")
    binds, rest = [], work
    present = [axis for axis in GRID_AXES if axis in loops]
    fixed = {}
    for axis in present:
        var, extent = loops[axis]
        if is_const_int(extent, 1):
            fixed[var] = tir.IntImm("int32", 0)
            continue
        last = all(is_const_int(loops[other][1], 1) for other in present[present.index(axis) + 1 :])
        binds.append(tir.Bind(var, rest if last else tir.floormod(rest, extent)))
        if not last:
            rest = tir.floordiv(rest, extent)
    before, body = _split(func.body)
    if fixed:
        body = tir.stmt_functor.substitute(body, fixed)
    loop = tir.For(work, start, count, tir.ForKind.SERIAL, sequence([*binds, body]))
    return func.with_body(sequence([*before, loop]))


def _split(stmt: tir.Stmt) -> tuple[list[tir.Stmt], tir.Stmt]:
    """Allocations and other statements before the grid loops, and the body inside them."""
    parts = statements_of(stmt)
    before = [part for part in parts if isinstance(part, tir.AllocBuffer) or parse(part) is not None]
    body = sequence([part for part in parts if not any(part.same_as(other) for other in before)])
    if not any(isinstance(part, tir.For) and part.kind == tir.ForKind.THREAD_BINDING for part in parts):
        before = [part for part in parts if isinstance(part, tir.AllocBuffer)]
        body = sequence([part for part in parts if not isinstance(part, tir.AllocBuffer)])
    while isinstance(body, tir.For) and body.kind == tir.ForKind.THREAD_BINDING:
        body = body.body
    return before, body
