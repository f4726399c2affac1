"""Gathers: tiles that the reader fills lane by lane from row-major tensors, whatever the index expressions are.

Why: an index that is itself read from memory, divided or taken modulo has no block form. The reader evaluates it for
each lane; a 64-byte line of the tensor is kept in scratch memory, so that neighbours cost no further DRAM read.

Before::

    for i, j in parallel(32, 64): X_tile[i, j] = X[Token[bx*32 + i], j]

After::

    tile = tt.get_write_ptr(X_tile); lines = tt.scratch_base(reader_scratch)
    tt.open_line(lines); tt.open_line(lines + 128)
    for i in serial(32):
        index = tt.fetch_element(Token, 0, bx*32 + i, 4, lines)
        for j in serial(64):
            tt.put_lane(tile + ..., i, j, tt.fetch_element(X, index, j, 2, lines + 128), 2)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir

from ..data_format import FORMATS, global_format
from ..errors import UnsupportedError
from .accesses import READER
from .element_places import lane_of, page_of
from .ops import call, do
from .sticks import LINE_BYTES, SCRATCH
from .tensorize_tile_maps import TileScope
from .tile_ir import Elementwise, is_const_int, loads_in, replace_loads, same_load, sequence, uses_var


def tensorize_gather(record: Elementwise, stmt: tir.Stmt, scope: TileScope, analyzer: tvm.arith.Analyzer) -> tir.Stmt:
    """Lane loops of one gather into a whole buffer."""
    return _Gather(record=record, stmt=stmt, scope=scope, analyzer=analyzer).loops()


@dataclass(kw_only=True)
class _Gather:
    record: Elementwise
    stmt: tir.Stmt
    scope: TileScope
    analyzer: tvm.arith.Analyzer
    lines: int = 0
    values: list[tuple[tir.BufferLoad, tir.Var]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.base = tir.Var(f"{self.record.store.buffer.name}_l1", "int32")
        self.scratch = tir.Var("lines", "int32")

    def loops(self) -> tir.Stmt:
        """Prologue, then a serial loop per loop variable; an index read stands at the outermost loop that fixes it."""
        store = self.record.store
        levels: list[list[tir.Stmt]] = [[] for _ in range(len(self.record.loop_vars) + 1)]
        for var, extent in zip(self.record.loop_vars, self.record.extents, strict=True):
            self.analyzer.bind(var, tvm.ir.Range.from_min_extent(0, extent), True)
        for load in loads_in(store.value):
            if not same_load(load, store.value):
                self.read_index(load, levels)
        value = self.element(tir.BufferLoad(store.value.buffer, self.known(list(store.value.indices))))
        levels[-1].append(self.put(value))
        body = sequence(levels[-1])
        for depth in range(len(self.record.loop_vars) - 1, -1, -1):
            var, extent = self.record.loop_vars[depth], self.record.extents[depth]
            loop = tir.For(var, tir.IntImm("int32", 0), tir.IntImm("int32", extent), tir.ForKind.SERIAL, body)
            body = sequence([*levels[depth], loop])
        pointer = call("get_write_ptr", store.buffer, dtype="int32")
        scratch = call("scratch_base", tir.Var(SCRATCH[READER], "handle"), dtype="int32")
        opened = [do("open_line", self.scratch + number * LINE_BYTES) for number in range(self.lines)]
        return sequence([tir.Bind(self.base, pointer), tir.Bind(self.scratch, scratch), *opened, body])

    def read_index(self, load: tir.BufferLoad, levels: list[list[tir.Stmt]]) -> None:
        """Bind the value of an index load where all its variables are known."""
        if any(same_load(old, load) for old, _ in self.values):
            return
        depth = max((n + 1 for n, v in enumerate(self.record.loop_vars) if _mentions(load, v)), default=0)
        var = tir.Var("index", "int32")
        levels[depth].append(tir.Bind(var, self.element(tir.BufferLoad(load.buffer, self.known(list(load.indices))))))
        self.values.append((load, var))

    def known(self, indices: list[tir.PrimExpr]) -> list[tir.PrimExpr]:
        return [replace_loads(index, self.values) if loads_in(index) else index for index in indices]

    def element(self, load: tir.BufferLoad) -> tir.PrimExpr:
        """The value of one element; outside of its tensor it is 0."""
        buffer, indices = load.buffer, list(load.indices)
        fmt = global_format(str(buffer.dtype))
        if fmt is None:
            raise UnsupportedError(f"{buffer.name} has dtype {buffer.dtype}, which cannot be gathered", at=self.stmt)
        line = self.scratch + self.lines * LINE_BYTES
        self.lines += 1
        page, element = page_of(buffer, indices), tvm.arith.Analyzer().simplify(indices[-1])
        value = call("fetch_element", buffer, page, element, fmt.element_bytes, line, dtype="int32")
        inside = self.inside(indices, list(buffer.shape))
        if inside is None:
            return value
        return tir.Call("int32", tvm.ir.Op.get("tirx.if_then_else"), [inside, value, tir.IntImm("int32", 0)])

    def inside(self, indices: list[tir.PrimExpr], shape: list[tir.PrimExpr]) -> tir.PrimExpr | None:
        """The bounds that are not proved, or None."""
        condition: tir.PrimExpr | None = None
        for index, extent in zip(indices, shape, strict=True):
            for bound in (index >= 0, index < extent):
                if not self.analyzer.can_prove(bound):
                    bound = tvm.arith.Analyzer().simplify(bound)
                    condition = bound if condition is None else tir.And(condition, bound)
        return condition

    def put(self, value: tir.PrimExpr) -> tir.Stmt:
        """Store one lane of the destination tile."""
        buffer = self.record.store.buffer
        layout, ring = self.scope.layouts[buffer.name], self.scope.rings[buffer.name]
        indices = list(self.record.store.indices)
        tile, row, col = lane_of(layout, indices)
        tile = self.analyzer.simplify(tile)
        address = self.base if is_const_int(tile, 0) else self.base + tile * ring.page_size
        return do("put_lane", address, row, col, value, FORMATS[ring.format].element_bytes)


def _mentions(load: tir.BufferLoad, var: tir.Var) -> bool:
    return any(uses_var(index, [var]) for index in load.indices)
