"""Choose, for every global tensor, which dims become tile rows and columns, and how they are padded.

Why: DRAM holds 32x32 tiles, but a TileLang tensor may be accessed along any of its dims: attention on (B, S, H, D)
reads (S, D) planes. All access regions of a tensor vote; a block size that is not a multiple of 32 makes the host pad
each block, so that every block starts on a tile. A tensor that is accessed along different dims, at places inside a
tile, or element by element stays row-major, and ``tensorize_row_major`` moves its rows piece by piece. A tensor that
the user wants in block floats has to be one of whole tiles.

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
from .ops import scalar_source
from .ranges import leaves_with_ranges
from .scalar_code import elements_of
from .tensor_layout import (
    ATTRIBUTE_PREFIX,
    ROW_MAJOR,
    STORAGE_ATTRIBUTE,
    TensorLayout,
    layout_attribute,
    read_back_attribute,
)
from .tile_ir import (
    GLOBAL_SCOPE,
    PrimExpr,
    Region,
    TileCopy,
    TileScalarCode,
    TileScatter,
    is_const_int,
    is_gather,
    loads_in,
    parse,
)
from .tile_layout import TileLayout, layouts_of


@dataclass(frozen=True, kw_only=True)
class DimAccess:
    """What one copy does along one tensor dim; the predicates are proofs made where the copy stands."""

    dim: int
    offset: PrimExpr
    extent: int | None
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
    by_element: bool = False
    is_read: bool = False
    is_written: bool = False


def infer_default_tt_shard(module: tvm.IRModule, context: LoweringContext) -> tvm.IRModule:
    """Attach ``tt_buffer_<name>_layout`` and ``tt_buffer_<name>_needs_padding`` for every accessed tensor.

    The functions of a module are kernels that run one after another on the same tensors: all of them vote.
    """
    tensors: dict[str, _Accesses] = {}
    blocks: dict[str, str] = {}
    for func in module.functions.values():
        blocks.update({str(name): str(fmt) for name, fmt in func.attrs.get(STORAGE_ATTRIBUTE, {}).items()})
        layout_type = str(func.attrs["tt_layout_type"])
        if layout_type != "dram_interleaved":
            raise UnsupportedError(f"tt_layout_type {layout_type!r} is unknown", hint="use 'dram_interleaved'")
        _collect(func, tensors)
    attributes: dict[str, object] = {}
    for name, accesses in tensors.items():
        layout = _choose(accesses)
        if layout.kind == "row_major" and accesses.found and len(accesses.buffer.shape) > 1:
            context.note(
                what=f"{name} is kept in rows, and its blocks are made of pieces of them",
                why="single elements of it are accessed, or blocks that are no whole tiles along the same dimensions",
                hint="access it in blocks that start at multiples of 32, along the same two dimensions everywhere",
                at=accesses.found[0].stmt,
            )
        padding, read_back = _needs_padding(accesses.buffer, layout), accesses.is_read and accesses.is_written
        if name in blocks:
            _check_blocks(accesses, layout, blocks[name], padding and read_back)
        attributes[layout_attribute(name)] = layout.to_attribute()
        attributes[f"{ATTRIBUTE_PREFIX}{name}_needs_padding"] = padding
        attributes[read_back_attribute(name)] = read_back
    functions = {}
    for name, func in module.functions.items():
        for key, value in attributes.items():
            func = func.with_attr(key, value)
        functions[name] = func
    return tvm.IRModule(functions)


def _check_blocks(accesses: _Accesses, layout: TensorLayout, fmt: str, reads_own_padding: bool) -> None:
    """Complain where single elements of a tensor in block floats would have to be read or written."""
    name = accesses.buffer.name
    problem = None
    if layout.kind == "row_major":
        problem = "it is accessed by rows or elements, not in whole tiles along the same dimensions"
    elif reads_own_padding:
        problem = "its sizes are no multiples of 32, and kernels read again what they wrote to it"
    if problem is not None:
        raise UnsupportedError(
            f"{name} cannot be stored as {fmt}: {problem}",
            hint=f"leave {name} out of storage=, or pass a ttnn tensor of another dtype",
            at=next((access.stmt for access in accesses.found), None),
        )


def _collect(func: tir.PrimFunc, tensors: dict[str, _Accesses]) -> None:
    layouts = layouts_of(func)
    for stmt, analyzer in leaves_with_ranges(func):
        scalar = scalar_source(stmt)
        if scalar is not None and scalar.buffer.scope() == GLOBAL_SCOPE:
            entry = tensors.setdefault(scalar.buffer.name, _Accesses(buffer=scalar.buffer))
            entry.by_element = entry.is_read = True
        record = parse(stmt)
        if isinstance(record, TileScatter):
            target = record.target.buffer
            entry = tensors.setdefault(target.name, _Accesses(buffer=target))
            entry.by_element = True
            for load in [load for index in record.target.indices for load in loads_in(index)]:
                tensors.setdefault(load.buffer.name, _Accesses(buffer=load.buffer)).by_element = True
        if isinstance(record, TileScalarCode):
            for element in elements_of(record.body):
                if element.buffer.scope() == GLOBAL_SCOPE:
                    entry = tensors.setdefault(element.buffer.name, _Accesses(buffer=element.buffer))
                    entry.by_element = True
                    entry.is_read |= not element.is_write
                    entry.is_written |= element.is_write
        if is_gather(record):
            for load in loads_in(record.store.value):
                tensors.setdefault(load.buffer.name, _Accesses(buffer=load.buffer)).by_element = True
        if not isinstance(record, TileCopy):
            continue
        for region, other in ((record.source, record.destination), (record.destination, record.source)):
            if region.is_global:
                entry = tensors.setdefault(region.buffer.name, _Accesses(buffer=region.buffer))
                entry.is_read |= region is record.source
                entry.is_written |= region is record.destination
                entry.found.append(tensor_access(region, other, layouts[other.buffer.name], analyzer, stmt))


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
        offset = region.mins[dim]
        end = offset + extent
        return DimAccess(
            dim=dim,
            offset=offset,
            extent=int(extent.value) if isinstance(extent, tir.IntImm) else None,
            divides=lambda n: _divisible(analyzer, offset, n),
            reaches_end=analyzer.can_prove(end >= region.buffer.shape[dim]),
        )

    return TensorAccess(stmt=stmt, flat=layout.kind == "flat", row=access(row_chip), col=access(col_chip))


def _divisible(analyzer: tvm.arith.Analyzer, offset: PrimExpr, divisor: int) -> bool:
    return is_const_int(analyzer.simplify(tir.floormod(offset, divisor)), 0)


def _choose(accesses: _Accesses) -> TensorLayout:
    """Tiles where every access moves whole tiles along the same dims, else rows, which suit any access."""
    rows = [a.row for a in accesses.found if a.row is not None]
    cols = [a.col for a in accesses.found if a.col is not None]
    row, col = (lines[0].dim if lines else None for lines in (rows, cols))
    flat = any(access.flat for access in accesses.found)
    if accesses.by_element or not all(
        access.flat == flat and _agrees(access.row, row) and _agrees(access.col, col) for access in accesses.found
    ):
        return ROW_MAJOR
    outer = tuple(d for d in range(len(accesses.buffer.shape)) if d not in (row, col))
    if flat:
        whole_tiles = all(line.extent is not None and line.divides(TILE_ELEMENTS) for line in cols)
        return TensorLayout(kind="flat", outer=outer, col=col) if whole_tiles else ROW_MAJOR
    row_block, col_block = _block(rows), _block(cols)
    if row_block is None or col_block is None:
        return ROW_MAJOR
    return TensorLayout(kind="tile", outer=outer, row=row, col=col, row_block=row_block, col_block=col_block)


def _agrees(access: DimAccess | None, dim: int | None) -> bool:
    return (access.dim if access is not None else None) == dim


def _block(lines: list[DimAccess]) -> int | None:
    """The padded block size along one dim: 32 when every access is tile-aligned, else the common block size, if any."""
    extents = [line.extent for line in lines if line.extent is not None]
    if len(extents) < len(lines):
        return None

    def aligned(line: DimAccess, extent: int) -> bool:
        return line.divides(TILE_HEIGHT) and (extent % TILE_HEIGHT == 0 or line.reaches_end)

    if all(map(aligned, lines, extents)):
        return TILE_HEIGHT
    block = max(extents)
    return block if all(line.divides(block) for line in lines) else None


def _needs_padding(buffer: tir.Buffer, layout: TensorLayout) -> bool:
    if layout.kind == "row_major":
        return False
    for dim, block in ((layout.row, layout.row_block), (layout.col, layout.col_block)):
        size = buffer.shape[dim] if dim is not None else None
        if not isinstance(size, tir.IntImm) or int(size.value) % TILE_HEIGHT or block % TILE_HEIGHT:
            return True
    return False


def _extents(region: Region) -> str:
    return "[" + ", ".join(str(extent) for extent in region.extents) + "]"
