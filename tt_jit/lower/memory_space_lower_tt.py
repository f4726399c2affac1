"""Turn every on-chip buffer into a circular buffer: id, page format, depth.

Why: L1 is one small memory shared by all buffers of a core. Streams between DRAM and compute are double buffered (or
as deep as ``num_stages`` asks), intermediates hold exactly their tiles so that an in-place update comes back to the
same address. When there are too many, or the sum does not fit, buffers that are never in use together share a ring
(``ring_sharing``) and streams are made shallower, deepest first; when that is not enough the error lists who takes
what.

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
from .ring_sharing import RingUse, share_rings
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
    return func.with_attr("tt_num_cbs", len(_rings(buffers)))


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
    """The same buffers: those that are never in use together share rings, and streams are shallower, as needed."""
    limit, most = context.target.l1_usable_bytes, context.target.max_circular_buffers

    def has_ids(rings: list[CircularBuffer]) -> bool:
        return len(_rings(rings)) <= most

    def has_memory(rings: list[CircularBuffer]) -> bool:
        return _bytes(rings) <= limit

    if has_ids(buffers) and has_memory(buffers):
        return buffers
    use = RingUse.of(func.body)
    shared = share_rings(buffers, use, has_ids)
    if not has_ids(shared):
        raise L1OverflowError(
            f"the kernel needs {len(_rings(shared))} circular buffers at the same time; {context.target.arch} has "
            f"{most}: {', '.join(buffer.name for buffer in _rings(shared))}",
            hint="reuse shared and fragment buffers, or split the kernel",
            at=func,
        )
    streams = [b for b in shared if b.producer != b.consumer]
    inner = [b for b in shared if b.producer == b.consumer]
    renewed = {b.name: b for b in (*streams, *share_rings(inner, use, lambda part: has_memory([*streams, *part])))}
    shared = [renewed[b.name] for b in shared]
    while not has_memory(shared):
        candidates = [b for b in shared if b.pages > b.tiles]
        if not candidates:
            break
        largest = max(candidates, key=lambda b: (b.pages // b.tiles, b.bytes))
        pages = largest.pages - largest.tiles
        shared = [replace(b, pages=pages) if b.id == largest.id else b for b in shared]
    shared = share_rings(shared, use, has_memory)
    if not has_memory(shared):
        raise _overflow(_rings(shared), limit, func, context)
    numbers = {ring.id: number for number, ring in enumerate(_rings(shared))}
    return [replace(b, id=numbers[b.id]) for b in shared]


def _rings(buffers: list[CircularBuffer]) -> list[CircularBuffer]:
    """One buffer for each ring."""
    return [b for n, b in enumerate(buffers) if not any(b.id == other.id for other in buffers[:n])]


def _bytes(buffers: list[CircularBuffer]) -> int:
    return sum(ring.bytes for ring in _rings(buffers))


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
