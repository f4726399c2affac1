"""What code for single elements touches: tensors, tiles and its own variables and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from ..data_format import is_float_dtype
from ..errors import UnsupportedError
from .tile_ir import ARRAY_SCOPE, GLOBAL_SCOPE, is_const_int, is_scalar_code, is_scalar_variable, leaves, statements_of

COPY_TILES = "copy_tiles"
SERIAL_THREADS = "reader"
"""What scalar code of threads says about its reason; there is one note for all of it."""
_JUMPS = {"tl.loop_break": "break", "tirx.break_loop": "break", "tirx.continue_loop": "continue"}
ARRAY_MEMORY = "array_memory"
SCALAR_FUNCTIONS = frozenset(
    "exp __exp exp2 exp10 log __log log2 log10 sqrt rsqrt tanh sigmoid floor ceil fast_rcp fabs abs infinity "
    "reinterpret if_then_else likely bitwise_and bitwise_or bitwise_xor bitwise_not shift_left shift_right "
    "loop_break break_loop continue_loop".split()
)
"""What code for single elements may call."""
SCALAR_DTYPES = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float16 bfloat16 float8_e4m3fn float8_e4m3 "
    "float8_e5m2 custom[tfloat32]".split()
)
"""The dtypes of its variables and arrays."""
_ALIGNMENT = 64
_BYTES = {"int8": 1, "uint8": 1, "bool": 1, "int16": 2, "uint16": 2, "int64": 8, "uint64": 8}


@dataclass(frozen=True, kw_only=True)
class Element:
    """One access of an element; ``ranges`` are the loops around it."""

    buffer: tir.Buffer
    indices: tuple[tir.PrimExpr, ...]
    is_write: bool
    ranges: Mapping[tir.Var, tvm.ir.Range]


def elements_of(body: tir.Stmt) -> list[Element]:
    """Every load and store of ``body``, in program order."""
    found: list[Element] = []
    _collect(body, {}, found)
    return found


def _collect(stmt: tir.Stmt, ranges: dict[tir.Var, tvm.ir.Range], found: list[Element]) -> None:
    def expression(expr: tir.PrimExpr) -> None:
        def visit(node: object) -> None:
            if isinstance(node, tir.BufferLoad):
                found.append(
                    Element(buffer=node.buffer, indices=tuple(node.indices), is_write=False, ranges=dict(ranges))
                )

        tir.stmt_functor.post_order_visit(tir.Evaluate(expr), visit)

    if isinstance(stmt, tir.SeqStmt):
        for child in stmt.seq:
            _collect(child, ranges, found)
    elif isinstance(stmt, tir.For):
        expression(stmt.min)
        expression(stmt.extent)
        _collect(stmt.body, {**ranges, stmt.loop_var: tvm.ir.Range.from_min_extent(stmt.min, stmt.extent)}, found)
    elif isinstance(stmt, tir.IfThenElse):
        expression(stmt.condition)
        _collect(stmt.then_case, ranges, found)
        if stmt.else_case is not None:
            _collect(stmt.else_case, ranges, found)
    elif isinstance(stmt, tir.While):
        expression(stmt.condition)
        _collect(stmt.body, ranges, found)
    elif isinstance(stmt, tir.BufferStore):
        for part in (*stmt.indices, stmt.value):
            expression(part)
        found.append(Element(buffer=stmt.buffer, indices=tuple(stmt.indices), is_write=True, ranges=dict(ranges)))
    elif isinstance(stmt, (tir.Bind, tir.Evaluate)):
        expression(stmt.value)
    elif isinstance(stmt, tir.AttrStmt):
        _collect(stmt.body, ranges, found)
    else:
        raise UnsupportedError(f"a {type(stmt).__name__} statement in code for single elements", at=stmt)


def tensors_of(body: tir.Stmt) -> dict[str, bool]:
    """The tensors that ``body`` touches, in order of appearance, and whether it writes them."""
    found: dict[str, bool] = {}
    for element in elements_of(body):
        if element.buffer.scope() == GLOBAL_SCOPE:
            found[element.buffer.name] = found.get(element.buffer.name, False) or element.is_write
    return found


def tiles_of(body: tir.Stmt) -> dict[str, tuple[tir.Buffer, bool]]:
    """The on-chip buffers whose tiles ``body`` touches, and whether it writes them."""
    found: dict[str, tuple[tir.Buffer, bool]] = {}
    for element in elements_of(body):
        buffer = element.buffer
        if is_tiled(buffer):
            found[buffer.name] = (buffer, element.is_write or found.get(buffer.name, (buffer, False))[1])
    return found


def is_tiled(buffer: tir.Buffer) -> bool:
    """Whether ``buffer`` lives in tiles, as every on-chip buffer that is not scalar code's own."""
    return buffer.scope() not in (GLOBAL_SCOPE, ARRAY_SCOPE) and not is_scalar_variable(buffer)


def blocks_of(body: tir.Stmt) -> list[tir.Stmt]:
    """The scalar code of a program, block by block."""
    return [stmt.body for stmt in leaves(body) if is_scalar_code(stmt)]


@dataclass(frozen=True, kw_only=True)
class ArrayMemory:
    """Where the arrays of scalar code lie: byte offsets in one piece of L1, and its size."""

    offsets: Mapping[str, int]
    size: int


def array_memory(body: tir.Stmt) -> ArrayMemory:
    """The places of the arrays that ``body`` allocates, in their order; single values are C++ variables."""
    offsets, end = {}, 0
    for stmt in leaves(body):
        if not isinstance(stmt, tir.AllocBuffer) or stmt.buffer.scope() != ARRAY_SCOPE:
            continue
        count = 1
        for extent in stmt.buffer.shape:
            count *= int(extent.value)
        if count == 1:
            continue
        offsets[stmt.buffer.name] = end
        end += -(-count * element_bytes(str(stmt.buffer.dtype)) // 8) * 8
    return ArrayMemory(offsets=offsets, size=end + _ALIGNMENT if end else 0)


def element_bytes(dtype: str) -> int:
    """Bytes of one array element (floats of all widths are held as float32)."""
    return 4 if is_float_dtype(dtype) else _BYTES.get(dtype, 4)


def jump_of(stmt: tir.Stmt) -> str | None:
    """``break`` or ``continue`` for the statements of that meaning."""
    if not isinstance(stmt, tir.Evaluate) or not isinstance(stmt.value, tir.Call):
        return None
    return _JUMPS.get(stmt.value.op.name) if isinstance(stmt.value.op, tvm.ir.Op) else None


def reads_only_own_values(statements: Sequence[tir.Stmt], name: str) -> bool:
    """Whether ``statements`` read nothing of the buffer ``name`` that they have not stored before."""
    touching = [stmt for stmt in statements if _touches(stmt, name)]
    if not touching or overwrites(touching, name):
        return True
    if len(touching) > 1:
        return False
    (stmt,) = touching
    if isinstance(stmt, tir.IfThenElse):
        cases = [case for case in (stmt.then_case, stmt.else_case) if case is not None]
        inside = not _touches(tir.Evaluate(stmt.condition), name)
        return inside and all(reads_only_own_values(statements_of(case), name) for case in cases)
    if isinstance(stmt, tir.For):
        inside = not _touches(tir.Evaluate(stmt.min), name) and not _touches(tir.Evaluate(stmt.extent), name)
        return inside and reads_only_own_values(statements_of(stmt.body), name)
    if isinstance(stmt, tir.AttrStmt):
        return reads_only_own_values(statements_of(stmt.body), name)
    return all(element.is_write for element in elements_of(stmt) if element.buffer.name == name)


def _touches(stmt: tir.Stmt, name: str) -> bool:
    return any(element.buffer.name == name for element in elements_of(stmt))


def overwrites(statements: Sequence[tir.Stmt], name: str) -> bool:
    """Whether ``statements`` store every element of the buffer ``name`` before they read any of it."""
    for stmt in statements:
        mine = [element for element in elements_of(stmt) if element.buffer.name == name]
        if mine:
            return mine[0].is_write and _stores_all(stmt, name)
    return True


def _stores_all(stmt: tir.Stmt, name: str) -> bool:
    """Whether the first statement about ``name`` in ``stmt`` stores all of its elements, in loops of its own."""
    sizes: dict[tir.Var, tir.PrimExpr] = {}
    while isinstance(stmt, (tir.For, tir.SeqStmt)):
        if isinstance(stmt, tir.SeqStmt):
            touching = [child for child in stmt.seq if _touches(child, name)]
            if len(touching) > 1 and any(not is_const_int(size, 1) for size in _shape(touching[0], name)):
                return False
            stmt = touching[0]
            continue
        if not isinstance(stmt.extent, tir.IntImm) or int(stmt.extent.value) < 1:
            return False
        if is_const_int(stmt.min, 0):
            sizes[stmt.loop_var] = stmt.extent
        stmt = stmt.body
    if not isinstance(stmt, tir.BufferStore) or stmt.buffer.name != name:
        return False
    used: list[tir.Var] = []
    for index, size in zip(stmt.indices, stmt.buffer.shape, strict=True):
        if is_const_int(size, 1):
            continue
        extent = sizes.get(index) if isinstance(index, tir.Var) and not any(index.same_as(u) for u in used) else None
        if extent is None or not tvm.ir.structural_equal(extent, size):
            return False
        used.append(index)
    return True


def _shape(stmt: tir.Stmt, name: str) -> list[tir.PrimExpr]:
    return next(list(element.buffer.shape) for element in elements_of(stmt) if element.buffer.name == name)
