"""Fix the rectangle of cores that the program runs on.

Before: ``tt_num_cores`` cores, wherever they are.

After::

    func_attr({"tt_core_ranges": [[0, 0, 7, 6], [0, 7, 2, 7]]})     # x0, y0, x1, y1, inclusive; 59 cores of an 8x8 grid
"""

from __future__ import annotations

from tvm import tirx as tir

from .base import LoweringContext


def tt_shard_to_core_map(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Attach ``tt_core_ranges``: cores are numbered along x first."""
    columns, _ = context.target.grid
    cores = int(func.attrs["tt_num_cores"])
    full_rows, rest = divmod(cores, columns)
    ranges = []
    if full_rows:
        ranges.append([0, 0, columns - 1, full_rows - 1])
    if rest:
        ranges.append([0, full_rows, rest - 1, full_rows])
    return func.with_attr("tt_core_ranges", ranges)
