"""Functions that the chip approximates have the chip's errors: not larger, and not smaller than half of them.

Measured on Tenstorrent's simulators of Wormhole and Blackhole over 4096 inputs, both DST modes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from tt_jit.plan import ComputeConfig

from .harness import ComputeKernel, Operand, compute_kernel

KERNEL = """
%(define)s
#include "api/compute/common.h"
#include "api/compute/compute_kernel_api.h"
#include "api/compute/eltwise_unary/erf_erfc.h"
#include "api/compute/eltwise_unary/exp.h"
#include "api/compute/eltwise_unary/recip.h"
#include "api/compute/eltwise_unary/rsqrt.h"
#include "api/compute/eltwise_unary/sqrt.h"
#include "api/compute/tile_move_copy.h"

void kernel_main() {
    compute_kernel_hw_startup(0, 1);
    copy_init(0);
    cb_wait_front(0, 1);
    cb_reserve_back(1, 1);
    tile_regs_acquire();
    copy_tile(0, 0, 0);
    switch (get_common_arg_val<uint32_t>(0)) {
        case 0: exp_tile_init<true>(); exp_tile<true>(0); break;
        case 1: recip_tile_init(); recip_tile(0); break;
        case 2: sqrt_tile_init(); sqrt_tile(0); break;
        case 3: rsqrt_tile_init(); rsqrt_tile(0); break;
        case 4: erf_tile_init<false>(); erf_tile<false>(0); break;
        case 5: erf_tile_init<true>(); erf_tile<true>(0); break;
        case 6: exp_tile_init<true>(); exp_tile<true, true>(0, VectorMode::RC, 0x3f00); break;
    }
    tile_regs_commit();
    tile_regs_wait();
    pack_tile(0, 1);
    tile_regs_release();
    cb_push_back(1, 1);
    cb_pop_front(0, 1);
}
"""
APPROXIMATE = ComputeConfig(fp32_dest_acc_en=True, math_approx_mode=True)
EXACT = ComputeConfig(fp32_dest_acc_en=True)


@dataclass(frozen=True, kw_only=True)
class Approximation:
    """``error``: the chip's largest one over [low, high], relative or absolute."""

    case: int
    expected: Callable[[torch.Tensor], torch.Tensor]
    low: float
    high: float
    error: float
    absolute: bool = False


CASES = {
    "exp": Approximation(case=0, expected=torch.exp, low=-80, high=80, error=3.2e-2),
    "exp_scaled": Approximation(case=6, expected=lambda x: torch.exp(x / 2), low=-80, high=80, error=3.2e-2),
    "recip": Approximation(case=1, expected=torch.reciprocal, low=0.1, high=100, error=1.1e-4),
    "sqrt": Approximation(case=2, expected=torch.sqrt, low=0.1, high=100, error=8.9e-4),
    "rsqrt": Approximation(case=3, expected=torch.rsqrt, low=0.1, high=100, error=8.9e-4),
    "erf": Approximation(case=4, expected=torch.erf, low=-5, high=5, error=3.3e-3, absolute=True),
    "erf_approximate": Approximation(case=5, expected=torch.erf, low=-5, high=5, error=3.3e-3, absolute=True),
}


def kernel_of(folder: Path, config: ComputeConfig, define: str = "") -> ComputeKernel:
    tile = Operand(rows=32, columns=32, dtype=torch.float32, to_dest=True)
    return compute_kernel(folder, KERNEL % {"define": define}, [tile], [tile], config=config)


@pytest.fixture(scope="module")
def approximate(tmp_path_factory: pytest.TempPathFactory) -> ComputeKernel:
    return kernel_of(tmp_path_factory.mktemp("approximate"), APPROXIMATE)


def largest_error(kernel: ComputeKernel, function: Approximation) -> float:
    x = torch.linspace(function.low, function.high, 1024).reshape(32, 32)
    expected = function.expected(x.double())
    error = (kernel(x, case=function.case)[0].double() - expected).abs()
    return float((error if function.absolute else error / expected.abs()).max())


@pytest.mark.parametrize("name", CASES)
def test_errors_are_the_chips(approximate: ComputeKernel, name: str) -> None:
    error = largest_error(approximate, CASES[name])
    assert CASES[name].error / 2 <= error <= CASES[name].error


@pytest.mark.parametrize("name", ["recip", "sqrt", "rsqrt"])
def test_functions_are_exact_unless_the_kernel_asks(tmp_path: Path, name: str) -> None:
    assert largest_error(kernel_of(tmp_path, EXACT), CASES[name]) <= 2**-22


@pytest.mark.parametrize(("name", "error"), [("erf", 4e-7), ("erf_approximate", 1.1e-4)])
def test_erf_in_its_float32_form(tmp_path: Path, name: str, error: float) -> None:
    found = largest_error(kernel_of(tmp_path, EXACT, "#define INP_FLOAT32 1"), CASES[name])
    assert error / 4 <= found <= error


def test_the_approximate_exponential_far_out(approximate: ComputeKernel) -> None:
    x = torch.zeros(32, 32)
    x[0, :6] = torch.tensor([-math.inf, -100.0, 0.0, 100.0, math.inf, math.nan])
    below, far_below, one, *beyond = approximate(x, case=0)[0][0, :6].tolist()
    assert (below, far_below, one) == (0.0, 0.0, 0.978515625)
    assert all(math.isnan(value) for value in beyond)
