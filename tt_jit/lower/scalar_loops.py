"""Tile statements as serial loops over their elements, for code that runs element by element."""

from __future__ import annotations

from collections.abc import Sequence

from tvm import tirx as tir

from ..errors import TilingError, UnsupportedError
from .tile_ir import (
    Elementwise,
    Region,
    TileCopy,
    TileFill,
    TileReduce,
    TileStatement,
    TileTranspose,
    sequence,
    with_span_of,
)

_COMBINE = {"sum": tir.Add, "abssum": tir.Add, "max": tir.Max, "absmax": tir.Max, "min": tir.Min}


def serial_loops(record: TileStatement, stmt: tir.Stmt) -> tir.Stmt:
    """The loops that do what ``stmt`` (whose record is ``record``) does."""
    if isinstance(record, Elementwise):
        return with_span_of(nest(record.loop_vars, record.extents, record.store), stmt)
    if isinstance(record, TileFill):
        variables = _variables(record.destination)
        store = tir.BufferStore(
            record.destination.buffer,
            _converted(record.value, str(record.destination.buffer.dtype)),
            _at(record.destination, variables),
        )
        return with_span_of(nest(variables, _kept_extents(record.destination), store), stmt)
    if isinstance(record, TileCopy):
        return with_span_of(_copy(record.source, record.destination, stmt, transposed=False), stmt)
    if isinstance(record, TileTranspose):
        return with_span_of(_copy(record.source, record.destination, stmt, transposed=True), stmt)
    if isinstance(record, TileReduce):
        return with_span_of(_reduce(record, stmt), stmt)
    raise UnsupportedError(f"a {type(record).__name__} among code for single elements", at=stmt)


def has_serial_loops(record: object) -> bool:
    """Whether ``serial_loops`` knows the statement."""
    if isinstance(record, TileReduce):
        return record.kind in _COMBINE
    return isinstance(record, (Elementwise, TileFill, TileCopy, TileTranspose))


def nest(variables: Sequence[tir.Var], extents: Sequence[tir.PrimExpr | int], body: tir.Stmt) -> tir.Stmt:
    """Serial loops from 0 around ``body``, the last variable innermost."""
    for var, extent in zip(reversed(variables), reversed(extents), strict=True):
        count = tir.IntImm("int32", extent) if isinstance(extent, int) else extent
        body = tir.For(var, tir.IntImm("int32", 0), count, tir.ForKind.SERIAL, body)
    return body


def _variables(region: Region) -> list[tir.Var]:
    return [tir.Var(f"i{number}", "int32") for number, _ in enumerate(region.kept_dims)]


def _kept_extents(region: Region) -> list[tir.PrimExpr]:
    return [region.extents[dim] for dim in region.kept_dims]


def _at(region: Region, variables: Sequence[tir.PrimExpr]) -> list[tir.PrimExpr]:
    """The indices of the element of ``region`` at ``variables``, one per dim of more than one element."""
    at = dict(zip(region.kept_dims, variables, strict=True))
    return [low + at[dim] if dim in at else low for dim, low in enumerate(region.mins)]


def _converted(value: tir.PrimExpr, dtype: str) -> tir.PrimExpr:
    return value if str(value.dtype) == dtype else tir.Cast(dtype, value)


def _copy(source: Region, destination: Region, stmt: tir.Stmt, *, transposed: bool) -> tir.Stmt:
    if len(source.kept_dims) != len(destination.kept_dims):
        raise TilingError(
            f"T.copy between {source.buffer.name} and {destination.buffer.name}: "
            f"{len(source.kept_dims)} against {len(destination.kept_dims)} dims of more than one element",
            hint="give both sides the same extents",
            at=stmt,
        )
    variables = _variables(destination)
    order = list(reversed(variables)) if transposed else variables
    value = tir.BufferLoad(source.buffer, _at(source, order))
    store = tir.BufferStore(
        destination.buffer, _converted(value, str(destination.buffer.dtype)), _at(destination, variables)
    )
    return nest(variables, _kept_extents(destination), store)


def _reduce(record: TileReduce, stmt: tir.Stmt) -> tir.Stmt:
    """The first element starts the result (or joins the old one), the others follow."""
    source, target = record.source, record.destination
    rank = len(source.extents)
    variables = [tir.Var(f"i{dim}", "int32") for dim in range(rank)]
    kept = [var for dim, var in enumerate(variables) if dim != record.dim]
    place = [low + var for low, var in zip(source.mins, variables, strict=True)]
    shape = list(target.extents)
    if len(shape) == rank:
        kept.insert(record.dim, tir.IntImm("int32", 0))
    if len(shape) != len(kept):
        if rank == 1 and len(shape) == 1:
            kept = [tir.IntImm("int32", 0)]
        else:
            raise UnsupportedError(f"T.reduce of {source.buffer.name} into {target.buffer.name}", at=stmt)
    at = [low + var for low, var in zip(target.mins, kept, strict=True)]
    dtype = str(target.buffer.dtype)
    value: tir.PrimExpr = _converted(tir.BufferLoad(source.buffer, place), dtype)
    if record.kind.startswith("abs"):
        value = tir.Max(value, tir.const(0, dtype) - value)
    old = tir.BufferLoad(target.buffer, at)
    combined = tir.BufferStore(target.buffer, _COMBINE[record.kind](old, value), at)
    body: tir.Stmt = combined
    if record.clear:
        first = tir.BufferStore(target.buffer, value, at)
        body = tir.IfThenElse(tir.EQ(variables[record.dim], tir.IntImm("int32", 0)), first, combined)
    return sequence([nest(variables, [source.extents[dim] for dim in range(rank)], body)])
