"""Which tile of a buffer an access touches while the output tiles are walked."""

from __future__ import annotations

from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from ..errors import TilingError, UnsupportedError
from ..target import TILE_ELEMENTS, TILE_HEIGHT
from .dst_program import COLUMN, FULL, ROW, SCALAR
from .tile_ir import is_const_int, uses_var
from .tile_layout import TileLayout


@dataclass(frozen=True, kw_only=True)
class Axes:
    """The loop variables along the rows and columns of the output tiles (``flat``: the one variable of dense tiles)."""

    row: tir.Var | None = None
    col: tir.Var | None = None
    flat: tir.Var | None = None


@dataclass(frozen=True, kw_only=True)
class TileAccess:
    """Tiles of ``buffer`` under the walk: offsets in tiles, and whether the access moves with the row and column."""

    buffer: tir.Buffer
    layout: TileLayout
    plane: tir.PrimExpr
    row: tir.PrimExpr
    col: tir.PrimExpr
    moves_with_row: bool
    moves_with_col: bool

    def index(self, tile_row: tir.PrimExpr | int, tile_col: tir.PrimExpr | int) -> tir.PrimExpr:
        """Position in the circular buffer of the tile for output tile (``tile_row``, ``tile_col``)."""
        row = self.row + tile_row if self.moves_with_row else self.row
        col = self.col + tile_col if self.moves_with_col else self.col
        return tvm.arith.Analyzer().simplify(self.layout.index(self.plane, row, col))

    def shape(self, axes: Axes) -> str:
        """How the accessed tile covers the output tile."""
        if axes.flat is not None:
            return FULL if self.moves_with_col else SCALAR
        needs_col = axes.col is not None and not self.moves_with_col
        needs_row = axes.row is not None and not self.moves_with_row
        if needs_col and needs_row:
            return SCALAR
        return COLUMN if needs_col else (ROW if needs_row else FULL)


def axes_of(
    buffer: tir.Buffer, layout: TileLayout, indices: list[tir.PrimExpr], loop_vars: tuple[tir.Var, ...]
) -> Axes:
    """The axes that a store to ``buffer[indices]`` gives its tiles."""

    def variable(index: tir.PrimExpr) -> tir.Var | None:
        used = [v for v in loop_vars if uses_var(index, [v])]
        return next((v for v in used if _follows(index, v, used)), used[0] if used else None)

    if layout.kind == "matrix":
        return Axes(row=variable(indices[-2]), col=variable(indices[-1]))
    if layout.kind == "column":
        return Axes(row=variable(indices[0]))
    if layout.kind == "row":
        return Axes(col=variable(indices[0]))
    return Axes(flat=variable(indices[0])) if layout.kind == "flat" else Axes()


def _follows(index: tir.PrimExpr, var: tir.Var, used: list[tir.Var]) -> bool:
    """Whether ``index`` grows by 1 with ``var`` (``j * 32 + k`` with ``k``)."""
    coefficients = tvm.arith.detect_linear_equation(index, used)
    return any(v.same_as(var) and is_const_int(c, 1) for v, c in zip(used, coefficients[:-1], strict=False))


def tile_access(
    buffer: tir.Buffer, layout: TileLayout, indices: list[tir.PrimExpr], axes: Axes, stmt: tir.Stmt
) -> TileAccess:
    """Decode an access; raises when it is not aligned to tiles or runs along the wrong axis."""

    def line(index: tir.PrimExpr, var: tir.Var | None, unit: int, moves: bool) -> tuple[tir.PrimExpr, bool]:
        """(offset in tiles, whether the index follows ``var``)."""
        wrong = [v for v in (axes.row, axes.col, axes.flat) if v is not None and (var is None or not v.same_as(var))]
        if uses_var(index, wrong):
            raise UnsupportedError(
                f"the access {buffer.name}[{', '.join(str(i) for i in indices)}] runs across its tiles "
                f"({layout.kind} buffer)",
                hint="transpose it into another buffer first (T.transpose), or swap the loops",
                at=stmt,
            )
        follows = var is not None and uses_var(index, [var])
        if follows:
            index = tvm.arith.Analyzer().simplify(index - var)
            if uses_var(index, [var]):
                raise UnsupportedError(f"the index {index} of {buffer.name} has a stride", at=stmt)
        return _in_tiles(index, unit, buffer, stmt), follows

    zero = tir.IntImm("int32", 0)
    if layout.kind == "matrix":
        plane = layout.plane_of(list(indices[:-2]))
        row, moves_row = line(indices[-2], axes.row, TILE_HEIGHT, True)
        col, moves_col = line(indices[-1], axes.col, TILE_HEIGHT, True)
    elif layout.kind == "column":
        plane, col, moves_col = zero, zero, False
        row, moves_row = line(indices[0], axes.row, TILE_HEIGHT, True)
    else:
        plane, row, moves_row = zero, zero, False
        unit = TILE_ELEMENTS if layout.kind == "flat" else TILE_HEIGHT
        col, moves_col = line(indices[0], axes.flat if layout.kind == "flat" else axes.col, unit, True)
    return TileAccess(
        buffer=buffer,
        layout=layout,
        plane=plane,
        row=row,
        col=col,
        moves_with_row=moves_row,
        moves_with_col=moves_col,
    )


def _in_tiles(index: tir.PrimExpr, unit: int, buffer: tir.Buffer, stmt: tir.Stmt) -> tir.PrimExpr:
    analyzer = tvm.arith.Analyzer()
    if not is_const_int(analyzer.simplify(tir.floormod(index, unit)), 0):
        raise TilingError(
            f"{buffer.name} is accessed at offset {index}, inside a tile",
            hint=f"start sub-blocks at multiples of {unit}",
            at=stmt,
        )
    return analyzer.simplify(tir.floordiv(index, unit))
