"""Turn reductions and scans that no engine of the chip has into loops over elements.

Why: the vector engine sums and finds extrema in a tile, and adds up the rows of one; it has neither running maxima nor
bitwise reductions, its sums of rows are floats, and it reduces the last two dimensions only. The loops run on a
data-movement core.

Before::

    cummax(x, y, dim=1, reverse=False)

After::

    tt_scalar_code: for i0 in serial(40):
        y[i0, 0] = x[i0, 0]
        for step in serial(49): y[i0, step + 1] = max(y[i0, step], x[i0, step + 1])
"""

from __future__ import annotations

from collections.abc import Callable

import tvm
from tvm import tirx as tir
from tvm.tirx import PrimExpr

from .base import LoweringContext
from .tile_ir import (
    Region,
    TileReduce,
    is_integer,
    parse,
    region_of,
    rewrite,
    scalar_code,
    sequence,
    tile_operator_name,
    with_span_of,
)


def _bitwise(name: str) -> Callable[[PrimExpr, PrimExpr], PrimExpr]:
    return lambda left, right: tir.Call(left.dtype, tvm.ir.Op.get(f"tirx.bitwise_{name}"), [left, right])


def _plus(left: PrimExpr, right: PrimExpr) -> PrimExpr:
    return left + right


COMBINED: dict[str, Callable[[PrimExpr, PrimExpr], PrimExpr]] = {
    "sum": _plus,
    "abssum": lambda left, right: left + tir.abs(right),
    "max": tir.Max,
    "absmax": lambda left, right: tir.Max(left, tir.abs(right)),
    "min": tir.Min,
    "bitand": _bitwise("and"),
    "bitor": _bitwise("or"),
    "bitxor": _bitwise("xor"),
}


def serialize_reductions(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite ``T.cummax``, sums of integers along an axis, and reductions without a form on the vector engine."""

    def leaf(stmt: tir.Stmt) -> tir.Stmt | None:
        loops = _loops(stmt)
        if loops is None:
            return None
        context.note(
            what="a reduction or scan runs element by element on a data-movement core",
            why="the vector engine has no running maxima, bitwise reductions, running sums of integers or reductions "
            "over leading dimensions",
            hint="keep it small, or reduce over the last two dimensions with T.reduce_sum, max or min",
            at=stmt,
        )
        return scalar_code(with_span_of(loops, stmt))

    return func.with_body(rewrite(func.body, leaf))


def _loops(stmt: tir.Stmt) -> tir.Stmt | None:
    name = tile_operator_name(stmt)
    if name in ("cumsum", "cummax"):
        source, destination = region_of(stmt.value.args[0]), region_of(stmt.value.args[1])
        if name == "cumsum" and not is_integer(source.buffer):
            return None
        dim, reverse = int(stmt.value.args[2].value), bool(stmt.value.args[3].value)
        return _scan(source, destination, COMBINED["sum" if name == "cumsum" else "max"], dim, reverse)
    record = parse(stmt)
    if isinstance(record, TileReduce) and not _has_tile_form(record):
        return _reduction(record)
    return None


def _has_tile_form(record: TileReduce) -> bool:
    rank = len(record.source.buffer.shape)
    return not record.kind.startswith("bit") and (rank < 3 or record.dim >= rank - 2)


def _scan(
    source: Region, destination: Region, combine: Callable[[PrimExpr, PrimExpr], PrimExpr], dim: int, reverse: bool
) -> tir.Stmt:
    variables = [tir.Var(f"i{d}", "int32") for d in range(len(source.extents))]
    step, length = tir.Var("step", "int32"), int(source.extents[dim].value)

    def at(region: Region, position: PrimExpr | int) -> list[PrimExpr]:
        place = length - 1 - position if reverse else position + tir.IntImm("int32", 0)
        indices = [*variables[:dim], tvm.arith.Analyzer().simplify(place), *variables[dim + 1 :]]
        return [low + index for low, index in zip(region.mins, indices, strict=True)]

    def value(position: PrimExpr | int) -> PrimExpr:
        return _cast(tir.BufferLoad(source.buffer, at(source, position)), destination.buffer.dtype)

    first = tir.BufferStore(destination.buffer, value(0), at(destination, 0))
    total = combine(tir.BufferLoad(destination.buffer, at(destination, step)), value(step + 1))
    following = tir.BufferStore(destination.buffer, total, at(destination, step + 1))
    body = sequence([first, _serial(step, length - 1, following)])
    for d in reversed([d for d in range(len(variables)) if d != dim]):
        body = _serial(variables[d], int(source.extents[d].value), body)
    return body


def _reduction(record: TileReduce) -> tir.Stmt:
    source, destination = record.source, record.destination
    variables = [tir.Var(f"i{d}", "int32") for d in range(len(source.extents))]
    kept = [variable for d, variable in enumerate(variables) if d != record.dim]
    if len(destination.extents) == len(variables):
        kept.insert(record.dim, tir.IntImm("int32", 0))
    place = [low + index for low, index in zip(destination.mins, kept or [tir.IntImm("int32", 0)], strict=True)]

    def value(position: PrimExpr) -> PrimExpr:
        indices = [*variables[: record.dim], position, *variables[record.dim + 1 :]]
        load = tir.BufferLoad(source.buffer, [low + i for low, i in zip(source.mins, indices, strict=True)])
        return _cast(load, destination.buffer.dtype)

    step, length, combine = variables[record.dim], int(source.extents[record.dim].value), COMBINED[record.kind]
    start = 1 if record.clear else 0
    position = step + start if start else step
    total = combine(tir.BufferLoad(destination.buffer, place), value(position))
    parts = [_serial(step, length - start, tir.BufferStore(destination.buffer, total, place))]
    if record.clear:
        first = value(tir.IntImm("int32", 0))
        first = tir.abs(first) if record.kind.startswith("abs") else first
        parts.insert(0, tir.BufferStore(destination.buffer, first, place))
    body = sequence(parts)
    for d in reversed([d for d in range(len(variables)) if d != record.dim]):
        body = _serial(variables[d], int(source.extents[d].value), body)
    return body


def _cast(value: PrimExpr, dtype: str) -> PrimExpr:
    return value if str(value.dtype) == str(dtype) else tir.Cast(dtype, value)


def _serial(variable: tir.Var, extent: int, body: tir.Stmt) -> tir.Stmt:
    return tir.For(variable, tir.IntImm("int32", 0), tir.IntImm("int32", extent), tir.ForKind.SERIAL, body)
