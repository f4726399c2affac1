"""Write ``T.im2col`` as the gather that it is.

Before::

    im2col(image, patches, by, k, 3, 1, 1, 1)          # kernel, stride, dilation, padding

After::

    for i, j in parallel(64, 64):
        patches[i, j] = image[n(i), oh(i) + kh(j) - 1, ow(i) + kw(j) - 1, c(j)]     # 0 outside of the image
"""

from __future__ import annotations

from tvm import tirx as tir

from .base import LoweringContext
from .tile_ir import parallel, region_of, rewrite, tile_operator_name


def lower_im2col(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite every ``T.im2col``."""
    return func.with_body(rewrite(func.body, _leaf))


def _leaf(stmt: tir.Stmt) -> tir.Stmt | None:
    if tile_operator_name(stmt) != "im2col":
        return None
    args = stmt.value.args
    image, patches = region_of(args[0]), region_of(args[1])
    row_step, depth_step = args[2], args[3]
    kernel, stride, dilation, padding = (int(arg.value) for arg in args[4:8])
    _, height, width, channels = image.buffer.shape
    block_rows, block_depth = (int(extent.value) for extent in patches.buffer.shape[-2:])
    i, j = tir.Var("i", "int32"), tir.Var("j", "int32")
    out_height = tir.floordiv(height + 2 * padding - (kernel - 1) * dilation - 1, stride) + 1
    out_width = tir.floordiv(width + 2 * padding - (kernel - 1) * dilation - 1, stride) + 1
    row, depth = row_step * block_rows + i, depth_step * block_depth + j
    pixel = tir.floormod(row, out_height * out_width)
    tap = tir.floordiv(depth, channels)
    indices = [
        tir.floordiv(row, out_height * out_width),
        tir.floordiv(pixel, out_width) * stride + tir.floordiv(tap, kernel) * dilation - padding,
        tir.floormod(pixel, out_width) * stride + tir.floormod(tap, kernel) * dilation - padding,
        tir.floormod(depth, channels),
    ]
    value = tir.BufferLoad(image.buffer, indices)
    leading = [tir.IntImm("int32", 0)] * (len(patches.buffer.shape) - 2)
    return parallel([i, j], [block_rows, block_depth], tir.BufferStore(patches.buffer, value, [*leading, i, j]))
