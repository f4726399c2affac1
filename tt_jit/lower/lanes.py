"""How element-wise accesses run along the rows and columns of tiles, before layouts are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import tvm
from tvm import tirx as tir

from ..target import TILE_HEIGHT
from .tile_ir import GLOBAL_SCOPE, Elementwise, PrimExpr, is_const_int, is_scalar_variable, uses_var


@dataclass(frozen=True, kw_only=True)
class Lane:
    """How an index runs along one tile dim of size ``size``: ``offset`` plus the loop variable ``var``, if any."""

    dim: int
    size: int
    offset: PrimExpr
    var: tir.Var | None

    @property
    def starts_on_tile(self) -> bool:
        """Whether the offset is known to be the first lane of a tile."""
        return is_aligned(self.offset)


def is_tiled(buffer: tir.Buffer) -> bool:
    """Whether ``buffer`` lies on chip as tiles of known size."""
    constant = len(buffer.shape) > 0 and all(isinstance(extent, tir.IntImm) for extent in buffer.shape)
    return constant and buffer.scope() != GLOBAL_SCOPE and not is_scalar_variable(buffer)


def is_aligned(offset: PrimExpr) -> bool:
    """Whether ``offset`` is known to be a multiple of the tile's height and width."""
    return is_const_int(tvm.arith.Analyzer().simplify(tir.floormod(offset, TILE_HEIGHT)), 0)


def lanes_of(buffer: tir.Buffer, indices: Sequence[PrimExpr], loop_vars: Sequence[tir.Var]) -> list[Lane]:
    """The tile dims of an access (the last two, or the only one) that it runs along with stride 1, or not at all."""
    found = []
    for dim in range(max(0, len(indices) - 2), len(indices)):
        index, size = indices[dim], int(buffer.shape[dim])
        used = [var for var in loop_vars if uses_var(index, [var])]
        coefficients = tvm.arith.detect_linear_equation(index, used) if used else []
        unit = [v for v, c in zip(used, coefficients[:-1], strict=False) if is_const_int(c, 1)]
        if not used:
            found.append(Lane(dim=dim, size=size, offset=index, var=None))
        elif unit:
            offset = tvm.arith.Analyzer().simplify(index - unit[0])
            found.append(Lane(dim=dim, size=size, offset=offset, var=unit[0]))
    return found


def without_loops(record: Elementwise, variables: Sequence[tir.Var]) -> Elementwise:
    """``record`` for one value of each of ``variables``."""
    pairs = [
        (var, extent)
        for var, extent in zip(record.loop_vars, record.extents, strict=True)
        if not any(var.same_as(other) for other in variables)
    ]
    return replace(record, loop_vars=tuple(v for v, _ in pairs), extents=tuple(e for _, e in pairs))


def serial_loops(record: Elementwise, variables: Sequence[tir.Var], body: tir.Stmt) -> tir.Stmt:
    """``body`` inside serial loops over ``variables`` of ``record``, in their order there."""
    for var, extent in reversed(list(zip(record.loop_vars, record.extents, strict=True))):
        if any(var.same_as(other) for other in variables):
            body = tir.For(var, tir.IntImm("int32", 0), tir.IntImm("int32", extent), tir.ForKind.SERIAL, body)
    return body
