"""Compute integer matrix products exactly on a floating-point matrix engine.

Why: the matrix engine multiplies floats; it rounds each product of a group to 12 bits below the largest. Products of an
8-bit and a 4-bit integer fit that exactly, so an int8 operand is cut in its high and low four bits, each multiplied in
bfloat16 with fp32 sums, and the parts are put together in int32.

Before::

    gemm(A_shared, B_shared, C_local)                       # int8 x int8 -> int32

After::

    for i, k: A_high[i, k] = floor(float(A_shared[i, k]) / 16); A_low[i, k] = float(A_shared[i, k]) - 16 * A_high[i, k]
    for k, j: B_wide[k, j] = float(B_shared[k, j])
    gemm(A_high, B_wide, C_high, clear); gemm(A_low, B_wide, C_low, clear)
    for i, j: C_local[i, j] = C_local[i, j] + int32(C_high[i, j] * 16 + C_low[i, j])
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .names import NewBuffers
from .tile_ir import (
    Region,
    TileGemm,
    gemm_with,
    is_const_int,
    is_integer,
    parallel,
    parse,
    rewrite,
    sequence,
    whole,
)

_EXACT_DTYPES = ("int4", "uint4", "int8", "uint8")


def widen_integer_gemm(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite every gemm of 8-bit integers."""
    widener = _Widener(new=NewBuffers.of(func))
    body = rewrite(func.body, widener.leaf)
    return func.with_body(widener.new.declared(body))


@dataclass(kw_only=True)
class _Widener:
    new: NewBuffers

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        if not isinstance(record, TileGemm) or not is_integer(record.a.buffer):
            return None
        if any(str(region.buffer.dtype) not in _EXACT_DTYPES for region in (record.a, record.b)):
            raise UnsupportedError(
                f"T.gemm of {record.a.buffer.dtype} and {record.b.buffer.dtype}",
                hint="integers of 4 and 8 bits and floating point have an exact form",
                at=stmt,
            )
        high, low = self.like(record.a, "high", "bfloat16"), self.like(record.a, "low", "bfloat16")
        wide = self.like(record.b, "wide", "bfloat16")
        sums = [self.like(record.c, suffix, "float32") for suffix in ("high", "low")]
        parts = [
            self.store(high, lambda v: tir.floor(self.element(record.a, v) * tir.const(1 / 16, "float32"))),
            self.store(low, lambda v: self.element(record.a, v) - _float(high, v) * tir.const(16.0, "float32")),
            self.store(wide, lambda v: self.element(record.b, v)),
        ]
        clear = tir.IntImm("bool", True)
        for operand, total in zip((high, low), sums, strict=True):
            parts.append(gemm_with(stmt, replace(record, a=whole(operand), b=whole(wide), c=whole(total), clear=clear)))
        return sequence([*parts, self.collect(record, sums)])

    def collect(self, record: TileGemm, sums: list[tir.Buffer]) -> tir.Stmt:
        """``C = (old C unless cleared) + high * 16 + low``."""
        region = record.c
        shape = [int(extent.value) for extent in region.extents]
        variables = [tir.Var(f"i{d}", "int32") for d in range(len(shape))]
        indices = [low + v for low, v in zip(region.mins, variables, strict=True)]
        high, low = (tir.BufferLoad(total, variables) for total in sums)
        product = tir.Cast("int32", high * tir.const(16.0, "float32") + low)
        old = tir.BufferLoad(region.buffer, indices)
        if is_const_int(record.clear, 1):
            value: tir.PrimExpr = product
        elif is_const_int(record.clear, 0):
            value = old + product
        else:
            kept = tir.Call("int32", tvm.ir.Op.get("tirx.if_then_else"), [record.clear, tir.const(0, "int32"), old])
            value = kept + product
        return parallel(variables, shape, tir.BufferStore(region.buffer, value, indices))

    def store(self, buffer: tir.Buffer, value: Callable[[list[tir.Var]], tir.PrimExpr]) -> tir.Stmt:
        """``buffer[...] = bfloat16(value(variables))`` for every element."""
        shape = [int(extent.value) for extent in buffer.shape]
        variables = [tir.Var(f"i{d}", "int32") for d in range(len(shape))]
        cast = tir.Cast(buffer.dtype, value(variables))
        return parallel(variables, shape, tir.BufferStore(buffer, cast, variables))

    @staticmethod
    def element(region: Region, variables: list[tir.Var]) -> tir.PrimExpr:
        indices = [low + v for low, v in zip(region.mins, variables, strict=True)]
        return tir.Cast("float32", tir.BufferLoad(region.buffer, indices))

    def like(self, region: Region, suffix: str, dtype: str) -> tir.Buffer:
        """A new buffer of the region's shape."""
        return self.new.allocate(f"{region.buffer.name}_{suffix}", region.extents, dtype)


def _float(buffer: tir.Buffer, variables: list[tir.Var]) -> tir.PrimExpr:
    return tir.Cast("float32", tir.BufferLoad(buffer, variables))
