"""Choose, for every global tensor, which dims become tile rows and columns, and how they are padded.

Why: DRAM holds 32x32 tiles, but a TileLang tensor may be accessed along any of its dims: attention on (B, S, H, D)
reads (S, D) planes. All access regions of a tensor vote; a block size that is not a multiple of 32 makes the host pad
each block, so that every block starts on a tile.

Before::

    copy(Q[bz, bx*64:+64, by, 0:+64], Q_shared)          # Q: (B, S, H, D)

After::

    func_attr({"tt_buffer_Q_layout": {"kind": "tile", "outer": [0, 2], "row": 1, "col": 3, ...},
               "tt_buffer_Q_needs_padding": False})
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir

from ..errors import TilingError, UnsupportedError
from ..target import TILE_ELEMENTS, TILE_HEIGHT
from .base import LoweringContext
from .ops import is_scalar_read
from .ranges import leaves_with_ranges
from .tensor_layout import ATTRIBUTE_PREFIX, TensorLayout, layout_attribute
from .tile_ir import PrimExpr, Region, TileCopy, is_const_int, parse
from .tile_layout import TileLayout, layouts_of


@dataclass(frozen=True, kw_only=True)
class DimAccess:
    """What one copy does along one tensor dim; the predicates are proofs made where the copy stands."""

    dim: int
    offset: PrimExpr
    extent: int
    divides: Callable[[int], bool]
    reaches_end: bool


@dataclass(frozen=True, kw_only=True)
class TensorAccess:
    """One copy between a tensor and a tiled buffer: the dims along its rows and columns."""

    stmt: tir.Stmt
    flat: bool
    row: DimAccess | None
    col: DimAccess | None


@dataclass(kw_only=True)
class _Accesses:
    buffer: tir.Buffer
    found: list[TensorAccess] = field(default_factory=list)


def infer_default_tt_shard(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Attach ``tt_buffer_<name>_layout`` and ``tt_buffer_<name>_needs_padding`` for every accessed tensor."""
    layout_type = str(func.attrs["tt_layout_type"])
    if layout_type != "dram_interleaved":
        raise UnsupportedError(f"tt_layout_type {layout_type!r} is unknown", hint="use 'dram_interleaved'")
    layouts = layouts_of(func)
    tensors: dict[str, _Accesses] = {}
    scalar_reads: dict[str, tir.Stmt] = {}
    for stmt, analyzer in leaves_with_ranges(func):
        if is_scalar_read(stmt):
            scalar_reads.setdefault(stmt.value.args[0].buffer.name, stmt)
        record = parse(stmt)
        if not isinstance(record, TileCopy):
            continue
        for region, other in ((record.source, record.destination), (record.destination, record.source)):
            if region.is_global:
                entry = tensors.setdefault(region.buffer.name, _Accesses(buffer=region.buffer))
                entry.found.append(tensor_access(region, other, layouts[other.buffer.name], analyzer, stmt))
    for name, accesses in tensors.items():
        layout = _choose(accesses)
        func = func.with_attr(layout_attribute(name), layout.to_attribute())
        func = func.with_attr(f"{ATTRIBUTE_PREFIX}{name}_needs_padding", _needs_padding(accesses.buffer, layout))
    for name, stmt in scalar_reads.items():
        if name in tensors:
            raise UnsupportedError(
                f"the tensor {name} is both copied in tiles and read element by element",
                hint="pass it twice, once for each use",
                at=stmt,
            )
        func = func.with_attr(layout_attribute(name), {"kind": "row_major", "page_dims": 1})
    return func


def pair_dims(one: Region, other: Region, stmt: tir.Stmt) -> dict[int, int]:
    """Dims of ``other`` to dims of ``one``: a copy pairs the dims whose extent is not 1, in order."""
    first, second = one.kept_dims, other.kept_dims
    if len(first) != len(second):
        raise TilingError(
            f"T.copy between {one.buffer.name}{_extents(one)} and {other.buffer.name}{_extents(other)}: "
            f"{len(first)} against {len(second)} dims of more than one element",
            hint="give both sides the same extents",
            at=stmt,
        )
    return dict(zip(second, first, strict=True))


def tensor_access(
    region: Region, chip: Region, layout: TileLayout, analyzer: tvm.arith.Analyzer, stmt: tir.Stmt
) -> TensorAccess:
    """Which tensor dims of ``region`` lie along the rows and columns of the on-chip side ``chip``."""
    pairs = pair_dims(region, chip, stmt)
    rank = len(chip.extents)
    row_chip = {"matrix": rank - 2, "column": 0}.get(layout.kind)
    col_chip = {"matrix": rank - 1, "row": 0, "flat": 0}.get(layout.kind)

    def access(chip_dim: int | None) -> DimAccess | None:
        dim = pairs.get(chip_dim) if chip_dim is not None else None
        if dim is None:
            return None
        extent = region.extents[dim]
        if not isinstance(extent, tir.IntImm):
            raise UnsupportedError(
                f"a copy of run-time extent {extent} from {region.buffer.name} has no tile form",
                hint="copy a compile-time block; rows past the end read as 0 and are not written",
                at=stmt,
            )
        offset = region.mins[dim]
        end = offset + extent
        return DimAccess(
            dim=dim,
            offset=offset,
            extent=int(extent.value),
            divides=lambda n: _divisible(analyzer, offset, n),
            reaches_end=analyzer.can_prove(end >= region.buffer.shape[dim]),
        )

    return TensorAccess(stmt=stmt, flat=layout.kind == "flat", row=access(row_chip), col=access(col_chip))


def _divisible(analyzer: tvm.arith.Analyzer, offset: PrimExpr, divisor: int) -> bool:
    return is_const_int(analyzer.simplify(tir.floormod(offset, divisor)), 0)


def _choose(accesses: _Accesses) -> TensorLayout:
    first = accesses.found[0]
    rank = len(accesses.buffer.shape)
    row = next((a.row.dim for a in accesses.found if a.row is not None), None)
    col = next((a.col.dim for a in accesses.found if a.col is not None), None)
    for access in accesses.found:
        if access.flat != first.flat or not _agrees(access.row, row) or not _agrees(access.col, col):
            raise UnsupportedError(
                f"the tensor {accesses.buffer.name} is read along different dims by different copies",
                hint="make every copy of it move the same two dims, or pass a second tensor with the other order",
                at=access.stmt,
            )
    outer = tuple(d for d in range(rank) if d not in (row, col))
    if first.flat:
        _check_flat(accesses)
        return TensorLayout(kind="flat", outer=outer, col=col)
    rows = [a.row for a in accesses.found if a.row is not None]
    cols = [a.col for a in accesses.found if a.col is not None]
    return TensorLayout(
        kind="tile",
        outer=outer,
        row=row,
        col=col,
        row_block=_block(accesses, rows, "row"),
        col_block=_block(accesses, cols, "column"),
    )


def _agrees(access: DimAccess | None, dim: int | None) -> bool:
    return (access.dim if access is not None else None) == dim


def _check_flat(accesses: _Accesses) -> None:
    """1-D blocks of a dense tensor start at multiples of 1024 elements, one tile."""
    for access in accesses.found:
        if access.col is not None and not access.col.divides(TILE_ELEMENTS):
            raise TilingError(
                f"1-D block of {accesses.buffer.name} at offset {access.col.offset}: not a multiple of {TILE_ELEMENTS}",
                hint="access the tensor in blocks that start at multiples of 1024",
                at=access.stmt,
            )


def _block(accesses: _Accesses, lines: list[DimAccess], axis: str) -> int:
    """The padded block size along one dim: 32 when every access is tile-aligned, else the common block size."""

    def aligned(line: DimAccess) -> bool:
        return line.divides(TILE_HEIGHT) and (line.extent % TILE_HEIGHT == 0 or line.reaches_end)

    if all(aligned(line) for line in lines):
        return TILE_HEIGHT
    block = max(line.extent for line in lines)
    if all(line.divides(block) and line.extent <= block for line in lines):
        return block
    bad = next(line for line in lines if not aligned(line))
    stmt = next(a.stmt for a in accesses.found if a.row is bad or a.col is bad)
    raise TilingError(
        f"copy of {bad.extent} {axis}s of {accesses.buffer.name} at offset {bad.offset}: "
        f"not a multiple of {TILE_HEIGHT} and not a multiple of one block size",
        hint="start blocks at multiples of 32 or at multiples of one common block size",
        at=stmt,
    )


def _needs_padding(buffer: tir.Buffer, layout: TensorLayout) -> bool:
    for dim, block in ((layout.row, layout.row_block), (layout.col, layout.col_block)):
        size = buffer.shape[dim] if dim is not None else None
        if not isinstance(size, tir.IntImm) or int(size.value) % TILE_HEIGHT or block % TILE_HEIGHT:
            return True
    return False


def _extents(region: Region) -> str:
    return "[" + ", ".join(str(extent) for extent in region.extents) + "]"
