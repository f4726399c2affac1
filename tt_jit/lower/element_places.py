"""Where single elements stand: the lane of an on-chip buffer, the page of a row-major tensor."""

from __future__ import annotations

import tvm
from tvm import tirx as tir

from ..target import TILE_ELEMENTS, TILE_HEIGHT, TILE_WIDTH
from .tile_layout import TileLayout


def lane_of(layout: TileLayout, indices: list[tir.PrimExpr]) -> tuple[tir.PrimExpr, tir.PrimExpr, tir.PrimExpr]:
    """(position of the tile, row, column) of an element; row and column modulo 32 lie in the tile."""
    zero: tir.PrimExpr = tir.IntImm("int32", 0)
    if layout.kind == "matrix":
        row, col = indices[-2], indices[-1]
        plane = layout.plane_of(indices[:-2])
        return layout.index(plane, tir.floordiv(row, TILE_HEIGHT), tir.floordiv(col, TILE_WIDTH)), row, col
    if layout.kind == "column":
        return layout.index(zero, tir.floordiv(indices[0], TILE_HEIGHT), zero), indices[0], zero
    if layout.kind == "row":
        return layout.index(zero, zero, tir.floordiv(indices[0], TILE_WIDTH)), zero, indices[0]
    if layout.kind == "flat":
        tile = layout.index(zero, zero, tir.floordiv(indices[0], TILE_ELEMENTS))
        return tile, tir.floordiv(indices[0], TILE_WIDTH), indices[0]
    return layout.index(zero, zero, zero), zero, zero


def page_of(buffer: tir.Buffer, indices: list[tir.PrimExpr]) -> tir.PrimExpr:
    """The page of an element: a page is one row of the last dimension."""
    page: tir.PrimExpr = tir.IntImm("int32", 0)
    for index, extent in zip(indices[:-1], buffer.shape[:-1], strict=True):
        page = page * extent + index
    return tvm.arith.Analyzer().simplify(page)
