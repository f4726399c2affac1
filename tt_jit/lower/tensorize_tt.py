"""Replace every tile statement by loops of device calls.

Why: from here on the program says exactly which tile goes through which unit. Each kind of statement has its own
module; this pass only dispatches and counts.

Before::

    gemm(A_shared, B_shared, C_local)

After::

    for m in serial(2):
        for n in serial(2):
            tt.tile_regs_acquire()
            for kk in serial(4): tt.matmul_block(A_shared, B_shared, m*8 + kk, kk*4 + n*2, 0, 0, 2, 2, 4)
            tt.tile_regs_commit(); tt.tile_regs_wait(); tt.pack_tile(...); tt.tile_regs_release()
    func_attr({"tt_num_matmuls": 1, "tt_has_tensorize": True})
"""

from __future__ import annotations

from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from ..errors import InternalError
from .base import LoweringContext
from .insert_cb_protocol import IN_PLACE
from .memory_space_lower_tt import circular_buffers
from .numeric_policy import is_fast, is_narrow
from .ops import do, scalar_source
from .ranges import analyzer_for, bind_loop, bind_value
from .tensor_layout import tensor_layout
from .tensorize_gather import tensorize_gather
from .tensorize_matmul import tensorize_gemm, tensorize_transpose
from .tensorize_reduce import tensorize_reduce, tensorize_scan
from .tensorize_row_major import tensorize_row_major
from .tensorize_scalar_code import tensorize_scalar_code
from .tensorize_scalars import tensorize_scalar
from .tensorize_scatter import tensorize_scatter
from .tensorize_tile_maps import TileScope, copy_as_elementwise, tensorize_elementwise
from .tensorize_transfers import tensorize_transfer
from .tile_ir import (
    Elementwise,
    TileCopy,
    TileFill,
    TileGemm,
    TileIndexFill,
    TileReduce,
    TileScalarCode,
    TileScan,
    TileScatter,
    TileTranspose,
    is_gather,
    parse,
    sequence,
    with_body,
    with_span_of,
)
from .tile_layout import layouts_of


def tensorize_tt(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Lower all tile statements of ``func`` to device calls."""
    rings = circular_buffers(func)
    formats = {name: ring.format for name, ring in rings.items()}
    scope = TileScope(
        rings=rings,
        formats=formats,
        layouts=layouts_of(func),
        context=context,
        fast=is_fast(func),
        narrow=is_narrow(func),
    )
    tensorizer = _Tensorizer(func=func, scope=scope, analyzer=analyzer_for(func))
    body = tensorizer.statement(func.body)
    func = func.with_body(body).with_attr("tt_num_matmuls", tensorizer.matmuls)
    return func.with_attr("tt_has_tensorize", True)


@dataclass(kw_only=True)
class _Tensorizer:
    func: tir.PrimFunc
    scope: TileScope
    analyzer: tvm.arith.Analyzer
    matmuls: int = 0

    def statement(self, stmt: tir.Stmt) -> tir.Stmt:
        if isinstance(stmt, tir.SeqStmt):
            return sequence([self.statement(child) for child in stmt.seq])
        if isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL:
            if not isinstance(stmt.min, tir.Var):
                bind_loop(self.analyzer, stmt)
                stmt = self.simplified(stmt)
            return with_body(stmt, self.statement(stmt.body))
        if isinstance(stmt, tir.IfThenElse):
            other = self.statement(stmt.else_case) if stmt.else_case is not None else None
            return with_span_of(tir.IfThenElse(stmt.condition, self.statement(stmt.then_case), other), stmt)
        if isinstance(stmt, tir.While):
            return with_span_of(tir.While(stmt.condition, self.statement(stmt.body)), stmt)
        if isinstance(stmt, tir.AttrStmt) and stmt.attr_key == IN_PLACE:
            return self.leaf(stmt.body, in_place=True)
        return self.leaf(stmt, in_place=False)

    def simplified(self, loop: tir.For) -> tir.For:
        """The loop with its extent simplified under the ranges around it."""
        extent = self.analyzer.simplify(loop.extent)
        simplified = tir.For(loop.loop_var, loop.min, extent, loop.kind, loop.body, None, loop.annotations or None)
        return with_span_of(simplified, loop)

    def leaf(self, stmt: tir.Stmt, *, in_place: bool) -> tir.Stmt:
        scalar = scalar_source(stmt)
        if scalar is not None:
            return with_span_of(tensorize_scalar(stmt, scalar, self.scope, self.analyzer), stmt)
        if isinstance(stmt, tir.Bind):
            bind_value(self.analyzer, stmt)
        record = parse(stmt)
        if record is None:
            return stmt
        return with_span_of(self.lower(record, stmt, in_place), stmt)

    def lower(self, record: object, stmt: tir.Stmt, in_place: bool) -> tir.Stmt:
        if isinstance(record, TileCopy) and (record.source.is_global or record.destination.is_global):
            tensor = record.source.buffer if record.source.is_global else record.destination.buffer
            if tensor_layout(self.func, tensor).kind == "row_major":
                return tensorize_row_major(record, stmt, self.scope, self.analyzer)
            return tensorize_transfer(record, stmt, self.scope, self.func, self.analyzer)
        if isinstance(record, (TileCopy, TileFill)):
            record = copy_as_elementwise(record, stmt)
        if isinstance(record, TileScalarCode):
            return tensorize_scalar_code(record, self.scope, self.func, self.analyzer)
        if isinstance(record, TileScatter):
            return tensorize_scatter(record, stmt, self.scope, self.analyzer)
        if is_gather(record):
            return tensorize_gather(record, stmt, self.scope, self.analyzer)
        if isinstance(record, Elementwise):
            return tensorize_elementwise(record, stmt, self.scope, in_place=in_place)
        if isinstance(record, TileGemm):
            self.matmuls += 1
            return tensorize_gemm(record, stmt, self.scope, in_place=in_place)
        if isinstance(record, TileReduce):
            return tensorize_reduce(record, stmt, self.scope, in_place=in_place)
        if isinstance(record, TileTranspose):
            return tensorize_transpose(record, stmt, self.scope)
        if isinstance(record, TileScan):
            return tensorize_scan(record, self.scope)
        if isinstance(record, TileIndexFill):
            return do("fill_index_tile", record.destination.buffer, record.axis)
        raise InternalError(f"no tensorizer for {type(record).__name__}")
