"""Functions below @tilelang.autotune, adopted."""

import time
from typing import Any

import pytest
import tilelang
import torch

import tt_jit as tt
from tt_jit.tuning import TuningError

from . import kernels
from .conftest import FakeDevice


def copy_in_blocks(M: int, N: int, block: Any = None) -> Any:
    """Without a default for the tuned parameter, as upstream examples have it."""
    return kernels.lazy_copy(M, N, block)


@pytest.fixture
def timed(device: FakeDevice) -> FakeDevice:
    """Copies; blocks of 64 are fast."""

    def compute(tensors: list[Any], scalars: list[Any]) -> None:
        if "range(64)" not in device.launches[-1][0].files["reader.cpp"].replace(
            "T.sblock_alloc_buffer((64", "range(64)"
        ):
            time.sleep(0.003)
        tensors[-1].copy_(tensors[0])

    device.compute = compute
    return device


def tuned(function: Any, device: FakeDevice, configs: Any, **options: Any) -> Any:
    lazy = {} if function is kernels.eager_add else {"out_idx": [-1]}
    decorated = tilelang.autotune(configs=configs, warmup=1, rep=4, **options)(tilelang.jit(**lazy)(function))
    return tt.jit(decorated, device=device)


def test_the_fastest_configuration_is_kept(timed: FakeDevice) -> None:
    f = tuned(copy_in_blocks, timed, [{"block": 32}, {"block": 64}, {"block": 128}])
    kernel = f(128, 32)
    assert kernel.config == {"block": 64}
    assert kernel.latency > 0
    measured = len(timed.launches)
    assert f(128, 32) is kernel
    assert f.compile(128, 32) is kernel
    assert len(timed.launches) == measured, "tuned once"
    a = torch.randn(128, 32)
    assert torch.equal(kernel(a), a)


def test_given_parameters_are_not_tuned(timed: FakeDevice) -> None:
    f = tuned(copy_in_blocks, timed, [{"block": 32}, {"block": 64}])
    assert f(128, 32, block=32).config is None
    assert f(128, 32, 32) is f(128, 32, block=32)
    assert timed.launches == []
    assert f.get_tir(128, 32, 32).attrs["global_symbol"] == "copy"


def test_an_eager_function_is_tuned_on_copies_and_then_run(timed: FakeDevice) -> None:
    f = tuned(kernels.eager_add, timed, [{"block": 32}, {"block": 64}])
    a, b = torch.randn(64, 32), torch.randn(64, 32)
    assert torch.equal(f(a, b), a)
    assert all(tensors[0] is not a for _, tensors, _ in timed.launches[:-1])
    assert timed.launches[-1][1][0] is a
    assert f.compile(a, b).config == {"block": 64}


def test_wrong_results_and_failures_are_left_out(timed: FakeDevice) -> None:
    f = tuned(copy_in_blocks, timed, [{"block": 64}, {"block": "many"}], ref_prog=lambda a: a)
    assert f(128, 32).config == {"block": 64}
    f = tuned(copy_in_blocks, timed, lambda: [{"block": 64}, {"block": "many"}], ref_prog=lambda a: a + 1)
    with pytest.raises(TuningError) as caught:
        f(128, 32)
    text = str(caught.value)
    assert "none of 2 configurations works" in text
    assert "{'block': 64}: output 0: 4096 of 4096 elements differ" in text
    assert "{'block': 'many'}: " in text
    assert "def copy_in_blocks" in text


def test_inputs_may_be_supplied(timed: FakeDevice) -> None:
    mine = torch.full((128, 32), 3.0)
    f = tuned(copy_in_blocks, timed, [{"block": 64}], supply_prog=lambda params: [mine])
    f(128, 32)
    assert timed.launches[0][1][0] is mine
