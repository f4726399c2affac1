"""Tensors become the pages that the plan's layouts describe, whatever their dtype and strides, and come back."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import pytest
import torch

from tt_jit.plan import FlatLayout, Layout, RowMajorLayout, TileLayout

from .programs import COPY_FILES, PAGES, copy_plan, load, tensor, tile_pages

PAGE_TYPES = {
    "Float16_b": torch.bfloat16,
    "Float32": torch.float32,
    "Int32": torch.int32,
    "UInt32": torch.uint32,
    "UInt16": torch.uint16,
    "UInt8": torch.uint8,
}
# How a page's bytes are looked at: as numbers of the same size that every torch operation knows.
RAW = {1: ("uint8", "UInt8"), 2: ("uint16", "UInt16"), 4: ("int32", "Int32")}
PLAIN = TileLayout(outer=(), row=0, col=1)


@dataclass(frozen=True)
class Case:
    name: str
    shape: tuple[int, ...]
    layout: Layout
    dtype: str = "bfloat16"
    data_format: str = "Float16_b"
    order: tuple[int, ...] | None = None  # the tensor's dimensions from outermost in memory to innermost


CASES = [
    Case("whole tiles", (64, 96), PLAIN),
    Case("odd sizes", (33, 70), PLAIN),
    Case("one element", (1, 1), PLAIN),
    Case("transposed in memory", (70, 50), PLAIN, order=(1, 0)),
    Case("planes transposed in memory", (5, 170, 50), TileLayout(outer=(0,), row=1, col=2), order=(0, 2, 1)),
    Case("float32", (40, 40), PLAIN, "float32", "Float32"),
    Case("float16 in 32 bits", (40, 64), PLAIN, "float16", "Float32"),
    Case("float16 in 16 bits", (40, 64), PLAIN, "float16", "Float16_b"),
    Case("e4m3", (40, 64), PLAIN, "float8_e4m3fn", "Float16_b"),
    Case("e5m2", (32, 64), PLAIN, "float8_e5m2", "Float16_b"),
    Case("int8", (40, 64), PLAIN, "int8", "Int32"),
    Case("int16 transposed", (40, 64), PLAIN, "int16", "Int32", order=(1, 0)),
    Case("int32", (40, 64), PLAIN, "int32", "Int32"),
    Case("uint32", (40, 64), PLAIN, "uint32", "UInt32"),
    Case("uint16", (40, 64), PLAIN, "uint16", "UInt16"),
    Case("uint8", (40, 64), PLAIN, "uint8", "UInt8"),
    Case("bool", (40, 64), PLAIN, "bool", "UInt8"),
    Case("planes of a 4-D tensor", (2, 40, 3, 48), TileLayout(outer=(0, 2), row=1, col=3)),
    Case("outer dimensions swapped", (2, 40, 3, 48), TileLayout(outer=(2, 0), row=3, col=1)),
    Case("column vector", (70,), TileLayout(outer=(), row=0, col=None)),
    Case("row vectors", (3, 70), TileLayout(outer=(0,), row=None, col=1)),
    Case("blocks of 48 rows", (100, 64), TileLayout(outer=(), row=0, col=1, row_block=48)),
    Case("blocks of 16 by 40", (50, 100), TileLayout(outer=(), row=0, col=1, row_block=16, col_block=40)),
    Case("blocks of 64", (100, 100), TileLayout(outer=(), row=0, col=1, row_block=64, col_block=64)),
    Case("runs", (2, 2100), FlatLayout(outer=(0,), dim=1)),
    Case("runs along the other dimension", (1030, 3), FlatLayout(outer=(1,), dim=0), "float32", "Float32"),
    Case("rows", (5, 33), RowMajorLayout(page_dims=1)),
    Case("one page", (3, 5, 7), RowMajorLayout(page_dims=3), "int8", "Int32"),
    Case("strided rows", (4, 3, 10), RowMajorLayout(page_dims=2), "float32", "Float32", order=(2, 0, 1)),
]


def values(case: Case) -> torch.Tensor:
    """Distinct small numbers in a tensor with the case's strides, which leave gaps."""
    order = case.order or tuple(range(len(case.shape)))
    memory = [case.shape[dim] for dim in order]
    numbers = torch.arange(prod(memory)).remainder(2 if case.dtype == "bool" else 120)
    if case.dtype in ("float8_e4m3fn", "float8_e5m2"):
        plain = numbers.to(torch.uint8).view(getattr(torch, case.dtype))
    else:
        plain = numbers.to(getattr(torch, case.dtype))
    return plain.reshape(memory).permute(*(order.index(dim) for dim in range(len(order))))


def pages_of(case: Case, given: torch.Tensor) -> torch.Tensor:
    """The pages as the plan's text defines them, element by element where it matters; one page per row."""
    page_type = PAGE_TYPES[case.data_format]
    numbers = given.to(torch.float32).to(torch.float64)
    layout = case.layout
    if isinstance(layout, RowMajorLayout):
        pages = numbers.reshape(layout.page_count(case.shape), -1)
        width = layout.page_bytes(case.shape, case.data_format) // page_type.itemsize
        return torch.nn.functional.pad(pages, (0, width - pages.shape[1])).to(torch.float32).to(page_type)
    if isinstance(layout, FlatLayout):
        runs = numbers.permute(*layout.outer, layout.dim).reshape(-1, case.shape[layout.dim])
        padded = torch.nn.functional.pad(runs, (0, -runs.shape[1] % 1024))
        return tile_pages(padded.reshape(-1, 32)).to(torch.float32).to(page_type)
    inner = [dim for dim in (layout.row, layout.col) if dim is not None]
    planes = numbers.permute(*layout.outer, *inner)
    rows = 1 if layout.row is None else case.shape[layout.row]
    columns = 1 if layout.col is None else case.shape[layout.col]
    planes = planes.reshape(-1, rows, columns)
    tiles = []
    for plane in planes:
        tiles.append(tile_pages(padded_blocks(padded_blocks(plane, 0, layout.row_block), 1, layout.col_block)))
    return torch.cat(tiles).to(torch.float32).to(page_type)


def padded_blocks(plane: torch.Tensor, dim: int, block: int) -> torch.Tensor:
    if block % 32 == 0:
        block = 32
    parts = []
    for part in plane.split(block, dim):
        shape = list(part.shape)
        shape[dim] = -(-block // 32) * 32
        padded = part.new_zeros(shape)
        padded.narrow(dim, 0, part.shape[dim]).copy_(part)
        parts.append(padded)
    return torch.cat(parts, dim)


def bits(values: torch.Tensor) -> torch.Tensor:
    return values.contiguous().view(getattr(torch, RAW[values.element_size()][0]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pages_and_back(case: Case, tmp_path: Path) -> None:
    given = values(case)
    expected = pages_of(case, given)
    raw_dtype, raw_format = RAW[expected.element_size()]
    pages, width = expected.shape
    shaped = {"dtype": case.dtype, "data_format": case.data_format, "layout": case.layout}
    raw = {"dtype": raw_dtype, "data_format": raw_format, "layout": PAGES}
    page_bytes = width * expected.element_size()

    dump = copy_plan(
        tensor("A", 0, case.shape, access="read", **shaped),
        tensor("B", 1, (pages, width), access="write", **raw),
        page_bytes,
        pages=pages,
    )
    dumped = torch.zeros(pages, width, dtype=getattr(torch, raw_dtype))
    (tmp_path / "dump").mkdir()
    load(dump, COPY_FILES, tmp_path / "dump").launch([given, dumped], [])
    assert torch.equal(dumped, bits(expected))

    restore = copy_plan(
        tensor("A", 0, (pages, width), access="read", **raw),
        tensor("B", 1, case.shape, access="write", **shaped),
        page_bytes,
        pages=pages,
    )
    back = torch.zeros_like(given)
    assert back.stride() == given.stride()
    (tmp_path / "restore").mkdir()
    load(restore, COPY_FILES, tmp_path / "restore").launch([bits(expected), back], [])
    assert torch.equal(bits(back), bits(given))


def test_narrowing_on_the_way_back_rounds_to_nearest_even(tmp_path: Path) -> None:
    made = copy_plan(
        tensor("A", 0, (32, 32), access="read", dtype="float32", data_format="Float32"),
        tensor("B", 1, (32, 32), access="write", dtype="float16", data_format="Float32"),
        4096,
        pages=1,
    )
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(32, 32, generator=generator) * 10.0 ** torch.randint(-9, 6, (32, 32), generator=generator)
    a[0, :4] = torch.tensor([1 + 2**-11, 1 + 3 * 2**-11, float("inf"), 65520.0])
    b = torch.zeros(32, 32, dtype=torch.float16)
    load(made, COPY_FILES, tmp_path).launch([a, b], [])
    assert torch.equal(b, a.to(torch.float16))


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
def test_eight_bit_floats_round_and_saturate(dtype: str, tmp_path: Path) -> None:
    made = copy_plan(
        tensor("A", 0, (32, 32), access="read"),
        tensor("B", 1, (32, 32), access="write", dtype=dtype),
        2048,
        pages=1,
    )
    eight_bits = getattr(torch, dtype)
    largest = torch.finfo(eight_bits).max
    a = torch.logspace(-7, 7, 1024, dtype=torch.float64).reshape(32, 32).to(torch.bfloat16)
    a[1::2] *= -1
    b = torch.zeros(32, 32, dtype=torch.uint8).view(eight_bits)
    load(made, COPY_FILES, tmp_path).launch([a, b], [])
    assert torch.equal(b.to(torch.float32), a.float().clamp(-largest, largest).to(eight_bits).to(torch.float32))
