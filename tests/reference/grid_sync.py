"""T.sync_grid: a launch whose blocks wait for each other becomes one launch for each part between the waits."""

from typing import Any

from tilelang import tvm

from .formats import UnsupportedByInterpreter

tirx = tvm.tirx


def split_at_grid_syncs(statement: Any) -> Any:
    """``statement`` with its launches split. On-chip memory is new, hence uninitialised, in each part."""
    if not _waits(statement):
        return statement
    if isinstance(statement, tirx.SeqStmt):
        return tirx.SeqStmt([split_at_grid_syncs(child) for child in statement.seq])
    if isinstance(statement, tirx.SBlockRealize) and not _is_launch(statement.block.body):
        block = statement.block
        return tirx.SBlockRealize(
            statement.iter_values,
            statement.predicate,
            _with_body(block, split_at_grid_syncs(block.body)),
        )
    return tirx.SeqStmt([_nest(statement, part) for part in _parts(_innermost(statement))])


def _is_launch(statement: Any) -> bool:
    return isinstance(statement, tirx.SeqStmt) and any(map(_is_wait, statement.seq))


def _is_wait(statement: Any) -> bool:
    return (
        isinstance(statement, tirx.Evaluate)
        and isinstance(statement.value, tirx.Call)
        and str(getattr(statement.value.op, "name", "")) == "tl.sync_grid"
    )


def _waits(statement: Any) -> bool:
    found = False

    def visit(node: Any) -> None:
        nonlocal found
        found = found or _is_wait(node)

    tirx.stmt_functor.post_order_visit(statement, visit)
    return found


def _child(statement: Any) -> Any:
    """The statement inside that has the wait."""
    if isinstance(statement, tirx.SBlockRealize):
        return statement.block.body
    if isinstance(statement, tirx.SeqStmt):
        return next(child for child in statement.seq if _waits(child))
    if isinstance(statement, tirx.AttrStmt) or (
        isinstance(statement, tirx.For) and int(statement.kind) == int(tirx.ForKind.THREAD_BINDING)
    ):
        return statement.body
    raise UnsupportedByInterpreter("T.sync_grid inside a loop or a condition")


def _innermost(statement: Any) -> Any:
    while not _is_launch(statement):
        statement = _child(statement)
    return statement


def _parts(sequence: Any) -> list[Any]:
    """What lies between the waits; the names bound earlier are bound again."""
    binds: list[Any] = []
    parts: list[list[Any]] = [[]]
    for child in sequence.seq:
        if _is_wait(child):
            parts.append(list(binds))
            continue
        if isinstance(child, tirx.Bind):
            binds.append(child)
        parts[-1].append(child)
    return [tirx.SeqStmt(part) if len(part) > 1 else part[0] for part in parts if part]


def _nest(statement: Any, part: Any) -> Any:
    """``statement`` with ``part`` where it has the statements around the waits."""
    if _is_launch(statement):
        return part
    inner = _nest(_child(statement), part)
    if isinstance(statement, tirx.SBlockRealize):
        return tirx.SBlockRealize(statement.iter_values, statement.predicate, _with_body(statement.block, inner))
    if isinstance(statement, tirx.SeqStmt):
        return tirx.SeqStmt([inner if _waits(child) else child for child in statement.seq])
    if isinstance(statement, tirx.AttrStmt):
        return tirx.AttrStmt(statement.node, statement.attr_key, statement.value, inner)
    return tirx.For(
        statement.loop_var, statement.min, statement.extent, statement.kind, inner, statement.thread_binding
    )


def _with_body(block: Any, body: Any) -> Any:
    return tirx.SBlock(
        block.iter_vars,
        block.reads,
        block.writes,
        block.name_hint,
        body,
        block.init,
        block.alloc_buffers,
        block.match_buffers,
        block.annotations,
    )
