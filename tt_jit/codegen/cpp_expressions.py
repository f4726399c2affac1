"""TIR integer and boolean expressions as C++."""

from __future__ import annotations

from collections.abc import Callable

from tilelang import tvm
from tvm import tirx as tir

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

    def text(self, expr: tir.PrimExpr, precedence: int = 0) -> str:
        """C++ of ``expr``, parenthesised when its operator binds weaker than ``precedence``."""
        result, own = self.render(expr)
        return f"({result})" if own < precedence else result

    def render(self, expr: tir.PrimExpr) -> tuple[str, int]:
        """(text, precedence) of ``expr``."""
        kind = type(expr).__name__
        if isinstance(expr, tir.Var):
            return self.name_of(expr), _ATOM
        if isinstance(expr, tir.BufferLoad) and expr.buffer.scope() == "local.var":
            return self.name_of(expr.buffer.data), _ATOM
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
        raise InternalError(f"no C++ form for the cast {expr}")

    def call(self, expr: tir.Call) -> tuple[str, int]:
        name = expr.op.name if isinstance(expr.op, tvm.ir.Op) else str(expr.op)
        if name in _BITWISE:
            return self.infix(expr.args[0], *_BITWISE[name], expr.args[1])
        if name == "tirx.if_then_else":
            return self.ternary(*expr.args)
        if name == "tirx.likely":
            return self.render(expr.args[0])
        return self.call_text(expr), _ATOM

    def may_be_negative(self, expr: tir.PrimExpr) -> bool:
        """Whether ``expr`` contains something that can make it negative."""
        return self.signed and has_negative(expr)


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
