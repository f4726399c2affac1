"""Who touches which buffer: the reads, writes and role of every tile statement."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx as tir

from .scalar_code import tiles_of
from .tile_ir import (
    Elementwise,
    Region,
    ScalarRead,
    TileCopy,
    TileFill,
    TileGemm,
    TileIndexFill,
    TileReduce,
    TileScalarCode,
    TileScan,
    TileScatter,
    TileStatement,
    TileTranspose,
    is_const_int,
    is_gather,
    is_scalar_variable,
    loads_in,
)

READER, COMPUTE, WRITER = "reader", "compute", "writer"
ROLES = (READER, COMPUTE, WRITER)


@dataclass(frozen=True, kw_only=True)
class Accesses:
    """On-chip buffers that one tile statement reads and writes.

    ``writes`` maps each written buffer to whether the statement overwrites all of it without looking at the old value.
    ``has_effects``: it does more than write on-chip buffers, hence runs even if nobody reads those.
    """

    role: str
    reads: tuple[tir.Buffer, ...]
    writes: tuple[tuple[tir.Buffer, bool], ...]
    has_effects: bool = False

    def is_read(self, buffer: tir.Buffer) -> bool:
        """Whether the statement reads ``buffer``."""
        return any(b.same_as(buffer) for b in self.reads)


def accesses_of(record: TileStatement) -> Accesses:
    """Reads, writes and role of ``record``."""
    if isinstance(record, TileCopy):
        return _copy(record)
    if isinstance(record, TileFill):
        return _compute((), record.destination, record.destination.is_whole)
    if isinstance(record, TileGemm):
        clears = is_const_int(record.clear, 1)
        operands = (record.a.buffer, record.b.buffer)
        return _compute(operands if clears else (*operands, record.c.buffer), record.c, clears and record.c.is_whole)
    if isinstance(record, TileReduce):
        reads: tuple[tir.Buffer, ...] = (record.source.buffer,)
        if not record.clear:
            reads = (*reads, record.destination.buffer)
        return _compute(reads, record.destination, record.clear and record.destination.is_whole)
    if isinstance(record, TileIndexFill):
        return Accesses(role=READER, reads=(), writes=((record.destination.buffer, True),))
    if isinstance(record, (TileTranspose, TileScan)):
        return _compute((record.source.buffer,), record.destination, record.destination.is_whole)
    if isinstance(record, TileScatter):
        reads = (record.source,) if record.mask is None else (record.source, record.mask)
        return Accesses(role=WRITER, reads=reads, writes=())
    if isinstance(record, TileScalarCode):
        tiles = tiles_of(record.body).values()
        reads = tuple(buffer for buffer, written in tiles if not written)
        writes = tuple((buffer, True) for buffer, written in tiles if written)
        return Accesses(role=READER, reads=reads, writes=writes, has_effects=True)
    if isinstance(record, ScalarRead):
        return Accesses(role=READER, reads=(record.load.buffer,), writes=(), has_effects=True)
    if is_gather(record):
        return Accesses(role=READER, reads=(), writes=((record.store.buffer, True),))
    return _elementwise(record)


def _copy(record: TileCopy) -> Accesses:
    if record.source.is_global:
        return Accesses(role=READER, reads=(), writes=((record.destination.buffer, record.destination.is_whole),))
    if record.destination.is_global:
        return Accesses(role=WRITER, reads=(record.source.buffer,), writes=())
    return _compute((record.source.buffer,), record.destination, record.destination.is_whole)


def _compute(reads: tuple[tir.Buffer, ...], destination: Region, whole: bool) -> Accesses:
    unique = tuple(b for n, b in enumerate(reads) if not any(b.same_as(other) for other in reads[:n]))
    return Accesses(role=COMPUTE, reads=unique, writes=((destination.buffer, whole),))


def _elementwise(record: Elementwise) -> Accesses:
    store = record.store
    reads = tuple(load.buffer for load in loads_in(store.value) if not is_scalar_variable(load.buffer))
    extents = dict(zip(record.loop_vars, record.extents, strict=True))
    whole = all(
        (isinstance(index, tir.Var) and index in extents and is_const_int(size, extents[index]))
        or (is_const_int(size, 1) and is_const_int(index, 0))
        for index, size in zip(store.indices, store.buffer.shape, strict=True)
    )
    destination = Region(buffer=store.buffer, mins=tuple(store.indices), extents=tuple(store.buffer.shape))
    return _compute(reads, destination, whole)
