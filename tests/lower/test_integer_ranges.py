"""The ranges of integer expressions hold every value, tried one by one, and no more where that is easy to know."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
import tilelang  # noqa: F401  (it brings tvm)
from tvm import tirx as tir

from tt_jit.lower.integer_ranges import INT32, IntegerRanges, Range, dtype_range

BOUNDS = ((0, 5), (-7, 3), (-4, -2), (1, 6), (3, 3))


def truncated(a: int, b: int) -> int:
    return int(a / b)


def call(name: str) -> Callable[[tir.PrimExpr, tir.PrimExpr], tir.PrimExpr]:
    return lambda a, b: tir.call_intrin("int64", f"tirx.{name}", a, b)


OPERATIONS = {
    "sum": (tir.Add, lambda a, b: a + b),
    "difference": (tir.Sub, lambda a, b: a - b),
    "product": (tir.Mul, lambda a, b: a * b),
    "smaller": (tir.Min, min),
    "larger": (tir.Max, max),
    "floor quotient": (tir.FloorDiv, lambda a, b: a // b),
    "floor rest": (tir.FloorMod, lambda a, b: a % b),
    "quotient": (tir.Div, truncated),
    "rest": (tir.Mod, lambda a, b: a - b * truncated(a, b)),
    "and": (call("bitwise_and"), lambda a, b: a & b),
    "or": (call("bitwise_or"), lambda a, b: a | b),
    "xor": (call("bitwise_xor"), lambda a, b: a ^ b),
    "left": (call("shift_left"), lambda a, b: a << b),
    "right": (call("shift_right"), lambda a, b: a >> b),
}
EXACT = ("sum", "difference", "product", "smaller", "larger")
NO_ZERO = ("floor quotient", "floor rest", "quotient", "rest")
NOT_NEGATIVE = ("left", "right")


def nothing(load: tir.BufferLoad) -> Range:
    return dtype_range(str(load.buffer.dtype))


CASES = [
    (name, first, second)
    for name, first, second in product(OPERATIONS, BOUNDS, BOUNDS)
    if name not in NOT_NEGATIVE or second[0] >= 0
]


@pytest.mark.parametrize(("name", "first", "second"), CASES)
def test_every_value_is_inside(name: str, first: Range, second: Range) -> None:
    build, compute = OPERATIONS[name]
    x, y = tir.Var("x", "int64"), tir.Var("y", "int64")
    low, high = IntegerRanges(of_load=nothing, variables={x: first, y: second}).of(build(x, y))
    values = [
        compute(a, b)
        for a in range(first[0], first[1] + 1)
        for b in range(second[0], second[1] + 1)
        if b != 0 or name not in NO_ZERO
    ]
    assert low <= min(values) and max(values) <= high
    if name in EXACT:
        assert (low, high) == (min(values), max(values))


def test_what_wraps_around_may_be_anything() -> None:
    x = tir.Var("x", "int32")
    ranges = IntegerRanges(of_load=nothing, variables={x: (0, 2**30)})
    assert ranges.of(x + x) == INT32
    assert ranges.of(x.astype("int64") + x.astype("int64")) == (0, 2**31)
    assert ranges.of(tir.Cast("int64", tir.Var("f", "float32"))) == dtype_range("int64")
