"""Values that steer control flow, as the reader fetches them: from a tensor, or from a tile that compute made.

Before::

    scalar = tt.read_scalar(Lengths[bx]); scalar_1 = tt.read_scalar(best_scalar[0])

After::

    scalar = tt.decide(tt.read_scalar(Lengths, 0, bx, 4, scalar_scratch))
    best_scalar_l1 = tt.get_read_ptr(best_scalar)
    scalar_1 = tt.decide(tt.take_lane(best_scalar_l1, 0, 0, 4))
"""

from __future__ import annotations

import tvm
from tvm import tirx as tir

from ..data_format import FORMATS, global_format
from ..errors import UnsupportedError
from .element_places import lane_of
from .memory_space_lower_tt import SCALAR_SCRATCH
from .ops import DECIDE, READ_SCALAR, call
from .tensorize_tile_maps import TileScope
from .tile_ir import GLOBAL_SCOPE, is_const_int, sequence

_HALF_FLOAT = "Float16_b"


def tensorize_scalar(stmt: tir.Bind, load: tir.BufferLoad, scope: TileScope, analyzer: tvm.arith.Analyzer) -> tir.Stmt:
    """``stmt``, which reads ``load``, as calls on addresses; floats are their IEEE-754 bits."""
    before: list[tir.Stmt] = []
    if load.buffer.scope() == GLOBAL_SCOPE:
        value = _from_tensor(load, analyzer)
        fmt = global_format(str(load.buffer.dtype))
        name = fmt.name if fmt is not None else ""
    else:
        value = _from_tile(load, scope, analyzer, before)
        name = scope.rings[load.buffer.name].format
    if name == _HALF_FLOAT:
        value = tir.Call("int32", tvm.ir.Op.get("tirx.shift_left"), [value, tir.IntImm("int32", 16)])
    return sequence([*before, tir.Bind(stmt.var, call(DECIDE, value, dtype=str(stmt.var.dtype)))])


def _from_tensor(load: tir.BufferLoad, analyzer: tvm.arith.Analyzer) -> tir.PrimExpr:
    """One element of a row-major tensor; outside of it there is 0."""
    shape, indices = list(load.buffer.shape), list(load.indices)
    page: tir.PrimExpr = tir.IntImm("int32", 0)
    for index, extent in zip(indices[:-1], shape[:-1], strict=True):
        page = page * extent + index
    fmt = global_format(str(load.buffer.dtype))
    if fmt is None:
        raise UnsupportedError(f"{load.buffer.name} has dtype {load.buffer.dtype}, which cannot steer control flow")
    simplify, scratch = tvm.arith.Analyzer().simplify, tir.Var(SCALAR_SCRATCH, "handle")
    value = call(
        READ_SCALAR, load.buffer, simplify(page), simplify(indices[-1]), fmt.element_bytes, scratch, dtype="int32"
    )
    inside: tir.PrimExpr | None = None
    for index, extent in zip(indices, shape, strict=True):
        # -1 makes the kernel's integers signed, so that a negative index is seen as such.
        for bound in (tir.LT(tir.IntImm("int32", -1), index), index < extent):
            if not analyzer.can_prove(bound):
                inside = bound if inside is None else tir.And(inside, bound)
    if inside is None:
        return value
    return tir.Call("int32", tvm.ir.Op.get("tirx.if_then_else"), [inside, value, tir.IntImm("int32", 0)])


def _from_tile(
    load: tir.BufferLoad, scope: TileScope, analyzer: tvm.arith.Analyzer, before: list[tir.Stmt]
) -> tir.PrimExpr:
    """One lane of a buffer whose consumer is the reader."""
    ring, layout = scope.rings[load.buffer.name], scope.layouts[load.buffer.name]
    base = tir.Var(f"{load.buffer.name}_l1", "int32")
    before.append(tir.Bind(base, call("get_read_ptr", load.buffer, dtype="int32")))
    tile, row, col = lane_of(layout, list(load.indices))
    tile = analyzer.simplify(tile)
    address = base if is_const_int(tile, 0) else base + tile * ring.page_size
    return call("take_lane", address, row, col, FORMATS[ring.format].element_bytes, dtype="int32")
