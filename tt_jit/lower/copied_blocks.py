"""Buffers that only ever hold a copied block of a tensor: an access of one is an access of the tensor."""

from __future__ import annotations

from tvm import tirx as tir

from .accesses import accesses_of
from .stored_buffers import stored_in
from .tile_ir import Region, TileCopy, is_const_int, leaves, loads_in, parse


def copied_blocks(body: tir.Stmt) -> dict[str, Region]:
    """Buffers that are written by exactly one copy of a tensor block, with that block; the tensor never changes."""
    changing = stored_in([body])
    found: dict[str, Region] = {}
    written: set[str] = set()
    for stmt in leaves(body):
        record = parse(stmt)
        targets = [b.name for b, _ in accesses_of(record).writes] if record is not None else []
        for name in targets:
            found.pop(name, None)
            if name in written or not isinstance(record, TileCopy):
                continue
            source, destination = record.source, record.destination
            same_rank = len(source.kept_dims) == len(destination.kept_dims)
            if (
                source.is_global
                and destination.is_whole
                and same_rank
                and source.buffer.dtype == destination.buffer.dtype
                and source.buffer.data not in changing
                and not any(load.buffer.data in changing for low in source.mins for load in loads_in(low))
            ):
                found[name] = source
        written.update(targets)
    return found


def element_behind(load: tir.BufferLoad, block: Region) -> tir.BufferLoad:
    """The tensor element that ``load`` reads, given the block that its buffer holds."""
    indices = list(block.mins)
    for dim, index in zip(block.kept_dims, _kept(load), strict=True):
        indices[dim] = indices[dim] + index
    return tir.BufferLoad(block.buffer, indices)


def _kept(load: tir.BufferLoad) -> list[tir.PrimExpr]:
    """The indices along the dims of the buffer that have more than one element."""
    return [index for index, size in zip(load.indices, load.buffer.shape, strict=True) if not is_const_int(size, 1)]
