"""The bounds hold for correctly rounded results and catch a wrong element."""

import pytest
import torch

from tests.kernels.tolerance import assert_within, elementwise_bound, gemm_bound, sum_bound


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_torch_itself_is_within_the_bounds(dtype: torch.dtype) -> None:
    a, b = torch.randn(64, 96).to(dtype), torch.randn(96, 64).to(dtype)
    exact = a.double() @ b.double()
    assert_within((a.float() @ b.float()).to(dtype), exact, gemm_bound(a, b, dtype))
    assert_within(
        torch.exp(a.float()).to(dtype), a.double().exp(), elementwise_bound(a.double().exp(), dtype, functions=1)
    )
    assert_within(a.float().sum(1).to(dtype), a.double().sum(1), sum_bound(a, 1, dtype))


def test_one_wrong_element_is_found() -> None:
    a, b = torch.randn(32, 32), torch.randn(32, 32)
    wrong = a @ b
    wrong[3, 4] += 0.5
    with pytest.raises(AssertionError, match=r"1 of 1024 elements.*\(3, 4\)"):
        assert_within(wrong, a.double() @ b.double(), gemm_bound(a, b, torch.float32))


def test_a_missing_infinity_is_found() -> None:
    exact = torch.tensor([1.0, -torch.inf])
    with pytest.raises(AssertionError, match="infinity"):
        assert_within(torch.tensor([1.0, 2.0]), exact, 1e9)
