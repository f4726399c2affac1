"""tile_expressions: the device calls of every family of operators, for every kind of operand."""

import math
import struct

import pytest
import tvm
from tvm import tirx as tir

from tt_jit.errors import UnsupportedError
from tt_jit.lower.dst_program import COLUMN, FLOAT, FULL, INT, ROW, SCALAR, schedule
from tt_jit.lower.tile_expressions import ExpressionBuilder

i, j = tir.Var("i", "int32"), tir.Var("j", "int32")
SHAPES = {"r": ROW, "c": COLUMN, "s": SCALAR}
alpha = tir.Var("alpha", "float32")


def tile(name: str, dtype: str = "float32") -> tir.BufferLoad:
    return tir.BufferLoad(tir.decl_buffer((32, 32), dtype, name), [i, j])


a, b = tile("a"), tile("b")
row, column, single = tile("r"), tile("c"), tile("s")
m, n = tile("m", "int32"), tile("n", "int32")
u, v = tile("u", "uint32"), tile("v", "uint32")
key = tile("r", "int32")
flag = tile("p", "bool")


def steps(expr: tir.PrimExpr) -> list[str]:
    """The steps that compute ``expr`` in all lanes of a tile, ``operation<template>(slots, immediates)``."""
    def load(node: tir.BufferLoad) -> object:
        fmt = INT if "int" in str(node.dtype) else FLOAT
        shape = SHAPES.get(node.buffer.name, FULL)
        return builder.node("load", buffer=node.buffer, index=tir.IntImm("int32", 0), shape=shape, format=fmt)

    builder = ExpressionBuilder(load=load, origin_of={}, stmt=tir.Evaluate(0))
    value = builder.value(expr)
    fmt = INT if "int" in str(expr.dtype) else FLOAT
    program = schedule([builder.spread(builder.materialize(value, fmt))], fpu_formats=lambda buffer: False)
    result = []
    for step in program.steps:
        if step.operation == "copy_tile":
            result.append(f"{step.slots[0]}={step.buffers[0].name}")
            continue
        names = ", ".join(part.replace("DataFormat::", "") for part in step.template)
        template = f"<{names}>" if names else ""
        arguments = [*map(str, step.slots), *map(immediate, step.immediates)]
        result.append(f"{step.operation.removesuffix('_tile')}{template}({', '.join(arguments)})")
    return result


def immediate(value: tir.PrimExpr) -> str:
    """A float for a constant bit pattern, the expression itself otherwise."""
    if isinstance(value, tir.IntImm) and str(value.dtype) == "uint32":
        number = struct.unpack("<f", struct.pack("<I", int(value.value)))[0]
        return f"{number:.6g}" if number == 0 or 1e-6 < abs(number) else f"bits {int(value.value)}"
    return str(value)


def call(name: str, *arguments: tir.PrimExpr, dtype: str = "float32") -> tir.PrimExpr:
    return tir.Call(dtype, tvm.ir.Op.get(f"tirx.{name}"), list(arguments))


ARITHMETIC = [
    (a + b, ["0=a", "1=b", "add_binary(0, 1, 0)"]),
    (a - b, ["0=a", "1=b", "sub_binary(0, 1, 0)"]),
    (a * b, ["0=a", "1=b", "mul_binary(0, 1, 0)"]),
    (tir.Div(a, b), ["0=a", "1=b", "div_binary(0, 1, 0)"]),
    (tir.Max(a, b), ["0=a", "1=b", "binary_max(0, 1, 0)"]),
    (tir.Min(a, b), ["0=a", "1=b", "binary_min(0, 1, 0)"]),
    (m + n, ["0=m", "1=n", "add_int<Int32>(0, 1, 0)"]),
    (m * n, ["0=m", "1=n", "mul_int<Int32>(0, 1, 0)"]),
    (tir.Max(m, n), ["0=m", "1=n", "binary_max_int32(0, 1, 0)"]),
]
CONSTANTS = [
    (a + 2.0, ["0=a", "add_unary(0, 2)"]),
    (tir.FloatImm("float32", 2.0) - a, ["0=a", "rsub_unary(0, 2)"]),
    (tir.Div(tir.FloatImm("float32", 1.0), a), ["0=a", "recip(0)"]),
    (tir.Div(a, tir.FloatImm("float32", 4.0)), ["0=a", "mul_unary(0, 0.25)"]),
    (tir.Div(a, tir.FloatImm("float32", 3.0)), ["0=a", "fill_tile_bitcast(1, 3)", "div_binary(0, 1, 0)"]),
    (tir.Mul(a, tir.FloatImm("float32", 1.0)), ["0=a"]),
    (tir.Max(a, tir.FloatImm("float32", 0.0)), ["0=a", "unary_max(0, 0)"]),
    (a * alpha, ["0=a", "mul_unary(0, alpha)"]),
    (tir.FloatImm("float32", math.inf) + tir.FloatImm("float32", 1.0), ["fill_tile_bitcast(0, inf)"]),
    (tir.Mul(alpha, alpha), ["fill_tile_bitcast(0, alpha)", "mul_unary(0, alpha)"]),
]
BROADCASTS = [
    (a - column, ["0=a", "1=c", "sfpu_sub_bcast_col(0, 1)"]),
    (a * row, ["0=a", "1=r", "sfpu_mul_bcast_row(0, 1)"]),
    (column + a, ["0=a", "1=c", "sfpu_add_bcast_col(0, 1)"]),
    (column - a, ["0=a", "1=c", "sfpu_sub_bcast_col(0, 1)", "negative(0)"]),
    (tir.Div(a, column), ["0=a", "1=c", "recip(1)", "sfpu_mul_bcast_col(0, 1)"]),
    # A vector alone is spread over the tile: onto a tile of zeros.
    (column * 2.0, ["fill_tile_bitcast(0, 0)", "1=c", "mul_unary(1, 2)", "sfpu_add_bcast_col(0, 1)"]),
]
FUNCTIONS = [
    (call("exp", a), ["0=a", "exp(0)"]),
    (call("tanh", a * 2.0), ["0=a", "mul_unary(0, 2)", "tanh(0)"]),
    (call("rsqrt", a), ["0=a", "rsqrt(0)"]),
    (call("log2", a), ["0=a", f"log_with_base(0, {1 / math.log(2):.6g})"]),
    (call("exp10", a), ["0=a", f"mul_unary(0, {math.log2(10):.6g})", "exp2(0)"]),
    (call("fabs", a), ["0=a", "abs(0)"]),
    (call("pow", a, b), ["0=a", "1=b", "power_binary(0, 1, 0)"]),
    (call("bitwise_and", m, n, dtype="int32"), ["0=m", "1=n", "bitwise_and_binary<Int32>(0, 1, 0)"]),
    (call("shift_left", m, n, dtype="int32"), ["0=m", "1=n", "binary_left_shift<Int32>(0, 1, 0)"]),
]
CASTS = [
    (a - column, ["0=a", "1=c", "sfpu_sub_bcast_col(0, 1)"]),
    (a * row, ["0=a", "1=r", "sfpu_mul_bcast_row(0, 1)"]),
    (column + a, ["0=a", "1=c", "sfpu_add_bcast_col(0, 1)"]),
    (column - a, ["0=a", "1=c", "sfpu_sub_bcast_col(0, 1)", "negative(0)"]),
    (tir.Div(a, column), ["0=a", "1=c", "recip(1)", "sfpu_mul_bcast_col(0, 1)"]),
    # A vector alone is spread over the tile: onto a tile of zeros.
    (column * 2.0, ["fill_tile_bitcast(0, 0)", "1=c", "mul_unary(1, 2)", "sfpu_add_bcast_col(0, 1)"]),
]
FUNCTIONS = [
    (call("exp", a), ["0=a", "exp(0)"]),
    (call("tanh", a * 2.0), ["0=a", "mul_unary(0, 2)", "tanh(0)"]),
    (call("rsqrt", a), ["0=a", "rsqrt(0)"]),
    (call("log2", a), ["0=a", f"log_with_base(0, {1 / math.log(2):.6g})"]),
    (call("exp10", a), ["0=a", f"mul_unary(0, {math.log2(10):.6g})", "exp2(0)"]),
    (call("fabs", a), ["0=a", "abs(0)"]),
    (call("pow", a, b), ["0=a", "1=b", "power_binary(0, 1, 0)"]),
    (call("bitwise_and", m, n, dtype="int32"), ["0=m", "1=n", "bitwise_and_binary<Int32>(0, 1, 0)"]),
    (call("shift_left", m, n, dtype="int32"), ["0=m", "1=n", "binary_left_shift<Int32>(0, 1, 0)"]),
]
CONDITIONS = [
    (tir.Select(a > b, a, b), ["0=a", "1=b", "gt_binary(0, 1, 2)", "where<Float32>(2, 0, 1, 2)"]),
    (tir.Select(a >= 0.0, a, tir.FloatImm("float32", 0.0)), None),
    (tir.And(a > b, a < 1.0), None),
    (tir.Not(a > b), None),
    (m > n, None),
    (call("if_then_else", tir.IntImm("bool", True), a, b), ["0=a"]),
]
CASTS = [
    (tir.Cast("float32", m), ["0=m", "typecast<(uint32_t)Int32, (uint32_t)Float32>(0)"]),
    (tir.Cast("int32", a), ["0=a", "trunc(0)", "typecast<(uint32_t)Float32, (uint32_t)Int32>(0)"]),
    # A cast inside an expression rounds; the store's own cast is the packer's work.
    (
        tir.Cast("float32", tir.Cast("bfloat16", a)) + b,
        ["0=a", "typecast<(uint32_t)Float32, (uint32_t)Float16_b>(0)", "1=b", "add_binary(0, 1, 0)"],
    ),
    (tir.Cast("float32", tir.FloatImm("float16", 1.5)) * a, ["0=a", "mul_unary(0, 1.5)"]),
]


def _operations(found: list[str]) -> list[str]:
    return [step.split("(")[0].split("<")[0] for step in found if "=" not in step]


@pytest.mark.parametrize(
    ("expr", "expected"), ARITHMETIC + CONSTANTS + BROADCASTS + FUNCTIONS + CASTS, ids=str
)
def test_calls(expr: tir.PrimExpr, expected: list[str]) -> None:
    assert steps(expr) == expected


@pytest.mark.parametrize(
    ("expr", "operations"),
    [
        (tir.Select(a > b, a, b), ["gt_binary", "where"]),
        (tir.Select(a >= 0.0, a, alpha), ["copy_dest_values", "gez", "fill_tile_bitcast", "where"]),
        (tir.Select(0.0 < a, a, b), ["copy_dest_values", "gtz", "where"]),
        (tir.And(a > b, b < 1.0), ["gt_binary", "sub_unary", "ltz", "mul_binary"]),
        (tir.Or(a > b, b < 1.0), ["gt_binary", "sub_unary", "ltz", "binary_max"]),
        (tir.Not(a > b), ["gt_binary", "eqz"]),
        (tir.Select(m > n, a, b), ["gt_int", "typecast", "where"]),
        (call("if_then_else", tir.IntImm("bool", True), a, b), []),
        (call("if_then_else", flag, a, b), ["where"]),
    ],
    ids=str,
)
def test_conditions(expr: tir.PrimExpr, operations: list[str]) -> None:
    assert _operations(steps(expr)) == operations


def test_equal_subexpressions_are_computed_once() -> None:
    x = call("exp", a)
    assert _operations(steps(x * x + x)).count("exp") == 1


def test_constants_beyond_float32_become_infinite() -> None:
    assert steps(a + tir.FloatImm("float64", 1e300)) == ["0=a", "add_unary(0, inf)"]


def test_rounding() -> None:
    assert steps(call("round", a)) == ["0=a", "round(0, 0)"]
    away = tir.Call("float32", tvm.ir.Op.get("tl.round_ties_away_from_zero"), [a])
    assert [step for step in _operations(steps(away)) if "copy" not in step] == [
        "trunc",
        "sub_binary",
        "mul_unary",
        "trunc",
        "add_binary",
    ]


INTEGERS = [
    (tir.Div(m, n), ["0=m", "1=n", "div_int32_trunc(0, 1, 0)"]),
    (tir.FloorDiv(m, n), ["0=m", "1=n", "div_int32_floor(0, 1, 0)"]),
    (tir.FloorMod(m, n), ["0=m", "1=n", "remainder_int32(0, 1, 0)"]),
    (tir.Mod(m, n), ["0=m", "1=n", "fmod_int32(0, 1, 0)"]),
    (tir.Max(u, v), ["0=u", "1=v", "binary_max_uint32(0, 1, 0)"]),
    (tir.Cast("uint32", u < v), ["0=u", "1=v", "lt_int<UInt32>(0, 1, 0)"]),
    (call("shift_right", m, tir.const(3, "int32"), dtype="int32"), ["0=m", "right_shift<Int32>(0, bits 3)"]),
    (call("shift_right", u, tir.const(3, "uint32"), dtype="uint32"), ["0=u", "right_shift<UInt32>(0, bits 3)"]),
    (tir.Cast("float32", u), ["0=u", "typecast<(uint32_t)UInt32, (uint32_t)Float32>(0)"]),
    (tir.Cast("int32", tir.Cast("uint8", m)), ["0=m", "bitwise_and<Int32>(0, bits 255)"]),
    (
        tir.Cast("int32", tir.Cast("int8", m)),
        ["0=m", "left_shift<Int32>(0, bits 24)", "right_shift<Int32>(0, bits 24)"],
    ),
]


@pytest.mark.parametrize(("expr", "expected"), INTEGERS)
def test_integers(expr: tir.PrimExpr, expected: list[str]) -> None:
    printed = steps(expr)
    conversions = ("typecast<(uint32_t)Int32, (uint32_t)Float32>", "typecast<(uint32_t)Float32", "trunc")
    kept = printed if "Float32" in str(expected) else [step for step in printed if not step.startswith(conversions)]
    assert kept == expected


def test_an_integer_vector_is_broadcast_in_two_halves() -> None:
    assert _operations(steps(m + key)).count("sfpu_add_bcast_row") == 2


@pytest.mark.parametrize(
    ("expr", "what"),
    [
        (call("popcount", m, dtype="int32"), "the function popcount"),
        (tir.Div(u, v), "uint32 division by a value that is not a constant below 2**31"),
    ],
)
def test_refuses_what_has_no_call(expr: tir.PrimExpr, what: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        steps(expr)
    assert caught.value.message == f"{what} has no Tensix tile form"
    assert caught.value.hint == "see docs/language.md for operators"
