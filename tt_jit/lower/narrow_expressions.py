"""int64 expressions as int32 ones of the same value, where it is known that 32 bits hold them.

Three kinds of places ask for different things. A value that is stored or compared has to be the same number: its range
must fit. A cast to int32 keeps the low 32 bits, which sums, products and bit operations find without knowing more. An
index, and the extent of a loop, is computed in 32 bits like every address of the chip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

import tvm
from tvm import tirx as tir
from tvm.tirx import PrimExpr

from ..data_format import is_float_dtype
from .integer_ranges import INT32, IntegerRanges, Range, dtype_range, is_inside

WIDE = "int64"
NARROW = "int32"
_WRAPPING = ("Add", "Sub", "Mul")
_WRAPPING_CALLS = ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not")
_ORDERED = ("FloorDiv", "FloorMod", "Div", "Mod", "Min", "Max")
_COMPARISONS = ("LT", "LE", "GT", "GE", "EQ", "NE")
_LOGIC = ("And", "Or")


class Need(Enum):
    """What the place of an expression asks of its int32 form."""

    VALUE = "the same number"
    LOW_BITS = "the same low 32 bits"
    ADDRESS = "whatever 32-bit arithmetic gives"


class TooWideError(Exception):
    """An int64 expression whose value 32 bits may not hold."""


@dataclass(kw_only=True)
class ExpressionNarrower:
    """Rewrites expressions for buffers whose int64 elements are int32 ones."""

    narrowed: dict[tir.Var, tir.Buffer]
    """By the data of an int64 buffer, the int32 buffer in its place."""
    elements: Mapping[tir.Var, Range] = field(default_factory=dict)
    """By the data of an int64 buffer, what its elements can be; nothing else is known to be stored to it."""
    variables: dict[tir.Var, tir.Var] = field(default_factory=dict)
    """The int32 variables in the place of int64 ones."""
    wide: list[PrimExpr] = field(default_factory=list)
    """The expressions that had to stay int64."""
    ranges: IntegerRanges = field(init=False)

    def __post_init__(self) -> None:
        self.ranges = IntegerRanges(of_load=self.range_of_load)

    def range_of_load(self, load: tir.BufferLoad) -> Range:
        return self.range_of_elements(load.buffer)

    def range_of_elements(self, buffer: tir.Buffer) -> Range:
        """What the elements of ``buffer`` can be; those that nothing was stored to do not matter."""
        if buffer.data not in self.narrowed:
            return dtype_range(str(buffer.dtype))
        return self.elements.get(buffer.data, (0, 0))

    def fits(self, expr: PrimExpr) -> bool:
        """Whether 32 bits hold every value of ``expr``."""
        return is_inside(self.ranges.of(expr), INT32)

    # ---- int64 to int32 --------------------------------------------------------------------------------------------

    def narrow(self, expr: PrimExpr, need: Need) -> PrimExpr:
        """The int32 form of an int64 expression; raises TooWideError where there is none."""
        if need is Need.VALUE and not self.fits(expr):
            raise TooWideError
        kind = type(expr).__name__
        if isinstance(expr, tir.IntImm):
            low = (int(expr.value) + 2**31) % 2**32 - 2**31
            return tir.IntImm(NARROW, low)
        if isinstance(expr, tir.Var):
            return self.variables[expr] if expr in self.variables else tir.Cast(NARROW, expr)
        if isinstance(expr, tir.BufferLoad):
            return self.load(expr) if expr.buffer.data in self.narrowed else tir.Cast(NARROW, self.load(expr))
        if isinstance(expr, tir.Cast):
            return self.cast_to_narrow(expr.value, need)
        if kind in _WRAPPING:
            # The low bits of the result come from those of the operands, whatever these are.
            inner = Need.ADDRESS if need is Need.ADDRESS else Need.LOW_BITS
            return type(expr)(self.narrow(expr.a, inner), self.narrow(expr.b, inner))
        if kind in _ORDERED:
            inner = Need.ADDRESS if need is Need.ADDRESS else Need.VALUE
            return type(expr)(self.narrow(expr.a, inner), self.narrow(expr.b, inner))
        if isinstance(expr, tir.Select):
            values = (self.narrow(value, need) for value in (expr.true_value, expr.false_value))
            return tir.Select(self.convert(expr.condition), *values)
        if isinstance(expr, tir.Call):
            return self.narrow_call(expr, need)
        raise TooWideError

    def cast_to_narrow(self, value: PrimExpr, need: Need) -> PrimExpr:
        dtype = str(value.dtype)
        if dtype == WIDE:
            return self.narrow(value, need)
        if dtype == NARROW:
            return self.convert(value, need)
        if is_float_dtype(dtype) and need is Need.LOW_BITS:
            # The low bits of a large number are not what a conversion to int32 gives.
            raise TooWideError
        return tir.Cast(NARROW, self.convert(value))

    def narrow_call(self, call: tir.Call, need: Need) -> PrimExpr:
        name = call_name(call)
        if name == "if_then_else":
            condition, *values = call.args
            parts = [self.convert(condition), *(self.narrow(value, need) for value in values)]
            return tir.Call(NARROW, call.op, parts)
        inner = Need.ADDRESS if need is Need.ADDRESS else Need.VALUE
        if name in _WRAPPING_CALLS:
            inner = Need.ADDRESS if need is Need.ADDRESS else Need.LOW_BITS
            return tir.Call(NARROW, call.op, [self.narrow(part, inner) for part in call.args])
        if name in ("shift_left", "shift_right") and is_inside(self.ranges.of(call.args[1]), (0, 31)):
            value = Need.LOW_BITS if name == "shift_left" and need is not Need.ADDRESS else inner
            return tir.Call(NARROW, call.op, [self.narrow(call.args[0], value), self.narrow(call.args[1], inner)])
        if name in ("abs", "fabs", "likely"):
            return tir.Call(NARROW, call.op, [self.narrow(part, inner) for part in call.args])
        raise TooWideError

    # ---- everything else -------------------------------------------------------------------------------------------

    def convert(self, expr: PrimExpr, need: Need = Need.VALUE) -> PrimExpr:
        """``expr`` in its own dtype, on the new buffers; int64 parts become int32 where that is the same."""
        kind = type(expr).__name__
        if isinstance(expr, tir.Var):
            return tir.Cast(WIDE, self.variables[expr]) if expr in self.variables else expr
        if isinstance(expr, tir.BufferLoad):
            return tir.Cast(WIDE, self.load(expr)) if expr.buffer.data in self.narrowed else self.load(expr)
        if isinstance(expr, tir.Cast) and str(expr.value.dtype) == WIDE:
            return self.cast_of_wide(expr, need)
        if kind in _COMPARISONS and str(expr.a.dtype) == WIDE:
            return self.compare(expr, need)
        if isinstance(expr, tir.Call) and str(expr.dtype) == "handle":
            # The address of an element: the load names it and reads nothing.
            return rebuilt(expr, lambda p: self.load(p) if isinstance(p, tir.BufferLoad) else self.convert(p))
        return rebuilt(expr, lambda part: self.convert(part, need if need is Need.ADDRESS else Need.VALUE))

    def cast_of_wide(self, cast: tir.Cast, need: Need) -> PrimExpr:
        dtype = str(cast.dtype)
        if dtype == WIDE:
            return self.convert(cast.value, need)
        by_value = is_float_dtype(dtype) or dtype == "bool" or dtype_range(dtype)[1] > 2**32
        inner = Need.ADDRESS if need is Need.ADDRESS else (Need.VALUE if by_value else Need.LOW_BITS)
        try:
            value = self.narrow(cast.value, inner)
        except TooWideError:
            self.wide.append(cast)
            value = self.convert(cast.value, need)
        return value if str(value.dtype) == dtype else tir.Cast(dtype, value)

    def compare(self, expr: PrimExpr, need: Need) -> PrimExpr:
        inner = need if need is Need.ADDRESS else Need.VALUE
        try:
            return type(expr)(self.narrow(expr.a, inner), self.narrow(expr.b, inner))
        except TooWideError:
            self.wide.append(expr)
            return type(expr)(self.convert(expr.a, need), self.convert(expr.b, need))

    def load(self, load: tir.BufferLoad) -> tir.BufferLoad:
        """The element on the new buffer, at the same place."""
        return tir.BufferLoad(self.narrowed.get(load.buffer.data, load.buffer), self.places(load.indices))

    def places(self, indices: list[PrimExpr]) -> list[PrimExpr]:
        """Indices, offsets and extents: 32-bit arithmetic."""
        return [self.place(index) for index in indices]

    def place(self, index: PrimExpr) -> PrimExpr:
        """One of them."""
        if str(index.dtype) != WIDE:
            return self.convert(index, Need.ADDRESS)
        try:
            return self.narrow(index, Need.ADDRESS)
        except TooWideError:
            return tir.Cast(NARROW, self.convert(index, Need.ADDRESS))


def call_name(call: tir.Call) -> str:
    """``if_then_else`` for a call of ``tirx.if_then_else``."""
    return call.op.name.rpartition(".")[2] if isinstance(call.op, tvm.ir.Op) else ""


def rebuilt(expr: PrimExpr, part: Callable[[PrimExpr], PrimExpr]) -> PrimExpr:
    """``expr`` with ``part`` of its operands."""
    kind = type(expr).__name__
    if kind in (*_WRAPPING, *_ORDERED, *_COMPARISONS, *_LOGIC):
        return type(expr)(part(expr.a), part(expr.b))
    if isinstance(expr, tir.Not):
        return tir.Not(part(expr.a))
    if isinstance(expr, tir.Cast):
        return tir.Cast(expr.dtype, part(expr.value))
    if isinstance(expr, tir.Select):
        return tir.Select(part(expr.condition), part(expr.true_value), part(expr.false_value))
    if isinstance(expr, tir.Call):
        args = [part(arg) if isinstance(arg, PrimExpr) else arg for arg in expr.args]
        return tir.Call(expr.dtype, expr.op, args, expr.annotations)
    return expr
