"""Reduce every cumulative sum to the one form that the vector engine has: along the rows of tiles, first to last.

Why: ``cumsum_tile`` adds up the rows of a tile and carries the last row into the tile below. A scan along the columns
is one of the transposed matrix; a reversed scan is the total minus the scan, plus the element itself.

Before::

    cumsum(x, y, dim=1, reverse=False)

After::

    transpose(x, x_t)
    tt.scan(x_t, x_scan)
    transpose(x_scan, y)
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .names import NewBuffers
from .ops import do
from .tile_ir import (
    Region,
    copy,
    parallel,
    reduce,
    region_call,
    region_of,
    rewrite,
    sequence,
    tile_operator_name,
    transpose,
    whole,
)


def lower_scans(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite ``T.cumsum``; other scans are refused later."""
    lowerer = _ScanLowerer(new=NewBuffers.of(func))
    body = rewrite(func.body, lowerer.leaf)
    return func.with_body(lowerer.new.declared(body))


@dataclass(kw_only=True)
class _ScanLowerer:
    new: NewBuffers

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        if tile_operator_name(stmt) != "cumsum":
            return None
        args = stmt.value.args
        source, destination = region_of(args[0]), region_of(args[1])
        dim, reverse = int(args[2].value), bool(args[3].value)
        rank = len(source.buffer.shape)
        if not source.is_whole or not destination.is_whole or rank > 2:
            raise UnsupportedError(f"T.cumsum over part of {source.buffer.name}, or of rank {rank}", at=stmt)
        along_columns = rank == 2 and dim == 1
        shape = [int(extent.value) for extent in source.buffer.shape]
        parts: list[tir.Stmt] = []
        work = source
        if along_columns:
            shape.reverse()
            work = whole(self.new.allocate(f"{source.buffer.name}_t", shape, source.buffer.dtype))
            parts.append(transpose(source, work))
        scanned = whole(self.new.allocate(f"{source.buffer.name}_scan", shape, source.buffer.dtype))
        parts.append(do("scan", region_call(work, 1), region_call(scanned, 2)))
        if reverse:
            parts += self.reversed(work, scanned, shape)
        parts.append(transpose(scanned, destination) if along_columns else copy(scanned, destination))
        return sequence(parts)

    def reversed(self, work: Region, scanned: Region, shape: list[int]) -> list[tir.Stmt]:
        """``scanned = total - scanned + work``, column by column."""
        dtype = work.buffer.dtype
        total = self.new.allocate(f"{work.buffer.name}_total", shape[1:] or [1], dtype)
        variables = [tir.Var(f"i{d}", "int32") for d in range(len(shape))]
        of_total = tir.BufferLoad(total, variables[1:] or [tir.IntImm("int32", 0)])
        old, own = tir.BufferLoad(scanned.buffer, variables), tir.BufferLoad(work.buffer, variables)
        store = tir.BufferStore(scanned.buffer, of_total - old + own, variables)
        return [reduce(work, whole(total), "sum", 0, True), parallel(variables, shape, store)]
