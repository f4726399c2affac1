"""TIR objects that a function captured, as text that means the same in every process."""

from __future__ import annotations

import sys
from typing import Any


def describe_ir_value(value: Any, seen: dict[int, int]) -> str | None:
    """Text that two objects share only if tracing cannot tell them apart, or None for what is not understood.

    Variables are numbered in the order of first sight, because two variables of one name are still two.
    """
    if "tvm" not in sys.modules:
        return None
    from tvm import DataType, ir, tirx

    if isinstance(value, DataType):
        return f"dtype {value}"
    if isinstance(value, tirx.PrimFunc):
        return f"{value.script(show_meta=True)} {ir.structural_hash(value)}"
    if isinstance(value, tirx.Buffer):
        parts = [value.name, str(value.dtype), value.scope(), _variable(value.data, seen)]
        parts += [_expression(item, seen) for item in (*value.shape, *value.strides)]
        return " ".join(["buffer", *parts])
    if isinstance(value, tirx.PrimExpr):
        return _expression(value, seen)
    return None


def _variable(value: Any, seen: dict[int, int]) -> str:
    # Python wrappers of one TVM variable come and go; the address behind them is what stays.
    number = seen.setdefault(_handle(value), len(seen))
    return f"{value.name}:{value.dtype}:{number}"


def _handle(value: Any) -> int:
    return -int(value.__chandle__()) - 1


def _expression(value: Any, seen: dict[int, int]) -> str:
    from tvm import tirx

    if isinstance(value, int):
        return str(value)
    if isinstance(value, tirx.Var):
        return _variable(value, seen)
    variables: list[str] = []

    def visit(node: Any) -> None:
        if isinstance(node, tirx.Var):
            variables.append(_variable(node, seen))

    tirx.stmt_functor.post_order_visit(value, visit)
    return f"{value} {value.dtype} [{' '.join(variables)}]"
