"""Copies between DRAM and circular buffers as page reads (reader) and page writes (writer).

Tiles past the end of a tensor read as zero and are not written; where the compiler can prove that a block lies inside
the tensor, no check is emitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from ..data_format import global_format
from ..target import TILE_ELEMENTS, TILE_HEIGHT
from .infer_default_tt_shard import pair_dims
from .ops import call, do
from .sticks import ELEMENT_TYPES
from .tensor_layout import ATTRIBUTE_PREFIX, TensorLayout, read_back_attribute, tensor_layout
from .tensorize_tile_maps import TileScope
from .tile_ir import Region, TileCopy, sequence
from .tile_layout import TileLayout


@dataclass(frozen=True, kw_only=True)
class _Block:
    """One copied block: the page of tile (plane, row, col) and the condition that it exists."""

    page: Callable[[tir.PrimExpr, tir.PrimExpr, tir.PrimExpr], tir.PrimExpr]
    inside: Callable[[tir.PrimExpr, tir.PrimExpr, tir.PrimExpr], tir.PrimExpr]


def tensorize_transfer(
    record: TileCopy,
    stmt: tir.Stmt,
    scope: TileScope,
    func: tir.PrimFunc,
    analyzer: tvm.arith.Analyzer,
) -> tir.Stmt:
    """Page loops of one copy between DRAM and L1."""
    loads = record.source.is_global
    tensor, chip = (record.source, record.destination) if loads else (record.destination, record.source)
    layout, pages = scope.layouts[chip.buffer.name], tensor_layout(func, tensor.buffer)
    block = _block(tensor, chip, layout, pages, stmt)
    plane, row, col = (tir.Var(name, "int32") for name in ("p", "r", "c"))
    bounds = ((plane, layout.planes), (row, layout.tile_rows), (col, layout.tile_cols))
    loops = [(var, count) for var, count in bounds if count > 1]
    for var, count in loops:
        analyzer.bind(var, tvm.ir.Range.from_min_extent(0, count), True)
    zero = tir.IntImm("int32", 0)
    at = tuple(var if count > 1 else zero for var, count in bounds)
    simplify = tvm.arith.Analyzer().simplify
    page, slot = simplify(block.page(*at)), simplify(layout.index(*at))
    inside = analyzer.simplify(block.inside(*at))
    page_size = scope.rings[chip.buffer.name].page_size
    base = tir.Var(f"{chip.buffer.name}_l1", "int32")
    address = simplify(base + slot * page_size)
    if loads:
        body = do("noc_async_read_page", page, tensor.buffer, address)
        other: tir.Stmt | None = do("fill_zero_tile", address, page_size)
    else:
        body, other = do("noc_async_write_page", page, tensor.buffer, address), None
        name = tensor.buffer.name
        if bool(func.attrs[read_back_attribute(name)]) and bool(func.attrs[f"{ATTRIBUTE_PREFIX}{name}_needs_padding"]):
            body = sequence([*_clear_padding(tensor, pages, at, address, analyzer), body])
    if not analyzer.can_prove(inside):
        body = tir.IfThenElse(_reduced(block.inside(*at), analyzer), body, other)
    for var, count in reversed(loops):
        body = tir.For(var, zero, tir.IntImm("int32", count), tir.ForKind.SERIAL, body)
    pointer = call("get_write_ptr" if loads else "get_read_ptr", chip.buffer, dtype="int32")
    return sequence([tir.Bind(base, pointer), body])


def _clear_padding(
    tensor: Region,
    pages: TensorLayout,
    at: tuple[tir.PrimExpr, ...],
    address: tir.PrimExpr,
    analyzer: tvm.arith.Analyzer,
) -> list[tir.Stmt]:
    """Zeros behind the end of the tensor in its last tiles, as the host writes them: a kernel will read them."""
    fmt = global_format(str(tensor.buffer.dtype))
    assert fmt is not None
    shape, lanes = list(tensor.buffer.shape), []
    if pages.kind == "flat":
        assert pages.col is not None
        tile = pages.first_tile(pages.col, tensor.mins[pages.col]) + at[2]
        lanes.append(shape[pages.col] - tile * TILE_ELEMENTS)
        return _if_padded("clear_flat_padding", fmt.element_bytes, address, lanes, TILE_ELEMENTS, analyzer)
    for dim, index in ((pages.row, at[1]), (pages.col, at[2])):
        if dim is None:
            lanes.append(tir.IntImm("int32", TILE_HEIGHT))
            continue
        lanes.append(pages.lanes(dim, shape[dim], pages.first_tile(dim, tensor.mins[dim]) + index))
    return _if_padded("clear_padding", fmt.element_bytes, address, lanes, TILE_HEIGHT, analyzer)


def _if_padded(
    helper: str,
    element_bytes: int,
    address: tir.PrimExpr,
    lanes: list[tir.PrimExpr],
    full: int,
    analyzer: tvm.arith.Analyzer,
) -> list[tir.Stmt]:
    simplified = [tvm.arith.Analyzer().simplify(count) for count in lanes]
    open_ends = [count for count in simplified if not analyzer.can_prove(count >= full)]
    if not open_ends:
        return []
    condition = open_ends[0] < full
    for count in open_ends[1:]:
        condition = tir.Or(condition, count < full)
    return [tir.IfThenElse(condition, do(helper, ELEMENT_TYPES[element_bytes], address, *simplified), None)]


def _reduced(condition: tir.PrimExpr, analyzer: tvm.arith.Analyzer) -> tir.PrimExpr:
    """The parts of a conjunction that are not proved already."""
    parts: list[tir.PrimExpr] = []

    def split(part: tir.PrimExpr) -> None:
        if isinstance(part, tir.And):
            split(part.a)
            split(part.b)
        elif not analyzer.can_prove(part):
            parts.append(tvm.arith.Analyzer().simplify(part))

    split(condition)
    result = parts[0]
    for part in parts[1:]:
        result = tir.And(result, part)
    return result


def _block(tensor: Region, chip: Region, layout: TileLayout, pages: TensorLayout, stmt: tir.Stmt) -> _Block:
    shape = list(tensor.buffer.shape)
    tile_rows, tile_cols = pages.tile_rows(shape), pages.tile_cols(shape)
    pairs = pair_dims(tensor, chip, stmt)
    leading = [pairs[d] for d in range(len(chip.extents) - 2) if d in pairs] if layout.kind == "matrix" else []
    row0 = pages.first_tile(pages.row, tensor.mins[pages.row]) if pages.row is not None else 0
    col0 = pages.first_tile(pages.col, tensor.mins[pages.col]) if pages.col is not None else 0

    def outer_indices(plane: tir.PrimExpr) -> list[tir.PrimExpr]:
        """Index along every outer dim of the tensor for plane number ``plane`` of the block."""
        indices, rest = {}, plane
        for dim in reversed(leading):
            extent = tensor.extents[dim]
            indices[dim] = tir.floormod(rest, extent)
            rest = tir.floordiv(rest, extent)
        return [tensor.mins[d] + indices[d] if d in indices else tensor.mins[d] for d in pages.outer]

    def page(plane: tir.PrimExpr, row: tir.PrimExpr, col: tir.PrimExpr) -> tir.PrimExpr:
        linear: tir.PrimExpr = tir.IntImm("int32", 0)
        for dim, index in zip(pages.outer, outer_indices(plane), strict=True):
            linear = linear * shape[dim] + index
        return (linear * tile_rows + row0 + row) * tile_cols + col0 + col

    def inside(plane: tir.PrimExpr, row: tir.PrimExpr, col: tir.PrimExpr) -> tir.PrimExpr:
        condition = tir.And(row0 + row < tile_rows, col0 + col < tile_cols)
        for dim, index in zip(pages.outer, outer_indices(plane), strict=True):
            condition = tir.And(condition, index < shape[dim])
        return condition

    return _Block(page=page, inside=inside)
