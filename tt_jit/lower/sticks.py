"""The pieces of rows ("sticks") that a copy between a row-major tensor and tiles moves, and their scratch memory."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx as tir

from ..data_format import global_format
from .accesses import READER, WRITER
from .infer_default_tt_shard import pair_dims
from .scalar_code import tensors_of
from .tensor_layout import tensor_layout
from .tile_ir import Region, TileCopy, TileScalarCode, TileScatter, is_gather, leaves, loads_in, parse
from .tile_layout import TileLayout

SCRATCH = {READER: "reader_scratch", WRITER: "writer_scratch"}
ELEMENT_TYPES = {1: "uint8_t", 2: "uint16_t", 4: "uint32_t"}
"""C++ types that carry an element's bits, by its size."""
LINE_BYTES = 128
_ALIGNMENT = 64
_GROUP_BYTES = 16 * 1024
_LARGEST_GROUP = 32
PLANE, ROW, COL, FLAT = "planes", "rows", "cols", "flat"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One loop over a dim of the on-chip side; ``tensor_dim`` is the tensor dim that it walks."""

    chip_dim: int
    axis: str
    extent: int
    tensor_dim: int


@dataclass(frozen=True, kw_only=True)
class Sticks:
    """How a copied block decomposes: ``loops`` choose a stick, ``stick`` runs along it (None: a single element)."""

    loops: tuple[Line, ...]
    stick: Line | None
    element_bytes: int

    @property
    def length(self) -> int:
        """Elements of one stick."""
        return self.stick.extent if self.stick is not None else 1

    @property
    def slot_bytes(self) -> int:
        """Scratch bytes of one stick, wherever it starts modulo the alignment."""
        return -(-self.length * self.element_bytes // _ALIGNMENT) * _ALIGNMENT + _ALIGNMENT

    @property
    def group(self) -> int:
        """Sticks that are in flight together."""
        innermost = self.loops[-1].extent if self.loops else 1
        return max(1, min(_LARGEST_GROUP, _GROUP_BYTES // self.slot_bytes, innermost))


def scratch_bytes(func: tir.PrimFunc, layouts: dict[str, TileLayout]) -> dict[str, int]:
    """Scratch memory that each role needs for its sticks; roles without row-major copies are absent."""
    needed: dict[str, int] = {}
    for stmt in leaves(func.body):
        record = parse(stmt)
        if isinstance(record, TileScatter):
            count = 1 + sum(len(loads_in(index)) for index in record.target.indices)
            needed[WRITER] = max(needed.get(WRITER, 0), count * LINE_BYTES + _ALIGNMENT)
        if isinstance(record, TileScalarCode):
            lines = LINE_BYTES * len(tensors_of(record.body))
            if lines:
                needed[READER] = max(needed.get(READER, 0), lines + _ALIGNMENT)
        if is_gather(record):
            lines = LINE_BYTES * len(loads_in(record.store.value))
            needed[READER] = max(needed.get(READER, 0), lines + _ALIGNMENT)
        if not isinstance(record, TileCopy):
            continue
        tensor, chip, role = sides_of(record)
        if tensor.is_global and tensor_layout(func, tensor.buffer).kind == "row_major":
            sticks = decompose(tensor, chip, layouts[chip.buffer.name], stmt)
            needed[role] = max(needed.get(role, 0), sticks.group * sticks.slot_bytes + _ALIGNMENT)
    return needed


def sides_of(record: TileCopy) -> tuple[Region, Region, str]:
    """The tensor, the on-chip side and the role of a copy."""
    if record.source.is_global:
        return record.source, record.destination, READER
    return record.destination, record.source, WRITER


def decompose(tensor: Region, chip: Region, layout: TileLayout, stmt: tir.Stmt) -> Sticks:
    """The sticks of the block that ``tensor`` and ``chip`` exchange."""
    pairs = pair_dims(tensor, chip, stmt)
    rank, last = len(chip.extents), len(tensor.extents) - 1
    lines = []
    for chip_dim, tensor_dim in sorted(pairs.items()):
        if layout.kind == "matrix":
            axis = {rank - 1: COL, rank - 2: ROW}.get(chip_dim, PLANE)
        else:
            axis = {"column": ROW, "row": COL}.get(layout.kind, FLAT)
        lines.append(
            Line(chip_dim=chip_dim, axis=axis, extent=int(chip.extents[chip_dim].value), tensor_dim=tensor_dim)
        )
    fmt = global_format(str(tensor.buffer.dtype))
    assert fmt is not None
    return Sticks(
        loops=tuple(line for line in lines if line.tensor_dim != last),
        stick=next((line for line in lines if line.tensor_dim == last), None),
        element_bytes=fmt.element_bytes,
    )
