"""Matmul, its transposes, block shapes, fidelities and accumulation forms against torch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tt_jit.plan import ComputeConfig

from .harness import BF16, FP32, ComputeKernel, Operand, Scratch, compute_kernel, matrix

BLOCK = """
#include "api/compute/matmul.h"

// in0 (M x K tiles) times in1 (K x N tiles), one matmul_block of M x N tiles per k.
void kernel_main() {
    constexpr uint32_t m = %(m)d, n = %(n)d, k = %(k)d;
    compute_kernel_hw_startup<SrcOrder::Reverse>(0, 1, 2);
    matmul_block_init(0, 1, %(transpose)d, n, m, k);
    cb_wait_front(0, m * k);
    cb_wait_front(1, k * n);
    cb_reserve_back(2, m * n);
    tile_regs_acquire();
    for (uint32_t i = 0; i < k; ++i) matmul_block(0, 1, i, i * n, 0, %(transpose)d, n, m, k);
    tile_regs_commit();
    tile_regs_wait();
    pack_block(0, 2, m * n);
    tile_regs_release();
    cb_push_back(2, m * n);
    cb_pop_front(0, m * k);
    cb_pop_front(1, k * n);
}
"""


def block_kernel(
    directory: Path,
    m: int,
    n: int,
    k: int,
    config: ComputeConfig,
    *,
    transpose: bool = False,
    dtype: torch.dtype = torch.bfloat16,
    out: torch.dtype = torch.float32,
) -> ComputeKernel:
    text = BLOCK % {"m": m, "n": n, "k": k, "transpose": int(transpose)}
    inputs = [Operand(rows=32 * m, columns=32 * k, dtype=dtype), Operand(rows=32 * k, columns=32 * n, dtype=dtype)]
    return compute_kernel(directory, text, inputs, [Operand(rows=32 * m, columns=32 * n, dtype=out)], config=config)


@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (2, 2, 3), (1, 4, 2), (4, 1, 2)])
def test_blocks_of_bf16_are_products_in_float(tmp_path: Path, m: int, n: int, k: int) -> None:
    a, b = matrix(32 * m, 32 * k, seed=1), matrix(32 * k, 32 * n, seed=2)
    (result,) = block_kernel(tmp_path, m, n, k, FP32)(a, b)
    # Products of bf16 are exact in fp32; only the sums round.
    torch.testing.assert_close(result, a.float() @ b.float(), rtol=1e-5, atol=1e-5)


def test_transpose_turns_each_tile_of_in1(tmp_path: Path) -> None:
    a, b = matrix(32, 64, seed=1), matrix(64, 32, seed=2)
    (result,) = block_kernel(tmp_path, 1, 1, 2, FP32, transpose=True)(a, b)
    turned = torch.cat([b[:32].T, b[32:].T]).float()
    torch.testing.assert_close(result, a.float() @ turned, rtol=1e-5, atol=1e-5)


def cut(x: torch.Tensor, kept_fraction_bits: int) -> torch.Tensor:
    mask = -(1 << (23 - kept_fraction_bits))
    return (x.float().contiguous().view(torch.int32) & mask).view(torch.float32)


@pytest.mark.parametrize(("fidelity", "left_bits", "right_bits"), [("LoFi", 6, 4), ("HiFi2", 6, 9), ("HiFi4", 10, 9)])
def test_fidelity_decides_which_bits_of_fp32_operands_count(
    tmp_path: Path, fidelity: str, left_bits: int, right_bits: int
) -> None:
    a, b = matrix(32, 32, torch.float32, seed=1), matrix(32, 32, torch.float32, seed=2)
    config = ComputeConfig(fp32_dest_acc_en=True, math_fidelity=fidelity)
    (result,) = block_kernel(tmp_path, 1, 1, 1, config, dtype=torch.float32)(a, b)
    expected = cut(a, left_bits) @ cut(b, right_bits)
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(result, a @ b, rtol=1e-5, atol=1e-5)


def test_hifi3_leaves_out_low_times_low(tmp_path: Path) -> None:
    a, b = matrix(32, 32, seed=1), matrix(32, 32, seed=2)
    config = ComputeConfig(fp32_dest_acc_en=True, math_fidelity="HiFi3")
    (result,) = block_kernel(tmp_path, 1, 1, 1, config)(a, b)
    low_a, low_b = a.float() - cut(a, 6), b.float() - cut(b, 4)
    torch.testing.assert_close(result, a.float() @ b.float() - low_a @ low_b, rtol=1e-5, atol=1e-5)


def test_a_16_bit_dst_rounds_the_sum_of_each_tile(tmp_path: Path) -> None:
    a, b = matrix(32, 64, seed=1), matrix(64, 32, seed=2)
    (result,) = block_kernel(tmp_path, 1, 1, 2, BF16, out=torch.bfloat16)(a, b)
    expected = a.float() @ b.float()
    # Two roundings to 8 bits of partial sums.
    torch.testing.assert_close(result.float(), expected, rtol=2**-7, atol=2**-7 * float(expected.abs().max()))


L1_ACCUMULATION = """
#include "api/compute/matmul.h"
#include "api/compute/pack.h"

void kernel_main() {
    compute_kernel_hw_startup<SrcOrder::Reverse>(0, 1, 3);
    matmul_init(0, 1);
    cb_wait_front(0, 4);
    cb_wait_front(1, 4);
    for (uint32_t k = 0; k < 4; ++k) {
        tile_regs_acquire();
        matmul_tiles(0, 1, k, k, 0);
        tile_regs_commit();
        cb_reserve_back(3, 1);
        tile_regs_wait();
        pack_reconfig_l1_acc(k > 0);
        pack_tile(0, 3);
        tile_regs_release();
        cb_push_back(3, 1);
        cb_wait_front(3, 1);
        if (k < 3) cb_pop_front(3, 1);
    }
    pack_reconfig_l1_acc(0);
    reconfig_data_format_srca(3);
    copy_init(3);
    tile_regs_acquire();
    copy_tile(3, 0, 0);
    tile_regs_commit();
    cb_reserve_back(2, 1);
    tile_regs_wait();
    pack_reconfig_data_format(2);
    pack_tile(0, 2);
    tile_regs_release();
    cb_push_back(2, 1);
    cb_pop_front(3, 1);
    cb_pop_front(0, 4);
    cb_pop_front(1, 4);
}
""".replace('#include "api/compute/pack.h"', '#include "api/compute/pack.h"\n#include "api/compute/tile_move_copy.h"')


@pytest.mark.parametrize("partial", [torch.float32, torch.bfloat16])
def test_the_packer_accumulates_in_l1(tmp_path: Path, partial: torch.dtype) -> None:
    a, b = matrix(32, 128, seed=1), matrix(128, 32, seed=2)
    inputs = [Operand(rows=32, columns=128), Operand(rows=128, columns=32)]
    scratch = [Scratch(pages=1, dtype=partial, to_dest=partial == torch.float32)]
    kernel = compute_kernel(
        tmp_path, L1_ACCUMULATION, inputs, [Operand(rows=32, columns=32, dtype=torch.float32)], scratch=scratch
    )
    (result,) = kernel(a, b)
    expected = a.float() @ b.float()
    tolerance = 1e-5 if partial == torch.float32 else 2**-7
    torch.testing.assert_close(result, expected, rtol=tolerance, atol=tolerance * float(expected.abs().max()))
