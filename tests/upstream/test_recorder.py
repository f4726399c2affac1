"""The judge of the upstream harness: right, wrong, refused and crashed kernels are told apart."""

from collections.abc import Callable
from typing import Any

import pytest
import tilelang.language as T
import torch

from tests.upstream.einops_subset import einsum, rearrange, reduce, repeat
from tests.upstream.recorder import Recorder, compare
from tt_jit.errors import UnsupportedError


@T.prim_func
def doubled(X: T.Tensor((64, 64), "float32"), Y: T.Tensor((64, 64), "float32")):
    with T.Kernel(2, threads=64) as bx:
        tile = T.alloc_fragment((32, 64), "float32")
        T.copy(X[bx * 32, 0], tile)
        for i, j in T.Parallel(32, 64):
            tile[i, j] = tile[i, j] * 2.0
        T.copy(tile, Y[bx * 32, 0])


def status_of(kernel: Callable[[torch.Tensor], torch.Tensor]) -> tuple[str, str]:
    recorder = Recorder(lambda func, out_idx: kernel)
    result = recorder.compile(doubled, [1])(torch.ones(64, 64))
    assert torch.equal(result, torch.full((64, 64), 2.0)), "the example gets the interpreter's result"
    (outcome,) = recorder.outcomes.values()
    return outcome.status, outcome.detail


def test_right_wrong_refused_and_crashed_kernels() -> None:
    def refuse(x: torch.Tensor) -> torch.Tensor:
        raise UnsupportedError("no such instruction")

    def crash(x: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError("oops")

    def almost(x: torch.Tensor) -> torch.Tensor:
        result = x * 2
        result[3, 4] += 0.5
        return result

    assert status_of(lambda x: x * 2) == ("right", "")
    assert status_of(almost)[0] == "wrong"
    assert status_of(lambda x: x * torch.nan)[0] == "wrong"
    assert status_of(refuse)[0] == "refused"
    status, detail = status_of(crash)
    assert status == "crashed" and "ZeroDivisionError: oops" in detail


def test_kernels_that_change_their_arguments() -> None:
    recorder = Recorder(lambda func, out_idx: lambda x, y: y.copy_(x * 2))
    x, y = torch.ones(64, 64), torch.zeros(64, 64)
    assert recorder.compile(doubled, None)(x, y) is None
    assert torch.equal(y, torch.full((64, 64), 2.0))
    assert [outcome.status for outcome in recorder.outcomes.values()] == ["right"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_rounding_of_the_output_is_no_error(dtype: torch.dtype) -> None:
    exact = torch.randn(64, 64, dtype=torch.float64)
    assert compare(exact.to(dtype), exact.float(), exact) == ""
    assert compare((exact * 1.05).to(dtype), exact.float(), exact) != ""


def test_integers_must_be_equal() -> None:
    values = torch.arange(8, dtype=torch.int32)
    assert compare(values, values, values) == ""
    assert "1 of 8" in compare(values + (values == 3), values, values)


def test_the_einops_subset() -> None:
    x: Any = torch.randn(2, 6, 4)
    assert torch.equal(rearrange(x, "b (h g) d -> b g h d", g=2), x.view(2, 3, 2, 4).transpose(1, 2))
    assert torch.equal(rearrange(x, "b ... -> b (...)"), x.reshape(2, 24))
    assert torch.equal(rearrange(x, "b s ... -> (b s) ..."), x.reshape(12, 4))
    assert torch.equal(repeat(x, "b h d -> b (h r) d", r=3), x.repeat_interleave(3, 1))
    assert torch.equal(reduce(x, "b h d -> b d", "max"), x.amax(1))
    torch.testing.assert_close(einsum(x, x, "b i d, b j d -> b i j"), x @ x.transpose(1, 2))


def test_a_call_repeated_with_the_same_arguments_runs_once() -> None:
    ran: list[int] = []

    def double(x: torch.Tensor) -> torch.Tensor:
        ran.append(1)
        return x * 2

    kernel = Recorder(lambda func, out_idx: double).compile(doubled, [1])
    for _ in range(3):
        assert torch.equal(kernel(torch.ones(64, 64)), torch.full((64, 64), 2.0))
    assert len(ran) == 1
    assert torch.equal(kernel(torch.full((64, 64), 3.0)), torch.full((64, 64), 6.0))
    assert len(ran) == 2
