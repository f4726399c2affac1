"""Code for single elements: loads and stores become accesses of DRAM lines, of lanes of tiles, and of C++ arrays.

Why: the reader runs such code as it stands, on one data-movement core. An element of a row-major tensor is reached by
way of a 64-byte line in scratch memory, one line per tensor, so that neighbours cost no further DRAM access and a
store is seen by the next load. Elements of tiles are reached through the buffer's layout.

Before::

    tt_scalar_code:
        for i in serial(64): total[0] = total[0] + A[bx, i] * x_to[i]

After::

    tt_scalar_code:
        x_to_l1 = tt.get_read_ptr(x_to); lines = tt.scratch_base(reader_scratch); tt.open_line(lines)
        for i in serial(64):
            total[0] = total[0] + tt.as_float(tt.fetch_element(A, bx, i, 4, lines)) * tt.as_float(tt.take_lane(...))
"""

from __future__ import annotations

from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir

from ..data_format import FORMATS, DataFormat, is_float_dtype
from ..errors import InternalError, TTJitError, UnsupportedError
from .accesses import READER
from .element_places import lane_of, page_of
from .ops import call, device_name, do, is_device_call
from .ranges import bind_loop
from .scalar_code import COPY_TILES, is_tiled, tensors_of, tiles_of
from .sticks import LINE_BYTES, SCRATCH
from .tensor_layout import page_format
from .tensorize_tile_maps import TileScope
from .tile_ir import GLOBAL_SCOPE, TileScalarCode, is_const_int, scalar_code, sequence, with_body, with_span_of

ELEMENT_FORMATS = ("Float32", "Float16_b", "Int32", "UInt32", "UInt16", "UInt8")
_DIVISIONS = ["tirx.FloorDiv", "tirx.FloorMod", "tirx.BufferLoad"]


def tensorize_scalar_code(
    record: TileScalarCode, scope: TileScope, func: tir.PrimFunc, analyzer: tvm.arith.Analyzer
) -> tir.Stmt:
    """The same code with device calls for what lies in DRAM and in tiles."""
    code = _Code(func=func, scope=scope, analyzer=analyzer, written=tensors_of(record.body))
    scratch = tir.Var("lines", "uint32")
    lines = {name: number * LINE_BYTES for number, name in enumerate(code.written)}
    code.lines = {name: scratch + tir.const(offset, "uint32") for name, offset in lines.items()}
    before: list[tir.Stmt] = []
    for name, (buffer, written) in tiles_of(record.body).items():
        code.bases[name] = tir.Var(f"{name}_l1", "uint32")
        pointer = call("get_write_ptr" if written else "get_read_ptr", buffer, dtype="uint32")
        before.append(tir.Bind(code.bases[name], pointer))
        if written:
            before += code.cleared(buffer)
    if lines:
        pointer = call("scratch_base", tir.Var(SCRATCH[READER], "handle"), dtype="uint32")
        before.append(tir.Bind(scratch, pointer))
        before += [do("open_line", line) for line in code.lines.values()]
    after = [do("noc_async_write_barrier")] if any(code.written.values()) else []
    return scalar_code(sequence([*before, code.statement(record.body), *after]))


@dataclass(kw_only=True)
class _Code:
    func: tir.PrimFunc
    scope: TileScope
    analyzer: tvm.arith.Analyzer
    written: dict[str, bool]
    lines: dict[str, tir.PrimExpr] = field(default_factory=dict)
    bases: dict[str, tir.Var] = field(default_factory=dict)
    problem: TTJitError | None = None

    def cleared(self, buffer: tir.Buffer) -> list[tir.Stmt]:
        """Zeros for the lanes of ``buffer`` that belong to no element."""
        layout, ring = self.scope.layouts[buffer.name], self.scope.rings[buffer.name]
        if layout.kind == "matrix" and layout.rows % 32 == 0 and layout.cols % 32 == 0:
            return []
        return [do("fill_zero_tile", self.bases[buffer.name], layout.tiles * ring.page_size)]

    def statement(self, stmt: tir.Stmt) -> tir.Stmt:
        if isinstance(stmt, tir.SeqStmt):
            return sequence([self.statement(child) for child in stmt.seq])
        if isinstance(stmt, tir.For):
            bind_loop(self.analyzer, stmt)
            low, extent = self.expression(stmt.min), self.expression(stmt.extent)
            loop = tir.For(stmt.loop_var, low, extent, tir.ForKind.SERIAL, stmt.body)
            return with_body(with_span_of(loop, stmt), self.statement(stmt.body))
        if isinstance(stmt, tir.IfThenElse):
            other = self.statement(stmt.else_case) if stmt.else_case is not None else None
            branch = tir.IfThenElse(self.expression(stmt.condition), self.statement(stmt.then_case), other)
            return with_span_of(branch, stmt)
        if isinstance(stmt, tir.While):
            return with_span_of(tir.While(self.expression(stmt.condition), self.statement(stmt.body)), stmt)
        try:
            return with_span_of(self.leaf(stmt), stmt)
        except TTJitError as error:
            error.at = stmt if error.at is None else error.at
            raise

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt:
        if isinstance(stmt, tir.Bind):
            return tir.Bind(stmt.var, self.expression(stmt.value))
        if isinstance(stmt, tir.BufferStore):
            return self.store(stmt)
        if isinstance(stmt, tir.Evaluate) and is_device_call(stmt.value) and device_name(stmt.value) == COPY_TILES:
            source, target = (argument.buffer for argument in stmt.value.args)
            size = self.scope.layouts[source.name].tiles * self.scope.rings[source.name].page_size
            return do(COPY_TILES, self.bases[source.name], self.bases[target.name], size)
        return stmt

    def expression(self, expr: tir.PrimExpr) -> tir.PrimExpr:
        """``expr`` with its loads as device calls, innermost first, and divisions of numbers that are not negative."""

        def visit(node: tir.PrimExpr) -> tir.PrimExpr | None:
            if isinstance(node, tir.BufferLoad):
                # An error cannot pass through the visitor: it is raised behind it.
                try:
                    return self.load(node)
                except TTJitError as error:
                    self.problem = error
                    return None
            return self.division(node)

        result = tir.stmt_functor.ir_transform(tir.Evaluate(expr), None, visit, _DIVISIONS).value
        if self.problem is not None:
            raise self.problem
        return result

    def division(self, node: tir.FloorDiv | tir.FloorMod) -> tir.PrimExpr | None:
        if not str(node.dtype).startswith("int") or not self.analyzer.can_prove(tir.And(node.a >= 0, node.b > 0)):
            return None
        return tir.Div(node.a, node.b) if isinstance(node, tir.FloorDiv) else tir.Mod(node.a, node.b)

    # ---- loads and stores ------------------------------------------------------------------------------------------

    def load(self, load: tir.BufferLoad) -> tir.PrimExpr | None:
        buffer, indices = load.buffer, list(load.indices)
        if buffer.scope() == GLOBAL_SCOPE:
            fmt = self.tensor_format(buffer)
            name = "current_element" if self.written[buffer.name] else "fetch_element"
            line = self.lines[buffer.name]
            bits = call(name, buffer, page_of(buffer, indices), indices[-1], fmt.element_bytes, line, dtype="uint32")
            value = _value(bits, str(buffer.dtype), fmt)
            inside = self.inside(indices, list(buffer.shape))
            if inside is None:
                return value
            zero = tir.const(0, str(buffer.dtype))
            return tir.Call(buffer.dtype, tvm.ir.Op.get("tirx.if_then_else"), [inside, value, zero])
        if not is_tiled(buffer):
            return None
        fmt = FORMATS[self.scope.rings[buffer.name].format]
        bits = call("take_lane", *self.lane(buffer, indices), fmt.element_bytes, dtype="uint32")
        return _value(bits, str(buffer.dtype), fmt)

    def store(self, stmt: tir.BufferStore) -> tir.Stmt:
        buffer = stmt.buffer
        indices = [self.expression(index) for index in stmt.indices]
        value = self.expression(stmt.value)
        if buffer.scope() == GLOBAL_SCOPE:
            fmt, line = self.tensor_format(buffer), self.lines[buffer.name]
            bits = _bits(value, str(buffer.dtype), fmt)
            put = do("put_element", buffer, page_of(buffer, indices), indices[-1], fmt.element_bytes, line, bits)
            inside = self.inside(indices, list(buffer.shape))
            return put if inside is None else tir.IfThenElse(inside, put, None)
        if not is_tiled(buffer):
            return tir.BufferStore(buffer, value, indices)
        fmt = FORMATS[self.scope.rings[buffer.name].format]
        bits = _bits(value, str(buffer.dtype), fmt)
        return do("put_lane", *self.lane(buffer, indices), bits, fmt.element_bytes)

    def tensor_format(self, buffer: tir.Buffer) -> DataFormat:
        fmt = page_format(self.func, buffer)
        if fmt is None or fmt.name not in ELEMENT_FORMATS:
            raise UnsupportedError(
                f"single elements of {buffer.name}, which has dtype {buffer.dtype}"
                + (f" in pages of {fmt.name}" if fmt is not None else ""),
                hint="use float32, float16, bfloat16, fp8, or 8 to 32-bit integers",
            )
        return fmt

    def lane(self, buffer: tir.Buffer, indices: list[tir.PrimExpr]) -> tuple[tir.PrimExpr, ...]:
        """(address of the tile, row, column) of an element."""
        layout, ring = self.scope.layouts[buffer.name], self.scope.rings[buffer.name]
        tile, row, col = lane_of(layout, indices)
        tile = self.expression(self.analyzer.simplify(tile))
        base = self.bases[buffer.name]
        if not is_const_int(tile, 0):
            return base + tir.Cast("uint32", tile * ring.page_size), self.expression(row), col
        return base, self.expression(row), col

    def inside(self, indices: list[tir.PrimExpr], shape: list[tir.PrimExpr]) -> tir.PrimExpr | None:
        """The bounds that are not proved, or None."""
        condition: tir.PrimExpr | None = None
        for index, extent in zip(indices, shape, strict=True):
            for bound in (tir.IntImm(index.dtype, 0) <= index, index < extent):
                if not self.analyzer.can_prove(bound):
                    condition = bound if condition is None else tir.And(condition, bound)
        return condition


def _value(bits: tir.PrimExpr, dtype: str, fmt: DataFormat) -> tir.PrimExpr:
    """The value of ``dtype`` that an element of a page of ``fmt`` holds."""
    if fmt.is_float and not is_float_dtype(dtype):
        return tir.Cast(dtype, call("as_float", bits, dtype="float32"))
    if fmt.name == "Float32":
        return call("as_float", bits, dtype=dtype)
    if fmt.name == "Float16_b":
        upper = tir.Call("uint32", tvm.ir.Op.get("tirx.shift_left"), [bits, tir.const(16, "uint32")])
        return call("as_float", upper, dtype=dtype)
    return tir.Cast(dtype, bits)


def _bits(value: tir.PrimExpr, dtype: str, fmt: DataFormat) -> tir.PrimExpr:
    """The element of a page of ``fmt`` that holds ``value``."""
    if fmt.is_float and not is_float_dtype(dtype):
        return call("as_bits", tir.Cast("float32", value), dtype="uint32")
    if fmt.name == "Float32":
        return call("as_bits", tir.Cast(dtype, value), dtype="uint32")
    if fmt.name == "Float16_b":
        return call("round_bfloat16", value if dtype == "bfloat16" else tir.Cast(dtype, value), dtype="uint32")
    if fmt.is_float:
        raise InternalError(f"no element form of {fmt.name}")
    return tir.Cast("uint32", value)
