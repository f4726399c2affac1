"""Reading and building tile statements: the TileLang operations that the lowering works on, as plain records.

``parse`` turns one TIR statement into a record (or None for control flow); the passes pattern-match on records and
write TIR back with the builders below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import tilelang.ir as tilelang_ir
import tvm
from tvm import tirx as tir
from tvm.tirx import PrimExpr

from ..errors import TTJitError
from .ops import scalar_source

GLOBAL_SCOPE = "global"
ARRAY_SCOPE = "local.array"
"""Memory of scalar code: variables and arrays of the reader, not cut into tiles."""
SCALAR_CODE = "tt_scalar_code"


@dataclass(frozen=True, kw_only=True)
class Region:
    """A box of a buffer: ``mins`` and ``extents`` per dimension, in elements."""

    buffer: tir.Buffer
    mins: tuple[PrimExpr, ...]
    extents: tuple[PrimExpr, ...]

    @property
    def is_global(self) -> bool:
        """Whether the buffer lives in DRAM."""
        return self.buffer.scope() == GLOBAL_SCOPE

    @property
    def kept_dims(self) -> tuple[int, ...]:
        """Dimensions whose extent is not 1 (copies pair these, in order)."""
        return tuple(d for d, e in enumerate(self.extents) if not is_const_int(e, 1))

    @property
    def is_whole(self) -> bool:
        """Whether the region covers its buffer."""
        return all(is_const_int(m, 0) for m in self.mins) and all(
            tvm.ir.structural_equal(e, s) for e, s in zip(self.extents, self.buffer.shape, strict=True)
        )


@dataclass(frozen=True, kw_only=True)
class TileCopy:
    """``destination = source`` with a cast where the dtypes differ."""

    source: Region
    destination: Region


@dataclass(frozen=True, kw_only=True)
class TileFill:
    """Every element of ``destination`` becomes ``value``."""

    destination: Region
    value: PrimExpr


@dataclass(frozen=True, kw_only=True)
class TileGemm:
    """``c (+)= op(a) @ op(b)``; ``clear`` says when ``c`` starts from zero."""

    a: Region
    b: Region
    c: Region
    transpose_a: bool
    transpose_b: bool
    clear: PrimExpr


@dataclass(frozen=True, kw_only=True)
class TileReduce:
    """``destination = reduce(source, dim)``, folding in the old value unless ``clear``."""

    source: Region
    destination: Region
    kind: str
    dim: int
    clear: bool


@dataclass(frozen=True, kw_only=True)
class TileTranspose:
    """``destination = source`` transposed."""

    source: Region
    destination: Region


@dataclass(frozen=True, kw_only=True)
class Elementwise:
    """``T.Parallel`` over ``loop_vars``: one store, evaluated for every index."""

    loop_vars: tuple[tir.Var, ...]
    extents: tuple[int, ...]
    store: tir.BufferStore


@dataclass(frozen=True, kw_only=True)
class TileScan:
    """``destination[i, :] = sum of source[0..i, :]``: cumulative sums along the rows."""

    source: Region
    destination: Region


@dataclass(frozen=True, kw_only=True)
class TileIndexFill:
    """``destination`` (one tile) gets the row or column number of each lane; ``axis`` is ``row`` or ``col``."""

    destination: Region
    axis: str


@dataclass(frozen=True, kw_only=True)
class TileScatter:
    """``target = source`` (or ``update(target, source)``) for all values of ``loop_vars``, where ``mask`` is not 0.

    ``source`` and ``mask`` are on-chip buffers indexed by the loop variables; ``update``: ``add``, ``max``, ``min``.
    """

    target: tir.BufferLoad
    source: tir.Buffer
    mask: tir.Buffer | None
    update: str | None
    loop_vars: tuple[tir.Var, ...]
    extents: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class TileScalarCode:
    """Loops over single elements of tensors, tiles and arrays, which the reader runs as they stand."""

    body: tir.Stmt


@dataclass(frozen=True, kw_only=True)
class ScalarRead:
    """``var = load``, an element of an on-chip buffer that steers control flow: the reader fetches it."""

    var: tir.Var
    load: tir.BufferLoad


TileStatement = (
    ScalarRead
    | TileScalarCode
    | TileScatter
    | TileScan
    | TileIndexFill
    | TileCopy
    | TileFill
    | TileGemm
    | TileReduce
    | TileTranspose
    | Elementwise
)


def is_integer(buffer: tir.Buffer) -> bool:
    """Whether the buffer holds integers or booleans."""
    return str(buffer.dtype).startswith(("int", "uint", "bool"))


def is_scalar_variable(buffer: tir.Buffer) -> bool:
    """Whether ``buffer`` is an integer ``T.alloc_var``: a variable of all three kernels."""
    return buffer.scope() == "local.var" and is_integer(buffer)


def is_scalar_code(stmt: object) -> bool:
    """Whether ``stmt`` is code for single elements."""
    return isinstance(stmt, tir.AttrStmt) and stmt.attr_key == SCALAR_CODE


def scalar_code(body: tir.Stmt, why: str = "reader") -> tir.Stmt:
    """``body`` as code for single elements; ``why`` it is that, until a performance note says so."""
    return with_span_of(tir.AttrStmt(tir.StringImm(why), SCALAR_CODE, tir.IntImm("int32", 1), body), body)


def is_gather(record: object) -> TypeGuard[Elementwise]:
    """Whether an element-wise statement is a bare load of a tensor, which the reader performs lane by lane."""
    if not isinstance(record, Elementwise) or record.store.buffer.scope() == GLOBAL_SCOPE:
        return False
    return isinstance(record.store.value, tir.BufferLoad) and record.store.value.buffer.scope() == GLOBAL_SCOPE


def is_const_int(expr: object, value: int) -> bool:
    """Whether ``expr`` is the integer constant ``value``."""
    return isinstance(expr, tir.IntImm) and int(expr.value) == value


def tile_operator_name(stmt: tir.Stmt) -> str | None:
    """``copy`` for ``Evaluate(tl.tileop.copy(...))``; None for anything else."""
    if isinstance(stmt, tir.Evaluate) and isinstance(stmt.value, tir.Call):
        op = stmt.value.op
        if isinstance(op, tvm.ir.Op) and op.name.startswith("tl.tileop."):
            return op.name.removeprefix("tl.tileop.")
        if isinstance(op, tvm.ir.Op) and op.name in ("tt.index_tile", "tt.scan", "tt.scatter_tile"):
            return op.name.removeprefix("tt.")
    return None


def region_of(call: PrimExpr) -> Region:
    """Decode ``tl.region(BufferLoad(buffer, mins), access, *extents)``."""
    load = call.args[0]
    return Region(buffer=load.buffer, mins=tuple(load.indices), extents=tuple(call.args[2:]))


def parse(stmt: tir.Stmt) -> TileStatement | None:
    """The record of a tile statement, or None when ``stmt`` is not one."""
    if isinstance(stmt, tir.For) and stmt.kind == tir.ForKind.PARALLEL:
        return _parse_parallel(stmt)
    if isinstance(stmt, tir.Bind):
        source = scalar_source(stmt)
        on_chip = source is not None and source.buffer.scope() != GLOBAL_SCOPE
        return ScalarRead(var=stmt.var, load=source) if on_chip else None
    if isinstance(stmt, tir.BufferStore) and not is_scalar_variable(stmt.buffer):
        return Elementwise(loop_vars=(), extents=(), store=stmt)
    if is_scalar_code(stmt):
        return TileScalarCode(body=stmt.body)
    name = tile_operator_name(stmt)
    if name is None:
        return None
    args = stmt.value.args
    if name == "scan":
        return TileScan(source=region_of(args[0]), destination=region_of(args[1]))
    if name == "scatter_tile":
        return _parse_scatter(args)
    if name == "index_tile":
        return TileIndexFill(destination=region_of(args[0]), axis=str(args[1].value))
    if name == "copy":
        return TileCopy(source=region_of(args[0]), destination=region_of(args[1]))
    if name == "fill":
        return TileFill(destination=region_of(args[0]), value=args[1])
    if name == "gemm":
        return TileGemm(
            a=region_of(args[0]),
            b=region_of(args[1]),
            c=region_of(args[2]),
            transpose_a=bool(args[3].value),
            transpose_b=bool(args[4].value),
            clear=args[9],
        )
    if name == "reduce":
        return TileReduce(
            source=region_of(args[0]),
            destination=region_of(args[1]),
            kind=str(args[2].value),
            dim=int(args[3].value),
            clear=bool(args[4].value),
        )
    if name == "transpose":
        return TileTranspose(source=region_of(args[0]), destination=region_of(args[1]))
    return None


def _parse_scatter(args: Sequence[Any]) -> TileScatter:
    target, source, mask, update, *loops = args
    rank = len(loops) // 2
    return TileScatter(
        target=target,
        source=region_of(source).buffer,
        mask=None if is_const_int(mask, 0) else region_of(mask).buffer,
        update=str(update.value) or None,
        loop_vars=tuple(loops[:rank]),
        extents=tuple(int(extent.value) for extent in loops[rank:]),
    )


def _parse_parallel(stmt: tir.For) -> Elementwise | None:
    loop_vars, extents, body = [], [], stmt
    while isinstance(body, tir.For) and body.kind == tir.ForKind.PARALLEL:
        if not isinstance(body.extent, tir.IntImm):
            return None
        loop_vars.append(body.loop_var)
        extents.append(int(body.extent.value))
        body = body.body
    if not isinstance(body, tir.BufferStore):
        return None
    return Elementwise(loop_vars=tuple(loop_vars), extents=tuple(extents), store=body)


# ---- builders ------------------------------------------------------------------------------------------------------


def with_span_of(new: tir.Stmt, old: tir.Stmt) -> tir.Stmt:
    """``new``, with the user's source line of ``old`` on every statement that has none."""
    tilelang_ir.stamp_stmt_spans(new, tilelang_ir.get_stmt_span(old))
    return new


def whole(buffer: tir.Buffer) -> Region:
    """The region that covers ``buffer``."""
    return Region(buffer=buffer, mins=tuple(tir.IntImm("int32", 0) for _ in buffer.shape), extents=tuple(buffer.shape))


def region_call(region: Region, access: int) -> PrimExpr:
    """``tl.region`` of ``region``; access 1 read, 2 write, 3 both."""
    load = tir.BufferLoad(region.buffer, list(region.mins))
    args = [load, tir.IntImm("int32", access), *region.extents]
    return tir.Call("handle", tvm.ir.Op.get("tl.region"), args)


def copy(source: Region, destination: Region) -> tir.Stmt:
    """``T.copy``."""
    op = tvm.ir.Op.get("tl.tileop.copy")
    return tir.Evaluate(tir.Call("handle", op, [region_call(source, 1), region_call(destination, 2)]))


def fill(destination: Region, value: PrimExpr) -> tir.Stmt:
    """``T.fill``."""
    op = tvm.ir.Op.get("tl.tileop.fill")
    return tir.Evaluate(tir.Call("handle", op, [region_call(destination, 2), value]))


def reduce(source: Region, destination: Region, kind: str, dim: int, clear: bool) -> tir.Stmt:
    """``T.reduce``; ``clear`` false folds the old destination in."""
    op = tvm.ir.Op.get("tl.tileop.reduce")
    flags = [tir.StringImm(kind), tir.IntImm("int32", dim), tir.IntImm("bool", clear)]
    regions = [region_call(source, 1), region_call(destination, 2 if clear else 3)]
    return tir.Evaluate(tir.Call("handle", op, [*regions, *flags]))


def transpose(source: Region, destination: Region) -> tir.Stmt:
    """``T.transpose``."""
    op = tvm.ir.Op.get("tl.tileop.transpose")
    return tir.Evaluate(tir.Call("handle", op, [region_call(source, 1), region_call(destination, 2)]))


def gemm_with(stmt: tir.Evaluate, record: TileGemm) -> tir.Stmt:
    """The gemm statement ``stmt`` with operands, transposes and clear of ``record``."""
    args = list(stmt.value.args)
    args[0], args[1] = region_call(record.a, 1), region_call(record.b, 1)
    args[2] = region_call(record.c, 2 if is_const_int(record.clear, 1) else 3)
    args[3], args[4] = tir.IntImm("bool", record.transpose_a), tir.IntImm("bool", record.transpose_b)
    args[9] = record.clear
    return with_span_of(tir.Evaluate(tir.Call(stmt.value.dtype, stmt.value.op, args, stmt.value.annotations)), stmt)


def parallel(loop_vars: Sequence[tir.Var], extents: Sequence[int], body: tir.Stmt) -> tir.Stmt:
    """Nested ``T.Parallel`` loops around ``body``."""
    for var, extent in zip(reversed(loop_vars), reversed(extents), strict=True):
        body = tir.For(var, tir.IntImm("int32", 0), tir.IntImm("int32", extent), tir.ForKind.PARALLEL, body)
    return body


def sequence(statements: Iterable[tir.Stmt]) -> tir.Stmt:
    """One statement made of ``statements`` (flattened)."""
    flat = list(flatten(statements))
    if not flat:
        return tir.Evaluate(tir.IntImm("int32", 0))
    return flat[0] if len(flat) == 1 else tir.SeqStmt(flat)


def flatten(statements: Iterable[tir.Stmt]) -> Iterator[tir.Stmt]:
    """The statements with nested sequences spliced in and no-ops dropped."""
    for stmt in statements:
        if isinstance(stmt, tir.SeqStmt):
            yield from flatten(stmt.seq)
        elif not is_nop(stmt):
            yield stmt


def is_nop(stmt: tir.Stmt) -> bool:
    """Whether the statement does nothing (``Evaluate`` of a constant)."""
    return isinstance(stmt, tir.Evaluate) and isinstance(stmt.value, tir.IntImm)


def statements_of(stmt: tir.Stmt) -> list[tir.Stmt]:
    """``stmt`` as a list of statements."""
    return list(flatten([stmt]))


def with_body(stmt: tir.For, body: tir.Stmt) -> tir.For:
    """The loop with another body; kind, annotations and source line stay."""
    loop = tir.For(
        stmt.loop_var, stmt.min, stmt.extent, stmt.kind, body, stmt.thread_binding, stmt.annotations or None, stmt.step
    )
    return with_span_of(loop, stmt)


def rewrite(stmt: tir.Stmt, leaf: Callable[[tir.Stmt], tir.Stmt | None]) -> tir.Stmt:
    """Rewrite every tile or simple statement; ``leaf`` returns a replacement, or None to keep it.

    Control flow (SeqStmt, serial For, IfThenElse, While) is rebuilt around the results; a ``T.Parallel`` nest is one
    leaf. An error that names no place is about the statement at hand.
    """
    if isinstance(stmt, tir.SeqStmt):
        return sequence([rewrite(s, leaf) for s in stmt.seq])
    if isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL:
        return with_body(stmt, rewrite(stmt.body, leaf))
    if isinstance(stmt, tir.IfThenElse):
        other = rewrite(stmt.else_case, leaf) if stmt.else_case is not None else None
        return with_span_of(tir.IfThenElse(stmt.condition, rewrite(stmt.then_case, leaf), other), stmt)
    if isinstance(stmt, tir.While):
        return with_span_of(tir.While(stmt.condition, rewrite(stmt.body, leaf)), stmt)
    try:
        replacement = leaf(stmt)
    except TTJitError as error:
        error.at = stmt if error.at is None else error.at
        raise
    return stmt if replacement is None else with_span_of(replacement, stmt)


def leaves(stmt: tir.Stmt) -> Iterator[tir.Stmt]:
    """Every tile or simple statement, in program order."""
    if isinstance(stmt, tir.SeqStmt):
        for child in stmt.seq:
            yield from leaves(child)
    elif (isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL) or isinstance(stmt, tir.While):
        yield from leaves(stmt.body)
    elif isinstance(stmt, tir.IfThenElse):
        yield from leaves(stmt.then_case)
        if stmt.else_case is not None:
            yield from leaves(stmt.else_case)
    elif not is_nop(stmt):
        yield stmt


def loads_in(expr: PrimExpr) -> list[tir.BufferLoad]:
    """Every buffer load inside ``expr`` (indices included), in evaluation order."""
    found: list[tir.BufferLoad] = []

    def visit(node: object) -> None:
        if isinstance(node, tir.BufferLoad):
            found.append(node)

    tir.stmt_functor.post_order_visit(tir.Evaluate(expr), visit)
    return found


def same_load(one: tir.BufferLoad, other: tir.BufferLoad) -> bool:
    """Whether two loads read the same element of the same buffer."""
    return one.buffer.same_as(other.buffer) and all(
        tvm.ir.structural_equal(a, b) for a, b in zip(one.indices, other.indices, strict=True)
    )


def outer_loads(expr: PrimExpr) -> list[tir.BufferLoad]:
    """The buffer loads of ``expr`` that are not inside the index of another load, in evaluation order."""
    loads = loads_in(expr)
    inner = [deep for load in loads for index in load.indices for deep in loads_in(index)]
    return [load for load in loads if not any(load.same_as(deep) for deep in inner)]


def replace_loads(expr: PrimExpr, replacements: Sequence[tuple[tir.BufferLoad, PrimExpr]]) -> PrimExpr:
    """``expr`` with every load that equals a first element replaced by the second."""

    def visit(node: Any) -> PrimExpr | None:
        for old, new in replacements:
            if same_load(node, old):
                return new
        return None

    # Outermost first: an index that is itself a load must not change before its own load is compared.
    return tir.stmt_functor.ir_transform(tir.Evaluate(expr), visit, None, ["tirx.BufferLoad"]).value


def replace_buffers(body: tir.Stmt, replacements: Mapping[tir.Var, tir.Buffer]) -> tir.Stmt:
    """``body`` with every buffer whose data is a key replaced, where it is declared, read and written."""

    def visit(node: tir.BufferLoad | tir.BufferStore | tir.AllocBuffer) -> object | None:
        buffer = replacements.get(node.buffer.data)
        if buffer is None:
            return None
        if isinstance(node, tir.BufferLoad):
            return tir.BufferLoad(buffer, list(node.indices))
        if isinstance(node, tir.AllocBuffer):
            return with_span_of(tir.AllocBuffer(buffer), node)
        return with_span_of(tir.BufferStore(buffer, node.value, list(node.indices)), node)

    kinds = ["tirx.BufferLoad", "tirx.BufferStore", "tirx.AllocBuffer"]
    return tir.stmt_functor.ir_transform(body, None, visit, kinds)


def uses_var(expr: PrimExpr, variables: Iterable[tir.Var]) -> bool:
    """Whether ``expr`` mentions one of ``variables``."""
    wanted = list(variables)
    hit = False

    def visit(node: object) -> None:
        nonlocal hit
        if isinstance(node, tir.Var) and any(node.same_as(v) for v in wanted):
            hit = True

    tir.stmt_functor.post_order_visit(tir.Evaluate(expr), visit)
    return hit
