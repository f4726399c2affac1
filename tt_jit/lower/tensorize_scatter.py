"""Scatters: elements that the writer stores to, or updates in, row-major tensors, whatever the index expressions are.

Why: an index that is itself read from memory, divided or taken modulo has no block form. The writer evaluates it for
each lane and writes the bytes of one element. An update reads the element first; ``serialize_conflicting_blocks`` sees
to it that no other core updates it meanwhile.

Before::

    tt.scatter_tile(Counts[X[bx*64 + i]], Counts_tile, 0, "add", i, 64)   # for all i: Counts[...] += Counts_tile[i]

After::

    tile = tt.get_read_ptr(Counts_tile); lines = tt.scratch_base(writer_scratch)
    tt.open_writer_line(lines); tt.open_writer_line(lines + 128)
    for i in serial(64):
        index = tt.fetch_index(X, 0, bx*64 + i, 4, lines)
        if -1 < index and index < 10:
            tt.update_element_add_int32(Counts, 0, index, 4, lines + 128, tt.take_lane(tile, 0, i, 4))
"""

from __future__ import annotations

from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir

from ..data_format import FORMATS, global_format
from ..errors import UnsupportedError
from .accesses import WRITER
from .element_places import lane_of, page_of
from .ops import call, do
from .sticks import LINE_BYTES, SCRATCH
from .tensorize_tile_maps import TileScope
from .tile_ir import TileScatter, is_const_int, loads_in, replace_loads, same_load, sequence, uses_var

_UPDATED_FORMATS = ("Float32", "Float16_b", "Int32", "UInt32")


def tensorize_scatter(record: TileScatter, stmt: tir.Stmt, scope: TileScope, analyzer: tvm.arith.Analyzer) -> tir.Stmt:
    """Lane loops of one scatter."""
    return _Scatter(record=record, stmt=stmt, scope=scope, analyzer=analyzer).loops()


@dataclass(kw_only=True)
class _Scatter:
    record: TileScatter
    stmt: tir.Stmt
    scope: TileScope
    analyzer: tvm.arith.Analyzer
    lines: int = 0
    values: list[tuple[tir.BufferLoad, tir.PrimExpr]] = field(default_factory=list)
    before: list[tir.Stmt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scratch = tir.Var("lines", "int32")

    def loops(self) -> tir.Stmt:
        """Addresses and lines, then a serial loop per loop variable around the store of one lane."""
        record = self.record
        for var, extent in zip(record.loop_vars, record.extents, strict=True):
            self.analyzer.bind(var, tvm.ir.Range.from_min_extent(0, extent), True)
        levels: list[list[tir.Stmt]] = [[] for _ in range(len(record.loop_vars) + 1)]
        for load in [load for index in record.target.indices for load in loads_in(index)]:
            self.read_index(load, levels)
        levels[-1].append(self.store())
        body = sequence(levels[-1])
        for depth in range(len(record.loop_vars) - 1, -1, -1):
            zero, extent = tir.IntImm("int32", 0), tir.IntImm("int32", record.extents[depth])
            loop = tir.For(record.loop_vars[depth], zero, extent, tir.ForKind.SERIAL, body)
            body = sequence([*levels[depth], loop])
        scratch = tir.Bind(self.scratch, call("scratch_base", tir.Var(SCRATCH[WRITER], "handle"), dtype="int32"))
        opened = [do("open_writer_line", self.scratch + number * LINE_BYTES) for number in range(self.lines)]
        return sequence([*self.before, scratch, *opened, body])

    def read_index(self, load: tir.BufferLoad, levels: list[list[tir.Stmt]]) -> None:
        """Bind the value of an index load where all its variables are known."""
        if any(same_load(old, load) for old, _ in self.values):
            return
        depth = max((n + 1 for n, v in enumerate(self.record.loop_vars) if _mentions(load, v)), default=0)
        indices = self.known(list(load.indices))
        page, size = page_of(load.buffer, indices), self.element_bytes(load.buffer)
        value: tir.PrimExpr = call("fetch_index", load.buffer, page, indices[-1], size, self.line(), dtype="int32")
        # A cast, which prints nothing: the variable is a signed number, not an address.
        value = tir.Cast("int32", value)
        inside = self.inside(indices, list(load.buffer.shape))
        if inside is not None:
            # Behind the end of the index tensor there is no element: -1 lies outside of every tensor.
            value = tir.Call("int32", tvm.ir.Op.get("tirx.if_then_else"), [inside, value, tir.IntImm("int32", -1)])
        var = tir.Var("index", "int32")
        levels[depth].append(tir.Bind(var, value))
        self.values.append((load, var))

    def known(self, indices: list[tir.PrimExpr]) -> list[tir.PrimExpr]:
        return [replace_loads(index, self.values) if loads_in(index) else index for index in indices]

    def line(self) -> tir.PrimExpr:
        """The scratch of one more line."""
        self.lines += 1
        return tvm.arith.Analyzer().simplify(self.scratch + (self.lines - 1) * LINE_BYTES)

    def element_bytes(self, buffer: tir.Buffer) -> int:
        fmt = global_format(str(buffer.dtype))
        if fmt is None:
            raise UnsupportedError(f"{buffer.name} has dtype {buffer.dtype}, which cannot be scattered", at=self.stmt)
        return fmt.element_bytes

    def store(self) -> tir.Stmt:
        """Store or update one element, where it exists and the mask allows."""
        buffer, indices = self.record.target.buffer, self.known(list(self.record.target.indices))
        fmt = global_format(str(buffer.dtype))
        assert fmt is not None
        name = "store_element"
        if self.record.update is not None:
            if fmt.name not in _UPDATED_FORMATS:
                raise UnsupportedError(
                    f"an atomic update of single elements of {buffer.name}, which has dtype {buffer.dtype}",
                    hint="use float32, bfloat16, or 32-bit integers",
                    at=self.stmt,
                )
            name = f"update_element_{self.record.update}_{fmt.name.lower()}"
        page = page_of(buffer, indices)
        value = self.lane(self.record.source)
        body: tir.Stmt = do(name, buffer, page, indices[-1], self.element_bytes(buffer), self.line(), value)
        condition = self.inside(indices, list(buffer.shape))
        if self.record.mask is not None:
            allowed = self.lane(self.record.mask) != 0
            condition = allowed if condition is None else tir.And(allowed, condition)
        return body if condition is None else tir.IfThenElse(condition, body, None)

    def lane(self, buffer: tir.Buffer) -> tir.PrimExpr:
        """The lane of ``buffer`` at the loop variables."""
        base = tir.Var(f"{buffer.name}_l1", "int32")
        self.before.append(tir.Bind(base, call("get_read_ptr", buffer, dtype="int32")))
        layout, ring = self.scope.layouts[buffer.name], self.scope.rings[buffer.name]
        tile, row, col = lane_of(layout, list(self.record.loop_vars))
        tile = self.analyzer.simplify(tile)
        address = base if is_const_int(tile, 0) else base + tile * ring.page_size
        return call("take_lane", address, row, col, FORMATS[ring.format].element_bytes, dtype="int32")

    def inside(self, indices: list[tir.PrimExpr], shape: list[tir.PrimExpr]) -> tir.PrimExpr | None:
        """The bounds that are not proved, or None."""
        condition: tir.PrimExpr | None = None
        for index, extent in zip(indices, shape, strict=True):
            # -1 makes the kernel's integers signed, so that a negative index is seen as such.
            for bound in (tir.LT(tir.IntImm("int32", -1), index), index < extent):
                if not self.analyzer.can_prove(bound):
                    condition = bound if condition is None else tir.And(condition, bound)
        return condition


def _mentions(load: tir.BufferLoad, var: tir.Var) -> bool:
    return any(uses_var(index, [var]) for index in load.indices)
