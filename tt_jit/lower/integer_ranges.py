"""The smallest and the largest value that an integer expression can have, in numbers of any size.

TVM's analyzer bounds an expression by what 64 bits hold and takes an addition of int32 for one without end; here the
question is whether a 64-bit result needs more than 32 bits, so that every step counts exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir

from ..data_format import is_float_dtype

Range = tuple[int, int]

INT32: Range = (-(2**31), 2**31 - 1)
_EVERYTHING: Range = (-(2**64), 2**64)


def dtype_range(dtype: str) -> Range:
    """The values of an integer dtype."""
    if dtype == "bool":
        return 0, 1
    for prefix, signed in (("uint", False), ("int", True)):
        if dtype.startswith(prefix) and dtype[len(prefix) :].isdigit():
            bits = int(dtype[len(prefix) :])
            return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return _EVERYTHING


def is_inside(inner: Range, outer: Range) -> bool:
    """Whether every value of ``inner`` is one of ``outer``."""
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def union(one: Range, other: Range) -> Range:
    """The range of both."""
    return min(one[0], other[0]), max(one[1], other[1])


@dataclass(frozen=True, kw_only=True)
class IntegerRanges:
    """Ranges of expressions; ``variables`` holds those of variables, ``of_load`` knows the elements of buffers."""

    of_load: Callable[[tir.BufferLoad], Range]
    variables: dict[tir.Var, Range] = field(default_factory=dict)

    def of(self, expr: tir.PrimExpr) -> Range:
        """The range of ``expr``. What wraps around may have any value of its dtype."""
        dtype = str(expr.dtype)
        found = self.unwrapped(expr)
        whole = dtype_range(dtype)
        return found if is_inside(found, whole) else whole

    def unwrapped(self, expr: tir.PrimExpr) -> Range:
        """The range of ``expr`` if its last step had no end."""
        kind = type(expr).__name__
        if isinstance(expr, tir.IntImm):
            return int(expr.value), int(expr.value)
        if isinstance(expr, tir.Var):
            return self.variables.get(expr, _EVERYTHING)
        if isinstance(expr, tir.BufferLoad):
            return self.of_load(expr)
        if isinstance(expr, tir.Cast):
            return _EVERYTHING if is_float_dtype(str(expr.value.dtype)) else self.of(expr.value)
        if isinstance(expr, tir.Select):
            return union(self.of(expr.true_value), self.of(expr.false_value))
        if kind in _BINARY:
            return _BINARY[kind](self.of(expr.a), self.of(expr.b))
        if isinstance(expr, tir.Call):
            return self.of_call(expr)
        return _EVERYTHING

    def of_call(self, call: tir.Call) -> Range:
        name = call.op.name.rpartition(".")[2] if isinstance(call.op, tvm.ir.Op) else ""
        if name == "if_then_else":
            return union(self.of(call.args[1]), self.of(call.args[2]))
        if name == "likely":
            return self.of(call.args[0])
        if name in ("abs", "fabs"):
            low, high = self.of(call.args[0])
            return (0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))
        if name == "bitwise_not":
            low, high = self.of(call.args[0])
            return -high - 1, -low - 1
        if name in _CALLS:
            return _CALLS[name](self.of(call.args[0]), self.of(call.args[1]))
        return _EVERYTHING


def _corners(one: Range, other: Range, value: Callable[[int, int], int]) -> Range:
    found = [value(a, b) for a in one for b in other]
    return min(found), max(found)


def _quotient(one: Range, other: Range) -> Range:
    if other[0] > 0:
        # Rounded down or to zero: both lie between these.
        low, high = _corners(one, other, lambda a, b: a // b)
        return low, max(high, 0 if one[0] < 0 else high)
    most = max(abs(one[0]), abs(one[1]))
    return -most, most


def _rest(one: Range, other: Range) -> Range:
    most = max(abs(other[0]), abs(other[1])) - 1
    if other[0] > 0 and one[0] >= 0:
        return 0, min(most, one[1])
    return -most, most


def _bits(one: Range, other: Range) -> Range:
    """Of an operation on single bits: what as many bits hold as the operands need."""
    width = max(value.bit_length() if value >= 0 else (-value - 1).bit_length() for value in (*one, *other))
    return (0 if one[0] >= 0 and other[0] >= 0 else -(2**width)), 2**width - 1


def _and(one: Range, other: Range) -> Range:
    masks = [operand[1] for operand in (one, other) if operand[0] >= 0]
    return (0, min(masks)) if masks else _bits(one, other)


def _shifted_left(one: Range, other: Range) -> Range:
    if other[0] < 0 or other[1] > 64:
        return _EVERYTHING
    return _corners(one, other, lambda a, b: a << b)


def _shifted_right(one: Range, other: Range) -> Range:
    if other[0] < 0 or other[1] > 64:
        return min(one[0], 0), max(one[1], 0)
    return _corners(one, other, lambda a, b: a >> b)


_BINARY: Mapping[str, Callable[[Range, Range], Range]] = {
    "Add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "Sub": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "Mul": lambda a, b: _corners(a, b, lambda x, y: x * y),
    "Min": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "Max": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "Div": _quotient,
    "FloorDiv": _quotient,
    "Mod": _rest,
    "FloorMod": _rest,
}
_CALLS: Mapping[str, Callable[[Range, Range], Range]] = {
    "bitwise_and": _and,
    "bitwise_or": _bits,
    "bitwise_xor": _bits,
    "shift_left": _shifted_left,
    "shift_right": _shifted_right,
}
