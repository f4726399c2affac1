"""The value that changes nothing when a reduction meets it: what masked and padding lanes hold."""

from __future__ import annotations

import math

from tvm import tirx as tir


def reduction_identity(kind: str, dtype: str) -> tir.PrimExpr:
    """The identity of ``sum``, ``abssum``, ``max``, ``absmax`` or ``min`` in ``dtype``."""
    if kind not in ("max", "min"):
        return tir.const(0, dtype)
    if dtype.startswith(("int", "uint")):
        return tir.min_value(dtype) if kind == "max" else tir.max_value(dtype)
    return tir.const(-math.inf if kind == "max" else math.inf, dtype)
