"""TIR expressions of any dtype as C++, for code that runs element by element on a data-movement core.

Every subexpression has exactly the C++ type of its dtype, so that arithmetic wraps and compares as TIR says; floats of
all widths are ``float``, rounded where they are cast or stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tilelang import tvm
from tvm import tirx as tir

from ..data_format import is_float_dtype
from ..errors import UnsupportedError

_INFIX = {"Add": "+", "Sub": "-", "Mul": "*", "LT": "<", "LE": "<=", "GT": ">", "GE": ">=", "EQ": "==", "NE": "!="}
_LOGIC = {"And": "&&", "Or": "||"}
_COMPARISONS = ("LT", "LE", "GT", "GE", "EQ", "NE")
_BITWISE = {"bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^", "shift_left": "<<", "shift_right": ">>"}
_LOG2_E, _LN_2, _LN_10 = "1.4426950408889634f", "0.6931471805599453f", "0.43429448190325176f"
# How a function is spelled with the helpers of scalar_helpers.py, and which of them it takes.
_FUNCTIONS = {
    "exp": ("exp_of({})", ("exponential",)),
    "__exp": ("exp_of({})", ("exponential",)),
    "exp2": ("exp2_of({})", ("exponential",)),
    "exp10": ("exp_of({} * 2.302585092994046f)", ("exponential",)),
    "log": ("log_of({})", ("log_of",)),
    "__log": ("log_of({})", ("log_of",)),
    "log2": (f"(log_of({{}}) * {_LOG2_E})", ("log_of",)),
    "log10": (f"(log_of({{}}) * {_LN_10})", ("log_of",)),
    "sqrt": ("sqrt_of({})", ("sqrt_of",)),
    "rsqrt": ("quotient(1.0f, sqrt_of({}))", ("quotient", "sqrt_of")),
    "tanh": ("tanh_of({})", ("tanh_of",)),
    "sigmoid": ("quotient(1.0f, 1.0f + exp_of(-({})))", ("quotient", "exponential")),
    "floor": ("floor_of({})", ("floor_of",)),
    "ceil": ("-floor_of(-({}))", ("floor_of",)),
    "fast_rcp": ("quotient(1.0f, {})", ("quotient",)),
}
_ROUNDINGS = {
    "float16": "to_float16",
    "bfloat16": "to_bfloat16",
    "float8_e4m3fn": "to_float8_e4m3fn",
    "float8_e4m3": "to_float8_e4m3fn",
    "float8_e5m2": "to_float8_e5m2",
}


def cpp_type(dtype: str) -> str:
    """The C++ type that carries values of ``dtype``."""
    if is_float_dtype(dtype):
        return "float"
    return "bool" if dtype == "bool" else f"{dtype}_t"


class ScalarExpressionPrinter:
    """Prints expressions; ``name_of`` names variables, ``call_text`` prints device calls."""

    def __init__(self, *, name_of: Callable[[tir.Var], str], call_text: Callable[[tir.Call], str]) -> None:
        self.name_of = name_of
        self.device_call = call_text
        self.helpers: set[str] = set()

    def text(self, expr: tir.PrimExpr) -> str:
        """C++ of ``expr``; parentheses wherever they may matter."""
        kind = type(expr).__name__
        if isinstance(expr, tir.Var):
            return self.name_of(expr)
        if isinstance(expr, tir.IntImm):
            return self.integer(expr)
        if isinstance(expr, tir.FloatImm):
            return float_text(float(expr.value))
        if isinstance(expr, tir.BufferLoad):
            return self.place(expr)
        if kind in _LOGIC:
            return f"({self.text(expr.a)} {_LOGIC[kind]} {self.text(expr.b)})"
        if kind in _INFIX:
            return self.infix(kind, expr)
        if kind in ("Div", "Mod", "FloorDiv", "FloorMod"):
            return self.division(kind, expr)
        if kind in ("Min", "Max"):
            self.helpers.add("choices")
            return f"{'smaller' if kind == 'Min' else 'larger'}({self.text(expr.a)}, {self.text(expr.b)})"
        if isinstance(expr, tir.Not):
            return f"!{self.text(expr.a)}"
        if isinstance(expr, tir.Cast):
            return self.cast(str(expr.dtype), expr.value)
        if isinstance(expr, tir.Select):
            return self.choice(expr.condition, expr.true_value, expr.false_value)
        if isinstance(expr, tir.Call):
            return self.call(expr)
        raise UnsupportedError(f"the expression {expr} in code for single elements")

    def place(self, access: tir.BufferLoad | tir.BufferStore) -> str:
        """The variable or array element that ``access`` names."""
        buffer = access.buffer
        if is_single(buffer):
            return self.name_of(buffer.data)
        index: tir.PrimExpr = tir.IntImm("int32", 0)
        for part, extent in zip(access.indices, buffer.shape, strict=True):
            index = index * extent + part
        return f"{self.name_of(buffer.data)}[{self.text(tvm.arith.Analyzer().simplify(index))}]"

    def integer(self, expr: tir.IntImm) -> str:
        dtype, value = str(expr.dtype), int(expr.value)
        if dtype == "bool":
            return "true" if value else "false"
        if dtype == "int32":
            return str(value) if value > -(1 << 31) else "(-2147483647 - 1)"
        if dtype == "uint32":
            return f"{value & 0xFFFFFFFF}u"
        return f"static_cast<{cpp_type(dtype)}>({value}{'ll' if abs(value) >> 31 else ''})"

    def exact(self, dtype: str, text: str) -> str:
        """``text``, whose C++ type may be wider than ``dtype``."""
        return f"static_cast<{cpp_type(dtype)}>({text})" if dtype.endswith(("int8", "int16")) else f"({text})"

    def infix(self, kind: str, expr: tir.PrimExpr) -> str:
        text = f"{self.text(expr.a)} {_INFIX[kind]} {self.text(expr.b)}"
        return f"({text})" if kind in _COMPARISONS else self.exact(str(expr.dtype), text)

    def division(self, kind: str, expr: tir.PrimExpr) -> str:
        a, b, dtype = self.text(expr.a), self.text(expr.b), str(expr.dtype)
        if is_float_dtype(dtype) and kind == "Div":
            self.helpers.add("quotient")
            return f"quotient({a}, {b})"
        if kind in ("Div", "Mod") or dtype.startswith("uint"):
            return self.exact(dtype, f"{a} {'/' if kind.endswith('Div') else '%'} {b}")
        name = "floor_quotient" if kind == "FloorDiv" else "floor_rest"
        self.helpers.add(name)
        return f"{name}<{cpp_type(dtype)}>({a}, {b})"

    def choice(self, condition: tir.PrimExpr, yes: tir.PrimExpr, no: tir.PrimExpr) -> str:
        return f"({self.text(condition)} ? {self.text(yes)} : {self.text(no)})"

    def cast(self, dtype: str, value: tir.PrimExpr) -> str:
        text = self.text(value)
        if is_float_dtype(dtype):
            if not is_float_dtype(str(value.dtype)):
                text = f"static_cast<float>({text})"
            return self.rounded(dtype, text)
        if dtype == "bool":
            return f"({text} != 0)"
        return f"static_cast<{cpp_type(dtype)}>({text})"

    def rounded(self, dtype: str, text: str) -> str:
        """``text`` rounded to what ``dtype`` holds."""
        if dtype not in _ROUNDINGS:
            return text
        self.helpers.add(_ROUNDINGS[dtype])
        return f"{_ROUNDINGS[dtype]}({text})"

    def call(self, expr: tir.Call) -> str:
        name = expr.op.name if isinstance(expr.op, tvm.ir.Op) else str(expr.op)
        short = name.split(".")[-1]
        args = list(expr.args)
        if short in _BITWISE:
            return self.exact(str(expr.dtype), f"{self.text(args[0])} {_BITWISE[short]} {self.text(args[1])}")
        if short == "bitwise_not":
            return self.exact(str(expr.dtype), f"~{self.text(args[0])}")
        if short == "if_then_else":
            return self.choice(*args)
        if short == "likely":
            return self.text(args[0])
        if short == "infinity":
            return float_text(math.inf)
        if short == "reinterpret":
            return self.reinterpret(str(expr.dtype), args[0])
        if short in ("fabs", "abs"):
            return self.magnitude(args[0])
        if short in _FUNCTIONS and is_float_dtype(str(expr.dtype)):
            pattern, helpers = _FUNCTIONS[short]
            self.helpers.update(helpers)
            return pattern.format(self.text(args[0]))
        if name.startswith("tt."):
            return self.device_call(expr)
        raise UnsupportedError(f"{name} in code for single elements")

    def magnitude(self, value: tir.PrimExpr) -> str:
        self.helpers.add("choices")
        text = self.text(value)
        return f"larger<{cpp_type(str(value.dtype))}>({text}, -({text}))"

    def reinterpret(self, dtype: str, value: tir.PrimExpr) -> str:
        """The same bits as another type; narrow floats are held as ``float``, so that their bits are made first."""
        source, text = str(value.dtype), self.text(value)
        if source == dtype:
            return text
        if source == "float16":
            self.helpers.add("float16_bits")
            text = f"float16_bits({text})"
        elif source == "bfloat16":
            self.helpers.update(("as_bits", "round_bfloat16"))
            text = f"static_cast<uint16_t>(round_bfloat16({text}))"
        elif source == "float32":
            self.helpers.add("as_bits")
            text = f"as_bits({text})"
        elif is_float_dtype(source):
            raise UnsupportedError(f"T.reinterpret of {source} in code for single elements")
        if dtype == "float16":
            self.helpers.add("float16_from_bits")
            return f"float16_from_bits(static_cast<uint16_t>({text}))"
        if dtype == "bfloat16":
            self.helpers.add("as_float")
            return f"as_float(static_cast<uint32_t>(static_cast<uint16_t>({text})) << 16)"
        if dtype == "float32":
            self.helpers.add("as_float")
            return f"as_float(static_cast<uint32_t>({text}))"
        if is_float_dtype(dtype):
            raise UnsupportedError(f"T.reinterpret to {dtype} in code for single elements")
        return f"static_cast<{cpp_type(dtype)}>({text})"


def is_single(buffer: tir.Buffer) -> bool:
    """Whether ``buffer`` is one value, a C++ variable."""
    return all(isinstance(extent, tir.IntImm) and int(extent.value) == 1 for extent in buffer.shape)


def float_text(value: float) -> str:
    """A float constant in C++."""
    if math.isnan(value):
        return '__builtin_nanf("")'
    if math.isinf(value):
        return "__builtin_inff()" if value > 0 else "(-__builtin_inff())"
    if abs(value) > 3.4028234663852886e38:
        return float_text(math.copysign(math.inf, value))
    text = repr(value)
    text = text if any(c in text for c in ".en") else f"{text}.0"
    return f"{text}f" if value >= 0 else f"({text}f)"
