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

from ..errors import UnsupportedError
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
    tile = (int(func.attrs["tt_tile_height"]), int(func.attrs["tt_tile_width"]))
    if tile != (TILE_HEIGHT, TILE_WIDTH):
        raise UnsupportedError(
            f"tiles of {tile[0]} x {tile[1]} elements (tt_tile_height, tt_tile_width)",
            hint=f"leave them out: tiles are {TILE_HEIGHT} x {TILE_WIDTH}",
        )
    precision = str(func.attrs["tt_precision"])
    if precision not in ("accurate", "fast"):
        raise UnsupportedError(f"tt_precision {precision!r} is unknown", hint="use 'accurate' or 'fast'")
    return func
