"""Give every buffer one producer and one consumer among reader, compute and writer.

Why: a circular buffer has exactly one producing and one consuming thread. Where a TileLang buffer is filled by DRAM
*and* changed by compute, or used by compute *and* stored to DRAM, a stream buffer and a compute copy are put between.
The format of each buffer's pages is settled here too: a buffer that is only loaded takes its tensor's format, one that
is only stored takes the format of the tensor it goes to, so that no conversion is spent.

Before::

    copy(A[...], S); for i, j: S[i, j] = S[i, j] * 2; copy(S, C[...])

After::

    copy(A[...], S_in)                                # reader
    copy(S_in, S); for i, j: S[i, j] = S[i, j] * 2    # compute
    copy(S, S_out)                                    # compute
    copy(S_out, C[...])                               # writer
    func_attr({"tt_buffer_formats": {"S_in": "Float16_b", "S": "Float16_b", "S_out": "Float16_b"}})
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tvm import tirx as tir

from ..data_format import compute_format, global_format, is_float_dtype
from ..errors import InternalError, UnsupportedError
from ..target import TILE_HEIGHT
from .accesses import COMPUTE, READER, WRITER, accesses_of
from .base import LoweringContext
from .names import NewBuffers
from .ops import READ_SCALAR, call
from .tensor_layout import page_format
from .tile_ir import (
    Region,
    ScalarRead,
    TileCopy,
    copy,
    leaves,
    parse,
    rewrite,
    sequence,
    whole,
)
from .tile_layout import TileLayout, layouts_of, with_layouts

FORMATS_ATTRIBUTE = "tt_buffer_formats"
ROLES_ATTRIBUTE = "tt_buffer_roles"
_FLOAT_WIDTH = {"Float32": 3, "Float16_b": 2, "Bfp8_b": 1, "Bfp4_b": 0}


def assign_roles(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Insert stream buffers and attach ``tt_buffer_formats``."""
    uses = _Uses(func=func)
    for stmt in leaves(func.body):
        uses.visit(stmt)
    router = _Router(uses=uses, new=NewBuffers.of(func), layouts=layouts_of(func))
    body = rewrite(func.body, router.leaf)
    for name, buffer in uses.buffers.items():
        router.formats.setdefault(name, _compute_format_name(buffer))
    func = with_layouts(func.with_body(router.new.declared(body)), router.layouts)
    final = _Uses(func=func)
    for stmt in leaves(body):
        final.visit(stmt)
    return func.with_attr(FORMATS_ATTRIBUTE, router.formats).with_attr(ROLES_ATTRIBUTE, final.roles())


@dataclass(frozen=True, kw_only=True)
class BufferRoles:
    """The role that fills a buffer and the role that drains it."""

    producer: str
    consumer: str


def buffer_roles(func: tir.PrimFunc) -> dict[str, BufferRoles]:
    """Producer and consumer of every on-chip buffer, by name."""
    return {
        str(name): BufferRoles(producer=str(pair[0]), consumer=str(pair[1]))
        for name, pair in func.attrs[ROLES_ATTRIBUTE].items()
    }


def buffer_formats(func: tir.PrimFunc) -> dict[str, str]:
    """Page format of every on-chip buffer, by name."""
    return {str(name): str(fmt) for name, fmt in func.attrs[FORMATS_ATTRIBUTE].items()}


@dataclass(kw_only=True)
class _Uses:
    """Which roles read and write each on-chip buffer, and with which tensors it exchanges data."""

    func: tir.PrimFunc
    buffers: dict[str, tir.Buffer] = field(default_factory=dict)
    written_by: dict[str, set[str]] = field(default_factory=dict)
    read_by: dict[str, set[str]] = field(default_factory=dict)
    loads: dict[str, list[TileCopy]] = field(default_factory=dict)
    stores: dict[str, list[TileCopy]] = field(default_factory=dict)

    def visit(self, stmt: tir.Stmt) -> None:
        record = parse(stmt)
        if record is None:
            return
        accesses = accesses_of(record)
        for buffer in accesses.reads:
            self.buffers[buffer.name] = buffer
            self.read_by.setdefault(buffer.name, set()).add(accesses.role)
        for buffer, _ in accesses.writes:
            self.buffers[buffer.name] = buffer
            self.written_by.setdefault(buffer.name, set()).add(accesses.role)
        if isinstance(record, TileCopy) and accesses.role == READER:
            self.loads.setdefault(record.destination.buffer.name, []).append(record)
        elif isinstance(record, TileCopy) and accesses.role == WRITER:
            self.stores.setdefault(record.source.buffer.name, []).append(record)

    def roles(self) -> dict[str, list[str]]:
        """[producer, consumer] of every buffer that is both written and read."""
        pairs = {}
        for name in self.buffers:
            writers, readers = self.written_by.get(name, {COMPUTE}), self.read_by.get(name, {COMPUTE})
            if len(writers) != 1 or len(readers) != 1:
                raise InternalError(f"buffer {name} is written by {sorted(writers)} and read by {sorted(readers)}")
            pairs[name] = [*writers, *readers]
        return pairs

    def tensor_format(self, tensor: tir.Buffer) -> str:
        """Format of the tensor's pages."""
        fmt = page_format(self.func, tensor)
        if fmt is None:
            raise UnsupportedError(
                f"{tensor.name} has dtype {tensor.dtype}, which no Tensix data format carries",
                hint="use float32, float16, bfloat16, fp8, or 8 to 32-bit integers",
            )
        return fmt.name

    def loads_directly(self, name: str) -> bool:
        """Whether the reader may fill the buffer itself."""
        loads = self.loads[name]
        formats = {self.tensor_format(load.source.buffer) for load in loads}
        return (
            self.written_by[name] == {READER}
            and all(load.destination.is_whole for load in loads)
            and len(formats) == 1
            and _keeps_value(loads[0].source.buffer.dtype, self.buffers[name].dtype)
        )

    def stores_directly(self, name: str) -> bool:
        """Whether the writer may drain the buffer itself."""
        stores = self.stores[name]
        if self.read_by[name] != {WRITER} or not all(store.source.is_whole for store in stores):
            return False
        formats = {self.tensor_format(store.destination.buffer) for store in stores}
        if len(formats) != 1 or len(self.written_by.get(name, set())) != 1:
            return False
        if self.written_by[name] == {READER}:
            loaded = {self.tensor_format(load.source.buffer) for load in self.loads[name]}
            return self.loads_directly(name) and formats == loaded
        own, final = _compute_format_name(self.buffers[name]), formats.pop()
        return own == final or _FLOAT_WIDTH.get(own, 0) > _FLOAT_WIDTH.get(final, 9)


@dataclass(kw_only=True)
class _Router:
    uses: _Uses
    new: NewBuffers
    layouts: dict[str, TileLayout]
    formats: dict[str, str] = field(default_factory=dict)
    # What compute hands to the reader, by buffer and size of the block.
    handed: dict[str, tir.Buffer] = field(default_factory=dict)

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        if isinstance(record, ScalarRead):
            return self.scalar(record, stmt)
        if not isinstance(record, TileCopy):
            return None
        if record.source.is_global:
            return self.load(record)
        if record.destination.is_global:
            return self.store(record)
        return None

    def load(self, record: TileCopy) -> tir.Stmt | None:
        name = record.destination.buffer.name
        if name not in self.uses.read_by:
            return sequence([])
        if self.uses.loads_directly(name):
            self.formats[name] = self.uses.tensor_format(record.source.buffer)
            return None
        stream = self.stream(record.destination, record.source.buffer, "in")
        return sequence([copy(record.source, whole(stream)), copy(whole(stream), record.destination)])

    def store(self, record: TileCopy) -> tir.Stmt | None:
        name = record.source.buffer.name
        if self.uses.stores_directly(name):
            self.formats[name] = self.uses.tensor_format(record.destination.buffer)
            return None
        stream = self.stream(record.source, record.destination.buffer, "out")
        return sequence([copy(record.source, whole(stream)), copy(whole(stream), record.destination)])

    def scalar(self, record: ScalarRead, stmt: tir.Stmt) -> tir.Stmt:
        """Compute hands the reader a copy of the tile around the element."""
        load = record.load
        block = _block_around(load, self.layouts[load.buffer.name])
        key = f"{load.buffer.name}{block.extents}"
        if key not in self.handed:
            self.handed[key] = self.twin(block, load.dtype, "scalar")
        stream = self.handed[key]
        self.formats[stream.name] = _compute_format_name(stream)
        indices = [index - low for index, low in zip(load.indices, block.mins, strict=True)]
        read = call(READ_SCALAR, tir.BufferLoad(stream, indices), dtype=str(record.var.dtype))
        return sequence([copy(block, whole(stream)), tir.Bind(record.var, read)])

    def stream(self, like: Region, tensor: tir.Buffer, suffix: str) -> tir.Buffer:
        """A buffer with the tile shape of ``like`` that carries pages of ``tensor`` between compute and DRAM."""
        buffer = self.twin(like, tensor.dtype, suffix)
        self.formats[buffer.name] = self.uses.tensor_format(tensor)
        return buffer

    def twin(self, like: Region, dtype: str, suffix: str) -> tir.Buffer:
        """A new buffer with the tile shape of ``like``."""
        name = f"{like.buffer.name}_{suffix}"
        buffer = self.new.allocate(name, like.extents, dtype, scope=like.buffer.scope())
        layout = self.layouts[like.buffer.name]
        if not like.is_whole:
            extents = [int(extent.value) for extent in like.extents]
            if layout.kind == "matrix":
                layout = replace(layout, outer=tuple(extents[:-2]), rows=extents[-2], cols=extents[-1])
            else:
                rows, cols = (extents[0], 1) if layout.kind == "column" else (1, extents[0])
                layout = replace(layout, rows=rows, cols=cols)
        self.layouts[buffer.name] = layout
        return buffer


def _block_around(load: tir.BufferLoad, layout: TileLayout) -> Region:
    """The tile that holds the element, where that is known now; else the whole of its plane, or its buffer."""
    if layout.kind != "matrix":
        return whole(load.buffer)
    mins, extents = list(load.indices[:-2]), [tir.IntImm("int32", 1) for _ in load.indices[:-2]]
    for index, size in zip(load.indices[-2:], load.buffer.shape[-2:], strict=True):
        start = int(index.value) // TILE_HEIGHT * TILE_HEIGHT if isinstance(index, tir.IntImm) else 0
        length = min(TILE_HEIGHT, int(size.value) - start) if isinstance(index, tir.IntImm) else int(size.value)
        mins.append(tir.IntImm("int32", start))
        extents.append(tir.IntImm("int32", length))
    return Region(buffer=load.buffer, mins=tuple(mins), extents=tuple(extents))


def _keeps_value(tensor_dtype: str, buffer_dtype: str) -> bool:
    """Whether pages of the tensor's format hold what the buffer would hold after the copy's cast."""
    if tensor_dtype == buffer_dtype:
        return compute_format(buffer_dtype) == global_format(tensor_dtype)
    widths = {"float8_e4m3fn": 0, "float8_e4m3": 0, "float8_e5m2": 0, "bfloat16": 1, "float16": 1, "float32": 2}
    both_float = is_float_dtype(tensor_dtype) and is_float_dtype(buffer_dtype)
    return both_float and widths.get(tensor_dtype, 9) < widths.get(buffer_dtype, -1)


def _compute_format_name(buffer: tir.Buffer) -> str:
    fmt = compute_format(buffer.dtype)
    if fmt is None:
        raise UnsupportedError(
            f"on-chip buffer {buffer.name} has dtype {buffer.dtype}, which no Tensix data format carries",
            hint="use float32, float16, bfloat16 or 8 to 32-bit integers",
            at=buffer,
        )
    return fmt.name
