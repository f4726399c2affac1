"""tile_layout and tensor_layout: how many tiles, and where they lie."""

import pytest
from tvm import tirx as tir

from tt_jit.lower.tensor_layout import ROW_MAJOR, TensorLayout
from tt_jit.lower.tile_layout import TileLayout


def number(expr: tir.PrimExpr | int) -> int:
    return int(tir.stmt_functor.substitute(tir.Evaluate(expr), {}).value) if isinstance(expr, tir.PrimExpr) else expr


def sizes(*shape: int) -> list[tir.PrimExpr]:
    return [tir.IntImm("int32", extent) for extent in shape]


@pytest.mark.parametrize(
    ("kind", "outer", "rows", "cols", "grid"),
    [
        ("matrix", (), 64, 128, (1, 2, 4)),
        ("matrix", (), 33, 1, (1, 2, 1)),
        ("matrix", (3, 2), 32, 65, (6, 1, 3)),
        ("column", (), 100, 1, (1, 4, 1)),
        ("row", (), 1, 100, (1, 1, 4)),
        ("flat", (), 1, 3072, (1, 1, 3)),
        ("scalar", (), 1, 1, (1, 1, 1)),
    ],
)
def test_tiles_of_a_buffer(
    kind: str, outer: tuple[int, ...], rows: int, cols: int, grid: tuple[int, int, int]
) -> None:
    layout = TileLayout(kind=kind, outer=outer, rows=rows, cols=cols)
    assert (layout.planes, layout.tile_rows, layout.tile_cols) == grid
    assert layout.tiles == grid[0] * grid[1] * grid[2]


@pytest.mark.parametrize("column_major", [False, True])
def test_every_tile_has_a_place_of_its_own(column_major: bool) -> None:
    layout = TileLayout(kind="matrix", outer=(2,), rows=96, cols=64, column_major=column_major)
    places = [
        layout.index(plane, row, col)
        for plane in range(layout.planes)
        for row in range(layout.tile_rows)
        for col in range(layout.tile_cols)
    ]
    assert sorted(places) == list(range(12))
    assert layout.index(1, 2, 1) == (6 + 1 * 3 + 2 if column_major else 6 + 2 * 2 + 1)


def test_leading_indices_become_a_plane() -> None:
    layout = TileLayout(kind="matrix", outer=(3, 4), rows=32, cols=32)
    assert number(layout.plane_of(sizes(2, 1))) == 2 * 4 + 1


def test_a_tile_layout_survives_its_attribute() -> None:
    layout = TileLayout(kind="matrix", outer=(2, 3), rows=50, cols=70, column_major=True)
    assert TileLayout.from_attribute(layout.to_attribute()) == layout


@pytest.mark.parametrize(
    ("size", "block", "tiles", "starts"),
    [
        # Padded once: a block of a multiple of 32 starts at its own tile.
        (100, 32, 4, {0: 0, 32: 1, 96: 3}),
        (128, 64, 4, {0: 0, 64: 2}),
        # Padded block by block: 50 elements take two tiles.
        (100, 50, 4, {0: 0, 50: 2}),
        (101, 50, 6, {0: 0, 50: 2, 100: 4}),
        (48, 16, 3, {0: 0, 16: 1, 32: 2}),
    ],
)
def test_tiles_of_a_tensor(size: int, block: int, tiles: int, starts: dict[int, int]) -> None:
    layout = TensorLayout(kind="tile", outer=(), row=0, col=1, row_block=block)
    shape = sizes(size, 64)
    assert (number(layout.tile_rows(shape)), number(layout.tile_cols(shape))) == (tiles, 2)
    assert {start: number(layout.first_tile(0, tir.IntImm("int32", start))) for start in starts} == starts


def test_an_inserted_dim_is_one_tile_wide() -> None:
    layout = TensorLayout(kind="tile", outer=(), row=0, col=None)
    assert number(layout.tile_cols(sizes(64))) == 1
    assert number(layout.first_tile(None, tir.IntImm("int32", 0))) == 0


def test_flat_tensors_are_cut_in_tiles_of_1024_elements() -> None:
    layout = TensorLayout(kind="flat", outer=(), col=0)
    assert [number(layout.tile_cols(sizes(n))) for n in (1, 1024, 1025)] == [1, 1, 2]
    assert number(layout.first_tile(0, tir.IntImm("int32", 2048))) == 2


@pytest.mark.parametrize(
    "layout",
    [
        TensorLayout(kind="tile", outer=(0, 2), row=1, col=3, row_block=50),
        TensorLayout(kind="tile", outer=(), row=0, col=None),
        TensorLayout(kind="flat", outer=(0,), col=1),
        ROW_MAJOR,
    ],
    ids=lambda layout: layout.kind,
)
def test_a_tensor_layout_survives_its_attribute(layout: TensorLayout) -> None:
    assert TensorLayout.from_attribute(layout.to_attribute()) == layout
