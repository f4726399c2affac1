"""How a global tensor lies in DRAM: which dims run along tile rows and columns, and how they are padded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tvm import tirx as tir

from ..data_format import FORMATS, DataFormat, global_format
from ..target import TILE_ELEMENTS, TILE_HEIGHT

ATTRIBUTE_PREFIX = "tt_buffer_"
STORAGE_ATTRIBUTE = "tt_storage"
"""PrimFunc attribute of the user's: the format of a tensor's pages, by its name, where it is not that of the dtype."""


@dataclass(frozen=True, kw_only=True)
class TensorLayout:
    """Layout of a tensor's pages (the plan's ``layout`` record).

    ``tile``: ``row``/``col`` are the tensor dims along tile rows/columns (None: an inserted dim of size 1); a dim whose
    block is not a multiple of 32 is cut in blocks of that size, each padded to whole tiles. ``flat``: dim ``col`` is
    cut in runs of 1024 elements, each a tile filled row by row. ``outer`` dims come first, in order. ``row_major``: a
    page is a row of the last dim.
    """

    kind: str
    outer: tuple[int, ...]
    row: int | None = None
    col: int | None = None
    row_block: int = TILE_HEIGHT
    col_block: int = TILE_HEIGHT

    def tile_rows(self, shape: list[tir.PrimExpr]) -> tir.PrimExpr:
        """Tiles along the rows of one plane of a tensor of ``shape``."""
        if self.kind == "flat":
            return tir.IntImm("int32", 1)
        return _tiles(shape, self.row, self.row_block)

    def tile_cols(self, shape: list[tir.PrimExpr]) -> tir.PrimExpr:
        """Tiles along the columns of one plane of a tensor of ``shape``."""
        if self.kind == "flat":
            assert self.col is not None
            return tir.floordiv(shape[self.col] + (TILE_ELEMENTS - 1), TILE_ELEMENTS)
        return _tiles(shape, self.col, self.col_block)

    def first_tile(self, dim: int | None, element: tir.PrimExpr) -> tir.PrimExpr:
        """Tile coordinate along ``dim`` of an element that starts a block."""
        if dim is None:
            return tir.IntImm("int32", 0)
        if self.kind == "flat":
            return tir.floordiv(element, TILE_ELEMENTS)
        block = self.row_block if dim == self.row else self.col_block
        if block % TILE_HEIGHT == 0:
            return tir.floordiv(element, TILE_HEIGHT)
        return tir.floordiv(element, block) * (-(-block // TILE_HEIGHT))

    def lanes(self, dim: int, size: tir.PrimExpr, tile: tir.PrimExpr) -> tir.PrimExpr:
        """Rows (or columns) of tile number ``tile`` along ``dim`` that hold elements of a dim of ``size`` (or more)."""
        block = self.row_block if dim == self.row else self.col_block
        if block % TILE_HEIGHT == 0:
            return size - tile * TILE_HEIGHT
        tiles = -(-block // TILE_HEIGHT)
        start = tir.floormod(tile, tiles) * TILE_HEIGHT
        return tir.Max(tir.Min(tir.IntImm("int32", block), size - tir.floordiv(tile, tiles) * block) - start, 0)

    def to_attribute(self) -> dict[str, object]:
        """The layout as the plan and the PrimFunc attribute write it."""
        if self.kind == "row_major":
            return {"kind": "row_major", "page_dims": 1}
        if self.kind == "flat":
            return {"kind": "flat", "outer": list(self.outer), "dim": self.col}
        return {
            "kind": self.kind,
            "outer": list(self.outer),
            "row": -1 if self.row is None else self.row,
            "col": -1 if self.col is None else self.col,
            "row_block": self.row_block,
            "col_block": self.col_block,
        }

    @staticmethod
    def from_attribute(attribute: Mapping[str, Any]) -> TensorLayout:
        """The layout that ``to_attribute`` wrote."""
        if str(attribute["kind"]) == "row_major":
            return TensorLayout(kind="row_major", outer=())
        outer = tuple(int(dim) for dim in attribute["outer"])
        if str(attribute["kind"]) == "flat":
            return TensorLayout(kind="flat", outer=outer, col=int(attribute["dim"]))
        row, col = int(attribute["row"]), int(attribute["col"])
        return TensorLayout(
            kind=str(attribute["kind"]),
            outer=outer,
            row=None if row < 0 else row,
            col=None if col < 0 else col,
            row_block=int(attribute["row_block"]),
            col_block=int(attribute["col_block"]),
        )


ROW_MAJOR = TensorLayout(kind="row_major", outer=())
"""Pages are rows of the last dim, as the host has them."""


def _tiles(shape: list[tir.PrimExpr], dim: int | None, block: int) -> tir.PrimExpr:
    if dim is None:
        return tir.IntImm("int32", 1)
    if block % TILE_HEIGHT == 0:
        return tir.floordiv(shape[dim] + (TILE_HEIGHT - 1), TILE_HEIGHT)
    return tir.floordiv(shape[dim] + (block - 1), block) * (-(-block // TILE_HEIGHT))


def layout_attribute(name: str) -> str:
    """PrimFunc attribute that holds the layout of the tensor ``name``."""
    return f"{ATTRIBUTE_PREFIX}{name}_layout"


def read_back_attribute(name: str) -> str:
    """PrimFunc attribute that says that kernels both write and read the tensor ``name``."""
    return f"{ATTRIBUTE_PREFIX}{name}_read_back"


def page_format(func: tir.PrimFunc, buffer: tir.Buffer) -> DataFormat | None:
    """Format of the DRAM pages of ``buffer``; None when the chip has no carrier for its dtype."""
    asked = func.attrs.get(STORAGE_ATTRIBUTE, {}) if func.attrs else {}
    if buffer.name in asked:
        return FORMATS[str(asked[buffer.name])]
    return global_format(str(buffer.dtype))


def tensor_layout(func: tir.PrimFunc, buffer: tir.Buffer) -> TensorLayout:
    """The DRAM layout that ``infer_default_tt_shard`` chose for ``buffer``."""
    return TensorLayout.from_attribute(func.attrs[layout_attribute(buffer.name)])
