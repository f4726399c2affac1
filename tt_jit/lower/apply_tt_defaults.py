"""Write down the defaults that later passes read, so that a user's annotation can override each of them.

Before::

    @prim_func
    def main(A, B, C): ...

After::

    @prim_func
    def main(A, B, C):
        func_attr({"tt_schedule_policy": "contiguous", "tt_layout_type": "dram_interleaved",
                   "tt_tile_height": 32, "tt_tile_width": 32, "tt_precision": "accurate"})
"""

from __future__ import annotations

from tvm import tirx as tir

from ..target import TILE_HEIGHT, TILE_WIDTH
from .base import LoweringContext


def apply_tt_defaults(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Attach every default that the function does not set itself."""
    defaults: dict[str, object] = {
        "tt_schedule_policy": "contiguous",
        "tt_layout_type": "dram_interleaved",
        "tt_tile_height": TILE_HEIGHT,
        "tt_tile_width": TILE_WIDTH,
        "tt_precision": context.precision,
    }
    present = set(func.attrs.keys()) if func.attrs else set()
    for name, value in defaults.items():
        if name not in present:
            func = func.with_attr(name, value)
    return func
