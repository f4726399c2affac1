"""Make int32 of int64 tensors and buffers, and of what is computed from them where 32 bits are known to hold it.

Why: the chip's lanes have 32 bits, and torch's indices 64. The host hands an int64 tensor over as int32 and checks every
value at each call, so that an element is known to fit. Copies, selections, comparisons, maxima and casts of such
elements then need no more than 32 bits; so do sums and products whose range is known (``integer_ranges``). An on-chip
int64 buffer becomes int32 if everything that is stored to it fits; one that does not stays as it is, for code for single
elements, whose arithmetic has 64 bits (``check_int64_arithmetic`` refuses it in tiles). What is stored to a tensor must
fit. Indices and extents of loops are computed in 32 bits, as all addresses of the chip are.

Before::

    copy(Index[bx * 64], index)                                   # both int64
    for i: Out[i] = X[index[i]]
    for i: Next[i] = if_then_else(index[i] < cast("int64", i), index[i], int64(-1))

After::

    func_attr({"tt_tensor_dtypes": {"Index": "int64", "Next": "int64"}})
    copy(Index[bx * 64], index)                                   # both int32
    for i: Out[i] = X[index[i]]
    for i: Next[i] = if_then_else(index[i] < i, index[i], -1)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir
from tvm.tirx import PrimExpr

from ..errors import TTJitError, UnsupportedError
from .base import LoweringContext
from .integer_ranges import INT32, dtype_range, is_inside
from .narrow_expressions import NARROW, WIDE, ExpressionNarrower, Need, TooWideError, rebuilt
from .numeric_policy import TENSOR_DTYPES
from .tile_ir import (
    GLOBAL_SCOPE,
    Region,
    TileCopy,
    TileFill,
    TileReduce,
    TileTranspose,
    leaves,
    parse,
    sequence,
    with_span_of,
)

_WRITE = 2
# Reductions whose result is one of the elements, or made of their bits.
_CLOSED_REDUCTIONS = ("max", "min", "bitand", "bitor", "bitxor")
_CLOSED_OPERATORS = ("cummax",)


def narrow_int64_tensors(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite ``func`` if it has int64 tensors or buffers."""
    tensors = [buffer for buffer in func.buffer_map.values() if str(buffer.dtype) == WIDE]
    declared = [leaf.buffer for leaf in leaves(func.body) if isinstance(leaf, tir.AllocBuffer)]
    declared = [buffer for buffer in declared if str(buffer.dtype) == WIDE]
    if not tensors and not declared:
        return func
    chosen = {buffer.data: _narrow(buffer) for buffer in (*tensors, *declared)}
    while True:
        rewriter = _Rewriter(expressions=ExpressionNarrower(narrowed=chosen))
        body = rewriter.statement(func.body)
        if not rewriter.too_wide:
            break
        chosen = {data: buffer for data, buffer in chosen.items() if data not in rewriter.too_wide}
    buffer_map = {param: chosen.get(buffer.data, buffer) for param, buffer in func.buffer_map.items()}
    func = tir.PrimFunc(func.params, body, func.ret_type, buffer_map, func.attrs, func.span)
    if not tensors:
        return func
    return func.with_attr(TENSOR_DTYPES, {buffer.name: WIDE for buffer in tensors})


def _narrow(buffer: tir.Buffer) -> tir.Buffer:
    return tir.decl_buffer(
        buffer.shape, NARROW, buffer.name, strides=buffer.strides or None, scope=buffer.scope(), span=buffer.span
    )


@dataclass(kw_only=True)
class _Rewriter:
    """One attempt: which on-chip buffers cannot be int32 shows while the program is rewritten."""

    expressions: ExpressionNarrower
    too_wide: set[tir.Var] = field(default_factory=set)

    def statement(self, stmt: tir.Stmt) -> tir.Stmt:
        if isinstance(stmt, tir.SeqStmt):
            return sequence([self.statement(child) for child in stmt.seq])
        try:
            return with_span_of(self.rewritten(stmt), stmt)
        except TTJitError as error:
            error.at = stmt if error.at is None else error.at
            raise

    def rewritten(self, stmt: tir.Stmt) -> tir.Stmt:
        value = self.expressions.convert
        if isinstance(stmt, tir.For):
            return self.loop(stmt)
        if isinstance(stmt, tir.IfThenElse):
            other = self.statement(stmt.else_case) if stmt.else_case is not None else None
            return tir.IfThenElse(value(stmt.condition), self.statement(stmt.then_case), other)
        if isinstance(stmt, tir.While):
            return tir.While(value(stmt.condition), self.statement(stmt.body))
        if isinstance(stmt, tir.AttrStmt):
            return tir.AttrStmt(stmt.node, stmt.attr_key, stmt.value, self.statement(stmt.body))
        if isinstance(stmt, tir.AllocBuffer):
            return tir.AllocBuffer(self.expressions.narrowed.get(stmt.buffer.data, stmt.buffer))
        if isinstance(stmt, tir.Bind):
            return self.bind(stmt)
        if isinstance(stmt, tir.BufferStore):
            return self.store(stmt)
        if isinstance(stmt, tir.Evaluate) and isinstance(stmt.value, tir.Call):
            self.check_operation(stmt)
            return tir.Evaluate(self.argument(self.with_narrow_fill(stmt)))
        return stmt

    def loop(self, stmt: tir.For) -> tir.Stmt:
        """The loop, whose variable is an int32 one."""
        low, extent = self.expressions.places([stmt.min, stmt.extent])
        variable = stmt.loop_var
        if str(variable.dtype) == WIDE:
            variable = tir.Var(variable.name, NARROW)
            self.expressions.variables[stmt.loop_var] = variable
        ranges = self.expressions.ranges
        first, count = ranges.of(stmt.min), ranges.of(stmt.extent)
        ranges.variables[stmt.loop_var] = (
            max(first[0], INT32[0]),
            min(first[1] + max(count[1] - 1, 0), INT32[1]),
        )
        body = self.statement(stmt.body)
        return tir.For(
            variable, low, extent, stmt.kind, body, stmt.thread_binding, stmt.annotations or None, stmt.step
        )  # fmt: skip

    def bind(self, stmt: tir.Bind) -> tir.Stmt:
        narrower = self.expressions
        narrower.ranges.variables[stmt.var] = narrower.ranges.of(stmt.value)
        if str(stmt.var.dtype) != WIDE:
            return tir.Bind(stmt.var, narrower.convert(stmt.value))
        try:
            value = narrower.narrow(stmt.value, Need.VALUE)
        except TooWideError:
            return tir.Bind(stmt.var, narrower.convert(stmt.value))
        narrower.variables[stmt.var] = tir.Var(stmt.var.name, NARROW)
        return tir.Bind(narrower.variables[stmt.var], value)

    def store(self, stmt: tir.BufferStore) -> tir.Stmt:
        narrower = self.expressions
        indices, target = narrower.places(stmt.indices), narrower.narrowed.get(stmt.buffer.data)
        if target is not None:
            try:
                return tir.BufferStore(target, narrower.narrow(stmt.value, Need.VALUE), indices)
            except TooWideError:
                self.give_up(stmt.buffer, "the int64 value that is stored")
        return tir.BufferStore(stmt.buffer, narrower.convert(stmt.value), indices)

    def give_up(self, buffer: tir.Buffer, what: str) -> None:
        """Keep ``buffer`` as it is, because of ``what`` is stored to it; a tensor cannot."""
        if buffer.scope() == GLOBAL_SCOPE:
            raise UnsupportedError(
                f"{what} to {buffer.name} may need more than 32 bits; the chip keeps int64 tensors in 32",
                hint='where you know that 32 bits hold it, say so: T.cast(value, "int32")',
            )
        self.too_wide.add(buffer.data)

    # ---- tile operations -------------------------------------------------------------------------------------------

    def check_operation(self, stmt: tir.Evaluate) -> None:
        """Give up the int64 buffers to which an operation may bring what 32 bits do not hold."""
        record = parse(stmt)
        if isinstance(record, (TileCopy, TileTranspose)):
            if not self.brings_int32(record.source):
                self.refuse_region(record.destination, f"what is copied from {record.source.buffer.name}")
        elif isinstance(record, TileFill):
            if not self.expressions.fits(record.value):
                self.refuse_region(record.destination, "the value that is filled in")
        elif isinstance(record, TileReduce):
            if record.kind not in _CLOSED_REDUCTIONS or not self.brings_int32(record.source):
                self.refuse_region(record.destination, f"T.reduce_{record.kind} of {record.source.buffer.name}")
        elif stmt.value.op.name.rpartition(".")[2] not in _CLOSED_OPERATORS:
            for region in _regions(stmt.value):
                if int(region.args[1].value) & _WRITE:
                    self.refuse_buffer(region.args[0].buffer, f"what {stmt.value.op.name} stores")

    def brings_int32(self, source: Region) -> bool:
        """Whether 32 bits hold the elements of ``source``."""
        narrower, buffer = self.expressions, source.buffer
        if buffer.data in narrower.narrowed:
            return True
        return is_inside(dtype_range(str(buffer.dtype)), INT32)

    def refuse_region(self, region: Region, what: str) -> None:
        self.refuse_buffer(region.buffer, what)

    def refuse_buffer(self, buffer: tir.Buffer, what: str) -> None:
        if buffer.data in self.expressions.narrowed:
            self.give_up(buffer, what)

    def with_narrow_fill(self, stmt: tir.Evaluate) -> tir.Call:
        """The call; what an int32 buffer is filled with is an int32 value."""
        record = parse(stmt)
        call = stmt.value
        if not isinstance(record, TileFill) or record.destination.buffer.data not in self.expressions.narrowed:
            return call
        value = record.value
        if str(value.dtype) == WIDE and self.expressions.fits(value):
            value = tir.Cast(NARROW, value)
        return tir.Call(call.dtype, call.op, [call.args[0], value, *call.args[2:]], call.annotations)

    def argument(self, expr: PrimExpr) -> PrimExpr:
        """An operation, or a part of it: a region names a buffer and reads nothing."""
        if not isinstance(expr, tir.Call):
            return self.expressions.convert(expr)
        if _is_region(expr):
            load, access, *extents = expr.args
            parts = [self.expressions.load(load), access, *self.expressions.places(extents)]
            return tir.Call(expr.dtype, expr.op, parts, expr.annotations)
        if str(expr.dtype) == "handle" or str(expr.dtype) == "void":
            return rebuilt(expr, self.argument)
        return self.expressions.convert(expr)


def _is_region(expr: object) -> bool:
    return isinstance(expr, tir.Call) and isinstance(expr.op, tvm.ir.Op) and expr.op.name == "tl.region"


def _regions(call: tir.Call) -> list[tir.Call]:
    return [arg for arg in call.args if _is_region(arg)]
