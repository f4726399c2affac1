"""Integer operators on tiles: the device calls that compute them exactly, modulo 2**32 or the width of the dtype.

DST holds integers as Int32 lanes. Unsigned dtypes use the same lanes: sums, products and bits agree, comparisons,
shifts to the right and quotients do not. Dtypes of 8 and 16 bits are kept sign- or zero-extended, so that a result
that may leave their range is wrapped back. Indices of lanes stay in Float32 while they are small enough to be exact.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tvm import tirx as tir

from .dst_program import FLOAT, FULL, INT, RELABEL, UNIFORM, Node

if TYPE_CHECKING:
    from .tile_expressions import ExpressionBuilder, Uniform, Value

INT32 = ("DataFormat::Int32",)
UINT32 = ("DataFormat::UInt32",)
_BITWISE = {
    "bitwise_and": "bitwise_and_binary_tile",
    "bitwise_or": "bitwise_or_binary_tile",
    "bitwise_xor": "bitwise_xor_binary_tile",
    "shift_left": "binary_left_shift_tile",
    "shift_right": "binary_right_shift_tile",
}
_SIGNED_DIVISION = {
    "FloorDiv": "div_int32_floor_tile",
    "Div": "div_int32_trunc_tile",
    "FloorMod": "remainder_int32_tile",
    "Mod": "fmod_int32_tile",
}
_EXACT_FLOAT = 2**22
"""Sums of indices and constants below this stay exact in Float32 (24 bits), with room for a few of them."""
_EXACT_FACTOR = 2**10


def is_integer_dtype(dtype: str) -> bool:
    """Whether ``dtype`` is an integer dtype (bool is not: flags are Float32 0 and 1)."""
    return dtype.startswith(("int", "uint"))


def is_unsigned(dtype: str) -> bool:
    """Whether ``dtype`` is an unsigned integer dtype."""
    return dtype.startswith("uint")


def bits_of(dtype: str) -> int:
    """Width of an integer dtype."""
    match = re.search(r"\d+", dtype)
    return int(match.group()) if match else 32


def stays_index(builder: ExpressionBuilder, name: str, sides: list[tuple[Value, tir.PrimExpr]]) -> bool:
    """Whether ``name`` of index tiles and small scalars is exact in Float32."""
    nodes = [value for value, _ in sides if isinstance(value, Node)]
    if any(node.format == INT for node in nodes) or (name == "mul" and len(nodes) == len(sides)):
        return False
    limit = _EXACT_FACTOR if name == "mul" else _EXACT_FLOAT
    return all(isinstance(value, Node) or _is_small(builder, value, side, limit, name) for value, side in sides)


def _is_small(builder: ExpressionBuilder, value: Uniform, side: tir.PrimExpr, limit: int, name: str) -> bool:
    if value.constant is not None:
        return abs(value.constant) < limit
    variables = list(builder.origin_of)
    used = tir.analysis.undefined_vars(tir.Evaluate(side), [])
    return name != "mul" and bool(used) and all(any(var.same_as(own) for own in variables) for var in used)


def arithmetic(builder: ExpressionBuilder, name: str, left: Value, right: Value, dtype: str) -> Node:
    """Sum, difference or product, wrapped to ``dtype``."""
    (first, second), shape = builder.together(builder.materialize(left, INT), builder.materialize(right, INT))
    result = builder.node(f"{name}_int_tile", first, second, template=INT32, shape=shape, format=INT)
    return wrap(builder, result, dtype)


def extremum(builder: ExpressionBuilder, name: str, left: Value, right: Value, dtype: str) -> Node:
    """``max`` or ``min``."""
    (first, second), shape = builder.together(builder.materialize(left, INT), builder.materialize(right, INT))
    kind = "uint32" if is_unsigned(dtype) else "int32"
    return builder.node(f"binary_{name}_{kind}_tile", first, second, shape=shape, format=INT)


def compare(builder: ExpressionBuilder, name: str, left: Value, right: Value, dtype: str) -> Node:
    """A comparison, as a Float32 flag; ``dtype`` is that of the operands."""
    (first, second), shape = builder.together(builder.materialize(left, INT), builder.materialize(right, INT))
    template = UINT32 if is_unsigned(dtype) and bits_of(dtype) == 32 else INT32
    flag = builder.node(f"{name}_int_tile", first, second, template=template, shape=shape, format=INT)
    return builder.convert(flag, FLOAT)


def bitwise(builder: ExpressionBuilder, name: str, values: list[Value], dtype: str) -> Node:
    """``& | ^ << >> ~``; a shift to the right of an unsigned value is logical."""
    if name == "bitwise_not":
        return wrap(builder, builder.unary("bitwise_not_tile", builder.materialize(values[0], INT)), dtype)
    logical = name == "shift_right" and is_unsigned(dtype)
    if isinstance(values[0], Node) and not isinstance(values[1], Node) and values[1].constant is not None:
        operation = {"shift_left": "left_shift_tile", "shift_right": "right_shift_tile"}.get(name, f"{name}_tile")
        template = UINT32 if logical else INT32
        result = builder.unary(operation, builder.convert(values[0], INT), values[1].bits(INT), template=template)
        return wrap(builder, result, dtype) if name == "shift_left" else result
    operands, shape = builder.together(*[builder.materialize(value, INT) for value in values])
    operation = "binary_logical_right_shift_tile" if logical else _BITWISE[name]
    result = builder.node(operation, *operands, template=INT32, shape=shape, format=INT)
    return wrap(builder, result, dtype) if name == "shift_left" else result


def division(builder: ExpressionBuilder, name: str, left: Value, right: Value, dtype: str) -> Node:
    """Quotient or remainder: ``FloorDiv``, ``FloorMod`` round down, ``Div``, ``Mod`` towards zero."""
    dividend, divisor = builder.materialize(left, INT), builder.materialize(right, INT)
    (dividend, divisor), shape = builder.together(dividend, divisor)
    if not is_unsigned(dtype) or bits_of(dtype) < 32:
        return builder.node(_SIGNED_DIVISION[name], dividend, divisor, shape=shape, format=INT)
    if name in ("FloorMod", "Mod"):
        return builder.node("remainder_uint32_tile", dividend, divisor, shape=shape, format=INT)
    # dividend - rest is a multiple of the divisor; half of each is a signed division.
    constant = None if isinstance(right, Node) else right.constant
    if constant is None or not 0 < constant < 2**31:
        raise builder.unsupported("uint32 division by a value that is not a constant below 2**31")
    if constant == 1:
        return dividend
    half = _shift(builder, "right", dividend, 1)
    estimate = _shift(builder, "left", _node(builder, "div_int32_trunc_tile", half, divisor), 1)
    product = builder.node("mul_int_tile", estimate, divisor, template=INT32, shape=shape, format=INT)
    rest = builder.node("sub_int_tile", dividend, product, template=INT32, shape=shape, format=INT)
    missing = builder.node("ge_int_tile", rest, divisor, template=UINT32, shape=shape, format=INT)
    return builder.node("add_int_tile", estimate, missing, template=INT32, shape=shape, format=INT)


def wrap(builder: ExpressionBuilder, node: Node, dtype: str) -> Node:
    """``node`` reduced to the range of an 8- or 16-bit ``dtype``, as C casts do."""
    bits = bits_of(dtype)
    if bits >= 32:
        return node
    if is_unsigned(dtype):
        return builder.unary("bitwise_and_tile", node, tir.IntImm("uint32", 2**bits - 1), template=INT32)
    return _shift(builder, "arithmetic_right", _shift(builder, "left", node, 32 - bits), 32 - bits)


def reinterpret(builder: ExpressionBuilder, expr: tir.PrimExpr, target: str) -> Node:
    """The bits of ``expr`` as a value of dtype ``target``: DST has no types, so the lanes get another label.

    A bfloat16 is the upper half of a float32. float16 has been expanded (``expand_reinterprets``).
    """
    source = str(expr.dtype)
    value = builder.materialize(builder.value(expr), INT if is_integer_dtype(source) else FLOAT)
    if source == "bfloat16" and not isinstance(expr, tir.BufferLoad):
        value = builder.rounded(value)
    known = all(is_integer_dtype(dtype) or dtype in ("float32", "bfloat16") for dtype in (source, target))
    if not known or bits_of(source) != bits_of(target):
        raise builder.unsupported(f"T.reinterpret from {source} to {target}")
    if is_integer_dtype(source) == is_integer_dtype(target):
        return wrap(builder, value, target)
    if target == "bfloat16":
        return _relabelled(builder, _shift(builder, "left", value, 16), FLOAT)
    bits = _relabelled(builder, value, FLOAT if target == "float32" else INT)
    if source != "bfloat16":
        return bits
    return _shift(builder, "right" if is_unsigned(target) else "arithmetic_right", bits, 16)


def _relabelled(builder: ExpressionBuilder, node: Node, fmt: str) -> Node:
    return builder.node(RELABEL, node, in_place=True, format=fmt, shape=node.shape)


def spread(builder: ExpressionBuilder, node: Node) -> Node:
    """An integer vector over the whole tile. Only floats can be broadcast in DST, so it goes in two halves."""
    if node.shape in (FULL, UNIFORM):
        return node
    if node.operation == "load" and node.buffer is not None and bits_of(str(node.buffer.dtype)) < 32:
        return builder.convert(builder.spread(builder.convert(node, FLOAT)), INT)
    upper = _shift(builder, "arithmetic_right", node, 16)
    lower = builder.unary("bitwise_and_tile", node, tir.IntImm("uint32", 0xFFFF), template=INT32)
    parts = [builder.convert(builder.spread(builder.convert(part, FLOAT)), INT) for part in (upper, lower)]
    return builder.node("bitwise_or_binary_tile", _shift(builder, "left", parts[0], 16), parts[1], template=INT32,
                        format=INT)  # fmt: skip


def _node(builder: ExpressionBuilder, operation: str, left: Node, right: Node) -> Node:
    return builder.node(operation, left, right, shape=left.shape, format=INT)


def _shift(builder: ExpressionBuilder, direction: str, node: Node, bits: int) -> Node:
    """``node`` shifted by a constant: ``left``, ``right`` (logical) or ``arithmetic_right``."""
    amount = tir.IntImm("uint32", bits)
    if direction == "left":
        return builder.unary("left_shift_tile", node, amount, template=INT32)
    if direction == "arithmetic_right":
        return builder.unary("right_shift_tile", node, amount, template=INT32)
    return builder.unary("right_shift_tile", node, amount, template=UINT32)
