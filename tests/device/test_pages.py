"""Host conversion of the ttnn runtime: page order as the plan defines it, and back."""

from __future__ import annotations

import pytest
import torch

from tt_jit.plan import FlatLayout, Layout, RowMajorLayout, TileLayout
from tt_jit.runtime.pages import from_matrix, to_matrix


def matrix_shape(layout: Layout, shape: torch.Size, data_format: str) -> tuple[int, int]:
    if isinstance(layout, TileLayout):
        outer, rows, columns = layout.grid(shape)
        return outer * rows * 32, columns * 32
    if isinstance(layout, FlatLayout):
        return layout.page_count(shape) * 32, 32
    size = 4 if data_format in ("Float32", "Int32", "UInt32") else 2
    return layout.page_count(shape), layout.page_bytes(shape, data_format) // size


def element(matrix: torch.Tensor, page: int, row: int, column: int) -> float:
    tiles_across = matrix.shape[1] // 32
    return matrix[page // tiles_across * 32 + row, page % tiles_across * 32 + column].item()


def test_page_order_of_permuted_tiles() -> None:
    value = torch.arange(2 * 40 * 3 * 50, dtype=torch.int32).reshape(2, 40, 3, 50)
    layout = TileLayout(outer=(2, 0), row=1, col=3)
    matrix = to_matrix(value, layout, "Int32", matrix_shape(layout, value.shape, "Int32"))
    for h, b, r, c in ((0, 0, 0, 0), (2, 1, 39, 49), (1, 0, 33, 7)):
        page = ((h * 2 + b) * 2 + r // 32) * 2 + c // 32
        assert element(matrix, page, r % 32, c % 32) == value[b, r, h, c]


def test_blocks_are_padded_one_by_one() -> None:
    value = torch.arange(1, 101 * 90 + 1, dtype=torch.int32).reshape(101, 90)
    layout = TileLayout(outer=(), row=0, col=1, row_block=48, col_block=20)
    matrix = to_matrix(value, layout, "Int32", matrix_shape(layout, value.shape, "Int32"))
    assert matrix.shape == (3 * 64, 5 * 32)
    assert element(matrix, 2 * 5 + 1, 3, 4) == value[48 + 3, 20 + 4]
    assert not matrix[48:64].any() and not matrix[:, 20:32].any()


CASES: list[tuple[tuple[int, ...], Layout]] = [
    ((70, 40), TileLayout(outer=(), row=0, col=1)),
    ((3, 5, 33), TileLayout(outer=(1,), row=2, col=0)),
    ((45,), TileLayout(outer=(), row=0, col=None)),
    ((2, 45), TileLayout(outer=(0,), row=None, col=1)),
    ((100, 90), TileLayout(outer=(), row=1, col=0, row_block=20, col_block=48)),
    ((3, 2500), FlatLayout(outer=(0,), dim=1)),
    ((7, 3), FlatLayout(outer=(1,), dim=0)),
    ((4, 6, 5), RowMajorLayout(page_dims=1)),
    ((4, 6, 5), RowMajorLayout(page_dims=3)),
    ((0, 5), RowMajorLayout(page_dims=1)),
]


@pytest.mark.parametrize("data_format", ["Float32", "Float16_b", "Int32"])
@pytest.mark.parametrize(("shape", "layout"), CASES)
def test_there_and_back(shape: tuple[int, ...], layout: Layout, data_format: str) -> None:
    dtype = {"Float32": torch.float32, "Float16_b": torch.bfloat16, "Int32": torch.int32}[data_format]
    value = torch.randint(-100, 100, shape).to(dtype)
    matrix = to_matrix(value, layout, data_format, matrix_shape(layout, value.shape, data_format))
    assert torch.equal(from_matrix(matrix, layout, shape, data_format, dtype), value)


@pytest.mark.parametrize(
    ("dtype", "data_format"),
    [(torch.float16, "Float32"), (torch.int8, "Int32"), (torch.float8_e4m3fn, "Float16_b"), (torch.bool, "UInt8")],
)
def test_narrow_types_travel_exactly(dtype: torch.dtype, data_format: str) -> None:
    layout = TileLayout(outer=(), row=0, col=1)
    value = torch.randint(-5, 5, (33, 20)).to(dtype)
    matrix = to_matrix(value, layout, data_format, (64, 32))
    assert torch.equal(from_matrix(matrix, layout, value.shape, data_format, dtype).float(), value.float())
