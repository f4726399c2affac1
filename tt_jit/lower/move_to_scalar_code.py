"""Choose what runs element by element: statements without a tile form, and what only serves them.

Why: a tile machine moves and computes whole tiles. A statement that picks elements by computed places, cuts a tile in
the middle or branches on single values still has to run: one data-movement core (the reader) runs it as plain loops.
Here, and only here, is decided which statements those are. Copies, fills and integer variables whose buffers nothing
but such code uses go with it, and so do loops and branches around nothing else. A buffer that only such code uses
becomes an array; one that tile statements use as well stays in tiles, and is copied to the reader and back.

Before::

    tt_scalar_code: for tx in serial(64): total[tx] = x_shared[tx * 7 % 64]
    for i, j in parallel(64, 64): Y_local[i, j] = Y_local[i, j] * total[i]

After::

    copy(x_shared, x_shared_read)
    tt_scalar_code: for tx in serial(64): total_written[tx] = x_shared_read[tx * 7 % 64]
    copy(total_written, total)
    for i, j in parallel(64, 64): Y_local[i, j] = Y_local[i, j] * total[i]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .copied_blocks import copied_blocks
from .names import NewBuffers
from .ops import do
from .scalar_code import COPY_TILES, SERIAL_THREADS, blocks_of, elements_of, overwrites, tiles_of
from .scalar_loops import has_serial_loops, serial_loops
from .tile_form import reason_for_scalar_code
from .tile_ir import (
    ARRAY_SCOPE,
    GLOBAL_SCOPE,
    Elementwise,
    TileCopy,
    TileFill,
    copy,
    is_scalar_code,
    is_scalar_variable,
    leaves,
    loads_in,
    parse,
    scalar_code,
    sequence,
    statements_of,
    whole,
    with_body,
    with_span_of,
)


def move_to_scalar_code(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Wrap what runs element by element, and give it buffers of its own."""
    parts = statements_of(func.body)
    allocations = [part.buffer for part in parts if isinstance(part, tir.AllocBuffer)]
    body = sequence([part for part in parts if not isinstance(part, tir.AllocBuffer)])
    copied = copied_blocks(body)
    forced: set[int] = set()
    for stmt in leaves(body):
        why = str(stmt.node.value) if is_scalar_code(stmt) else reason_for_scalar_code(stmt, copied)
        if why is not None:
            forced.add(hash(stmt))
            _note(stmt, why, context)
    if not forced:
        return func
    choice = _Choice(body=body, chosen=_with_other_stores(body, forced))
    choice.extend()
    body = choice.merged(body)
    tiled = _used_in_tiles(body)
    _check_variables(body)
    arrays = {
        buffer.name: tir.decl_buffer(buffer.shape, buffer.dtype, buffer.name, scope=ARRAY_SCOPE)
        for buffer in allocations
        if buffer.name not in tiled and _is_used(body, buffer)
    }
    streams = _Streams(new=NewBuffers.of(func), arrays=arrays)
    body = streams.statement(body)
    kept = [arrays.get(b.name, b) for b in allocations if b.name in arrays or _is_used(body, b)]
    return func.with_body(streams.new.declared(sequence([*map(tir.AllocBuffer, kept), body])))


def _note(stmt: tir.Stmt, why: str, context: LoweringContext) -> None:
    """Tell the user, unless the pass that made the code has done so."""
    if why != SERIAL_THREADS:
        context.note(
            what="this runs element by element on a data-movement core",
            why=why,
            hint="element-wise steps follow each loop with stride 1, in blocks of whole 32 x 32 tiles",
            at=stmt.body if is_scalar_code(stmt) else stmt,
        )


def _with_other_stores(body: tir.Stmt, forced: set[int]) -> set[int]:
    """``forced`` and all other stores to the tensors that it writes: one core must see them in order."""
    written = {
        element.buffer.name
        for stmt in leaves(body)
        if hash(stmt) in forced
        for element in _elements(stmt)
        if element.is_write and element.buffer.scope() == GLOBAL_SCOPE
    }
    more = set(forced)
    for stmt in leaves(body):
        target = _stored_tensor(stmt)
        if target is not None and target in written and has_serial_loops(parse(stmt)):
            more.add(hash(stmt))
    return more


def _stored_tensor(stmt: tir.Stmt) -> str | None:
    record = parse(stmt)
    if isinstance(record, (TileCopy, TileFill)) and record.destination.is_global:
        return str(record.destination.buffer.name)
    if isinstance(record, Elementwise) and record.store.buffer.scope() == GLOBAL_SCOPE:
        return str(record.store.buffer.name)
    return None


def _elements(stmt: tir.Stmt) -> list[Any]:
    """The element accesses of a leaf, were it run as scalar code."""
    if is_scalar_code(stmt):
        return elements_of(stmt.body)
    record = parse(stmt)
    if record is not None and has_serial_loops(record):
        return elements_of(serial_loops(record, stmt))
    return elements_of(stmt)


def _on_chip(stmt: tir.Stmt) -> set[str]:
    """Names of the on-chip buffers and variables that a leaf mentions."""
    found: set[str] = set()

    def visit(node: object) -> None:
        if isinstance(node, (tir.BufferLoad, tir.BufferStore)) and node.buffer.scope() != GLOBAL_SCOPE:
            found.add(node.buffer.name)

    tir.stmt_functor.post_order_visit(stmt, visit)
    return found


def _condition_names(stmt: tir.Stmt) -> set[str]:
    """The on-chip buffers in the head of a loop or branch."""
    if isinstance(stmt, tir.For):
        heads: list[tir.PrimExpr] = [stmt.min, stmt.extent]
    elif isinstance(stmt, (tir.IfThenElse, tir.While)):
        heads = [stmt.condition]
    else:
        return set()
    return {load.buffer.name for head in heads for load in loads_in(head) if load.buffer.scope() != GLOBAL_SCOPE}


def _is_control(stmt: tir.Stmt) -> bool:
    if isinstance(stmt, tir.For):
        return stmt.kind != tir.ForKind.PARALLEL
    return isinstance(stmt, (tir.While, tir.IfThenElse))


@dataclass(kw_only=True)
class _Choice:
    """Which leaves run element by element."""

    body: tir.Stmt
    chosen: set[int]

    def extend(self) -> None:
        """Add the copies, fills and variables that serve only what is chosen."""
        forced = set(self.chosen)
        companions = [stmt for stmt in leaves(self.body) if hash(stmt) not in forced and _may_follow(stmt)]
        self.chosen |= {hash(stmt) for stmt in companions}
        while True:
            elsewhere = self.names_elsewhere(self.body)
            reached = self.reached_from(forced)
            leave = {
                hash(stmt)
                for stmt in companions
                if hash(stmt) in self.chosen and (_on_chip(stmt) & elsewhere or not _on_chip(stmt) & reached)
            }
            if not leave:
                return
            self.chosen -= leave

    def names_elsewhere(self, stmt: tir.Stmt) -> set[str]:
        """The on-chip buffers that statements and conditions outside of the chosen code mention."""
        if isinstance(stmt, tir.SeqStmt):
            return set().union(*(self.names_elsewhere(child) for child in stmt.seq))
        if _is_control(stmt):
            if self.is_scalar(stmt):
                return set()
            parts = [stmt.then_case, stmt.else_case] if isinstance(stmt, tir.IfThenElse) else [stmt.body]
            inner = [self.names_elsewhere(part) for part in parts if part is not None]
            return _condition_names(stmt).union(*inner)
        return set() if hash(stmt) in self.chosen else _on_chip(stmt)

    def reached_from(self, forced: set[int]) -> set[str]:
        """The on-chip buffers that the forced code uses, directly or through chosen statements."""
        reached: set[str] = set()
        known = -1
        while known != len(reached):
            known = len(reached)
            for stmt in leaves(self.body):
                names = _on_chip(stmt)
                if hash(stmt) in forced or (hash(stmt) in self.chosen and names & reached):
                    reached |= names
            reached |= self.conditions(self.body)
        return reached

    def conditions(self, stmt: tir.Stmt) -> set[str]:
        """What the heads of loops and branches read that become scalar code."""
        if isinstance(stmt, tir.SeqStmt):
            return set().union(*(self.conditions(child) for child in stmt.seq))
        if not _is_control(stmt):
            return set()
        parts = [stmt.then_case, stmt.else_case] if isinstance(stmt, tir.IfThenElse) else [stmt.body]
        found = set().union(*(self.conditions(part) for part in parts if part is not None))
        return found | _condition_names(stmt) if self.is_scalar(stmt) else found

    def is_scalar(self, stmt: tir.Stmt) -> bool:
        """Whether ``stmt`` consists of chosen leaves only."""
        if isinstance(stmt, tir.For) and stmt.kind == tir.ForKind.THREAD_BINDING:
            return False
        inside = list(leaves(stmt))
        return bool(inside) and all(hash(leaf) in self.chosen for leaf in inside)

    def merged(self, stmt: tir.Stmt) -> tir.Stmt:
        """``stmt`` with runs of chosen statements as one block each."""
        if isinstance(stmt, tir.SeqStmt):
            result: list[tir.Stmt] = []
            group: list[tir.Stmt] = []
            for child in stmt.seq:
                if self.is_scalar(child):
                    group.append(self.plain(child))
                    continue
                result += [scalar_code(sequence(group))] if group else []
                group = []
                result.append(self.merged(child))
            return sequence([*result, *([scalar_code(sequence(group))] if group else [])])
        if self.is_scalar(stmt):
            return scalar_code(self.plain(stmt))
        if not _is_control(stmt):
            return stmt
        if isinstance(stmt, tir.For):
            return with_body(stmt, self.merged(stmt.body))
        if isinstance(stmt, tir.While):
            return with_span_of(tir.While(stmt.condition, self.merged(stmt.body)), stmt)
        other = self.merged(stmt.else_case) if stmt.else_case is not None else None
        return with_span_of(tir.IfThenElse(stmt.condition, self.merged(stmt.then_case), other), stmt)

    def plain(self, stmt: tir.Stmt) -> tir.Stmt:
        """``stmt`` as serial loops, branches and stores."""
        if isinstance(stmt, tir.SeqStmt):
            return sequence([self.plain(child) for child in stmt.seq])
        if isinstance(stmt, tir.For) and stmt.kind != tir.ForKind.PARALLEL:
            loop = tir.For(stmt.loop_var, stmt.min, stmt.extent, tir.ForKind.SERIAL, self.plain(stmt.body))
            return with_span_of(loop, stmt)
        if isinstance(stmt, tir.While):
            return with_span_of(tir.While(stmt.condition, self.plain(stmt.body)), stmt)
        if isinstance(stmt, tir.IfThenElse):
            other = self.plain(stmt.else_case) if stmt.else_case is not None else None
            return with_span_of(tir.IfThenElse(stmt.condition, self.plain(stmt.then_case), other), stmt)
        if is_scalar_code(stmt):
            return stmt.body
        record = parse(stmt)
        if record is not None and has_serial_loops(record):
            return serial_loops(record, stmt)
        return stmt


def _may_follow(stmt: tir.Stmt) -> bool:
    """Whether ``stmt`` may run element by element if nothing but such code needs it."""
    if isinstance(stmt, tir.BufferStore) and is_scalar_variable(stmt.buffer):
        return True
    record = parse(stmt)
    if isinstance(record, Elementwise):
        return not record.loop_vars
    return isinstance(record, (TileFill, TileCopy))


def _used_in_tiles(body: tir.Stmt) -> set[str]:
    """The on-chip buffers that are mentioned outside of scalar code."""
    found: set[str] = set()

    def visit(stmt: tir.Stmt) -> None:
        if isinstance(stmt, tir.SeqStmt):
            for child in stmt.seq:
                visit(child)
        elif _is_control(stmt):
            found.update(_condition_names(stmt))
            for part in [stmt.then_case, stmt.else_case] if isinstance(stmt, tir.IfThenElse) else [stmt.body]:
                if part is not None:
                    visit(part)
        elif not is_scalar_code(stmt):
            found.update(_on_chip(stmt))

    visit(body)
    return found


def _check_variables(body: tir.Stmt) -> None:
    """Refuse integer variables that scalar code changes and other statements need: only the reader would know them."""
    tiled = _used_in_tiles(body)
    for stmt in (part for block in blocks_of(body) for part in leaves(block)):
        if isinstance(stmt, tir.BufferStore) and is_scalar_variable(stmt.buffer) and stmt.buffer.name in tiled:
            raise UnsupportedError(
                f"{stmt.buffer.name} is computed element by element, and steers tile operations",
                hint="compute it from loop variables and integer tensors",
                at=stmt,
            )


def _is_used(body: tir.Stmt, buffer: tir.Buffer) -> bool:
    found = False

    def visit(node: object) -> None:
        nonlocal found
        if isinstance(node, (tir.BufferLoad, tir.BufferStore)) and node.buffer.name == buffer.name:
            found = True

    tir.stmt_functor.post_order_visit(body, visit)
    return found


@dataclass(kw_only=True)
class _Streams:
    """Copies between tile code and scalar code, and arrays for what belongs to scalar code alone."""

    new: NewBuffers
    arrays: dict[str, tir.Buffer]
    streams: dict[str, tir.Buffer] = field(default_factory=dict)

    def stream(self, like: tir.Buffer, suffix: str) -> tir.Buffer:
        """The buffer through which ``like`` goes to the reader, or comes back; all blocks take the same one."""
        name = f"{like.name}_{suffix}"
        if name not in self.streams:
            self.streams[name] = self.new.allocate(name, like.shape, like.dtype)
        return self.streams[name]

    def statement(self, stmt: tir.Stmt) -> tir.Stmt:
        if isinstance(stmt, tir.SeqStmt):
            return sequence([self.statement(child) for child in stmt.seq])
        if is_scalar_code(stmt):
            return self.block(stmt)
        if not _is_control(stmt):
            return stmt
        if isinstance(stmt, tir.For):
            return with_body(stmt, self.statement(stmt.body))
        if isinstance(stmt, tir.While):
            return with_span_of(tir.While(stmt.condition, self.statement(stmt.body)), stmt)
        other = self.statement(stmt.else_case) if stmt.else_case is not None else None
        return with_span_of(tir.IfThenElse(stmt.condition, self.statement(stmt.then_case), other), stmt)

    def block(self, stmt: tir.AttrStmt) -> tir.Stmt:
        before: list[tir.Stmt] = []
        start: list[tir.Stmt] = []
        after: list[tir.Stmt] = []
        replaced = dict(self.arrays)
        for name, (buffer, written) in tiles_of(stmt.body).items():
            if name in self.arrays:
                continue
            if not written or not overwrites(statements_of(stmt.body), name):
                source = self.stream(buffer, "read")
                before.append(copy(whole(buffer), whole(source)))
                replaced[name] = source
            if written:
                target = self.stream(buffer, "written")
                if name in replaced:
                    start.append(do(COPY_TILES, _any_element(replaced[name]), _any_element(target)))
                after.append(copy(whole(target), whole(buffer)))
                replaced[name] = target
        body = sequence([*start, with_buffers(stmt.body, replaced)])
        return sequence([with_span_of(part, stmt) for part in (*before, scalar_code(body), *after)])


def _any_element(buffer: tir.Buffer) -> tir.BufferLoad:
    return tir.BufferLoad(buffer, [tir.IntImm("int32", 0) for _ in buffer.shape])


def with_buffers(body: tir.Stmt, replaced: dict[str, tir.Buffer]) -> tir.Stmt:
    """``body`` with buffers replaced by name."""

    def visit(node: Any) -> object | None:
        fresh = replaced.get(node.buffer.name)
        if fresh is None or node.buffer.scope() == GLOBAL_SCOPE:
            return None
        if isinstance(node, tir.BufferLoad):
            return tir.BufferLoad(fresh, list(node.indices))
        return with_span_of(tir.BufferStore(fresh, node.value, list(node.indices)), node)

    return tir.stmt_functor.ir_transform(body, None, visit, ["tirx.BufferLoad", "tirx.BufferStore"])
