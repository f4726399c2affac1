"""Element-wise FPU operations, broadcasts and operands from DST, bit by bit against the hardware's rounding."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from tt_jit.plan import ComputeConfig

from .harness import BF16, FP32, ComputeKernel, Operand, compute_kernel, matrix
from .test_matmul import cut

HEAD = """
#include "api/compute/bcast.h"
#include "api/compute/eltwise_binary.h"
#include "api/compute/tile_move_copy.h"

template <typename Body>
void produce(uint32_t cb, Body body) {
    tile_regs_acquire();
    body();
    tile_regs_commit();
    cb_reserve_back(cb, 1);
    tile_regs_wait();
    pack_tile(0, cb);
    tile_regs_release();
    cb_push_back(cb, 1);
}
"""

ELEMENTWISE = (
    HEAD
    + """
void kernel_main() {
    compute_kernel_hw_startup(0, 1, 2);
    cb_wait_front(0, 1);
    cb_wait_front(1, 1);
    switch (get_common_arg_val<uint32_t>(0)) {
        case 0: add_init(0, 1); produce(2, [] { add_tiles(0, 1, 0, 0, 0); }); break;
        case 1: sub_init(0, 1); produce(2, [] { sub_tiles(0, 1, 0, 0, 0); }); break;
        case 2: mul_init(0, 1); produce(2, [] { mul_tiles(0, 1, 0, 0, 0); }); break;
        case 3: add_bcast_rows_init(0, 1); produce(2, [] { add_tiles_bcast_rows(0, 1, 0, 0, 0); }); break;
        case 4: sub_bcast_cols_init(0, 1); produce(2, [] { sub_tiles_bcast_cols(0, 1, 0, 0, 0); }); break;
        case 5: mul_bcast_scalar_init(0, 1); produce(2, [] { mul_tiles_bcast_scalar(0, 1, 0, 0, 0); }); break;
        case 6: add_bcast_rows_init(0, 1); produce(2, [] { add_tiles_bcast_rows(0, 1, 0, 0, 0, 17); }); break;
        case 7:
            bcast_init<EltwiseBinaryType::ELWADD, BroadcastType::COL>(0, 1);
            produce(2, [] { any_tiles_bcast<EltwiseBinaryType::ELWADD, BroadcastType::COL>(0, 1, 0, 0, 0); });
            break;
        case 8:
            add_init(0, 1, true);
            produce(2, [] { add_tiles(0, 1, 0, 0, 0); add_tiles(0, 1, 0, 0, 0); });
            break;
        case 9: mul_init(0, 1); produce(2, [] { mul_tiles(0, 1, 0, 0, 0); mul_tiles(0, 1, 0, 0, 0); }); break;
        case 10:
            produce(2, [] {
                copy_init(0);
                copy_tile(0, 0, 0);
                sub_reuse_dest_init<EltwiseBinaryReuseDestType::DEST_TO_SRCA>(1);
                sub_reuse_dest_tiles<EltwiseBinaryReuseDestType::DEST_TO_SRCA>(1, 0, 0);
            });
            break;
        case 11:
            produce(2, [] {
                copy_init(0);
                copy_tile(0, 0, 0);
                sub_reuse_dest_init<EltwiseBinaryReuseDestType::DEST_TO_SRCB>(1);
                sub_reuse_dest_tiles<EltwiseBinaryReuseDestType::DEST_TO_SRCB>(1, 0, 0);
            });
            break;
        case 12:
            unary_bcast_init<BroadcastType::ROW>(0);
            produce(2, [] { unary_bcast<BroadcastType::ROW>(0, 0, 0); });
            break;
        case 13:
            unary_bcast_init<BroadcastType::COL>(0);
            produce(2, [] { unary_bcast<BroadcastType::COL>(0, 0, 0); });
            break;
        case 14:
            unary_bcast_init<BroadcastType::SCALAR>(0);
            produce(2, [] { unary_bcast<BroadcastType::SCALAR>(0, 0, 0); });
            break;
    }
    cb_pop_front(0, 1);
    cb_pop_front(1, 1);
}
"""
)


def elementwise(directory: Path, dtype: torch.dtype, out: torch.dtype, config: ComputeConfig) -> ComputeKernel:
    tile = Operand(rows=32, columns=32, dtype=dtype)
    return compute_kernel(
        directory, ELEMENTWISE, [tile, tile], [Operand(rows=32, columns=32, dtype=out)], config=config
    )


def fpu_add(a: float, b: float) -> float:
    """The smaller operand is rounded to the larger one's 11 bits (ties away from zero); the sum is exact."""
    if abs(a) < abs(b):
        a, b = b, a
    if a == 0.0:
        return 0.0
    unit = math.ldexp(1.0, math.frexp(a)[1] - 11)
    return a + math.copysign(math.floor(abs(b) / unit + 0.5) * unit, b)


def fpu_sum(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    pairs = zip(a.float().flatten().tolist(), b.float().flatten().tolist(), strict=True)
    return torch.tensor([fpu_add(x, y) for x, y in pairs]).reshape(a.shape)


def fpu_product(a: float, b: float) -> float:
    """Four passes; each is rounded to 11 bits of the sum (ties upwards), the sum to 8 bits (ties away from zero)."""
    high_a, high_b = cut_float(a, 5), cut_float(b, 7)
    total = 0.0
    for term in (high_a * high_b, (a - high_a) * high_b, high_a * (b - high_b), (a - high_a) * (b - high_b)):
        if total != 0.0:
            unit = math.ldexp(1.0, math.frexp(total)[1] - 11)
            term = math.floor(term / unit + 0.5) * unit
        total += term
        if total != 0.0:
            unit = math.ldexp(1.0, math.frexp(total)[1] - 8)
            total = math.copysign(math.floor(abs(total) / unit + 0.5) * unit, total)
    return total


def cut_float(x: float, bits: int) -> float:
    if x == 0.0:
        return x
    unit = math.ldexp(1.0, math.frexp(x)[1] - bits)
    return math.trunc(x / unit) * unit


def product_in_passes(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    pairs = zip(a.float().flatten().tolist(), b.float().flatten().tolist(), strict=True)
    return torch.tensor([fpu_product(x, y) for x, y in pairs]).reshape(a.shape)


def away(x: torch.Tensor) -> torch.Tensor:
    """To bf16, ties away from zero: what DST and the packer do."""
    return ((x.float().contiguous().view(torch.int32) + 0x8000) & -0x10000).view(torch.float32)


def spread(seed: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    exponents = matrix(32, 32, torch.float32, seed=seed + 100, scale=6.0).round()
    return (matrix(32, 32, torch.float32, seed=seed) * torch.exp2(exponents)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_sums_are_rounded_to_the_larger_operand(tmp_path: Path, dtype: torch.dtype) -> None:
    kernel = elementwise(tmp_path, dtype, torch.float32, FP32)
    a, b = spread(1, dtype), spread(2, dtype)
    seen_a, seen_b = cut(a, 10), cut(b, 10)
    assert torch.equal(kernel(a, b, case=0)[0], fpu_sum(seen_a, seen_b))
    assert torch.equal(kernel(a, b, case=1)[0], fpu_sum(seen_a, -seen_b))


def test_products_of_bf16_are_exact_in_an_fp32_dst(tmp_path: Path) -> None:
    kernel = elementwise(tmp_path, torch.bfloat16, torch.float32, FP32)
    a, b = spread(1), spread(2)
    assert torch.equal(kernel(a, b, case=2)[0], a.float() * b.float())
    # Four passes are added to what DST holds, each rounded.
    torch.testing.assert_close(kernel(a, b, case=9)[0], 2 * a.float() * b.float(), rtol=2**-21, atol=0)


def test_products_of_fp32_lose_what_the_source_registers_cannot_hold(tmp_path: Path) -> None:
    kernel = elementwise(tmp_path, torch.float32, torch.float32, FP32)
    a, b = spread(1, torch.float32), spread(2, torch.float32)
    assert torch.equal(kernel(a, b, case=2)[0], cut(a, 9) * cut(b, 10))


def test_a_16_bit_dst_rounds_away_from_zero(tmp_path: Path) -> None:
    kernel = elementwise(tmp_path, torch.bfloat16, torch.bfloat16, BF16)
    a, b = spread(1), spread(2)
    assert torch.equal(kernel(a, b, case=0)[0].float(), away(fpu_sum(a, b)))
    assert torch.equal(kernel(a, b, case=2)[0].float(), product_in_passes(a, b))


def test_broadcasts(tmp_path: Path) -> None:
    kernel = elementwise(tmp_path, torch.bfloat16, torch.float32, FP32)
    a, b = matrix(32, 32, seed=1), matrix(32, 32, seed=2)
    row, column, scalar = b[0:1].expand(32, 32), b[:, 0:1].expand(32, 32), b[0:1, 0:1].expand(32, 32)
    assert torch.equal(kernel(a, b, case=3)[0], fpu_sum(a, row))
    assert torch.equal(kernel(a, b, case=4)[0], fpu_sum(a, -column))
    assert torch.equal(kernel(a, b, case=5)[0], a.float() * scalar.float())
    assert torch.equal(kernel(a, b, case=6)[0], fpu_sum(a, b[17:18].expand(32, 32)))
    assert torch.equal(kernel(a, b, case=7)[0], fpu_sum(a, column))
    assert torch.equal(kernel(a, b, case=12)[0], a[0:1].expand(32, 32).float())
    assert torch.equal(kernel(a, b, case=13)[0], a[:, 0:1].expand(32, 32).float())
    assert torch.equal(kernel(a, b, case=14)[0], a[0:1, 0:1].expand(32, 32).float())


def test_accumulation_and_operands_from_dst(tmp_path: Path) -> None:
    kernel = elementwise(tmp_path, torch.bfloat16, torch.float32, FP32)
    a, b = matrix(32, 32, seed=1), matrix(32, 32, seed=2)
    torch.testing.assert_close(kernel(a, b, case=8)[0], 2 * fpu_sum(a, b), rtol=2**-10, atol=1e-6)
    assert torch.equal(kernel(a, b, case=10)[0], fpu_sum(a, -b))
    assert torch.equal(kernel(a, b, case=11)[0], fpu_sum(b, -a))


def test_the_fpu_knows_no_infinities(tmp_path: Path) -> None:
    kernel = elementwise(tmp_path, torch.bfloat16, torch.float32, FP32)
    inf = math.inf
    left = torch.tensor([inf, inf, -inf, 1.0, math.nan, 3e38] + [0.0] * 1018, dtype=torch.bfloat16).reshape(32, 32)
    right = torch.tensor([1.0, -inf, 1.0, -inf, 1.0, 3e38] + [0.0] * 1018, dtype=torch.bfloat16).reshape(32, 32)
    (total,) = kernel(left, right, case=0)
    assert total.flatten()[:6].tolist() == [inf, 0.0, -inf, -inf, inf, inf]
