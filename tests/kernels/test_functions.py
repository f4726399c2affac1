"""Every function of the vector unit in float32, on 2,048 points of its domain, within the table of docs/numerics.md."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import tilelang.language as T
import torch

import tt_jit as tt

from .tolerance import assert_within

ROWS, COLUMNS = 32, 64
SMALLEST_NORMAL = 2.0**-126


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function, its meaning, its domain, and its error in units of the last place or absolute."""

    of: Callable[..., Any]
    reference: Callable[[torch.Tensor], torch.Tensor]
    low: float
    high: float
    units: float
    absolute: float = 0.0


def _product_error(low: float, high: float) -> float:
    """In units: a rounded product in an exponent is off by half a unit of its size, at most |high| log2(10)."""
    return max(abs(low), abs(high)) * math.log2(10) * math.log(2) + 1


FUNCTIONS = {
    "exp": Function(of=T.exp, reference=torch.exp, low=-80, high=80, units=1),
    "exp2": Function(of=T.exp2, reference=torch.exp2, low=-120, high=120, units=1),
    "exp10": Function(of=T.exp10, reference=lambda x: 10**x, low=-30, high=30, units=_product_error(-30, 30)),
    "log": Function(of=T.log, reference=torch.log, low=1e-3, high=1e3, units=1, absolute=2.0**-24),
    "log1p": Function(of=T.log1p, reference=torch.log1p, low=-0.9, high=100, units=2, absolute=2.0**-24),
    "log2": Function(of=T.log2, reference=torch.log2, low=1e-3, high=1e3, units=2, absolute=2.0**-23),
    "log10": Function(of=T.log10, reference=torch.log10, low=1e-3, high=1e3, units=2, absolute=2.0**-24),
    "sqrt": Function(of=T.sqrt, reference=torch.sqrt, low=0, high=1e6, units=1),
    "rsqrt": Function(of=T.rsqrt, reference=torch.rsqrt, low=1e-6, high=1e6, units=1),
    "reciprocal": Function(of=lambda x: 1.0 / x, reference=torch.reciprocal, low=0.01, high=1e4, units=1),
    "tanh": Function(of=T.tanh, reference=torch.tanh, low=-8, high=8, units=2),
    "sigmoid": Function(of=T.sigmoid, reference=torch.sigmoid, low=-30, high=30, units=3),
    "erf": Function(of=T.erf, reference=torch.erf, low=-5, high=5, units=1, absolute=3e-7),
    "sin": Function(of=T.sin, reference=torch.sin, low=-10, high=10, units=2),
    "cos": Function(of=T.cos, reference=torch.cos, low=-10, high=10, units=2),
    "tan": Function(of=T.tan, reference=torch.tan, low=-1.5, high=1.5, units=2),
    "asin": Function(of=T.asin, reference=torch.asin, low=-1, high=1, units=2),
    "acos": Function(of=T.acos, reference=torch.acos, low=-1, high=1, units=2),
    "atan": Function(of=T.atan, reference=torch.atan, low=-50, high=50, units=2),
    "sinh": Function(of=T.sinh, reference=torch.sinh, low=-20, high=20, units=2),
    "cosh": Function(of=T.cosh, reference=torch.cosh, low=-20, high=20, units=2),
    "floor": Function(of=T.floor, reference=torch.floor, low=-1e4, high=1e4, units=0),
    "ceil": Function(of=T.ceil, reference=torch.ceil, low=-1e4, high=1e4, units=0),
    "trunc": Function(of=T.trunc, reference=torch.trunc, low=-1e4, high=1e4, units=0),
    "round": Function(of=T.round, reference=torch.round, low=-1e3, high=1e3, units=0),
    "abs": Function(of=T.abs, reference=torch.abs, low=-1e4, high=1e4, units=0),
    "square_root_of_a_power": Function(
        of=lambda x: T.pow(x, T.float32(1.5)), reference=lambda x: x**1.5, low=0.01, high=100, units=4
    ),
    "fmod": Function(
        of=lambda x: T.fmod(x, T.float32(0.75)), reference=lambda x: torch.fmod(x, 0.75), low=-20, high=20, units=1
    ),
}


@tt.jit(out_idx=[1])
def applied(function, source="float32", target="float32"):
    @T.prim_func
    def main(X: T.Tensor((ROWS, COLUMNS), source), Y: T.Tensor((ROWS, COLUMNS), target)):
        with T.Kernel(1):
            x = T.alloc_fragment((ROWS, COLUMNS), source)
            y = T.alloc_fragment((ROWS, COLUMNS), target)
            T.copy(X, x)
            for i, j in T.Parallel(ROWS, COLUMNS):
                y[i, j] = function(x[i, j])
            T.copy(y, Y)

    return main


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_float32(name: str) -> None:
    function = FUNCTIONS[name]
    x = torch.linspace(function.low, function.high, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    exact = function.reference(x.double())
    bound = function.units * 2.0**-23 * exact.abs() + function.absolute + SMALLEST_NORMAL
    assert_within(applied(function.of)(x), exact, bound)


SPECIAL = [float("inf"), -float("inf"), float("nan"), 0.0, -0.0, 1.0, -1.0, 3e38]


@pytest.mark.parametrize("name", ["isnan", "isinf", "isfinite"])
def test_kinds_of_numbers(name: str) -> None:
    x = torch.tensor(SPECIAL).repeat(ROWS * COLUMNS // len(SPECIAL)).reshape(ROWS, COLUMNS)

    def kind(value: Any) -> Any:
        return T.if_then_else(getattr(T, name)(value), T.float32(1), T.float32(0))

    assert torch.equal(applied(kind)(x), getattr(torch, name)(x).float())


NUMBERS = [*SPECIAL, -3e38, 2.0**-126, -(2.0**-126), 1.0000001, 0.5, -0.5, 2.0, -2.0]
COMPARISONS = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


@pytest.mark.parametrize("constant", [0.0, -0.0, 1.0, -1.0, 3e38, math.inf, -math.inf])
@pytest.mark.parametrize("name", list(COMPARISONS))
def test_comparisons_with_a_constant_are_those_of_ieee(name: str, constant: float) -> None:
    compare = COMPARISONS[name]
    x = torch.tensor(NUMBERS).repeat(ROWS * COLUMNS // len(NUMBERS)).reshape(ROWS, COLUMNS)

    def flag(value: Any) -> Any:
        return T.if_then_else(compare(value, T.float32(constant)), T.float32(1), T.float32(0))

    assert torch.equal(applied(flag)(x), compare(x, torch.tensor(constant)).float())


@tt.jit
def compared_with_an_argument(X, limit: T.float32):
    X: T.Tensor((ROWS, COLUMNS), "float32")
    Y = T.empty((ROWS, COLUMNS), "float32")
    with T.Kernel(1):
        x = T.alloc_fragment((ROWS, COLUMNS), "float32")
        T.copy(X, x)
        for i, j in T.Parallel(ROWS, COLUMNS):
            x[i, j] = T.if_then_else(x[i, j] == limit, 1.0, T.if_then_else(x[i, j] < limit, 2.0, 3.0))
        T.copy(x, Y)
    return Y


@pytest.mark.parametrize("limit", [0.0, -0.5, math.inf, -math.inf])
def test_comparisons_with_an_argument_are_those_of_ieee(limit: float) -> None:
    x = torch.tensor(NUMBERS).repeat(ROWS * COLUMNS // len(NUMBERS)).reshape(ROWS, COLUMNS)
    wanted = torch.where(x == limit, 1.0, torch.where(x < limit, 2.0, 3.0))
    assert torch.equal(compared_with_an_argument(x, limit), wanted)


@pytest.mark.parametrize("step", [-1, -2])
def test_an_index_of_zero_is_not_negative(step: int) -> None:
    """A multiple of the index by a negative number is -0 there."""

    @tt.jit
    def kernel(X, limit: T.int32):
        X: T.Tensor((32, 32), "float32")
        Y = T.empty((32, 32), "float32")
        with T.Kernel(1):
            x = T.alloc_fragment((32, 32), "float32")
            T.copy(X, x)
            for i, j in T.Parallel(32, 32):
                x[i, j] = T.if_then_else(step * j >= limit, x[i, j], 0.0)
            T.copy(x, Y)
        return Y

    x = torch.randn(32, 32)
    for limit in (0, step, 5 * step):
        assert torch.equal(kernel(x, limit), torch.where(step * torch.arange(32) >= limit, x, 0.0))
