"""Reductions by the FPU and by the SFPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from .harness import ComputeKernel, Operand, compute_kernel, matrix
from .test_matmul import cut

FPU = """
#include "api/compute/reduce.h"
#include "api/compute/tile_move_copy.h"

// Two tiles into one, then the result into the output.
template <PoolType pool, ReduceDim dim>
void reduce_two() {
    constexpr bool swapped = dim == ReduceDim::REDUCE_ROW && pool != PoolType::MAX;
    reconfig_data_format(swapped ? 1 : 0, swapped ? 0 : 1);
    reduce_init<pool, dim>(0, 1, 2);
    tile_regs_acquire();
    reduce_tile<pool, dim>(0, 1, 0, 0, 0);
    reduce_tile<pool, dim>(0, 1, 1, 0, 0);
    tile_regs_commit();
    cb_reserve_back(2, 1);
    tile_regs_wait();
    pack_tile(0, 2);
    tile_regs_release();
    cb_push_back(2, 1);
    reduce_uninit();
}

void kernel_main() {
    compute_kernel_hw_startup(0, 1, 2);
    cb_wait_front(0, 2);
    cb_wait_front(1, 1);
    switch (get_common_arg_val<uint32_t>(0)) {
        case 0: reduce_two<PoolType::SUM, ReduceDim::REDUCE_ROW>(); break;
        case 1: reduce_two<PoolType::SUM, ReduceDim::REDUCE_COL>(); break;
        case 2: reduce_two<PoolType::SUM, ReduceDim::REDUCE_SCALAR>(); break;
        case 3: reduce_two<PoolType::MAX, ReduceDim::REDUCE_ROW>(); break;
        case 4: reduce_two<PoolType::MAX, ReduceDim::REDUCE_COL>(); break;
        case 5: reduce_two<PoolType::MAX, ReduceDim::REDUCE_SCALAR>(); break;
    }
    cb_pop_front(0, 2);
    cb_pop_front(1, 1);
}
"""


def scaler(value: float) -> torch.Tensor:
    """`value` in row 0 of each of the four faces."""
    tile = torch.zeros(32, 32)
    tile[0], tile[16] = value, value
    return tile.to(torch.bfloat16)


def fpu_kernel(directory: Path, dtype: torch.dtype) -> ComputeKernel:
    inputs = [Operand(rows=32, columns=64, dtype=dtype), Operand(rows=32, columns=32)]
    return compute_kernel(directory, FPU, inputs, [Operand(rows=32, columns=32, dtype=torch.float32)])


def only(shape: str, values: torch.Tensor) -> torch.Tensor:
    """A tile that is zero outside of the result's row, column or element."""
    tile = torch.zeros(32, 32)
    if shape == "column":
        tile[:, 0] = values
    elif shape == "row":
        tile[0] = values
    else:
        tile[0, 0] = values
    return tile


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_sums_are_scaled_and_everything_else_is_masked(tmp_path: Path, dtype: torch.dtype) -> None:
    kernel = fpu_kernel(tmp_path, dtype)
    x = matrix(32, 64, dtype)
    seen = x.float() if dtype == torch.bfloat16 else cut(x, 9)
    halves = seen[:, :32], seen[:, 32:]
    close = {"rtol": 1e-5, "atol": 1e-4} if dtype == torch.bfloat16 else {"rtol": 1e-3, "atol": 2e-2}
    torch.testing.assert_close(kernel(x, scaler(0.5), case=0)[0], only("column", seen.sum(1) * 0.5), **close)
    torch.testing.assert_close(
        kernel(x, scaler(1.0), case=1)[0], only("row", halves[0].sum(0) + halves[1].sum(0)), **close
    )
    # The partial row goes back through SrcA, which holds as many bits as the data's format; the scaler counts twice.
    partial = 2**-8 if dtype == torch.bfloat16 else 2**-11
    torch.testing.assert_close(
        kernel(x, scaler(0.5), case=2)[0], only("element", seen.sum() * 0.25), rtol=0, atol=32 * 64 * partial * 0.25
    )


def test_maxima(tmp_path: Path) -> None:
    kernel = fpu_kernel(tmp_path, torch.bfloat16)
    x = matrix(32, 64) - 10.0
    x[3] = -float("inf")
    seen = x.float()
    assert torch.equal(kernel(x, scaler(1.0), case=3)[0], only("column", seen.amax(1)))
    assert torch.equal(
        kernel(x, scaler(1.0), case=4)[0], only("row", torch.maximum(seen[:, :32].amax(0), seen[:, 32:].amax(0)))
    )
    assert torch.equal(kernel(x, scaler(1.0), case=5)[0], only("element", seen.amax()))


SFPU = """
#include "api/compute/common.h"
#include "api/compute/compute_kernel_api.h"
#include "api/compute/cumsum.h"
#include "api/compute/tile_move_copy.h"

template <PoolType pool, ReduceDim dim>
void reduce(uint32_t columns) {
    copy_init(0);
    sfpu_reduce_init<pool, DataFormat::%(format)s>();
    copy_block(0, 0, 0, 2);
    sfpu_reduce<pool, DataFormat::%(format)s, dim>(0, columns);
}

void kernel_main() {
    compute_kernel_hw_startup(0, 1);
    cb_wait_front(0, 2);
    tile_regs_acquire();
    switch (get_common_arg_val<uint32_t>(0)) {
        case 0: reduce<PoolType::SUM, ReduceDim::REDUCE_ROW>(2); break;
        case 1: reduce<PoolType::MAX, ReduceDim::REDUCE_ROW>(2); break;
        case 2: reduce<PoolType::MIN, ReduceDim::REDUCE_ROW>(1); break;
        case 3: reduce<PoolType::SUM, ReduceDim::REDUCE_COL>(1); break;
        case 4: reduce<PoolType::MIN, ReduceDim::REDUCE_COL>(1); break;
        case 5:
            copy_init(0);
            copy_block(0, 0, 0, 2);
            cumsum_tile_init();
            cumsum_tile(1);
            cumsum_tile(0, false);
            break;
    }
    tile_regs_commit();
    cb_reserve_back(1, 1);
    tile_regs_wait();
    pack_tile(0, 1);
    tile_regs_release();
    cb_push_back(1, 1);
    cb_pop_front(0, 2);
}
"""


def sfpu_kernel(directory: Path, dtype: torch.dtype, data_format: str) -> ComputeKernel:
    inputs = [Operand(rows=32, columns=64, dtype=dtype, to_dest=dtype == torch.float32)]
    return compute_kernel(
        directory, SFPU % {"format": data_format}, inputs, [Operand(rows=32, columns=32, dtype=dtype)]
    )


def test_sfpu_reductions_of_fp32(tmp_path: Path) -> None:
    kernel = sfpu_kernel(tmp_path, torch.float32, "Float32")
    x = matrix(32, 64, torch.float32)
    torch.testing.assert_close(kernel(x, case=0)[0][:, 0], x.sum(1), rtol=1e-5, atol=1e-5)
    assert torch.equal(kernel(x, case=1)[0][:, 0], x.amax(1))
    assert torch.equal(kernel(x, case=2)[0][:, 0], x[:, :32].amin(1))
    torch.testing.assert_close(kernel(x, case=3)[0][0], x[:, :32].sum(0), rtol=1e-5, atol=1e-5)
    assert torch.equal(kernel(x, case=4)[0][0], x[:, :32].amin(0))
    expected = torch.cat([x[:, 32:], x[:, :32]]).cumsum(0)[32:]
    torch.testing.assert_close(kernel(x, case=5)[0], expected, rtol=1e-5, atol=1e-5)


def test_sfpu_reductions_of_integers(tmp_path: Path) -> None:
    kernel = sfpu_kernel(tmp_path, torch.int32, "Int32")
    x = torch.randint(-(2**30), 2**30, (32, 64), dtype=torch.int32, generator=torch.Generator().manual_seed(1))
    assert torch.equal(kernel(x, case=0)[0][:, 0], x.sum(1, dtype=torch.int64).to(torch.int32))
    assert torch.equal(kernel(x, case=1)[0][:, 0], x.amax(1))
    assert torch.equal(kernel(x, case=4)[0][0], x[:, :32].amin(0))
