"""Whether a statement has a form in whole tiles; ``move_to_scalar_code`` asks, and decides what becomes of the rest.

Tiles are 32 x 32 elements, and an element-wise step sees equal lanes of all its operands. So an on-chip access must
follow the loops with stride 1, start at a multiple of 32, stay along the rows and columns of what is stored, and a
store must cover whole tiles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from ..target import TILE_HEIGHT
from .tile_ir import (
    GLOBAL_SCOPE,
    Elementwise,
    Region,
    TileCopy,
    TileFill,
    is_const_int,
    is_scalar_variable,
    loads_in,
    parse,
    uses_var,
)

_TILED_DIMS = 2


def reason_for_scalar_code(stmt: tir.Stmt, copied: Mapping[str, Region]) -> str | None:
    """Why ``stmt`` cannot be done in tiles; None where it can, or where scalar code cannot do it either.

    ``copied`` are the buffers that hold a block of a tensor: what picks their elements reads the tensor instead.
    """
    record = parse(stmt)
    if record is None and isinstance(stmt, tir.For) and stmt.kind == tir.ForKind.PARALLEL:
        return "the extent of a T.Parallel loop is known at run time only"
    if isinstance(record, Elementwise):
        return _Elementwise(record=record, copied=copied).reason()
    if isinstance(record, TileCopy):
        return _region(record.source, is_written=False) or _region(record.destination, is_written=True)
    if isinstance(record, TileFill):
        return _region(record.destination, is_written=True)
    return None


def _region(region: Region, *, is_written: bool) -> str | None:
    """Why the on-chip side of a copy is not made of whole tiles."""
    if region.is_global or not _is_tiled(region.buffer):
        return None
    first = max(0, len(region.extents) - _TILED_DIMS)
    for low, extent, size in list(zip(region.mins, region.extents, region.buffer.shape, strict=True))[first:]:
        if not isinstance(extent, tir.IntImm):
            continue
        reason = _line(region.buffer, low, int(extent.value), int(size.value), is_written=is_written)
        if reason is not None:
            return reason
    return None


def _line(buffer: tir.Buffer, low: tir.PrimExpr, extent: int, size: int, *, is_written: bool) -> str | None:
    """Why ``extent`` of ``size`` elements from ``low`` on are not whole tiles."""
    if size == 1:
        return None
    if not is_const_int(tvm.arith.Analyzer().simplify(tir.floormod(low, TILE_HEIGHT)), 0):
        return f"{buffer.name} is accessed at {low}, inside a tile"
    if is_written and extent % TILE_HEIGHT and extent != size:
        return f"{buffer.name} is written in blocks of {extent} of its {size} elements, less than whole tiles"
    return None


def _is_tiled(buffer: tir.Buffer) -> bool:
    """Whether ``buffer`` is on chip and has more than one element."""
    on_chip = buffer.scope() != GLOBAL_SCOPE and not is_scalar_variable(buffer)
    return on_chip and any(not is_const_int(extent, 1) for extent in buffer.shape)


@dataclass(frozen=True, kw_only=True)
class _Elementwise:
    """The accesses of one T.Parallel store."""

    record: Elementwise
    copied: Mapping[str, Region]

    def reason(self) -> str | None:
        store = self.record.store
        reason = self.store_reason()
        if reason is not None:
            return reason
        for load in loads_in(store.value):
            if load.buffer.scope() == GLOBAL_SCOPE and any(map(self.is_irregular, load.indices)):
                computed = self.computed_index(load.indices)
                if computed is not None:
                    return f"the place of a load depends on {computed}, which is computed on chip"
            if _is_tiled(load.buffer) and not self.reads_tensor(load):
                reason = self.access_reason(load.buffer, list(load.indices)) or self.crossing(load)
                if reason is not None:
                    return reason
        return None

    def store_reason(self) -> str | None:
        store = self.record.store
        buffer, indices = store.buffer, list(store.indices)
        if buffer.scope() == GLOBAL_SCOPE:
            computed = self.computed_index(indices)
            return f"the place of a store depends on {computed}, which is computed on chip" if computed else None
        if not _is_tiled(buffer):
            return None
        reason = self.access_reason(buffer, indices)
        if reason is not None:
            return reason
        first = max(0, len(indices) - _TILED_DIMS)
        for index, size in list(zip(indices, buffer.shape, strict=True))[first:]:
            var = self.variable(index)
            extent = self.record.extents[var] if var is not None else 1
            low = index - self.record.loop_vars[var] if var is not None else index
            reason = _line(buffer, low, extent, int(size.value), is_written=True)
            if reason is not None:
                return reason
        return None

    def reads_tensor(self, load: tir.BufferLoad) -> bool:
        """Whether an irregular load reads the tensor behind its buffer, lane by lane."""
        return load.buffer.name in self.copied and any(self.is_irregular(index) for index in load.indices)

    def computed_index(self, indices: Sequence[tir.PrimExpr]) -> str | None:
        """An on-chip buffer that ``indices`` read, and that holds more than a block of a tensor."""
        for load in (load for index in indices for load in loads_in(index)):
            if load.buffer.scope() != GLOBAL_SCOPE and not is_scalar_variable(load.buffer):
                if load.buffer.name not in self.copied:
                    return str(load.buffer.name)
        return None

    def access_reason(self, buffer: tir.Buffer, indices: list[tir.PrimExpr]) -> str | None:
        """Why an on-chip access does not sweep tiles."""
        text = f"{buffer.name}[{', '.join(str(index) for index in indices)}]"
        for index in indices:
            if any(self.moves(load) or load.buffer.scope() != GLOBAL_SCOPE for load in _index_loads(index)):
                return f"the place {text} depends on values in memory"
            if self.is_irregular(index):
                return f"{text} does not follow one loop with stride 1"
        first = max(0, len(indices) - _TILED_DIMS)
        for index, size in list(zip(indices, buffer.shape, strict=True))[first:]:
            var = self.variable(index)
            low = index - self.record.loop_vars[var] if var is not None else index
            if not _index_loads(low):
                reason = _line(buffer, low, 1, int(size.value), is_written=False)
                if reason is not None:
                    return reason
        return None

    def crossing(self, load: tir.BufferLoad) -> str | None:
        """Why the rows and columns of a load are not those of the store (or both of them exchanged)."""
        store = self.record.store
        lines = [self.variable(index) for index in store.indices if self.variable(index) is not None]
        if store.buffer.scope() != GLOBAL_SCOPE:
            lines = [self.variable(index) for index in store.indices[-_TILED_DIMS:]]
        if len(lines) < _TILED_DIMS or len(load.indices) < _TILED_DIMS:
            return None
        row, col = lines[-2], lines[-1]
        found = [self.variable(index) for index in load.indices[-_TILED_DIMS:]]
        straight = found[0] in (None, row) and found[1] in (None, col)
        exchanged = found == [col, row]
        planes = [self.variable(index) for index in load.indices[:-_TILED_DIMS]]
        if (straight or exchanged) and not any(var is not None and var in (row, col) for var in planes):
            return None
        place = f"{load.buffer.name}[{', '.join(str(index) for index in load.indices)}]"
        return f"{place} runs across the tiles of {store.buffer.name}"

    def variable(self, index: tir.PrimExpr) -> int | None:
        """The position of the loop that ``index`` follows."""
        used = [n for n, var in enumerate(self.record.loop_vars) if uses_var(index, [var])]
        return used[0] if used else None

    def moves(self, load: tir.BufferLoad) -> bool:
        """Whether the loops change what ``load`` reads."""
        return any(uses_var(index, self.record.loop_vars) for index in load.indices)

    def is_irregular(self, index: tir.PrimExpr) -> bool:
        """Whether ``index`` depends on the loops other than as one loop variable with stride 1."""
        if not uses_var(index, self.record.loop_vars):
            return False
        coefficients = tvm.arith.detect_linear_equation(index, list(self.record.loop_vars))
        if not coefficients:
            return True
        used = [c for c in coefficients[:-1] if not is_const_int(c, 0)]
        return len(used) != 1 or not is_const_int(used[0], 1)


def _index_loads(index: tir.PrimExpr) -> list[tir.BufferLoad]:
    return [load for load in loads_in(index) if not is_scalar_variable(load.buffer)]
