"""TIR integer and boolean expressions as C++."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

from tilelang import tvm
from tvm import tirx as tir

from ..data_format import is_float_dtype
from ..errors import InternalError

_INFIX = {
    "Add": ("+", 10),
    "Sub": ("-", 10),
    "Mul": ("*", 11),
    "FloorDiv": ("/", 11),
    "Div": ("/", 11),
    "FloorMod": ("%", 11),
    "Mod": ("%", 11),
    "LT": ("<", 8),
    "LE": ("<=", 8),
    "GT": (">", 8),
    "GE": (">=", 8),
    "EQ": ("==", 7),
    "NE": ("!=", 7),
    "And": ("&&", 3),
    "Or": ("||", 2),
}
_BITWISE = {
    "tirx.bitwise_and": ("&", 6),
    "tirx.bitwise_xor": ("^", 5),
    "tirx.bitwise_or": ("|", 4),
    "tirx.shift_left": ("<<", 9),
    "tirx.shift_right": (">>", 9),
}
# Name of the helper, whether the operands are swapped, whether the answer is the opposite.
_FLOAT_COMPARISONS = {
    "LT": ("float_less", False, False),
    "GT": ("float_less", True, False),
    "LE": ("float_less_or_equal", False, False),
    "GE": ("float_less_or_equal", True, False),
    "EQ": ("float_equal", False, False),
    "NE": ("float_equal", False, True),
}
_NARROW_INTEGERS = ("int8", "uint8", "int16", "uint16")
_FLOAT_TESTS = ("tirx.isnan",)
_ATOM, _UNARY, _TERNARY = 13, 12, 1


class ExpressionPrinter:
    """Prints expressions with as few parentheses as C++ allows.

    ``name_of`` names variables, ``call_text`` prints device calls; ``signed`` says that integers of the kernel are
    ``int32_t`` (some expression may be negative), else ``uint32_t``.
    """

    def __init__(
        self, *, name_of: Callable[[tir.Var], str], call_text: Callable[[tir.Call], str], signed: bool
    ) -> None:
        self.name_of = name_of
        self.call_text = call_text
        self.signed = signed
        self.helpers: set[str] = set()
        self.unsure: set[tir.Var] = set()
        """Variables whose sign nobody knows: they come from memory."""

    def text(self, expr: tir.PrimExpr, precedence: int = 0) -> str:
        """C++ of ``expr``, parenthesised when its operator binds weaker than ``precedence``."""
        result, own = self.render(expr)
        return f"({result})" if own < precedence else result

    def render(self, expr: tir.PrimExpr) -> tuple[str, int]:
        """(text, precedence) of ``expr``."""
        kind = type(expr).__name__
        if is_float_dtype(str(expr.dtype)) or any(is_float_dtype(str(part.dtype)) for part in _operands(expr)):
            return self.floating(expr)
        if isinstance(expr, tir.Var):
            return self.name_of(expr), _ATOM
        if isinstance(expr, tir.BufferLoad) and expr.buffer.scope() == "local.var":
            return self.variable(expr), _ATOM
        if isinstance(expr, tir.IntImm):
            return self.integer(expr), _ATOM if expr.value >= 0 else _UNARY
        if kind in ("FloorDiv", "FloorMod") and self.may_be_negative(expr.a):
            name = "floor_div" if kind == "FloorDiv" else "floor_mod"
            self.helpers.add(name)
            return f"{name}({self.text(expr.a)}, {self.text(expr.b)})", _ATOM
        if kind in _INFIX:
            return self.infix(expr.a, *_INFIX[kind], expr.b)
        if kind in ("Min", "Max"):
            sign = "<" if kind == "Min" else ">"
            a, b = self.text(expr.a, 9), self.text(expr.b, 9)
            return f"{a} {sign} {b} ? {a} : {b}", _TERNARY
        if isinstance(expr, tir.Not):
            return f"!{self.text(expr.a, _UNARY)}", _UNARY
        if isinstance(expr, tir.Cast):
            return self.cast(expr)
        if isinstance(expr, tir.Select):
            return self.ternary(expr.condition, expr.true_value, expr.false_value)
        if isinstance(expr, tir.Call):
            return self.call(expr)
        raise InternalError(f"no C++ form for the expression {expr} ({kind})")

    def variable(self, load: tir.BufferLoad) -> str:
        """An integer variable, or an element of an array of them."""
        name = self.name_of(load.buffer.data)
        if variable_elements(load.buffer) == 1:
            return name
        place: tir.PrimExpr = tir.IntImm("int32", 0)
        for index, extent in zip(load.indices, load.buffer.shape, strict=True):
            place = place * extent + index
        return f"{name}[{self.text(tvm.arith.Analyzer().simplify(place))}]"

    def floating(self, expr: tir.PrimExpr) -> tuple[str, int]:
        """An expression of, or a decision about, floats. Variables hold bits; comparisons look at bits only."""
        kind = type(expr).__name__
        if isinstance(expr, (tir.Var, tir.FloatImm)):
            return self.helper("as_float", self.bits(expr)), _ATOM
        if kind in _FLOAT_COMPARISONS:
            name, swap, negate = _FLOAT_COMPARISONS[kind]
            first, second = (expr.b, expr.a) if swap else (expr.a, expr.b)
            text = self.helper(name, self.bits(first), self.bits(second))
            return (f"!{text}", _UNARY) if negate else (text, _ATOM)
        if kind in ("Min", "Max"):
            first, second = (expr.a, expr.b) if kind == "Min" else (expr.b, expr.a)
            less = self.helper("float_less", self.bits(first), self.bits(second))
            return f"{less} ? {self.text(expr.a, 2)} : {self.text(expr.b, 1)}", _TERNARY
        if isinstance(expr, tir.Cast):
            if is_float_dtype(str(expr.value.dtype)) and is_float_dtype(str(expr.dtype)):
                return self.render(expr.value)
            target = "float" if is_float_dtype(str(expr.dtype)) else "int32_t"
            return f"static_cast<{target}>({self.text(expr.value)})", _ATOM
        if isinstance(expr, tir.Select):
            return self.ternary(expr.condition, expr.true_value, expr.false_value)
        if kind in ("Add", "Sub", "Mul", "Div"):
            return self.infix(expr.a, *_INFIX[kind], expr.b)
        if isinstance(expr, tir.Call):
            name = expr.op.name.removeprefix("tirx.") if isinstance(expr.op, tvm.ir.Op) else ""
            if name == "isnan":
                return self.helper("float_is_nan", self.bits(expr.args[0])), _ATOM
            if name == "fabs":
                return self.helper("as_float", f"{self.bits(expr.args[0])} & 0x7fffffff"), _ATOM
            if name == "if_then_else":
                return self.ternary(*expr.args)
            if name.startswith("tt."):
                return self.call(expr)
        raise InternalError(f"no C++ form for the expression {expr} ({kind})")

    def bits(self, expr: tir.PrimExpr) -> str:
        """The IEEE-754 bits of a float."""
        if isinstance(expr, tir.Var):
            return self.name_of(expr)
        if isinstance(expr, tir.FloatImm):
            return f"0x{struct.unpack('<I', struct.pack('<f', expr.value))[0]:08x}"
        if isinstance(expr, tir.Cast) and is_float_dtype(str(expr.value.dtype)) and is_float_dtype(str(expr.dtype)):
            return self.bits(expr.value)
        return self.helper("as_bits", self.text(expr))

    def helper(self, name: str, *arguments: str) -> str:
        """A call of a function that the kernel then carries."""
        self.helpers.add(name)
        return f"{name}({', '.join(arguments)})"

    def infix(self, a: tir.PrimExpr, sign: str, precedence: int, b: tir.PrimExpr) -> tuple[str, int]:
        right = precedence if sign in ("&&", "||", "+", "*") and _same_operator(b, sign) else precedence + 1
        return f"{self.text(a, precedence)} {sign} {self.text(b, right)}", precedence

    def ternary(self, condition: tir.PrimExpr, yes: tir.PrimExpr, no: tir.PrimExpr) -> tuple[str, int]:
        return f"{self.text(condition, 2)} ? {self.text(yes, 2)} : {self.text(no, 1)}", _TERNARY

    def integer(self, expr: tir.IntImm) -> str:
        if expr.dtype == "bool":
            return "true" if expr.value else "false"
        if expr.dtype == "uint32" and expr.value > 9:
            return f"0x{expr.value:08x}"
        return str(expr.value)

    def cast(self, expr: tir.Cast) -> tuple[str, int]:
        if expr.dtype in ("int32", "int64", "uint32", "uint64"):
            return self.render(expr.value)
        if str(expr.dtype) in _NARROW_INTEGERS:
            return f"static_cast<{expr.dtype}_t>({self.text(expr.value)})", _ATOM
        raise InternalError(f"no C++ form for the cast {expr}")

    def call(self, expr: tir.Call) -> tuple[str, int]:
        name = expr.op.name if isinstance(expr.op, tvm.ir.Op) else str(expr.op)
        if name == "tt.decide":
            return self.render(expr.args[0])
        if name in _BITWISE:
            return self.infix(expr.args[0], *_BITWISE[name], expr.args[1])
        if name == "tirx.if_then_else":
            return self.ternary(*expr.args)
        if name == "tirx.likely":
            return self.render(expr.args[0])
        return self.call_text(expr), _ATOM

    def may_be_negative(self, expr: tir.PrimExpr) -> bool:
        """Whether ``expr`` contains something that can make it negative."""
        return self.signed and (has_negative(expr) or self.is_unsure(expr))

    def is_unsure(self, expr: tir.PrimExpr) -> bool:
        """Whether ``expr`` mentions a variable that came from memory, or one that the kernel changes."""
        found = False

        def visit(part: object) -> None:
            nonlocal found
            if isinstance(part, tir.BufferLoad) or (isinstance(part, tir.Var) and part in self.unsure):
                found = True

        tir.stmt_functor.post_order_visit(tir.Evaluate(expr), visit)
        return found


def _operands(expr: tir.PrimExpr) -> list[tir.PrimExpr]:
    """What a comparison compares and a cast converts; the operand of a test."""
    if isinstance(expr, tir.Cast):
        return [expr.value]
    if isinstance(expr, tir.Call):
        return list(expr.args) if isinstance(expr.op, tvm.ir.Op) and expr.op.name in _FLOAT_TESTS else []
    return [expr.a, expr.b] if type(expr).__name__ in _FLOAT_COMPARISONS else []


def variable_elements(buffer: tir.Buffer) -> int:
    """The number of variables that ``buffer`` stands for."""
    return math.prod(int(extent.value) for extent in buffer.shape)


def has_negative(node: tir.PrimExpr | tir.Stmt) -> bool:
    """Whether a subtraction or a negative constant occurs in ``node``."""
    found = False

    def visit(part: object) -> None:
        nonlocal found
        if isinstance(part, tir.Sub) or (isinstance(part, tir.IntImm) and part.value < 0):
            found = True

    tir.stmt_functor.post_order_visit(node if isinstance(node, tir.Stmt) else tir.Evaluate(node), visit)
    return found


def _same_operator(expr: tir.PrimExpr, sign: str) -> bool:
    kind = type(expr).__name__
    return kind in _INFIX and _INFIX[kind][0] == sign
