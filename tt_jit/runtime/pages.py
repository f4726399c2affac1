"""Torch tensors to and from the page order of a plan's layouts, as two-dimensional tensors that a runtime can tilize.

A tensor of a tile layout becomes a matrix of whole 32x32 tiles whose tiles, row by row, are the pages; a row-major one
becomes a matrix with one page per row. Values keep their bits; those of block floats are float32, for ttnn to pack.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch

from ..data_format import FORMATS
from ..plan import FlatLayout, Layout, TileLayout
from ..target import TILE_ELEMENTS, TILE_HEIGHT, TILE_WIDTH

# The torch dtype whose values a page of each format holds.
_VALUE_DTYPES = {
    "Float32": torch.float32,
    "Float16_b": torch.bfloat16,
    "Int32": torch.int32,
    "UInt32": torch.uint32,
    "UInt16": torch.uint16,
    "UInt8": torch.uint8,
    "Bfp8_b": torch.float32,
    "Bfp4_b": torch.float32,
}

# A dtype of the same size that torch and ttnn handle without looking at the values.
_CARRIERS = {1: torch.uint8, 2: torch.bfloat16, 4: torch.int32}


def to_matrix(tensor: torch.Tensor, layout: Layout, data_format: str, matrix_shape: tuple[int, int]) -> torch.Tensor:
    """`tensor` in the page order of `layout`, padded with zeros to `matrix_shape`."""
    values = _carried(tensor, data_format)
    if isinstance(layout, TileLayout):
        return _packable(_tile_matrix(values, layout), data_format)
    if isinstance(layout, FlatLayout):
        rows = _moved(values, layout)
        runs = -(-rows.shape[1] // TILE_ELEMENTS)
        return _packable(_padded(rows, 1, runs * TILE_ELEMENTS).reshape(-1, TILE_WIDTH), data_format)
    pages = values.reshape(layout.page_count(tensor.shape), -1) if tensor.numel() else values.new_empty((0, 0))
    return _padded(pages, 1, matrix_shape[1])


def from_matrix(
    matrix: torch.Tensor, layout: Layout, shape: Sequence[int], data_format: str, dtype: torch.dtype
) -> torch.Tensor:
    """The inverse of `to_matrix`: a tensor of `shape` and `dtype`."""
    if FORMATS[data_format].is_block:
        matrix = matrix.to(torch.float32)
    matrix = matrix.view(_CARRIERS[matrix.dtype.itemsize])
    if isinstance(layout, TileLayout):
        values = _tile_tensor(matrix, layout, shape)
    elif isinstance(layout, FlatLayout):
        rows = matrix.reshape(prod(shape[dim] for dim in layout.outer), -1)[:, : shape[layout.dim]]
        values = _unmoved(rows, layout, shape)
    else:
        used = prod(shape[len(shape) - layout.page_dims :])
        values = matrix[:, :used].reshape(tuple(shape))
    return _restored(values, data_format, dtype)


def _packable(matrix: torch.Tensor, data_format: str) -> torch.Tensor:
    """The values themselves where they have to be packed; ttnn looks at nothing else."""
    return matrix.view(torch.float32) if FORMATS[data_format].is_block else matrix


def _carried(tensor: torch.Tensor, data_format: str) -> torch.Tensor:
    value_dtype = _VALUE_DTYPES[data_format]
    values = tensor if tensor.dtype is value_dtype else tensor.to(value_dtype)
    return values.contiguous().view(_CARRIERS[value_dtype.itemsize])


def _restored(values: torch.Tensor, data_format: str, dtype: torch.dtype) -> torch.Tensor:
    exact = values.contiguous().view(_VALUE_DTYPES[data_format])
    return exact if exact.dtype is dtype else exact.to(dtype)


def _moved(values: torch.Tensor, layout: FlatLayout) -> torch.Tensor:
    moved = values.permute(*layout.outer, layout.dim)
    return moved.reshape(-1, values.shape[layout.dim])


def _unmoved(rows: torch.Tensor, layout: FlatLayout, shape: Sequence[int]) -> torch.Tensor:
    order = (*layout.outer, layout.dim)
    return rows.reshape([shape[dim] for dim in order]).permute(_inverse(order))


def _inverse(order: Sequence[int]) -> list[int]:
    return sorted(range(len(order)), key=lambda position: order[position])


def _padded(values: torch.Tensor, dim: int, size: int) -> torch.Tensor:
    if values.shape[dim] == size:
        return values
    padded = values.new_zeros([*values.shape[:dim], size, *values.shape[dim + 1 :]])
    padded.narrow(dim, 0, values.shape[dim]).copy_(values)
    return padded


def _cut(values: torch.Tensor, dim: int, block: int, tile: int) -> torch.Tensor:
    """Dimension `dim` cut in blocks, each padded to whole tiles."""
    size = values.shape[dim]
    if block % tile == 0:
        return _padded(values, dim, -(-size // tile) * tile)
    blocks = -(-size // block)
    whole = _padded(values, dim, blocks * block)
    head, tail = values.shape[:dim], values.shape[dim + 1 :]
    padded = _padded(whole.reshape(*head, blocks, block, *tail), dim + 1, -(-block // tile) * tile)
    return padded.reshape(*head, -1, *tail)


def _uncut(values: torch.Tensor, dim: int, block: int, tile: int, size: int) -> torch.Tensor:
    if block % tile:
        head, tail = values.shape[:dim], values.shape[dim + 1 :]
        blocks = -(-size // block)
        values = values.reshape(*head, blocks, -1, *tail).narrow(dim + 1, 0, block)
        values = values.reshape(*head, blocks * block, *tail)
    return values.narrow(dim, 0, size)


def _tile_order(layout: TileLayout) -> tuple[int, ...]:
    return (*layout.outer, *(dim for dim in (layout.row, layout.col) if dim is not None))


def _tile_matrix(values: torch.Tensor, layout: TileLayout) -> torch.Tensor:
    outer = prod(values.shape[dim] for dim in layout.outer)
    rows = 1 if layout.row is None else values.shape[layout.row]
    columns = 1 if layout.col is None else values.shape[layout.col]
    moved = values.permute(*_tile_order(layout)).reshape(outer, rows, columns)
    cut = _cut(_cut(moved, 1, layout.row_block, TILE_HEIGHT), 2, layout.col_block, TILE_WIDTH)
    return cut.reshape(cut.shape[0] * cut.shape[1], cut.shape[2])


def _tile_tensor(matrix: torch.Tensor, layout: TileLayout, shape: Sequence[int]) -> torch.Tensor:
    outer, tile_rows, _ = layout.grid(shape)
    rows = 1 if layout.row is None else shape[layout.row]
    columns = 1 if layout.col is None else shape[layout.col]
    planes = matrix.reshape(outer, tile_rows * TILE_HEIGHT, matrix.shape[1])
    planes = _uncut(planes, 1, layout.row_block, TILE_HEIGHT, rows)
    planes = _uncut(planes, 2, layout.col_block, TILE_WIDTH, columns)
    order = _tile_order(layout)
    return planes.reshape([shape[dim] for dim in order]).permute(_inverse(order))
