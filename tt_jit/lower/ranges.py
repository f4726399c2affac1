"""Walking a program with an analyzer that knows the range of every loop variable and symbol on the way."""

from __future__ import annotations

from collections.abc import Iterator

import tvm
from tvm import tirx as tir

from .resolve_tensor_views import argument_shape
from .tile_ir import is_nop

_LARGEST_SIZE = 1 << 30


def analyzer_for(func: tir.PrimFunc) -> tvm.arith.Analyzer:
    """An analyzer that knows that tensor sizes and strides are not negative."""
    analyzer = tvm.arith.Analyzer()
    for symbol in shape_symbols(func):
        analyzer.bind(symbol, tvm.ir.Range.from_min_extent(0, _LARGEST_SIZE))
    work = _work_loop(func.body)
    if work is not None:
        analyzer.bind(work.min, tvm.ir.Range.from_min_extent(0, func.attrs["tt_num_tiles"]))
        analyzer.bind(work.loop_var, tvm.ir.Range.from_min_extent(0, func.attrs["tt_num_tiles"]))
    return analyzer


def _work_loop(stmt: tir.Stmt) -> tir.For | None:
    """The persistent loop over blocks, recognised by its free start variable; None before it exists."""
    for child in stmt.seq if isinstance(stmt, tir.SeqStmt) else [stmt]:
        if isinstance(child, tir.For) and isinstance(child.min, tir.Var):
            return child
    return None


def shape_symbols(func: tir.PrimFunc) -> list[tir.Var]:
    """The run-time sizes of the tensor parameters, in order of first appearance."""
    found: list[tir.Var] = []
    for param in func.params:
        buffer = func.buffer_map[param] if param in func.buffer_map else None
        for extent in argument_shape(func, buffer) if buffer is not None else ():
            if isinstance(extent, tir.Var) and not any(extent.same_as(v) for v in found):
                found.append(extent)
    return found


def leaves_with_ranges(func: tir.PrimFunc) -> Iterator[tuple[tir.Stmt, tvm.arith.Analyzer]]:
    """Every tile or simple statement in program order, with the analyzer that holds the ranges around it."""
    yield from _walk(func.body, analyzer_for(func))


def _walk(stmt: tir.Stmt, analyzer: tvm.arith.Analyzer) -> Iterator[tuple[tir.Stmt, tvm.arith.Analyzer]]:
    if isinstance(stmt, tir.SeqStmt):
        for child in stmt.seq:
            yield from _walk(child, analyzer)
    elif isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL:
        if not isinstance(stmt.min, tir.Var):
            bind_loop(analyzer, stmt)
        yield from _walk(stmt.body, analyzer)
    elif isinstance(stmt, tir.While):
        yield from _walk(stmt.body, analyzer)
    elif isinstance(stmt, tir.IfThenElse):
        yield from _walk(stmt.then_case, analyzer)
        if stmt.else_case is not None:
            yield from _walk(stmt.else_case, analyzer)
    elif not is_nop(stmt):
        if isinstance(stmt, tir.Bind):
            bind_value(analyzer, stmt)
        yield stmt, analyzer


def bind_loop(analyzer: tvm.arith.Analyzer, loop: tir.For) -> None:
    """Tell ``analyzer`` the range of the loop's variable."""
    analyzer.bind(loop.loop_var, tvm.ir.Range.from_min_extent(loop.min, loop.extent), True)


def bind_value(analyzer: tvm.arith.Analyzer, bind: tir.Bind) -> None:
    """Tell ``analyzer`` the constant bounds of a bound variable (not its value, which keeps names in the output)."""
    if not str(bind.var.dtype).startswith(("int", "uint")):
        return
    if isinstance(bind.value, tir.FloorMod) and not isinstance(bind.value.b, tir.IntImm):
        analyzer.bind(bind.var, tvm.ir.Range.from_min_extent(0, bind.value.b), True)
        return
    bounds = analyzer.const_int_bound(bind.value)
    low, high = int(bounds.min_value), int(bounds.max_value)
    if low > -_LARGEST_SIZE:
        extent = min(high - low + 1, _LARGEST_SIZE)
        analyzer.bind(bind.var, tvm.ir.Range.from_min_extent(low, extent), True)
