"""Check the tensorized program against the chip's rules before it is split, so that a compiler bug stops here.

Checks: every tile statement is lowered; every circular buffer that is used is declared with a legal id; reserve and
push, wait and pop name whole blocks that divide the ring; DST slots are within the limit; the counts that earlier
passes wrote down agree with the program.

Before::

    tt.pack_tile(5, C_local)

After: an InternalError that names the call, or the attributes ``tt_ir_validated``, ``tt_num_device_calls``,
``tt_num_loops``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir

from ..errors import InternalError
from ..intrinsics import INTRINSICS
from .base import LoweringContext
from .memory_space_lower_tt import CircularBuffer, circular_buffers
from .numeric_policy import is_narrow
from .ops import device_name, is_device_call
from .tile_ir import parse

_RING_CALLS = ("cb_reserve_back", "cb_push_back", "cb_wait_front", "cb_pop_front")


def verify_tt_ir(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Return ``func`` marked as validated, or raise InternalError."""
    limit = context.target.dst_tiles_16bit if is_narrow(func) else context.target.dst_tiles_32bit
    verifier = _Verifier(rings=circular_buffers(func), limit=limit)
    for ring in verifier.rings.values():
        if not 0 <= ring.id < context.target.max_circular_buffers:
            raise InternalError(f"circular buffer {ring.name} has id {ring.id}")
        if ring.pages % ring.tiles:
            raise InternalError(f"circular buffer {ring.name}: {ring.pages} pages are not whole blocks of {ring.tiles}")
    _check_attributes(func, len({ring.id for ring in verifier.rings.values()}))
    nodes: list[object] = []
    # Checked outside of the walk: TVM turns errors that pass through it into RuntimeErrors.
    tir.stmt_functor.post_order_visit(func.body, nodes.append)
    for node in nodes:
        verifier.visit(node)
    if (int(func.attrs["tt_num_matmuls"]) > 0) != (verifier.matmuls > 0):
        raise InternalError(f"{func.attrs['tt_num_matmuls']} matrix products became {verifier.matmuls} calls")
    func = func.with_attr("tt_ir_validated", True)
    return func.with_attr("tt_num_device_calls", verifier.calls).with_attr("tt_num_loops", verifier.loops)


def _check_attributes(func: tir.PrimFunc, rings: int) -> None:
    """What the passes before wrote down must agree."""
    if not func.attrs.get("tt_has_tensorize", False):
        raise InternalError("tensorize_tt has not run")
    if int(func.attrs["tt_num_cbs"]) != rings:
        raise InternalError(f"tt_num_cbs is {func.attrs['tt_num_cbs']}, there are {rings} circular buffers")
    for name, info in func.attrs.get("tt_padding_info", {}).items():
        if int(info["padded_rows"]) < int(info["rows"]) or int(info["padded_cols"]) < int(info["cols"]):
            raise InternalError(f"the padded copy of {name} is smaller than the buffer: {info}")
    share = tvm.arith.Analyzer().simplify(func.attrs["tt_tiles_per_core"] * func.attrs["tt_num_cores"])
    if isinstance(share, tir.IntImm) and int(share.value) < int(func.attrs["tt_num_tiles"]):
        raise InternalError(f"{share} places on the cores for {func.attrs['tt_num_tiles']} blocks")


@dataclass(kw_only=True)
class _Verifier:
    rings: dict[str, CircularBuffer]
    limit: int
    calls: int = 0
    loops: int = 0
    matmuls: int = 0
    names: set[str] = field(default_factory=set)

    def visit(self, node: object) -> None:
        if isinstance(node, tir.For):
            self.loops += 1
            if node.kind == tir.ForKind.PARALLEL:
                raise InternalError("a T.Parallel loop was left after tensorize_tt")
        elif isinstance(node, tir.Evaluate):
            if parse(node) is not None and not is_device_call(node.value):
                raise InternalError(f"the tile operation {node.value.op.name} was left after tensorize_tt")
        elif is_device_call(node):
            self.calls += 1
            self.check_call(node)

    def check_call(self, call: tir.Call) -> None:
        name = device_name(call)
        self.matmuls += name == "matmul_block"
        if name in _RING_CALLS:
            buffer, count = call.args
            ring = self.rings.get(buffer.name)
            if ring is None:
                raise InternalError(f"{name} names {buffer.name}, which is no circular buffer")
            if int(count.value) > ring.pages or ring.pages % int(count.value):
                raise InternalError(f"{name}({ring.name}, {count}) does not divide its {ring.pages} pages")
        intrinsic = INTRINSICS.get(name)
        if intrinsic is not None and intrinsic.unit == "pack" and intrinsic.packs_to is not None:
            slot = next(a for a in call.args if not isinstance(a, tir.StringImm))
            if isinstance(slot, tir.IntImm) and int(slot.value) >= self.limit:
                raise InternalError(f"{name} packs DST tile {slot}; the half holds {self.limit}")
