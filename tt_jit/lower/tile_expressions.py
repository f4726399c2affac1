"""From TIR expressions to DST nodes: which device call computes each operator, for every kind of operand.

Floating-point values (and the small integers of index tiles) live in DST as Float32, integer data as Int32
(``integer_expressions``). Operands that are a constant or a run-time scalar become immediates; vectors (one column,
one row) are broadcast where they meet a tile.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from . import integer_expressions
from .dst_program import COLUMN, FLOAT, FULL, INT, ROW, SCALAR, UNIFORM, Node
from .integer_expressions import bits_of, is_integer_dtype, is_unsigned
from .ops import call
from .tile_ir import is_scalar_variable, loads_in

_LOG2_SCALE = 1.0 / math.log(2.0)
_LOG10_SCALE = 1.0 / math.log(10.0)

_BINARY = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div"}
_COMPARE = {"LT": "lt", "LE": "le", "GT": "gt", "GE": "ge", "EQ": "eq", "NE": "ne"}
_MIRROR = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
_UNARY = {
    "exp": "exp_tile",
    "exp2": "exp2_tile",
    "log": "log_tile",
    "log1p": "log1p_tile",
    "sqrt": "sqrt_tile",
    "rsqrt": "rsqrt_tile",
    "tanh": "tanh_tile",
    "sigmoid": "sigmoid_tile",
    "fabs": "abs_tile",
    "abs": "abs_tile",
    "floor": "floor_tile",
    "ceil": "ceil_tile",
    "trunc": "trunc_tile",
    "sin": "sin_tile",
    "cos": "cos_tile",
    "tan": "tan_tile",
    "asin": "asin_tile",
    "acos": "acos_tile",
    "atan": "atan_tile",
    "sinh": "sinh_tile",
    "cosh": "cosh_tile",
    "isnan": "isnan_tile",
    "isinf": "isinf_tile",
    "isfinite": "isfinite_tile",
    "__log": "log_tile",
    "__tan": "tan_tile",
    "fast_rcp": "recip_tile",
}
_EXPONENTIALS = {"exp": 1.0, "exp2": math.log(2.0), "exp10": math.log(10.0)}
"""Functions with an approximate form, and the factor that makes their argument one of exp."""
_DIVISIONS = ("FloorDiv", "FloorMod", "Mod")
_BITWISE = ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "shift_left", "shift_right")


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """A value that is the same in all lanes: a Python constant, or an expression evaluated by the RISC-V core."""

    constant: float | int | None = None
    expression: tir.PrimExpr | None = None

    def bits(self, fmt: str) -> tir.PrimExpr:
        """The 32-bit pattern of the value in DST format ``fmt``."""
        if self.constant is None:
            expression = self.expression
            assert expression is not None
            if expression.dtype.startswith(("float", "bfloat")) or fmt == INT:
                return expression
            return call("float_bits", expression, dtype="uint32")
        if fmt == INT:
            return tir.IntImm("uint32", int(self.constant) & 0xFFFFFFFF)
        return tir.IntImm("uint32", struct.unpack("<I", struct.pack("<f", _to_float32(self.constant)))[0])


Value = Node | Uniform


def _to_float32(value: float) -> float:
    if math.isinf(value) or math.isnan(value):
        return value
    limit = 3.4028234663852886e38
    return math.copysign(math.inf, value) if abs(value) > limit else float(value)


@dataclass(kw_only=True)
class ExpressionBuilder:
    """Builds the DAG of one output tile; equal subexpressions become one node.

    ``load`` makes the node of an on-chip buffer access; ``origin_of`` maps a loop variable to the index of the output
    tile's first lane. ``fast`` lets the matrix engine add what the user's dtype would add exactly, and takes the
    approximate forms of functions; ``float_format`` is what DST holds floats in.
    """

    load: Callable[[tir.BufferLoad], Node]
    origin_of: dict[tir.Var, tir.PrimExpr]
    stmt: tir.Stmt
    share: bool = True
    fast: bool = False
    float_format: str = FLOAT
    nodes: dict[object, Node] = field(default_factory=dict)

    # ---- nodes -----------------------------------------------------------------------------------------------------

    def node(self, operation: str, *children: Node, **fields: Any) -> Node:
        """The node for this call, shared with an equal one."""
        immediates = tuple(fields.get("immediates", ()))
        key: tuple[object, ...] = (
            operation,
            tuple(id(child) for child in children),
            tuple(str(i) for i in immediates),
            fields.get("template", ()),
            str(fields.get("index", "")),
            fields["buffer"].name if fields.get("buffer") is not None else "",
            fields.get("coarse", False),
        )
        if operation in ("load", "unary_bcast") and not self.share:
            key = (*key, len(self.nodes))
        if key not in self.nodes:
            self.nodes[key] = Node(operation=operation, children=children, **fields)
        return self.nodes[key]

    def fill(self, value: Uniform, fmt: str = FLOAT) -> Node:
        """A tile with ``value`` in every lane."""
        if fmt == INT:
            return self.node(
                "fill_tile_int",
                template=("DataFormat::Int32",),
                immediates=(value.bits(INT),),
                format=INT,
                shape=UNIFORM,
            )
        return self.node("fill_tile_bitcast", immediates=(value.bits(FLOAT),), shape=UNIFORM)

    def materialize(self, value: Value, fmt: str = FLOAT) -> Node:
        """``value`` as a node of format ``fmt``."""
        if isinstance(value, Uniform):
            return self.fill(value, fmt)
        return self.convert(value, fmt)

    def convert(self, node: Node, fmt: str, *, unsigned: bool = False) -> Node:
        """``node`` in DST format ``fmt``; ``unsigned``: its integer lanes count from 0 to 2**32."""
        if node.format == fmt:
            return node
        if fmt == INT:
            node = self.unary("trunc_tile", node)
        lanes = {INT: "UInt32" if unsigned else INT}
        template = tuple(f"(uint32_t)DataFormat::{lanes.get(name, name)}" for name in (node.format, fmt))
        return self.node("typecast_tile", node, template=template, in_place=True, format=fmt, shape=node.shape)

    def unary(self, operation: str, node: Node, *immediates: tir.PrimExpr, template: tuple[str, ...] = ()) -> Node:
        """An in-place call on one tile."""
        return self.node(
            operation,
            node,
            immediates=immediates,
            template=template,
            in_place=True,
            shape=node.shape,
            format=node.format,
        )

    def spread(self, node: Node) -> Node:
        """``node`` with its column, row or single element broadcast over the whole tile."""
        if node.shape in (FULL, UNIFORM):
            return node
        if node.format == INT:
            return integer_expressions.spread(self, node)
        if node.shape == SCALAR:
            zero = self.fill(Uniform(constant=0.0))
            return self.spread(self.node("sfpu_add_bcast_row", zero, node, in_place=True, shape=COLUMN))
        zero = self.fill(Uniform(constant=0.0))
        name = "sfpu_add_bcast_col" if node.shape == COLUMN else "sfpu_add_bcast_row"
        return self.node(name, zero, node, in_place=True)

    def together(self, *nodes: Node) -> tuple[list[Node], str]:
        """The nodes made to cover the same lanes, and that common shape."""
        shapes = {node.shape for node in nodes} - {UNIFORM}
        if len(shapes) <= 1:
            return list(nodes), shapes.pop() if shapes else UNIFORM
        return [self.spread(node) for node in nodes], FULL

    # ---- expressions -----------------------------------------------------------------------------------------------

    def value(self, expr: tir.PrimExpr) -> Value:
        """The value of a TIR expression."""
        if isinstance(expr, (tir.IntImm, tir.FloatImm)):
            return Uniform(constant=expr.value)
        if isinstance(expr, tir.BufferLoad):
            return Uniform(expression=expr) if is_scalar_variable(expr.buffer) else self.load(expr)
        if isinstance(expr, tir.Cast):
            return self.cast(expr)
        if all(is_scalar_variable(load.buffer) for load in loads_in(expr)) and not expr.dtype.startswith(
            ("float", "bfloat")
        ):
            return Uniform(expression=self.on_walk(expr))
        if isinstance(expr, tir.Var):
            return Uniform(expression=expr)
        name = type(expr).__name__
        if name in _DIVISIONS or (name == "Div" and is_integer_dtype(expr.dtype)):
            return self.integer_division(name, expr)
        if name in _BINARY:
            return self.arithmetic(_BINARY[name], self.value(expr.a), self.value(expr.b), expr)
        if name in ("Max", "Min"):
            return self.extremum(name.lower(), self.value(expr.a), self.value(expr.b), str(expr.dtype))
        if name in _COMPARE:
            return self.compare(_COMPARE[name], expr)
        if name in ("And", "Or", "Not"):
            return self.logic(name, expr)
        if isinstance(expr, tir.Select):
            return self.select(expr.condition, expr.true_value, expr.false_value)
        if isinstance(expr, tir.Call):
            return self.call(expr)
        raise self.unsupported(f"the expression {expr}")

    def unsupported(self, what: str) -> UnsupportedError:
        """The error for an operator without a device call."""
        return UnsupportedError(
            f"{what} has no Tensix tile form", hint="see docs/language.md for operators", at=self.stmt
        )

    def on_walk(self, expr: tir.PrimExpr) -> tir.PrimExpr:
        """``expr`` with loop variables (they occur as ``i // 32`` only) replaced by the output tile's first index."""
        return tvm.arith.Analyzer().simplify(tir.stmt_functor.substitute(expr, self.origin_of))

    def cast(self, expr: tir.Cast) -> Value:
        value = self.value(expr.value)
        target = INT if is_integer_dtype(expr.dtype) else FLOAT
        if isinstance(value, Uniform):
            if value.constant is not None:
                return Uniform(constant=int(value.constant) if target == INT else float(value.constant))
            return value
        if _is_index_tile(expr.value):
            return value
        source = str(expr.value.dtype)
        integer = str(expr.dtype) if target == INT else source
        value = self.convert(value, target, unsigned=is_unsigned(integer) and bits_of(integer) == 32)
        if target == INT and is_integer_dtype(source):
            keeps_sign = is_unsigned(source) == is_unsigned(expr.dtype)
            narrows = bits_of(expr.dtype) < bits_of(source) or not keeps_sign
            return integer_expressions.wrap(self, value, str(expr.dtype)) if narrows else value
        rounds = expr.dtype == "bfloat16" and expr.value.dtype in ("float32", "float16")
        return self.rounded(value) if target == FLOAT and rounds and self.float_format == FLOAT else value

    def rounded(self, node: Node) -> Node:
        """``node`` rounded to bfloat16, ties to even."""
        template = ("(uint32_t)DataFormat::Float32", "(uint32_t)DataFormat::Float16_b")
        return self.unary("typecast_tile", node, template=template)

    def arithmetic(self, name: str, left: Value, right: Value, expr: tir.PrimExpr) -> Value:
        if isinstance(left, Uniform) and isinstance(right, Uniform):
            folded = _fold(name, left, right)
            if folded is not None:
                return folded
            left = self.fill(left, INT if is_integer_dtype(expr.dtype) else FLOAT)
        if is_integer_dtype(expr.dtype):
            sides = [(left, expr.a), (right, expr.b)]
            if not integer_expressions.stays_index(self, name, sides):
                return integer_expressions.arithmetic(self, name, left, right, str(expr.dtype))
        if isinstance(right, Uniform):
            assert isinstance(left, Node)
            return self.with_scalar(name, left, right)
        if isinstance(left, Uniform):
            return self.scalar_with(name, left, right)
        if name in ("add", "sub", "mul") and left.shape != right.shape and UNIFORM not in (left.shape, right.shape):
            return self.broadcast(name, left, right, coarse=self.may_be_coarse(expr))
        if name == "div" and right.shape != FULL and left.shape == FULL:
            return self.broadcast("mul", left, self.unary("recip_tile", right))
        return self.arithmetic_full(name, left, right, coarse=self.may_be_coarse(expr))

    def may_be_coarse(self, expr: tir.PrimExpr) -> bool:
        """Whether a sum may be off by 2**-11 of its larger operand, as sums of the matrix engine are."""
        return self.fast or str(expr.dtype) == "bfloat16"

    def with_scalar(self, name: str, left: Node, right: Uniform) -> Node:
        if name == "div":
            if right.constant is not None and _is_power_of_two(right.constant):
                return self.with_scalar("mul", left, Uniform(constant=1.0 / right.constant))
            return self.node("div_binary_tile", left, self.fill(right), shape=left.shape)
        if right.constant is not None and (name, right.constant) in (("add", 0), ("sub", 0), ("mul", 1)):
            return left
        return self.unary(f"{name}_unary_tile", left, right.bits(FLOAT))

    def scalar_with(self, name: str, left: Uniform, right: Node) -> Node:
        if name in ("add", "mul"):
            return self.with_scalar(name, right, left)
        if name == "sub":
            return self.unary("rsub_unary_tile", right, left.bits(FLOAT))
        if left.constant == 1:
            return self.unary("recip_tile", right)
        return self.node("div_binary_tile", self.fill(left), right, shape=right.shape)

    def broadcast(self, name: str, left: Node, right: Node, *, coarse: bool = False) -> Node:
        """``left op right`` where exactly the broadcasts differ: the vector is applied to the tile in place."""
        if right.shape in (COLUMN, ROW) and left.shape == FULL:
            suffix = "col" if right.shape == COLUMN else "row"
            return self.node(f"sfpu_{name}_bcast_{suffix}", left, right, in_place=True, coarse=coarse)
        if left.shape in (COLUMN, ROW) and right.shape == FULL:
            if name == "sub":
                return self.unary("negative_tile", self.broadcast("sub", right, left, coarse=coarse))
            return self.broadcast(name, right, left, coarse=coarse)
        if SCALAR in (left.shape, right.shape) and left.shape != right.shape:
            vector, scalar = (left, right) if right.shape == SCALAR else (right, left)
            if vector.shape in (COLUMN, ROW):
                suffix = "row" if vector.shape == COLUMN else "col"
                if right is scalar or name != "sub":
                    return self.node(f"sfpu_{name}_bcast_{suffix}", vector, scalar, in_place=True, shape=vector.shape)
        return self.arithmetic_full(name, left, right, coarse=coarse)

    def arithmetic_full(self, name: str, left: Node, right: Node, *, coarse: bool = False) -> Node:
        (first, second), shape = self.together(left, right)
        return self.node(f"{name}_binary_tile", first, second, shape=shape, coarse=coarse)

    def extremum(self, name: str, left: Value, right: Value, dtype: str) -> Value:
        if isinstance(left, Uniform) and isinstance(right, Uniform):
            if left.constant is not None and right.constant is not None:
                return Uniform(constant=(max if name == "max" else min)(left.constant, right.constant))
            left = self.fill(left, INT if is_integer_dtype(dtype) else FLOAT)
        if INT in (_format(left), _format(right)):
            return integer_expressions.extremum(self, name, left, right, dtype)
        if isinstance(left, Uniform):
            left, right = right, left
        assert isinstance(left, Node)
        if isinstance(right, Uniform):
            return self.unary(f"unary_{name}_tile", left, right.bits(FLOAT))
        (first, second), shape = self.together(left, right)
        return self.node(f"binary_{name}_tile", first, second, shape=shape)

    def compare(self, name: str, expr: tir.PrimExpr) -> Value:
        linear = self.index_comparison(name, expr)
        if linear is not None:
            return linear
        left, right = self.value(expr.a), self.value(expr.b)
        if isinstance(left, Uniform) and isinstance(right, Uniform):
            left = self.fill(left)
        if isinstance(left, Uniform):
            left, right, name = right, left, _MIRROR[name]
        assert isinstance(left, Node)
        if INT in (left.format, _format(right)):
            return integer_expressions.compare(self, name, left, right, str(expr.a.dtype))
        if isinstance(right, Uniform):
            if right.constant is not None and math.isfinite(right.constant):
                return self.compare_with_number(name, left, right)
            # An infinity less itself is NaN: what may be one is compared as a tile, which looks at the bits.
            right = self.fill(right)
        (first, second), shape = self.together(left, right)
        return self.node(f"{name}_binary_tile", first, second, shape=shape)

    def compare_with_number(self, name: str, node: Node, number: Uniform) -> Node:
        """The comparisons with zero know -0 and NaN; ``unary_lt_tile`` and its like take the sign of a difference."""
        return self.unary(f"{name}z_tile", self.with_scalar("sub", node, number))

    def index_comparison(self, name: str, expr: tir.PrimExpr) -> Node | None:
        """``c1*row + c2*col + u  op  0`` over index tiles: exact in Float32 because ``u`` meets the small part last."""
        if not is_integer_dtype(expr.a.dtype):
            return None
        loads = loads_in(expr)
        if not loads or not all(_is_index_buffer(load.buffer) for load in loads):
            return None
        stand_in = {load.buffer.name: tir.Var(load.buffer.name, "int32") for load in loads}
        difference = _replace_index_loads(expr.a - expr.b, stand_in)
        variables = list(stand_in.values())
        coefficients = tvm.arith.detect_linear_equation(self.on_walk(difference), variables)
        if not coefficients or not all(isinstance(c, tir.IntImm) for c in coefficients[:-1]):
            return None
        by_name = {load.buffer.name: load for load in loads}
        total: Node | None = None
        for variable, coefficient in zip(variables, coefficients[:-1], strict=True):
            if int(coefficient.value) == 0:
                continue
            term = self.load(by_name[variable.name])
            scaled = self.with_scalar("mul", term, Uniform(constant=float(coefficient.value)))
            if total is not None and int(coefficient.value) == -1:
                total = self.node("sub_binary_tile", total, term)
            else:
                total = scaled if total is None else self.node("add_binary_tile", total, scaled)
        if total is None:
            return None
        bound = tvm.arith.Analyzer().simplify(-coefficients[-1])
        limit = Uniform(constant=bound.value) if isinstance(bound, tir.IntImm) else Uniform(expression=bound)
        if all(int(coefficient.value) <= 0 for coefficient in coefficients[:-1]):
            return self.compare_with_number(name, total, limit)  # the total may be -0
        return self.unary(f"unary_{name}_tile", total, limit.bits(FLOAT))

    def logic(self, name: str, expr: tir.PrimExpr) -> Value:
        if name == "Not":
            return self.unary("eqz_tile", self.materialize(self.value(expr.a)))
        (left, right), shape = self.together(self.materialize(self.value(expr.a)), self.materialize(self.value(expr.b)))
        return self.node("mul_binary_tile" if name == "And" else "binary_max_tile", left, right, shape=shape)

    def integer_division(self, name: str, expr: tir.PrimExpr) -> Value:
        """Quotients and remainders; those of an index tile by a positive constant are exact in Float32."""
        dividend, divisor = self.value(expr.a), self.value(expr.b)
        constant = None if isinstance(divisor, Node) else divisor.constant
        if constant is None or constant <= 0 or not isinstance(dividend, Node) or dividend.format == INT:
            return integer_expressions.division(self, name, dividend, divisor, str(expr.dtype))
        shifted = self.with_scalar("add", dividend, Uniform(constant=0.5))
        scaled = self.with_scalar("mul", shifted, Uniform(constant=1.0 / constant))
        quotient = self.unary("floor_tile", scaled)
        if name in ("FloorDiv", "Div"):
            return quotient
        product = self.with_scalar("mul", quotient, Uniform(constant=constant))
        return self.node("sub_binary_tile", dividend, product, shape=dividend.shape)

    def select(self, condition: tir.PrimExpr, true: tir.PrimExpr, false: tir.PrimExpr) -> Value:
        flag, yes, no = self.value(condition), self.value(true), self.value(false)
        if isinstance(flag, Uniform) and flag.constant is not None:
            return yes if flag.constant else no
        fmt = INT if INT in (_format(yes), _format(no)) else FLOAT
        nodes = [self.materialize(flag, FLOAT), self.materialize(yes, fmt), self.materialize(no, fmt)]
        (flag, yes, no), shape = self.together(*nodes)
        template = (f"DataFormat::{self.float_format if fmt == FLOAT else fmt}",)
        return self.node("where_tile", flag, yes, no, template=template, shape=shape, format=fmt)

    def round_away(self, node: Node) -> Node:
        """``trunc(x) + trunc(2 * (x - trunc(x)))``: the difference is exact, and twice it is at least 1 from 0.5 on."""
        whole = self.unary("trunc_tile", node)
        rest = self.node("sub_binary_tile", node, whole, shape=node.shape)
        carry = self.unary("trunc_tile", self.with_scalar("mul", rest, Uniform(constant=2.0)))
        return self.node("add_binary_tile", whole, carry, shape=node.shape)

    def call(self, expr: tir.Call) -> Value:
        name = expr.op.name.split(".")[-1] if isinstance(expr.op, tvm.ir.Op) else str(expr.op)
        if name == "infinity":
            return Uniform(constant=math.inf)
        if name == "if_then_else":
            return self.select(expr.args[0], expr.args[1], expr.args[2])
        if name.removeprefix("__") in _EXPONENTIALS and (self.fast or name.startswith("__")):
            exponent = _times(expr.args[0], _EXPONENTIALS[name.removeprefix("__")])
            return self.unary("exp_tile", self.materialize(self.value(exponent)), template=("true",))
        if name == "erf":
            approximate = "true" if self.fast else "false"
            return self.unary("erf_tile", self.materialize(self.value(expr.args[0])), template=(approximate,))
        if name in _UNARY:
            return self.unary(_UNARY[name], self.materialize(self.value(expr.args[0])))
        if name in ("round", "nearbyint", "rint"):
            return self.unary("round_tile", self.materialize(self.value(expr.args[0])), tir.IntImm("int32", 0))
        if name == "round_ties_away_from_zero":
            return self.round_away(self.materialize(self.value(expr.args[0])))
        if name in ("log2", "log10", "__log2", "__log10"):
            scale = Uniform(constant=_LOG2_SCALE if name.endswith("2") else _LOG10_SCALE)
            return self.unary("log_with_base_tile", self.materialize(self.value(expr.args[0])), scale.bits(FLOAT))
        if name == "exp10":
            power = self.with_scalar(
                "mul", self.materialize(self.value(expr.args[0])), Uniform(constant=math.log2(10.0))
            )
            return self.unary("exp2_tile", power)
        if name in ("pow", "powf", "fmod"):
            operation = "fmod_binary_tile" if name == "fmod" else "power_binary_tile"
            operands = [self.materialize(self.value(arg)) for arg in expr.args[:2]]
            (base, exponent), shape = self.together(*operands)
            return self.node(operation, base, exponent, shape=shape)
        if name in _BITWISE:
            return integer_expressions.bitwise(self, name, [self.value(arg) for arg in expr.args], str(expr.dtype))
        if name == "reinterpret":
            return integer_expressions.reinterpret(self, expr.args[0], str(expr.dtype))
        if name == "clamp":
            low = self.extremum("max", self.value(expr.args[0]), self.value(expr.args[1]), str(expr.dtype))
            return self.extremum("min", low, self.value(expr.args[2]), str(expr.dtype))
        if name in ("ieee_add", "ieee_sub", "ieee_mul"):
            return self.arithmetic(name[5:], self.value(expr.args[0]), self.value(expr.args[1]), expr)
        if name in ("likely",):
            return self.value(expr.args[0])
        raise self.unsupported(f"the function {name}")


def _format(value: Value) -> str | None:
    return value.format if isinstance(value, Node) else None


def _fold(name: str, left: Uniform, right: Uniform) -> Uniform | None:
    if left.constant is None or right.constant is None:
        return None
    a, b = left.constant, right.constant
    if name == "div":
        return Uniform(constant=a / b) if b else None
    return Uniform(constant={"add": a + b, "sub": a - b, "mul": a * b}[name])


def _times(expr: tir.PrimExpr, factor: float) -> tir.PrimExpr:
    """``expr * factor``, in one product where ``expr`` is a multiple itself."""
    if factor == 1.0:
        return expr
    if isinstance(expr, tir.Mul) and isinstance(expr.b, tir.FloatImm):
        return tir.Mul(expr.a, tir.FloatImm(expr.b.dtype, expr.b.value * factor))
    return tir.Mul(expr, tir.FloatImm(expr.dtype, factor))


def _is_power_of_two(value: float) -> bool:
    return value != 0 and math.isfinite(value) and math.frexp(abs(value))[0] == 0.5


INDEX_BUFFER_PREFIX = "tile_index_"


def _is_index_buffer(buffer: tir.Buffer) -> bool:
    return buffer.name.startswith(INDEX_BUFFER_PREFIX)


def _is_index_tile(expr: tir.PrimExpr) -> bool:
    return isinstance(expr, tir.BufferLoad) and _is_index_buffer(expr.buffer)


def _replace_index_loads(expr: tir.PrimExpr, stand_in: dict[str, tir.Var]) -> tir.PrimExpr:
    def visit(node: object) -> object | None:
        if isinstance(node, tir.Cast) and _is_index_tile(node.value):
            return stand_in[node.value.buffer.name]
        return None

    return tir.stmt_functor.ir_transform(tir.Evaluate(expr), None, visit, ["tirx.Cast"]).value
