"""``tvm_thread_allreduce``: a value of every thread is combined along some of the thread axes; all get the result."""

from collections.abc import Callable
from typing import Any

import numpy as np
from tilelang import tvm

from .expressions import MASK, ExpressionCompiler, Frame
from .formats import UnsupportedByInterpreter
from .memory import scatter, scatter_target

tirx = tvm.tirx
THREAD_AXES = 3
_COMBINERS: dict[type, np.ufunc] = {tirx.Add: np.add, tirx.Max: np.fmax, tirx.Min: np.fmin, tirx.Mul: np.multiply}


def combiner(reducer: Any) -> np.ufunc:
    """What a TIR CommReducer computes of two values."""
    found = _COMBINERS.get(type(reducer.result[0]))
    if len(reducer.result) != 1 or found is None:
        raise UnsupportedByInterpreter(f"reduction {reducer}")
    return found


def thread_reduction(
    call: Any,
    expressions: ExpressionCompiler,
    combine: np.ufunc | None,
    threads: Callable[[], tuple[int, int, int]],
) -> Callable[[Frame], None]:
    """Runs ``tvm_thread_allreduce(1, value, condition, result, *thread indices)``."""
    if combine is None or int(call.args[0]) != 1:
        raise UnsupportedByInterpreter(f"thread reduction {call}")
    value, condition = expressions.compile(call.args[1]), expressions.compile(call.args[2])
    result = call.args[3]
    access = expressions.buffer(result.buffer)
    indices = [expressions.compile(index) for index in result.indices]
    axes = tuple(expressions.scope.lane_axis[var] for var in call.args[4:])
    rank = expressions.scope.rank
    identity = combine.identity if combine.identity is not None else -np.inf if combine is np.fmax else np.inf

    def reduce(frame: Frame) -> None:
        lanes = (*threads(), *[1] * (rank - THREAD_AXES))
        values = np.broadcast_to(value(frame), lanes)
        active = np.broadcast_to(condition(frame), lanes)
        if frame[MASK] is not None:
            active = active & frame[MASK]
        chosen = np.where(active, values, np.asarray(identity, values.dtype))
        total = combine.reduce(chosen, axis=axes, keepdims=True)
        position = [index(frame) for index in indices]
        target = scatter_target(
            access.storage(frame),
            access.dtype,
            access.shape_of(frame),
            position,
            frame[MASK],
            value=total,
            private=True,
            rank=rank,
            thread_axes=THREAD_AXES,
        )
        scatter(target, total)

    return reduce
