"""How an on-chip buffer is cut into 32x32 tiles, and the order in which its circular buffer holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tvm import tirx as tir

from ..target import TILE_ELEMENTS, TILE_HEIGHT, TILE_WIDTH

LAYOUTS_ATTRIBUTE = "tt_tile_layouts"


@dataclass(frozen=True, kw_only=True)
class TileLayout:
    """Tiles of one buffer.

    ``kind``: ``matrix`` (last two dims are rows and columns), ``column`` (1-D, in column 0 of a column of tiles),
    ``row`` (1-D, in row 0 of a row of tiles), ``flat`` (1-D, tiles filled row by row) or ``scalar`` (element [0, 0]).
    ``outer`` are the static extents of leading dims; ``rows`` and ``cols`` are elements of one plane.
    """

    kind: str
    outer: tuple[int, ...]
    rows: int
    cols: int
    column_major: bool = False

    @property
    def tile_rows(self) -> int:
        """Tiles along the rows of one plane."""
        return 1 if self.kind in ("row", "flat", "scalar") else -(-self.rows // TILE_HEIGHT)

    @property
    def tile_cols(self) -> int:
        """Tiles along the columns of one plane."""
        if self.kind == "flat":
            return -(-self.cols // TILE_ELEMENTS)
        return 1 if self.kind in ("column", "scalar") else -(-self.cols // TILE_WIDTH)

    @property
    def planes(self) -> int:
        """Number of row-by-column planes."""
        count = 1
        for extent in self.outer:
            count *= extent
        return count

    @property
    def tiles(self) -> int:
        """Tiles of the whole buffer."""
        return self.planes * self.tile_rows * self.tile_cols

    def index(
        self, plane: tir.PrimExpr | int, tile_row: tir.PrimExpr | int, tile_col: tir.PrimExpr | int
    ) -> tir.PrimExpr:
        """Position of a tile in the circular buffer."""
        if self.column_major:
            inner = tile_col * self.tile_rows + tile_row
        else:
            inner = tile_row * self.tile_cols + tile_col
        return plane * (self.tile_rows * self.tile_cols) + inner

    def plane_of(self, outer_indices: list[tir.PrimExpr]) -> tir.PrimExpr:
        """Linear plane number of the given leading indices."""
        plane: tir.PrimExpr = tir.IntImm("int32", 0)
        for index, extent in zip(outer_indices, self.outer, strict=True):
            plane = plane * extent + index
        return plane

    def to_attribute(self) -> dict[str, object]:
        """The layout as a PrimFunc attribute."""
        return {
            "kind": self.kind,
            "outer": list(self.outer),
            "rows": self.rows,
            "cols": self.cols,
            "column_major": self.column_major,
        }

    @staticmethod
    def from_attribute(attribute: Mapping[str, Any]) -> TileLayout:
        """The layout that ``to_attribute`` wrote."""
        return TileLayout(
            kind=str(attribute["kind"]),
            outer=tuple(int(extent) for extent in attribute["outer"]),
            rows=int(attribute["rows"]),
            cols=int(attribute["cols"]),
            column_major=bool(attribute["column_major"]),
        )


def layouts_of(func: tir.PrimFunc) -> dict[str, TileLayout]:
    """Tile layouts of every on-chip buffer, by buffer name."""
    return {str(name): TileLayout.from_attribute(a) for name, a in func.attrs[LAYOUTS_ATTRIBUTE].items()}


def with_layouts(func: tir.PrimFunc, layouts: Mapping[str, TileLayout]) -> tir.PrimFunc:
    """``func`` carrying ``layouts``."""
    return func.with_attr(LAYOUTS_ATTRIBUTE, {name: layout.to_attribute() for name, layout in layouts.items()})
