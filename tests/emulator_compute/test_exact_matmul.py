"""With `emulator_exact` sums come out as the matrix unit makes them, bit by bit, against a model in integers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tt_jit.config import config
from tt_jit.plan import ComputeConfig

from .harness import matrix
from .test_matmul import block_kernel

PASSES = {"LoFi": 1, "HiFi2": 2, "HiFi3": 3, "HiFi4": 4}
DROPS = (0, 5, 7, 12)


def fields(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sign (-1, 1), biased exponent and 11-bit fraction of a source register; zeros have exponent 0."""
    bits = x.float().contiguous().view(torch.int32).long() & 0xFFFFFFFF
    return 1 - 2 * (bits >> 31), bits >> 23 & 255, (bits >> 13 & 1023) | 1024


def rounded_shift(magnitude: torch.Tensor, shift: torch.Tensor, tie: torch.Tensor) -> torch.Tensor:
    """magnitude / 2^shift with ties up, or down where `tie` is 1."""
    shift = shift.clamp(0, 40)
    return torch.where(shift > 0, (magnitude + (1 << (shift - 1).clamp(min=0)) - tie) >> shift, magnitude)


def group(a: torch.Tensor, b: torch.Tensor, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of eight products of pass `number`, in units of the largest product's last bit: value and exponent."""
    (sign_b, exponent_b, fraction_b), (sign_a, exponent_a, fraction_a) = (
        fields(a),
        fields(b),
    )  # SrcB is the left operand
    part_a = fraction_a >> 1 & 31 if number & 1 else fraction_a >> 6
    part_b = (fraction_b & 15) << 3 if number & 2 else fraction_b >> 4
    counts = (exponent_a[None] > 0) & (exponent_b[:, :, None] > 0)
    exponent = torch.where(counts, exponent_a[None] + exponent_b[:, :, None] - 127 - DROPS[number], 0)
    magnitude = torch.where(counts, part_a[None] * part_b[:, :, None], 0)
    largest = exponent.amax(1).clamp(min=0)
    aligned = rounded_shift(magnitude, largest[:, None] - exponent, torch.zeros_like(magnitude))
    return (aligned * sign_a[None] * sign_b[:, :, None]).sum(1) << 13, largest


def accumulate(dst: torch.Tensor, terms: list[tuple[torch.Tensor, torch.Tensor]], wide: bool) -> torch.Tensor:
    sign, exponent, _ = fields(dst)
    bits = dst.contiguous().view(torch.int32).long()
    held = torch.where(exponent > 0, (bits & 0x7FFFFF) | 0x800000, 0)
    top = torch.stack([exponent, *[term for _, term in terms]]).amax(0)
    total = torch.zeros_like(held)
    no_ties = torch.zeros_like(held)
    for value, weight, tie in [(sign * held, exponent, no_ties), *[(*term, (term[0] < 0).long()) for term in terms]]:
        magnitude = rounded_shift(value.abs(), top - weight, tie)
        if not wide:
            magnitude = (magnitude + 0x1000 - tie) & ~0x1FFF
        total += torch.where(value < 0, -magnitude, magnitude)
    bits_kept = 24 if wide else 8
    length = torch.where(total == 0, 0, torch.floor(torch.log2(total.abs().double().clamp(min=1))).long() + 1)
    excess = (length - bits_kept).clamp(min=0)
    kept = rounded_shift(total.abs(), excess, torch.zeros_like(total)) << excess
    return (kept.double() * total.sign().double() * torch.exp2((top - 150).double())).float()


def model(a: torch.Tensor, b: torch.Tensor, passes: int, wide: bool) -> torch.Tensor:
    dst = torch.zeros(32, 32)
    for start in range(0, a.shape[1], 32):
        for number in range(passes):
            for half in (start, start + 16):
                slices = [slice(half, half + 8), slice(half + 8, half + 16)]
                dst = accumulate(dst, [group(a[:, part], b[part], number) for part in slices], wide)
    return dst


@pytest.mark.parametrize("fidelity", list(PASSES))
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_fp32_dst(tmp_path: Path, fidelity: str, dtype: torch.dtype) -> None:
    a, b = matrix(32, 64, dtype, seed=1), matrix(64, 32, dtype, seed=2)
    a[3, ::3] = 0.0
    settings = ComputeConfig(fp32_dest_acc_en=True, math_fidelity=fidelity)
    with config.scope(emulator_exact=True):
        (result,) = block_kernel(tmp_path, 1, 1, 2, settings, dtype=dtype)(a, b)
    assert torch.equal(result, model(a, b, PASSES[fidelity], wide=True))


def test_16_bit_dst(tmp_path: Path) -> None:
    a, b = matrix(32, 64, seed=1), matrix(64, 32, seed=2)
    with config.scope(emulator_exact=True):
        (result,) = block_kernel(tmp_path, 1, 1, 2, ComputeConfig(), out=torch.bfloat16)(a, b)
    assert torch.equal(result.float(), model(a, b, 4, wide=False))


def test_the_fast_sums_are_close_to_the_exact_ones(tmp_path: Path) -> None:
    a, b = matrix(32, 256, seed=1), matrix(256, 32, seed=2)
    kernel = block_kernel(tmp_path, 1, 1, 8, ComputeConfig(fp32_dest_acc_en=True))
    (fast,) = kernel(a, b)
    with config.scope(emulator_exact=True):
        exact_kernel = block_kernel(tmp_path / "exact", 1, 1, 8, ComputeConfig(fp32_dest_acc_en=True))
        (exact,) = exact_kernel(a, b)
    scale = a.float().abs() @ b.float().abs()
    assert float(((fast - exact).abs() / scale).max()) < 2**-12
    assert not torch.equal(fast, exact)
