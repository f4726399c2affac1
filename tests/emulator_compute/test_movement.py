"""Copies, transposes, packing, tilize and untilize."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from .harness import BF16, FP32, ComputeKernel, Operand, Scratch, compute_kernel, matrix
from .test_fpu import HEAD, away
from .test_matmul import cut

COPY = (
    HEAD
    + """
#include "api/compute/transpose.h"
#include "api/compute/transpose_dest.h"

void kernel_main() {
    compute_kernel_hw_startup(0, 1);
    cb_wait_front(0, 1);
    switch (get_common_arg_val<uint32_t>(0)) {
        case 0: copy_init(0); produce(1, [] { copy_tile(0, 0, 0); }); break;
        case 1: transpose_init(0); produce(1, [] { transpose_tile(0, 0, 0); }); break;
        case 2:
            copy_init(0);
            produce(1, [] { copy_block(0, 0, 0, 1); transpose_dest_init<%(wide)s>(); transpose_dest<%(wide)s>(0); });
            break;
        case 3: pack_relu_config(ReluConfig::zero()); copy_init(0); produce(1, [] { copy_tile(0, 0, 0); }); break;
        case 4:
            pack_relu_config(ReluConfig::max_threshold(0x3f80));
            copy_init(0);
            produce(1, [] { copy_tile(0, 0, 0); });
            break;
    }
    pack_relu_config(ReluConfig::none());
    cb_pop_front(0, 1);
}
"""
)


def copy_kernel(
    directory: Path, source: torch.dtype, target: torch.dtype, *, wide: bool = True, to_dest: bool = False
) -> ComputeKernel:
    text = COPY % {"wide": "true" if wide else "false"}
    inputs = [Operand(rows=32, columns=32, dtype=source, to_dest=to_dest)]
    return compute_kernel(
        directory, text, inputs, [Operand(rows=32, columns=32, dtype=target)], config=FP32 if wide else BF16
    )


def test_fp32_reaches_dst_exactly_only_when_unpacked_there(tmp_path: Path) -> None:
    x = matrix(32, 32, torch.float32)
    through_source = copy_kernel(tmp_path / "a", torch.float32, torch.float32)
    to_dest = copy_kernel(tmp_path / "b", torch.float32, torch.float32, to_dest=True)
    narrow = copy_kernel(tmp_path / "c", torch.float32, torch.bfloat16, wide=False)
    assert torch.equal(through_source(x)[0], cut(x, 10))
    assert torch.equal(to_dest(x)[0], x)
    assert torch.equal(narrow(x)[0].float(), cut(x, 7))
    assert torch.equal(to_dest(x, case=1)[0], x.T)
    assert torch.equal(to_dest(x, case=2)[0], x.T)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.int32, torch.uint32, torch.uint16, torch.uint8])
def test_copies_and_transposes_keep_every_value(tmp_path: Path, dtype: torch.dtype) -> None:
    if dtype == torch.bfloat16:
        x = matrix(32, 32)
        x[0, :4] = torch.tensor([float("inf"), -float("inf"), -0.0, 1e-39])
    else:
        info = torch.iinfo(dtype)
        x = (
            torch.linspace(info.min, info.max, 1024, dtype=torch.float64)
            .round()
            .clamp(info.min, info.max)
            .to(dtype)
            .reshape(32, 32)
        )
    kernel = copy_kernel(tmp_path, dtype, dtype)
    # The packer flushes denormals and drops the sign of zero.
    expected = torch.where(x.abs() < 2**-126, 0.0, x).to(dtype) if dtype == torch.bfloat16 else x
    assert torch.equal(kernel(x)[0], expected)
    assert torch.equal(kernel(x, case=1)[0], expected.T)


def test_the_packer_rounds_ties_away_from_zero(tmp_path: Path) -> None:
    x = matrix(32, 32, torch.float32)
    x[0, :2] = torch.tensor([1.00390625, -1.01171875])  # halfway between two bf16
    kernel = copy_kernel(tmp_path, torch.float32, torch.bfloat16, to_dest=True)
    assert torch.equal(kernel(x)[0].float(), away(x))
    assert kernel(x)[0][0, :2].tolist() == [1.0078125, -1.015625]


def test_the_packer_applies_relu(tmp_path: Path) -> None:
    x = matrix(32, 32)
    kernel = copy_kernel(tmp_path, torch.bfloat16, torch.bfloat16)
    assert torch.equal(kernel(x, case=3)[0], x.clamp(min=0))
    assert torch.equal(kernel(x, case=4)[0], x.clamp(min=0, max=1))


TILIZE = """
#include "api/compute/pack_untilize.h"
#include "api/compute/tilize.h"

void kernel_main() {
    compute_kernel_hw_startup(0, 1);
    cb_wait_front(0, 3);
    cb_reserve_back(1, 3);
    if (get_common_arg_val<uint32_t>(0) == 0) {
        tilize_init(0, 3, 1);
        tilize_block(0, 3, 1);
        tilize_uninit(0, 1);
    } else {
        pack_untilize_init<3, 3>(0, 1);
        pack_untilize_block<3, 3>(0, 1, 1);
        pack_untilize_uninit(1);
    }
    cb_push_back(1, 3);
    cb_pop_front(0, 3);
}
"""


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_tilize_and_untilize(tmp_path: Path, dtype: torch.dtype) -> None:
    row = Operand(rows=32, columns=96, dtype=dtype, to_dest=dtype == torch.float32)
    kernel = compute_kernel(tmp_path, TILIZE, [row], [Operand(rows=32, columns=96, dtype=dtype)])
    x = matrix(32, 96, dtype)
    assert torch.equal(kernel(as_tiles(x))[0], x)
    assert torch.equal(kernel(x, case=1)[0], as_tiles(x))


def as_tiles(memory: torch.Tensor) -> torch.Tensor:
    """The 32x96 matrix whose tile pages are, byte for byte, the rows of `memory`."""
    tiles = memory.reshape(3, 2, 2, 16, 16)  # tile, face row, face column, row, column
    return tiles.permute(1, 3, 0, 2, 4).reshape(32, 96).contiguous()


BLOCK_FLOAT = (
    HEAD
    + """
void kernel_main() {
    compute_kernel_hw_startup(0, 2);
    cb_wait_front(0, 1);
    copy_init(0);
    produce(2, [] { copy_tile(0, 0, 0); });
    cb_wait_front(2, 1);
    reconfig_data_format_srca(0, 2);
    pack_reconfig_data_format(2, 1);
    copy_init(2);
    produce(1, [] { copy_tile(2, 0, 0); });
    cb_pop_front(2, 1);
    cb_pop_front(0, 1);
}
"""
)


@pytest.mark.parametrize(("name", "bits"), [("Bfp8_b", 7), ("Bfp4_b", 3)])
def test_sixteen_values_share_an_exponent(tmp_path: Path, name: str, bits: int) -> None:
    tile = Operand(rows=32, columns=32)
    scratch = [Scratch(pages=1, block_format=name)]
    kernel = compute_kernel(tmp_path, BLOCK_FLOAT, [tile], [tile], scratch=scratch)
    x = matrix(32, 32)
    x[0, :16], x[1, :16] = 0.0, 1.0
    result = kernel(x)[0].float().reshape(32, 2, 16)
    groups = x.float().reshape(32, 2, 16)
    # The packer rounds to 6 fraction bits first, which may raise the largest exponent; Bfp4_b then cuts.
    rounded = ((((groups.view(torch.int32) >> 16) + 1) & ~1) << 16).view(torch.float32)
    largest = rounded.abs().amax(-1, keepdim=True)
    unit = torch.where(largest > 0, torch.exp2(torch.floor(torch.log2(largest.clamp(min=2**-126))) - bits + 1), 1.0)
    assert float(((result - groups) / unit).abs().max()) <= 1.0 + 2**-4
    assert torch.equal(result, torch.trunc(result / unit) * unit)
    assert torch.equal(result[:2, 0], groups[:2, 0])
