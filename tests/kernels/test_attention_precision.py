"""Attention at a real size agrees with float64 torch within the error of its input format."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Largest error relative to the largest value of a row, in units of ``unit``."""

    unit: float
    limit: float


BOUNDS = {
    # The probabilities are rounded to bfloat16 before the second product, the output after it. Measured: 1.2 u.
    ("bfloat16", "accurate"): Bound(unit=2.0**-8, limit=2),
    # Each product cuts 2^-10, that is 2 u, off its right operand; the probabilities and the output are rounded, too.
    # Measured: 4.8 u.
    ("float16", "accurate"): Bound(unit=2.0**-11, limit=6),
    # The approximate exponential is off by 3.2e-2, in the weights and, on the average, in their sum; 2 u(bf16) for each
    # product, in HiFi2, and the roundings as above: together 21 u. Measured: 12 u and 11 u.
    ("bfloat16", "fast"): Bound(unit=2.0**-8, limit=21),
    ("float16", "fast"): Bound(unit=2.0**-8, limit=21),
}


@pytest.mark.parametrize(("dtype", "policy"), BOUNDS)
def test_long_attention(monkeypatch: pytest.MonkeyPatch, dtype: str, policy: str) -> None:
    """S = 2048, D = 128, one head, against float64: every element within the error of the input format."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples"))
    monkeypatch.delitem(sys.modules, "flash_attention", raising=False)
    from flash_attention import attention, reference

    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2048, 1, 128).to(getattr(torch, dtype)) for _ in range(3))
    result = attention(1, 1, 2048, 2048, 128, False, dtype=dtype, precision=policy)(q, k, v)
    exact = reference(q, k, v, False)
    row_scale = exact.abs().amax(-1, keepdim=True)
    error = ((result.double() - exact).abs() / row_scale).max().item()
    bound = BOUNDS[dtype, policy]
    print(
        f"{dtype}, {policy}: largest error relative to the row's largest value {error:.2e}, {error / bound.unit:.2f} u"
    )
    assert error <= bound.limit * bound.unit
