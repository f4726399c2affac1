"""Infinities, NaN, zeros of both signs and denormals through operators, casts and reductions of float32."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import tilelang.language as T
import torch

import tt_jit as tt

INF, NAN = math.inf, math.nan
VALUES = [INF, -INF, NAN, 0.0, -0.0, 1.0, -1.0, -2.0, 1e-40, 2.0**-126, 3e38, -3e38, 100.0, -100.0, 0.5, -3.7]
PAIRS = [
    tensor.flatten().repeat(4).reshape(32, 32) for tensor in torch.meshgrid(*[torch.tensor(VALUES)] * 2, indexing="ij")
]


def normal(x: torch.Tensor) -> torch.Tensor:
    """The vector unit computes with zeros in place of denormals."""
    return torch.where(x.abs() < 2.0**-126, torch.copysign(torch.zeros_like(x), x), x)


def same(got: torch.Tensor, wanted: torch.Tensor) -> bool:
    return bool(((got == wanted) | (got.isnan() & wanted.isnan())).all())


@tt.jit(out_idx=[2])
def of_pairs(function):
    @T.prim_func
    def main(A: T.Tensor((32, 32), "float32"), B: T.Tensor((32, 32), "float32"), Y: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            a = T.alloc_fragment((32, 32), "float32")
            b = T.alloc_fragment((32, 32), "float32")
            T.copy(A, a)
            T.copy(B, b)
            for i, j in T.Parallel(32, 32):
                a[i, j] = function(a[i, j], b[i, j])
            T.copy(a, Y)

    return main


def flag(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: T.if_then_else(compare(a, b), T.float32(1), T.float32(0))


OPERATORS = {
    "add": (lambda a, b: a + b, torch.add),
    "sub": (lambda a, b: a - b, torch.sub),
    "mul": (lambda a, b: a * b, torch.mul),
    "lt": (flag(lambda a, b: a < b), lambda a, b: (a < b).float()),
    "le": (flag(lambda a, b: a <= b), lambda a, b: (a <= b).float()),
    "eq": (flag(lambda a, b: a == b), lambda a, b: (a == b).float()),
    "ne": (flag(lambda a, b: a != b), lambda a, b: (a != b).float()),
    "select": (lambda a, b: T.if_then_else(a > b, a, -b), lambda a, b: torch.where(a > b, a, -b)),
    "abs": (lambda a, b: T.abs(a) - T.abs(b), lambda a, b: a.abs() - b.abs()),
    "scalar": (lambda a, b: 1.0 - a, lambda a, b: 1.0 - a),
}


@pytest.mark.parametrize("name", list(OPERATORS))
def test_operators(name: str) -> None:
    function, reference = OPERATORS[name]
    a, b = PAIRS
    assert same(normal(of_pairs(function)(a, b)), normal(reference(normal(a), normal(b))))


def test_quotients() -> None:
    a, b = PAIRS
    got, wanted = of_pairs(lambda a, b: a / b)(a, b), normal(normal(a) / normal(b))
    ordinary = wanted.isfinite() & (wanted != 0)
    assert same(got[~ordinary], wanted[~ordinary])
    assert torch.allclose(got[ordinary], wanted[ordinary], rtol=2.0**-22, atol=0)


def test_maxima_order_nan_beyond_infinity() -> None:
    """By sign and magnitude: a NaN is larger than all, or, where its sign is set, smaller."""
    a, b = PAIRS
    either = a.isnan() | b.isnan()
    maximum = torch.where(either, torch.full_like(a, NAN), torch.maximum(a, b))
    minimum = torch.where(a.isnan(), b, torch.where(b.isnan(), a, torch.minimum(a, b)))
    assert same(of_pairs(lambda a, b: T.max(a, b))(a, b), normal(maximum))
    assert same(of_pairs(lambda a, b: T.min(a, b))(a, b), normal(minimum))


@tt.jit(out_idx=[1])
def reduced(kind, dim):
    @T.prim_func
    def main(X: T.Tensor((32, 32), "float32"), Y: T.Tensor((32,), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((32, 32), "float32")
            y = T.alloc_fragment((32,), "float32")
            T.copy(X, x)
            getattr(T, f"reduce_{kind}")(x, y, dim=dim)
            T.copy(y, Y)

    return main


@pytest.mark.parametrize("dim", [0, 1])
def test_reductions(dim: int) -> None:
    torch.manual_seed(0)
    x = torch.randint(-8, 9, (32, 32)).float()
    x[0, 3], x[1, 5], x[2, 6], x[3, 7] = INF, -INF, NAN, 3e38
    x[4, :] = -INF
    x[5, 8], x[5, 9] = INF, -INF
    assert same(reduced("max", dim)(x), x.amax(dim))
    assert same(reduced("absmax", dim)(x), x.abs().amax(dim))
    assert same(reduced("sum", dim)(x), x.sum(dim))
    smallest = torch.where(x.isnan(), torch.full_like(x, INF), x).amin(dim)
    assert same(reduced("min", dim)(x), smallest)


@tt.jit(out_idx=[1])
def converted(target):
    @T.prim_func
    def main(X: T.Tensor((32, 32), "float32"), Y: T.Tensor((32, 32), target)):
        with T.Kernel(1):
            x = T.alloc_fragment((32, 32), "float32")
            y = T.alloc_fragment((32, 32), target)
            T.copy(X, x)
            for i, j in T.Parallel(32, 32):
                y[i, j] = T.cast(x[i, j], target)
            T.copy(y, Y)

    return main


@pytest.mark.parametrize("target", ["int32", "uint32"])
def test_floats_beyond_an_integer_end_at_its_limits(target: str) -> None:
    limits = torch.iinfo(getattr(torch, target))
    values = [INF, -INF, 3e38, -3e38, -0.0, 0.49999997, 2.5, 254.5, 65535.5, 2147483520.0, 2147483648.0, 4294967040.0]
    x = torch.tensor(values).repeat(86)[:1024].reshape(32, 32)
    wanted = x.double().trunc().clamp(limits.min, limits.max).to(torch.int64)
    assert torch.equal(converted(target)(x).to(torch.int64), wanted)
    assert (converted(target)(torch.full((32, 32), NAN)).to(torch.int64) == limits.max).all()
