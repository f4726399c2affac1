"""Make int32 of int64 tensors and buffers, and of what is computed from them where 32 bits are known to hold it.

Why: the chip's lanes have 32 bits, and torch's indices 64. The host hands an int64 tensor over as int32 and checks
every value at each call, so that an element is known to fit. Copies, selections, comparisons, maxima and casts of such
elements then need no more than 32 bits. Sums and products need a range: if 32 bits do not hold the results for all
values that a tensor could have, but do for values of fewer bits, the host is told to take only those
(``tt_value_bits``). An on-chip int64 buffer becomes int32 if everything that is stored to it fits; one that does not
stays as it is, for code for single elements, whose arithmetic has 64 bits (``check_int64_arithmetic`` refuses it in
tiles). What is stored to a tensor must fit. Indices and extents of loops are computed in 32 bits, as all addresses of
the chip are.

Before::

    copy(Index[bx * 64], index)                                   # both int64
    for i: Out[i] = X[index[i]]
    for i: Next[i] = if_then_else(index[i] < cast("int64", i), index[i], int64(-1))
    for i: Next[i] = index[i] + int64(1)

After::

    func_attr({"tt_tensor_dtypes": {"Index": "int64", "Next": "int64"}, "tt_value_bits": {"Index": 30}})
    copy(Index[bx * 64], index)                                   # both int32
    for i: Out[i] = X[index[i]]
    for i: Next[i] = if_then_else(index[i] < i, index[i], -1)
    for i: Next[i] = index[i] + 1
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeGuard

import tvm
from tvm import tirx as tir
from tvm.tirx import PrimExpr

from ..errors import TTJitError, UnsupportedError
from .base import LoweringContext
from .integer_ranges import INT32, Range, dtype_range, is_inside, union
from .narrow_expressions import NARROW, WIDE, ExpressionNarrower, Need, TooWideError, call_name, rebuilt
from .numeric_policy import TENSOR_DTYPES, VALUE_BITS
from .ranges import shape_symbols
from .tile_ir import (
    GLOBAL_SCOPE,
    Region,
    TileCopy,
    TileFill,
    TileReduce,
    TileTranspose,
    is_scalar_code,
    leaves,
    parse,
    region_of,
    sequence,
    with_span_of,
)

_WRITE = 2
_OVERWRITING = ("tl.tileop.copy", "tl.tileop.fill", "tl.tileop.transpose")
_ALL_BITS = 31
_FEWER_BITS = (30, 28, 24, 20, 16)
_SIZES: Range = (0, 2**30)
_MOST_ROUNDS = 6
# Reductions whose result is one of the elements, and those that make an int32 of the bits of int32.
_CLOSED_REDUCTIONS = ("max", "min")
_BIT_REDUCTIONS = ("bitand", "bitor", "bitxor")


def narrow_int64_tensors(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite ``func`` if it has int64 tensors or buffers."""
    tensors = [buffer for buffer in func.buffer_map.values() if str(buffer.dtype) == WIDE]
    declared = [leaf.buffer for leaf in leaves(func.body) if isinstance(leaf, tir.AllocBuffer)]
    declared = [buffer for buffer in declared if str(buffer.dtype) == WIDE]
    if not tensors and not declared:
        return func
    narrow = {buffer.data: _narrow(buffer) for buffer in (*tensors, *declared)}
    attempt = _best_attempt(func, narrow)
    buffer_map = {param: narrow.get(buffer.data, buffer) for param, buffer in func.buffer_map.items()}
    func = tir.PrimFunc(func.params, attempt.body, func.ret_type, buffer_map, func.attrs, func.span)
    if tensors:
        func = func.with_attr(TENSOR_DTYPES, {buffer.name: WIDE for buffer in tensors})
    limited = {buffer.name: attempt.bits for buffer in tensors if buffer.data in attempt.limited}
    return func.with_attr(VALUE_BITS, limited) if limited and attempt.bits != _ALL_BITS else func


def _read_and_written(body: tir.Stmt) -> tuple[frozenset[tir.Var], frozenset[tir.Var]]:
    """The data of the buffers whose elements are read, and of those that are written."""
    loads: Counter[tir.Var] = Counter()
    written: set[tir.Var] = set()

    def visit(node: object) -> None:
        if isinstance(node, tir.BufferLoad):
            loads[node.buffer.data] += 1
        elif isinstance(node, tir.BufferStore):
            written.add(node.buffer.data)
            # A store under a condition keeps the old value elsewhere.
            loads[node.buffer.data] -= _kept_values(node.value, node)
        elif _is_region(node) and int(node.args[1]) & _WRITE:
            written.add(node.args[0].buffer.data)
        elif isinstance(node, tir.Call) and getattr(node.op, "name", "") in _OVERWRITING:
            # A region names its buffer by a load.
            loads.subtract(r.args[0].buffer.data for r in _regions(node) if int(r.args[1]) == _WRITE)

    tir.stmt_functor.post_order_visit(body, visit)
    return frozenset(data for data, count in loads.items() if count > 0), frozenset(written)


def _kept_values(value: PrimExpr, store: tir.BufferStore) -> int:
    """How many of the values among which ``value`` selects are the old one."""
    if isinstance(value, tir.BufferLoad):
        same = value.buffer.same_as(store.buffer)
        return int(same and bool(tvm.ir.structural_equal(value.indices, store.indices)))
    if isinstance(value, tir.Call) and call_name(value) == "if_then_else":
        return sum(_kept_values(part, store) for part in value.args[1:])
    return 0


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """The program for ``limited`` tensors of ``bits`` bits; ``wide`` counts what stayed int64 and may be cut off."""

    body: tir.Stmt
    bits: int
    limited: frozenset[tir.Var]
    wide: int


def _best_attempt(func: tir.PrimFunc, narrow: Mapping[tir.Var, tir.Buffer]) -> _Attempt:
    """The one with the largest values for which all fits, else the one with all that int32 holds.

    A limit holds for what a kernel stores, too. Where one for the tensors that are only read is enough, it is taken.
    """
    first: _Attempt | UnsupportedError | None = None
    read, written = _read_and_written(func.body)
    inputs = read - written
    tries = [(_ALL_BITS, inputs), *((bits, limited) for bits in _FEWER_BITS for limited in (inputs, read))]
    for bits, limited in dict.fromkeys(tries):
        try:
            attempt = _attempt(func, narrow, limited, bits)
            if not attempt.wide:
                return attempt
            first = first or attempt
        except UnsupportedError as error:
            first = first or error
    if isinstance(first, UnsupportedError):
        raise first
    assert first is not None
    return first


def _attempt(
    func: tir.PrimFunc, narrow: Mapping[tir.Var, tir.Buffer], limited: frozenset[tir.Var], bits: int
) -> _Attempt:
    """Rewrite until it is known which buffers can be int32, and what they hold, where tensors are ``limited``."""
    chosen, ranges = dict(narrow), dict[tir.Var, Range]()
    values = (-(2**bits), 2**bits - 1)
    tensors = {
        buffer.data: values if buffer.data in limited else INT32
        for buffer in func.buffer_map.values()
        if buffer.data in narrow
    }
    # The host passes 32 bits of a scalar, and takes no value that needs more.
    sizes = {param: INT32 for param in func.params if str(param.dtype) == WIDE}
    sizes.update(dict.fromkeys(shape_symbols(func), _SIZES))
    rounds = given_up = 0
    while True:
        narrower = ExpressionNarrower(narrowed=chosen, elements={**ranges, **tensors})
        narrower.ranges.variables.update(sizes)
        rewriter = _Rewriter(expressions=narrower, tensors=tensors, found=dict(ranges))
        body = rewriter.statement(func.body)
        rounds += 1
        if rewriter.too_wide:
            given_up += rewriter.given_up
            chosen = {data: buffer for data, buffer in chosen.items() if data not in rewriter.too_wide}
            ranges, rounds = {}, 0
        elif rewriter.found == ranges:
            return _Attempt(body=body, bits=bits, limited=limited, wide=len(narrower.wide) + given_up)
        else:
            grown = {data: INT32 for data, value in rewriter.found.items() if ranges.get(data) != value}
            ranges = {**rewriter.found, **(grown if rounds > _MOST_ROUNDS else {})}


def _narrow(buffer: tir.Buffer) -> tir.Buffer:
    return tir.decl_buffer(
        buffer.shape, NARROW, buffer.name, strides=buffer.strides or None, scope=buffer.scope(), span=buffer.span
    )


@dataclass(kw_only=True)
class _Rewriter:
    """One attempt: which on-chip buffers cannot be int32 shows while the program is rewritten."""

    expressions: ExpressionNarrower
    tensors: Mapping[tir.Var, Range]
    """What may be stored to the int64 parameters."""
    found: dict[tir.Var, Range]
    """What is stored to the other buffers."""
    too_wide: set[tir.Var] = field(default_factory=set)
    given_up: int = 0
    in_scalar_code: bool = False

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
            with self.scalar(is_scalar_code(stmt)):
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

    @contextmanager
    def scalar(self, inside: bool) -> Iterator[None]:
        """Code for single elements has 64 bits: what stays int64 there is right as it is."""
        outside, wide = self.in_scalar_code, len(self.expressions.wide)
        self.in_scalar_code = outside or inside
        yield
        self.in_scalar_code = outside
        if inside:
            del self.expressions.wide[wide:]

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
                value = narrower.narrow(stmt.value, Need.VALUE)
                self.keep(stmt.buffer, narrower.ranges.of(stmt.value), "the int64 value that is stored")
                return tir.BufferStore(target, value, indices)
            except TooWideError:
                self.give_up(stmt.buffer, "the int64 value that is stored")
        return tir.BufferStore(stmt.buffer, narrower.convert(stmt.value), indices)

    def keep(self, buffer: tir.Buffer, values: Range, what: str) -> None:
        """Note that ``values`` are stored to the int64 ``buffer``; give it up where 32 bits do not hold them."""
        if not is_inside(values, self.tensors.get(buffer.data, INT32)):
            self.give_up(buffer, what)
        elif buffer.data not in self.tensors:
            # What lies past the end of a tensor reads as 0.
            self.found[buffer.data] = union(self.found.get(buffer.data, (0, 0)), values)

    def give_up(self, buffer: tir.Buffer, what: str) -> None:
        """Keep ``buffer`` as it is, because of ``what`` is stored to it; a tensor cannot."""
        if buffer.scope() == GLOBAL_SCOPE:
            raise UnsupportedError(
                f"{what} to {buffer.name} may need more than 32 bits; the chip keeps int64 tensors in 32",
                hint='where you know that 32 bits hold it, say so: T.cast(value, "int32")',
            )
        self.too_wide.add(buffer.data)
        self.given_up += not self.in_scalar_code

    # ---- tile operations -------------------------------------------------------------------------------------------

    def check_operation(self, stmt: tir.Evaluate) -> None:
        """Note what an operation brings to int64 buffers."""
        record = parse(stmt)
        if isinstance(record, (TileCopy, TileTranspose)):
            self.bring(record.destination, self.range_of(record.source), f"what is copied from {_name(record.source)}")
        elif isinstance(record, TileFill):
            self.bring(record.destination, self.expressions.ranges.of(record.value), "the value that is filled in")
        elif isinstance(record, TileReduce):
            self.bring(record.destination, self.reduced(record), f"T.reduce_{record.kind} of {_name(record.source)}")
        else:
            name = str(stmt.value.op.name).rpartition(".")[2]
            for region in _regions(stmt.value):
                if int(region.args[1].value) & _WRITE:
                    self.bring(region_of(region), self.scanned(stmt.value, name), f"what T.{name} stores")

    def reduced(self, record: TileReduce) -> Range | None:
        """The range of a reduction's result."""
        values, extent = self.range_of(record.source), record.source.extents[record.dim]
        if record.kind in _CLOSED_REDUCTIONS:
            return values
        if record.kind in _BIT_REDUCTIONS and is_inside(values, INT32):
            return INT32
        if record.kind != "sum" or not isinstance(extent, tir.IntImm):
            return None
        low, high = (value * int(extent.value) for value in values)
        old = (0, 0) if record.clear else self.range_of(record.destination)
        return low + old[0], high + old[1]

    def scanned(self, call: tir.Call, name: str) -> Range | None:
        """The range of what another operation stores."""
        if name not in ("cummax", "cumsum"):
            return None
        source = region_of(call.args[0])
        length = source.extents[int(call.args[2].value)]
        if name == "cumsum" and not isinstance(length, tir.IntImm):
            return None
        low, high = self.range_of(source)
        return (low, high) if name == "cummax" else (low * int(length.value), high * int(length.value))

    def range_of(self, source: Region) -> Range:
        return self.expressions.range_of_elements(source.buffer)

    def bring(self, region: Region, values: Range | None, what: str) -> None:
        """Note that an operation stores ``values``, None for any, to ``region``."""
        if region.buffer.data in self.expressions.narrowed:
            self.keep(region.buffer, dtype_range(WIDE) if values is None else values, what)

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


def _is_region(expr: object) -> TypeGuard[tir.Call]:
    return isinstance(expr, tir.Call) and isinstance(expr.op, tvm.ir.Op) and expr.op.name == "tl.region"


def _regions(call: tir.Call) -> list[tir.Call]:
    return [arg for arg in call.args if _is_region(arg)]


def _name(region: Region) -> str:
    return str(region.buffer.name)
