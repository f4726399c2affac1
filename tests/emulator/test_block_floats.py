"""Tensors in block floats: the emulator's pages are those of ttnn, whatever dtype and strides the tensor has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tt_jit.data_format import FORMATS
from tt_jit.errors import PlanError
from tt_jit.plan import FlatLayout, Layout, RowMajorLayout, TileLayout

from . import block_floats
from .programs import COPY_FILES, PAGES, copy_plan, load, tensor, tile_pages

TILES = TileLayout(outer=(), row=0, col=1)


def pages_through(value: torch.Tensor, layout: Layout, data_format: str, pages: int, folder: Path) -> torch.Tensor:
    """The bytes of the pages that the emulator makes of `value`."""
    size = FORMATS[data_format].tile_bytes
    dtype = str(value.dtype).removeprefix("torch.")
    made = copy_plan(
        tensor("A", 0, value.shape, access="read", dtype=dtype, data_format=data_format, layout=layout),
        tensor("B", 1, (pages, size), access="write", dtype="uint8", data_format="UInt8", layout=PAGES),
        size,
        pages=pages,
    )
    dumped = torch.zeros(pages, size, dtype=torch.uint8)
    load(made, COPY_FILES, folder).launch([value, dumped], [])
    return dumped


@pytest.mark.parametrize("data_format", ["Bfp8_b", "Bfp4_b"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_pages_of_a_matrix(data_format: str, dtype: torch.dtype, tmp_path: Path) -> None:
    value = block_floats.interesting_values().to(dtype)
    value = torch.where(value.isfinite(), value, 1.0)
    expected = block_floats.pages(tile_pages(value.float()), data_format)
    assert torch.equal(pages_through(value, TILES, data_format, 6, tmp_path), expected)


def test_pages_of_a_ragged_transposed_matrix_are_padded_with_zeros(tmp_path: Path) -> None:
    value = block_floats.interesting_values()[:50, :40].t().contiguous().t()
    padded = torch.nn.functional.pad(value, (0, 24, 0, 14))
    expected = block_floats.pages(tile_pages(padded), "Bfp8_b")
    assert torch.equal(pages_through(value, TILES, "Bfp8_b", 4, tmp_path), expected)


def test_pages_of_runs(tmp_path: Path) -> None:
    value = block_floats.interesting_values().flatten()[:1500]
    padded = torch.nn.functional.pad(value, (0, 548)).reshape(-1, 32)
    expected = block_floats.pages(tile_pages(padded), "Bfp4_b")
    assert torch.equal(pages_through(value, FlatLayout(outer=(), dim=0), "Bfp4_b", 2, tmp_path), expected)


@pytest.mark.parametrize("data_format", ["Bfp8_b", "Bfp4_b"])
def test_there_and_back_is_rounding(data_format: str, tmp_path: Path) -> None:
    value = block_floats.interesting_values()
    shaped = {"dtype": "float32", "data_format": data_format, "layout": TILES}
    made = copy_plan(
        tensor("A", 0, value.shape, access="read", **shaped),
        tensor("B", 1, value.shape, access="write", **shaped),
        FORMATS[data_format].tile_bytes,
        pages=6,
    )
    back = torch.zeros_like(value)
    load(made, COPY_FILES, tmp_path).launch([value, back], [])
    assert torch.equal(back, block_floats.rounded(value, data_format))


def test_infinities_and_nan_take_their_block(tmp_path: Path) -> None:
    value = torch.ones(32, 32)
    value[0, 0], value[1, 17], value[2, 3] = float("inf"), float("-inf"), float("nan")
    shaped = {"dtype": "float32", "data_format": "Bfp8_b", "layout": TILES}
    made = copy_plan(
        tensor("A", 0, (32, 32), access="read", **shaped), tensor("B", 1, (32, 32), access="write", **shaped), 1088,
        pages=1,
    )  # fmt: skip
    back = torch.zeros(32, 32)
    load(made, COPY_FILES, tmp_path).launch([value, back], [])
    assert back[0, 0] == float("inf") and back[1, 17] == float("-inf") and back[2, 3].isnan()
    assert back[0, 1:16].eq(0).all() and back[0, 16:].eq(1).all()


def test_refuses_rows(tmp_path: Path) -> None:
    shaped = {"dtype": "bfloat16", "data_format": "Bfp8_b", "layout": RowMajorLayout(page_dims=1)}
    with pytest.raises(PlanError, match="does not fit rank 2 and Bfp8_b"):
        copy_plan(tensor("A", 0, (2, 64), access="read", **shaped), tensor("B", 1, (2, 64), access="write", **shaped),
                  64, pages=2)  # fmt: skip
