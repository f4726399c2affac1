"""Compute the float16 that has given bits.

Why: a reinterpretation costs nothing where DST has the same bits under both dtypes, and a float16 is a Float32 there.
Its sign and the rest move to their places in a float32, whose exponent is off by 112; the two ends of the exponent's
range, small numbers without a leading one and infinities, are special. Bits that are more than a load get a buffer of
their own, because they are used several times.

Before::

    for i, j: X[i, j] = reinterpret("float16", W[i, j])           # W: uint16

After::

    for i, j: X[i, j] = cast("float16", if_then_else(magnitude >= 0x7c00, <infinity or NaN>,
                                        if_then_else(magnitude < 0x400, sign * magnitude * 2**-24,
                                                     reinterpret("float32", W >> 15 << 31 | magnitude << 13) * 2**112)))
    # where magnitude is cast("int32", W[i, j]) & 0x7fff
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tvm
from tvm import tirx as tir

from .base import LoweringContext
from .integer_expressions import bits_of, is_integer_dtype
from .names import NewBuffers
from .tile_ir import Elementwise, parallel, parse, rewrite, sequence

_MAGNITUDE = 0x7FFF
_INFINITY = 0x7C00
_SMALLEST_NORMAL = 0x400
_FRACTION_BITS = 13
"""How many more bits of fraction a float32 has."""
_EXPONENT_CORRECTION = 2.0**112


def expand_reinterprets(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite ``reinterpret`` to float16 in element-wise statements."""
    expander = _Expander(new=NewBuffers.of(func))
    body = rewrite(func.body, expander.leaf)
    return func.with_body(expander.new.declared(body))


@dataclass(kw_only=True)
class _Expander:
    new: NewBuffers

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        if not isinstance(record, Elementwise):
            return None
        before: list[tir.Stmt] = []

        def visit(node: Any) -> tir.PrimExpr | None:
            if not _makes_float16(node):
                return None
            return _float16(self.loaded(node.args[0], record, before))

        # Innermost first: the bits may be made of another float16.
        value = tir.stmt_functor.ir_transform(tir.Evaluate(record.store.value), None, visit, ["tirx.Call"]).value
        if value.same_as(record.store.value):
            return None
        store = tir.BufferStore(record.store.buffer, value, list(record.store.indices))
        return sequence([*before, parallel(record.loop_vars, record.extents, store)])

    def loaded(self, bits: tir.PrimExpr, record: Elementwise, before: list[tir.Stmt]) -> tir.PrimExpr:
        """``bits`` as an int32 load; computed first, in ``before``, where it is more than that."""
        if isinstance(bits, tir.BufferLoad):
            return tir.Cast("int32", bits)
        like = record.store.buffer
        buffer = self.new.allocate(f"{like.name}_bits", like.shape, "int32")
        variables = [tir.Var(v.name, v.dtype) for v in record.loop_vars]
        store = tir.BufferStore(buffer, tir.Cast("int32", bits), list(record.store.indices))
        renamed = tir.stmt_functor.substitute(store, dict(zip(record.loop_vars, variables, strict=True)))
        before.append(parallel(variables, record.extents, renamed))
        return tir.BufferLoad(buffer, list(record.store.indices))


def _makes_float16(node: Any) -> bool:
    return (
        isinstance(node, tir.Call)
        and isinstance(node.op, tvm.ir.Op)
        and node.op.name == "tirx.reinterpret"
        and node.dtype == "float16"
        and is_integer_dtype(str(node.args[0].dtype))
        and bits_of(str(node.args[0].dtype)) == 16
    )


def _float16(bits: tir.PrimExpr) -> tir.PrimExpr:
    magnitude = _call("bitwise_and", bits, _integer(_MAGNITUDE))
    sign = _call("shift_left", _call("shift_right", bits, _integer(15)), _integer(31))
    moved = _call("bitwise_or", sign, _call("shift_left", magnitude, _integer(_FRACTION_BITS)))
    normal = _float32(moved) * tir.FloatImm("float32", _EXPONENT_CORRECTION)
    unit = _float32(_call("bitwise_or", sign, _integer(0x3F800000)))
    small = unit * (tir.Cast("float32", magnitude) * tir.FloatImm("float32", 2.0**-24))
    endless = _float32(_call("bitwise_or", moved, _integer(0x7F800000)))
    value = tir.Select(magnitude < _integer(_SMALLEST_NORMAL), small, normal)
    return tir.Cast("float16", tir.Select(magnitude >= _integer(_INFINITY), endless, value))


def _integer(value: int) -> tir.IntImm:
    return tir.IntImm("int32", value)


def _float32(bits: tir.PrimExpr) -> tir.PrimExpr:
    return tir.Call("float32", tvm.ir.Op.get("tirx.reinterpret"), [bits])


def _call(name: str, *arguments: tir.PrimExpr) -> tir.PrimExpr:
    return tir.Call("int32", tvm.ir.Op.get(f"tirx.{name}"), list(arguments))
