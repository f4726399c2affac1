"""Read elements at other places of their row or column, ``X[i, j // 2]``, by a product with a matrix of zeros and ones.

Why: element-wise steps see equal lanes of all operands, but unpacking two 4-bit numbers from each byte reads every byte
twice. Which place goes where is the same for all rows: a constant matrix, made once for each block. The matrix
engine's products are exact for integers of 8 bits; wider elements, and places that depend on more than one loop, are
left to code for single elements.

Before::

    for i, j in parallel(64, 128): Y[i, j] = X[i, j // 2] >> (j % 2 * 4)      # X: (64, 64) of uint8

After::

    for k, j in parallel(64, 128): S[k, j] = if_then_else(k == j // 2, 1, 0)  # first thing in the block
    for i, k in parallel(64, 64): X_wide[i, k] = cast("bfloat16", X[i, k])
    gemm(X_wide, S, X_selected, clear_accum=True)
    for i, j in parallel(64, 128): Y[i, j] = cast("uint8", X_selected[i, j]) >> (j % 2 * 4)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir

from .base import LoweringContext
from .names import NewBuffers
from .tile_ir import (
    Elementwise,
    is_scalar_variable,
    outer_loads,
    parallel,
    parse,
    region_call,
    replace_loads,
    rewrite,
    same_load,
    sequence,
    whole,
    with_body,
)

_EXACT_DTYPES = ("int4", "uint4", "int8", "uint8")
_SQUARE_POLICY = 0


def select_lanes(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite loads whose place in a row or column is a function of one parallel loop."""
    selector = _Selector(new=NewBuffers.of(func))
    body = rewrite(func.body, selector.leaf)
    return func.with_body(selector.new.declared(_first_in_block(body, selector.constants)))


@dataclass(frozen=True, kw_only=True)
class _Selection:
    """A load whose dimension ``dim`` is read at a function of ``var``, and the other one at ``other``."""

    load: tir.BufferLoad
    dim: int
    var: tir.Var
    other: tir.Var
    extent: int

    @property
    def place(self) -> tir.PrimExpr:
        return self.load.indices[self.dim]


@dataclass(kw_only=True)
class _Selector:
    new: NewBuffers
    constants: list[tir.Stmt] = field(default_factory=list)
    matrices: list[tuple[tuple[int, int, int], tir.PrimExpr, tir.Buffer]] = field(default_factory=list)

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        record = parse(stmt)
        if not isinstance(record, Elementwise):
            return None
        before: list[tir.Stmt] = []
        replacements: list[tuple[tir.BufferLoad, tir.PrimExpr]] = []
        for load in outer_loads(record.store.value):
            selection = _selection(load, record)
            if selection is not None and not any(same_load(load, done) for done, _ in replacements):
                replacements.append((load, self.selected(selection, before)))
        if not replacements:
            return None
        value = replace_loads(record.store.value, replacements)
        store = tir.BufferStore(record.store.buffer, value, list(record.store.indices))
        return sequence([*before, parallel(record.loop_vars, record.extents, store)])

    def selected(self, selection: _Selection, before: list[tir.Stmt]) -> tir.PrimExpr:
        """The load of the product, which ``before`` computes."""
        source = selection.load.buffer
        shape = [int(extent) for extent in source.shape]
        wide = self.new.allocate(f"{source.name}_wide", shape, "bfloat16")
        variables = [tir.Var(f"i{d}", "int32") for d in range(2)]
        widened = tir.Cast("bfloat16", tir.BufferLoad(source, variables))
        before.append(parallel(variables, shape, tir.BufferStore(wide, widened, variables)))
        matrix = self.matrix(selection, shape[selection.dim])
        shape[selection.dim] = selection.extent
        result = self.new.allocate(f"{source.name}_selected", shape, "float32")
        before.append(_product(wide, matrix, result) if selection.dim == 1 else _product(matrix, wide, result))
        indices = [selection.other, selection.other]
        indices[selection.dim] = selection.var
        return tir.Cast(source.dtype, tir.BufferLoad(result, indices))

    def matrix(self, selection: _Selection, size: int) -> tir.Buffer:
        """Ones where place ``k`` of ``size`` goes to ``selection.var``, made once for all equal selections."""
        key = (selection.dim, size, selection.extent)
        target, origin = tir.Var("j", "int32"), tir.Var("k", "int32")
        place = tir.stmt_functor.substitute(selection.place, {selection.var: target})
        for known, other, buffer in self.matrices:
            if known == key and tvm.ir.structural_equal(other, place, map_free_vars=True):
                return buffer
        rows_first = selection.dim == 1
        shape = (size, selection.extent) if rows_first else (selection.extent, size)
        buffer = self.new.allocate("selection", shape, "bfloat16")
        one, zero = tir.FloatImm("bfloat16", 1.0), tir.FloatImm("bfloat16", 0.0)
        value = tir.Call("bfloat16", tvm.ir.Op.get("tirx.if_then_else"), [origin.equal(place), one, zero])
        variables = [origin, target] if rows_first else [target, origin]
        self.constants.append(parallel(variables, shape, tir.BufferStore(buffer, value, variables)))
        self.matrices.append((key, place, buffer))
        return buffer


def _selection(load: tir.BufferLoad, record: Elementwise) -> _Selection | None:
    """How ``load`` selects lanes; None where it does not, or not in a way that a product can."""
    buffer = load.buffer
    if len(load.indices) != 2 or str(buffer.dtype) not in _EXACT_DTYPES or is_scalar_variable(buffer):
        return None
    if buffer.scope() == "global" or not all(isinstance(extent, tir.IntImm) for extent in buffer.shape):
        return None
    extent_of = dict(zip(record.loop_vars, record.extents, strict=True))
    for dim in (1, 0):
        place, other = load.indices[dim], load.indices[1 - dim]
        var = _only_variable(place)
        whole_line = isinstance(other, tir.Var) and extent_of.get(other) == int(buffer.shape[1 - dim])
        if var is None or var not in extent_of or not whole_line or _moves_along(place, var):
            continue
        if _stays_inside(place, var, extent_of[var], int(buffer.shape[dim])):
            return _Selection(load=load, dim=dim, var=var, other=other, extent=extent_of[var])
    return None


def _only_variable(expr: tir.PrimExpr) -> tir.Var | None:
    variables = tir.analysis.undefined_vars(tir.Evaluate(expr), [])
    return variables[0] if len(variables) == 1 else None


def _moves_along(place: tir.PrimExpr, var: tir.Var) -> bool:
    """Whether ``place`` is ``var`` plus a constant: the lanes keep their order."""
    return isinstance(tvm.arith.Analyzer().simplify(place - var), tir.IntImm)


def _stays_inside(place: tir.PrimExpr, var: tir.Var, extent: int, size: int) -> bool:
    analyzer = tvm.arith.Analyzer()
    analyzer.bind(var, tvm.ir.Range(0, extent))
    return bool(analyzer.can_prove(tir.all(place >= 0, place < size)))


def _product(left: tir.Buffer, right: tir.Buffer, result: tir.Buffer) -> tir.Stmt:
    rows, columns = result.shape
    regions = [region_call(whole(left), 1), region_call(whole(right), 1), region_call(whole(result), 2)]
    flags = [tir.IntImm("bool", False), tir.IntImm("bool", False)]
    sizes = [rows, columns, left.shape[1], tir.IntImm("int32", _SQUARE_POLICY)]
    rest = [tir.IntImm("bool", True), *[tir.IntImm("int32", 0)] * 3]
    op = tvm.ir.Op.get("tl.tileop.gemm")
    return tir.Evaluate(tir.Call("handle", op, [*regions, *flags, *sizes, *rest]))


def _first_in_block(stmt: tir.Stmt, constants: list[tir.Stmt]) -> tir.Stmt:
    """``stmt`` with ``constants`` in front of what each block does."""
    if not constants:
        return stmt
    if isinstance(stmt, tir.SeqStmt):
        return sequence([_first_in_block(child, constants) if _has_launch(child) else child for child in stmt.seq])
    if isinstance(stmt, tir.For) and stmt.kind == tir.ForKind.THREAD_BINDING:
        inner = _first_in_block(stmt.body, constants) if _has_launch(stmt.body) else sequence([*constants, stmt.body])
        return with_body(stmt, inner)
    return stmt


def _has_launch(stmt: tir.Stmt) -> bool:
    found = False

    def visit(node: object) -> None:
        nonlocal found
        found = found or (isinstance(node, tir.For) and node.kind == tir.ForKind.THREAD_BINDING)

    tir.stmt_functor.post_order_visit(stmt, visit)
    return found
