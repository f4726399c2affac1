"""Whether the pages of a ttnn tensor are those that a kernel expects, and how the chip makes them so.

A kernel may want a tensor in an order that ttnn has for another shape only: attention on (B, S, H, D) reads tiles of
(S, D), which are those of the permuted tensor. Where the user allows it (`convert_layouts`), the chip permutes such
arguments before each launch and brings what was written back afterwards. ttnn is handed in: runtime/ttnn.py alone
imports it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import ArgumentError
from ..plan import RowMajorLayout, Tensor, TileLayout
from ..target import TILE_HEIGHT, TILE_WIDTH

ROW_ALIGNMENT = 64

ChipTensor = Any


def in_place_requirement(tensor: Tensor, dtype: Any, rank: int) -> str | None:
    """What a ttnn tensor has to be to have the plan's pages; None where ttnn has no such order."""
    if tensor.view is not None:
        return None
    layout = tensor.layout
    name = str(dtype).rsplit(".", maxsplit=1)[-1]
    if isinstance(layout, TileLayout):
        rows = [rank - 2] if rank > 1 else [None]
        natural = layout.outer == tuple(range(max(rank - 2, 0))) and [layout.row] == rows and layout.col == rank - 1
        return f"{name}, ttnn.TILE_LAYOUT, interleaved" if natural and _has_whole_tiles(layout) else None
    if isinstance(layout, RowMajorLayout) and layout.page_dims == 1:
        return f"{name}, ttnn.ROW_MAJOR_LAYOUT, interleaved, rows of a multiple of {ROW_ALIGNMENT} bytes"
    return None


def in_place_problem(ttnn: Any, tensor: Tensor, dtype: Any, value: ChipTensor) -> str | None:
    """Why the kernel cannot work on the pages of `value`, if it cannot."""
    row_major = value.layout == ttnn.ROW_MAJOR_LAYOUT
    if value.storage_type() != ttnn.StorageType.DEVICE:
        return "a ttnn tensor on the host"
    if value.dtype != dtype:
        return str(value.dtype)
    if value.memory_config().memory_layout != ttnn.TensorMemoryLayout.INTERLEAVED:
        return str(value.memory_config().memory_layout)
    if in_place_requirement(tensor, dtype, len(value.shape)) is None:
        return "a ttnn tensor"
    if row_major != isinstance(tensor.layout, RowMajorLayout) or (
        row_major and value.buffer_page_size() % ROW_ALIGNMENT
    ):
        return f"{value.layout} with pages of {value.buffer_page_size()} bytes"
    return None


def in_place_error(kernel: str, tensor: Tensor, dtype: Any, rank: int, problem: str) -> ArgumentError:
    needed = in_place_requirement(tensor, dtype, rank)
    hint = "convert it with ttnn.to_layout, ttnn.typecast or ttnn.to_memory_config, or pass a torch tensor"
    if needed is None:
        hint = "pass a torch tensor, or let the chip reorder it at every call: tt_jit.config.convert_layouts = True"
    return ArgumentError(
        f"{kernel}: {tensor.name} cannot be used in place",
        parameter=tensor.name,
        got=problem,
        needed=needed or "the kernel's own order of this tensor",
        hint=hint,
    )


@dataclass(frozen=True, kw_only=True)
class ChipConversion:
    """How ttnn makes the pages of a plan's tensor from an argument, and the argument from the pages."""

    ttnn: Any
    # None: rows stay rows. Otherwise the order of dimensions of the tiled tensor, and its shape.
    order: tuple[int, ...] | None
    shape: tuple[int, ...]

    def to_pages(self, value: ChipTensor) -> ChipTensor:
        ttnn = self.ttnn
        value = ttnn.to_memory_config(value, ttnn.DRAM_MEMORY_CONFIG)
        if self.order is None:
            return ttnn.to_layout(value, ttnn.ROW_MAJOR_LAYOUT)
        if self.order != tuple(range(len(self.order))):
            value = ttnn.permute(value, self.order)
        if self.shape != tuple(value.shape):
            value = ttnn.reshape(ttnn.to_layout(value, ttnn.ROW_MAJOR_LAYOUT), self.shape)
        return ttnn.to_layout(value, ttnn.TILE_LAYOUT)

    def from_pages(self, pages: ChipTensor, value: ChipTensor) -> None:
        """Write into `value` what a kernel has written into `pages`."""
        ttnn = self.ttnn
        if self.order is not None:
            moved = tuple(value.shape[dim] for dim in self.order)
            if self.shape != moved:
                pages = ttnn.reshape(ttnn.to_layout(pages, ttnn.ROW_MAJOR_LAYOUT), moved)
            if self.order != tuple(range(len(self.order))):
                pages = ttnn.permute(pages, tuple(sorted(range(len(moved)), key=self.order.__getitem__)))
        pages = ttnn.to_memory_config(ttnn.to_layout(pages, value.layout), value.memory_config())
        ttnn.copy(pages, value)


def chip_conversion(ttnn: Any, tensor: Tensor, dtype: Any, value: ChipTensor) -> ChipConversion | None:
    """The conversion of `value` for the kernel, None where ttnn has none that keeps every value."""
    layout, shape = tensor.layout, tuple(value.shape)
    if tensor.view is not None or value.storage_type() != ttnn.StorageType.DEVICE or value.dtype != dtype:
        return None
    if isinstance(layout, RowMajorLayout):
        whole_rows = layout.page_dims == 1 and shape[-1] * value.element_size() % ROW_ALIGNMENT == 0
        return ChipConversion(ttnn=ttnn, order=None, shape=shape) if whole_rows else None
    if not isinstance(layout, TileLayout) or not _has_whole_tiles(layout):
        return None
    order = (*layout.outer, *(dim for dim in (layout.row, layout.col) if dim is not None))
    rows = 1 if layout.row is None else shape[layout.row]
    columns = 1 if layout.col is None else shape[layout.col]
    moved = (*(shape[dim] for dim in layout.outer), rows, columns)
    return ChipConversion(ttnn=ttnn, order=order, shape=moved)


def _has_whole_tiles(layout: TileLayout) -> bool:
    return layout.row_block % TILE_HEIGHT == 0 and layout.col_block % TILE_WIDTH == 0
