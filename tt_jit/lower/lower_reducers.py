"""Turn reducers into element-wise work and tile reductions.

Why: a reducer collects contributions of all lanes of a ``T.Parallel`` loop. On tiles that is an element-wise value for
every lane, then a reduction over the loop variables that the index of the reducer does not mention.

Before::

    reducer_init(total)
    for i, j in parallel(64, 128): total[i] = total[i] + x[i, j] * x[i, j]
    finalize_reducer(total, y)

After::

    fill(total, 0)
    for i, j in parallel(64, 128): total_lanes[i, j] = x[i, j] * x[i, j]
    reduce(total_lanes, total, "sum", 1, False)
    copy(total, y)
"""

from __future__ import annotations

from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .names import NewBuffers
from .reduction_identity import reduction_identity
from .tile_ir import (
    Elementwise,
    copy,
    fill,
    parallel,
    parse,
    reduce,
    region_of,
    rewrite,
    same_load,
    sequence,
    tile_operator_name,
    uses_var,
    whole,
    with_span_of,
)

REDUCER_SCOPE = "local.reducer"
REDUCERS_ATTRIBUTE = "tt_reducers"
_OPERATIONS = ("sum", "max", "min")
_COMBINED = {"Add": "sum", "Max": "max", "Min": "min"}


def lower_reducers(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Rewrite every use of a ``T.alloc_reducer`` buffer."""
    operations = {str(name): str(op) for name, op in func.attrs.get(REDUCERS_ATTRIBUTE, {}).items()}
    lowerer = _ReducerLowerer(new=NewBuffers.of(func), operations=operations)
    body = rewrite(func.body, lowerer.leaf)
    return func.with_body(lowerer.new.declared(body))


@dataclass(kw_only=True)
class _ReducerLowerer:
    new: NewBuffers
    operations: dict[str, str]

    def leaf(self, stmt: tir.Stmt) -> tir.Stmt | None:
        name = tile_operator_name(stmt)
        if name == "reducer_init":
            region = region_of(stmt.value.args[0])
            return fill(region, reduction_identity(self.operation(region.buffer), region.buffer.dtype))
        if name is not None and name.startswith("finalize_reducer"):
            return self.finalize(stmt)
        record = parse(stmt)
        if isinstance(record, Elementwise) and self.is_reducer(record.store.buffer):
            return self.update(record, stmt)
        return None

    def is_reducer(self, buffer: tir.Buffer) -> bool:
        """Whether T.alloc_reducer made the buffer; its older form is an ordinary fragment with an annotation."""
        return buffer.scope() == REDUCER_SCOPE or buffer.name in self.operations

    def operation(self, buffer: tir.Buffer) -> str:
        operation = self.operations.get(buffer.name, "sum")
        if operation not in _OPERATIONS:
            raise UnsupportedError(f"the reducer {buffer.name} with op={operation!r}", hint="use sum, max or min")
        return operation

    @staticmethod
    def finalize(stmt: tir.Evaluate) -> tir.Stmt:
        regions = [region_of(arg) for arg in stmt.value.args if isinstance(arg, tir.Call)]
        return copy(regions[0], regions[1]) if len(regions) > 1 else sequence([])

    def update(self, record: Elementwise, stmt: tir.Stmt) -> tir.Stmt | None:
        store = record.store
        value = store.value
        kind = _COMBINED.get(type(value).__name__)
        old = tir.BufferLoad(store.buffer, list(store.indices))
        if kind is None or not isinstance(value.a, tir.BufferLoad) or not same_load(value.a, old):
            return None
        if all(uses_var(_tuple(store.indices), [v]) for v in record.loop_vars):
            return None
        lanes = self.new.allocate(f"{store.buffer.name}_lanes", record.extents, store.buffer.dtype)
        work = parallel(record.loop_vars, record.extents, tir.BufferStore(lanes, value.b, list(record.loop_vars)))
        parts = [with_span_of(work, stmt)]
        extents, variables = list(record.extents), list(record.loop_vars)
        while len(extents) > 1 and any(not uses_var(_tuple(store.indices), [v]) for v in variables):
            dim = max(d for d, v in enumerate(variables) if not uses_var(_tuple(store.indices), [v]))
            del extents[dim], variables[dim]
            last = not any(not uses_var(_tuple(store.indices), [v]) for v in variables)
            part = f"{store.buffer.name}_part"
            target = store.buffer if last else self.new.allocate(part, extents, store.buffer.dtype)
            parts.append(with_span_of(reduce(whole(lanes), whole(target), kind, dim, not last), stmt))
            lanes = target
        if not lanes.same_as(store.buffer):
            parts.append(with_span_of(reduce(whole(lanes), whole(store.buffer), kind, 0, False), stmt))
        return sequence(parts)


def _tuple(indices: list[tir.PrimExpr]) -> tir.PrimExpr:
    """The indices as one expression, to ask which variables occur."""
    return tir.Call("handle", tvm.ir.Op.get("tirx.tvm_tuple"), list(indices))
