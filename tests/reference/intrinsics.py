"""What TIR's intrinsics compute, as numpy functions."""

from collections.abc import Callable

import numpy as np
import torch

from .formats import Value


def _torch_function(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Value], Value]:
    def apply(value: Value) -> Value:
        array = np.asarray(value)
        result = function(torch.from_numpy(np.array(array, copy=True))).numpy()
        return result if array.ndim else result[()]

    return apply


def _fast_reciprocal(value: Value) -> Value:
    return 1.0 / value


def _rsqrt(value: Value) -> Value:
    return 1.0 / np.sqrt(value)


UNARY: dict[str, Callable[[Value], Value]] = {
    "exp": np.exp,
    "exp2": np.exp2,
    "exp10": lambda x: np.power(type(x)(10) if not isinstance(x, np.ndarray) else x.dtype.type(10), x),
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "rsqrt": _rsqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "fabs": np.abs,
    "abs": np.abs,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "round": np.rint,
    "nearbyint": np.rint,
    "erf": _torch_function(torch.erf),
    "sigmoid": _torch_function(torch.sigmoid),
    "fast_rcp": _fast_reciprocal,
    "ieee_frcp": _fast_reciprocal,
    "ieee_fsqrt": np.sqrt,
    "ieee_frsqrt": _rsqrt,
    "round_ties_away_from_zero": lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x),
}
UNARY_PREDICATES: dict[str, Callable[[Value], Value]] = {"isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite}
BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "pow": np.power,
    "fmod": np.fmod,
    "atan2": np.arctan2,
    "hypot": np.hypot,
    "copysign": np.copysign,
    "nextafter": np.nextafter,
    "bitwise_and": lambda a, b: a & b,
    "bitwise_or": lambda a, b: a | b,
    "bitwise_xor": lambda a, b: a ^ b,
    "shift_left": lambda a, b: a << b,
    "shift_right": lambda a, b: a >> b,
    "pow_of_int": np.power,
    "ieee_add": np.add,
    "ieee_sub": np.subtract,
    "ieee_mul": np.multiply,
    "ieee_fdiv": np.divide,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "add2": np.add,
    "sub2": np.subtract,
    "mul2": np.multiply,
    "max2": np.fmax,
    "min2": np.fmin,
}
IGNORED_WRAPPERS = ("likely", "type_annotation", "__ldg")
LAST_WORDS = {
    "__exp": "exp",
    "__exp10": "exp10",
    "__log": "log",
    "__log2": "log2",
    "__log10": "log10",
    "__sin": "sin",
    "__cos": "cos",
    "__tan": "tan",
}
