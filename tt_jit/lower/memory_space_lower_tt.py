"""Turn every on-chip buffer into a circular buffer: id, page format, depth.

Why: L1 is one small memory shared by all buffers of a core. Streams between DRAM and compute are double buffered (or
as deep as ``num_stages`` asks), intermediates hold exactly their tiles so that an in-place update comes back to the
same address. When the sum does not fit, streams are made shallower, deepest first; when that is not enough the error
lists who takes what.

Before::

    A_shared = alloc_buffer((128, 32), "bfloat16", scope="shared.dyn")    # loaded in a loop with num_stages=3

After::

    func_attr({"tt_circular_buffers": [{"name": "A_shared", "id": 0, "format": "Float16_b", "page_size": 2048,
                                        "tiles": 4, "pages": 12, "unpack_to_dest_fp32": False}, ...],
               "tt_num_cbs": 3})
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tvm import tirx as tir

from ..data_format import FORMATS
from ..errors import L1OverflowError
from .accesses import COMPUTE, READER, WRITER
from .assign_roles import BufferRoles, buffer_formats, buffer_roles
from .base import LoweringContext
from .numeric_policy import is_narrow
from .ops import is_scalar_read
from .order_tensor_accesses import token_ring
from .scalar_code import ARRAY_MEMORY, array_memory
from .sticks import SCRATCH, scratch_bytes
from .tile_ir import TileCopy, TileGemm, leaves, parse
from .tile_layout import layouts_of

CIRCULAR_BUFFERS_ATTRIBUTE = "tt_circular_buffers"
SCALAR_SCRATCH = "scalar_scratch"
SCALAR_PAGE_BYTES = 128
_STREAM_DEPTH = 2


@dataclass(frozen=True, kw_only=True)
class CircularBuffer:
    """One circular buffer; ``tiles`` is one block, ``pages`` the whole ring."""

    name: str
    id: int
    format: str
    page_size: int
    tiles: int
    pages: int
    unpack_to_dest_fp32: bool
    producer: str
    consumer: str

    @property
    def bytes(self) -> int:
        """L1 bytes of the ring."""
        return self.page_size * self.pages

    @staticmethod
    def from_attribute(attribute: Mapping[str, Any]) -> CircularBuffer:
        """The record that ``vars(...)`` wrote into the PrimFunc attribute."""
        return CircularBuffer(
            name=str(attribute["name"]),
            id=int(attribute["id"]),
            format=str(attribute["format"]),
            page_size=int(attribute["page_size"]),
            tiles=int(attribute["tiles"]),
            pages=int(attribute["pages"]),
            unpack_to_dest_fp32=bool(attribute["unpack_to_dest_fp32"]),
            producer=str(attribute["producer"]),
            consumer=str(attribute["consumer"]),
        )


def circular_buffers(func: tir.PrimFunc) -> dict[str, CircularBuffer]:
    """The function's circular buffers by name."""
    records = [CircularBuffer.from_attribute(a) for a in func.attrs[CIRCULAR_BUFFERS_ATTRIBUTE]]
    return {record.name: record for record in records}


def memory_space_lower_tt(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Attach ``tt_circular_buffers`` and ``tt_num_cbs``; raise L1OverflowError when they cannot fit."""
    roles, formats, layouts = buffer_roles(func), buffer_formats(func), layouts_of(func)
    stages = _pipeline_stages(func)
    fpu_operands = _fpu_operands(func)
    buffers: list[CircularBuffer] = []
    for name in sorted(roles, key=lambda n: _order(roles[n])):
        fmt = FORMATS[formats[name]]
        tiles = layouts[name].tiles
        exact = not is_narrow(func) and fmt.name in ("Float32", "Int32", "UInt32") and name not in fpu_operands
        buffers.append(
            CircularBuffer(
                name=name,
                id=len(buffers),
                format=fmt.name,
                page_size=fmt.tile_bytes,
                tiles=tiles,
                pages=tiles * _depth(roles[name], stages.get(name, 0)),
                unpack_to_dest_fp32=exact and roles[name].consumer == COMPUTE,
                producer=roles[name].producer,
                consumer=roles[name].consumer,
            )
        )
    buffers += _mailboxes(func, len(buffers))
    buffers += _scratch(func, len(buffers))
    buffers = _fit(buffers, func, context)
    func = func.with_attr(CIRCULAR_BUFFERS_ATTRIBUTE, [vars(buffer) for buffer in buffers])
    return func.with_attr("tt_num_cbs", len(buffers))


def _mailboxes(func: tir.PrimFunc, first_id: int) -> list[CircularBuffer]:
    """Rings that carry scalars from the reader to compute and writer, and the reader's scratch page."""
    if not any(is_scalar_read(stmt) for stmt in leaves(func.body)):
        return []
    ends = ((SCALAR_SCRATCH, READER), (mailbox_name(COMPUTE), COMPUTE), (mailbox_name(WRITER), WRITER))
    return [
        CircularBuffer(
            name=name,
            id=first_id + number,
            format="UInt32",
            page_size=SCALAR_PAGE_BYTES,
            tiles=1,
            pages=_STREAM_DEPTH,
            unpack_to_dest_fp32=False,
            producer=READER,
            consumer=consumer,
        )
        for number, (name, consumer) in enumerate(ends)
    ]


def _scratch(func: tir.PrimFunc, first_id: int) -> list[CircularBuffer]:
    """Scratch memory for the rows of row-major tensors, and the tokens that order accesses of tensors."""
    scratch = sorted(scratch_bytes(func, layouts_of(func)).items())
    rings = [(SCRATCH[role], size, role, role) for role, size in scratch]
    arrays = array_memory(func.body).size
    if arrays:
        rings.append((ARRAY_MEMORY, arrays, READER, READER))
    token = token_ring(func)
    if token is not None:
        rings.append((token, SCALAR_PAGE_BYTES, WRITER, READER))
    return [
        CircularBuffer(
            name=name,
            id=first_id + number,
            format="UInt32",
            page_size=size,
            tiles=1,
            pages=1,
            unpack_to_dest_fp32=False,
            producer=producer,
            consumer=consumer,
        )
        for number, (name, size, producer, consumer) in enumerate(rings)
    ]


def mailbox_name(role: str) -> str:
    """The ring that carries scalars from the reader to ``role``."""
    return f"scalar_to_{role}"


def _order(roles: BufferRoles) -> int:
    return {(READER, COMPUTE): 0, (COMPUTE, COMPUTE): 1}.get((roles.producer, roles.consumer), 2)


def _depth(roles: BufferRoles, stages: int) -> int:
    if roles.producer == COMPUTE and roles.consumer == COMPUTE:
        return 1
    return max(_STREAM_DEPTH, stages)


def _pipeline_stages(func: tir.PrimFunc) -> dict[str, int]:
    """``num_stages`` of the innermost pipelined loop around each load, by destination buffer."""
    found: dict[str, int] = {}

    def visit(stmt: tir.Stmt, stages: int) -> None:
        if isinstance(stmt, tir.SeqStmt):
            for child in stmt.seq:
                visit(child, stages)
        elif isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL:
            own = stmt.annotations.get("num_stages") if stmt.annotations else None
            visit(stmt.body, int(own) if own is not None else stages)
        elif isinstance(stmt, tir.IfThenElse):
            visit(stmt.then_case, stages)
            if stmt.else_case is not None:
                visit(stmt.else_case, stages)
        else:
            record = parse(stmt)
            if isinstance(record, TileCopy) and record.source.is_global:
                found[record.destination.buffer.name] = stages

    visit(func.body, 0)
    return found


def _fpu_operands(func: tir.PrimFunc) -> set[str]:
    names: set[str] = set()
    for stmt in leaves(func.body):
        record = parse(stmt)
        if isinstance(record, TileGemm):
            names.update((record.a.buffer.name, record.b.buffer.name))
    return names


def _fit(buffers: list[CircularBuffer], func: tir.PrimFunc, context: LoweringContext) -> list[CircularBuffer]:
    """The same buffers, with shallower streams where L1 asks for it."""
    limit = context.target.l1_usable_bytes
    if len(buffers) > context.target.max_circular_buffers:
        raise L1OverflowError(
            f"the kernel needs {len(buffers)} circular buffers; {context.target.arch} has "
            f"{context.target.max_circular_buffers}: {', '.join(buffer.name for buffer in buffers)}",
            hint="reuse shared and fragment buffers, or split the kernel",
            at=func,
        )
    while sum(buffer.bytes for buffer in buffers) > limit:
        candidates = [b for b in buffers if b.pages > b.tiles]
        if not candidates:
            raise _overflow(buffers, limit, func, context)
        largest = max(candidates, key=lambda b: (b.pages // b.tiles, b.bytes))
        smaller = replace(largest, pages=largest.pages - largest.tiles)
        buffers = [smaller if b is largest else b for b in buffers]
    return buffers


def _overflow(
    buffers: list[CircularBuffer], limit: int, func: tir.PrimFunc, context: LoweringContext
) -> L1OverflowError:
    total = sum(buffer.bytes for buffer in buffers)
    by_size = sorted(buffers, key=lambda b: -b.bytes)
    rows = ", ".join(f"{b.name} {b.tiles} tiles of {b.format} = {b.bytes:,} B" for b in by_size)
    declared = {leaf.buffer.name: leaf.buffer for leaf in leaves(func.body) if isinstance(leaf, tir.AllocBuffer)}
    users = [declared[b.name] for b in by_size if b.name in declared and declared[b.name].span is not None]
    return L1OverflowError(
        f"the on-chip buffers need {total:,} B of L1 per core; {context.target.arch} has {limit:,} B for them ({rows})",
        hint="use smaller block sizes, fewer stages, or narrower dtypes for the largest buffers",
        at=users[0] if users else func,
    )
