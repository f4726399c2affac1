"""Attention at a real size agrees with float64 torch within the error of its input format."""

import sys
from pathlib import Path

import pytest
import torch


def test_long_attention_in_the_default_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """S = 2048, D = 128, one head, bfloat16: every element within 2 u(bf16) of the largest value of its row.

    The inputs are given in bfloat16 (u = 2^-8) and the probabilities are rounded to it before the second product, so an
    error of u relative to the row's largest value is what the formats cost; the output's own rounding may add another.
    Measured: 4.7e-3, that is 1.2 u(bf16).
    """
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples"))
    monkeypatch.delitem(sys.modules, "flash_attention", raising=False)
    from flash_attention import attention, reference

    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2048, 1, 128).bfloat16() for _ in range(3))
    result = attention(1, 1, 2048, 2048, 128, False)(q, k, v)
    exact = reference(q, k, v, False)
    row_scale = exact.abs().amax(-1, keepdim=True)
    error = ((result.double() - exact).abs() / row_scale).max().item()
    print(f"largest error relative to the row's largest value: {error:.2e} ({error * 2**8:.2f} u(bf16))")
    assert error <= 2 * 2.0**-8
