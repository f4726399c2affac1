"""Reference interpreter: runs a traced TileLang PrimFunc on the CPU, statement by statement, with numpy.

It is the oracle for kernels that have no handy torch formula. Blocks of the grid run one after the other; bodies of
``T.Parallel`` (and threads, in kernels that name their thread index) are numpy lanes. Reads past the end of a
tensor give 0, writes past the end are dropped, uninitialised on-chip memory is NaN.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from tilelang import tvm

from .expressions import ExpressionCompiler, Frame, Scope, operator_name
from .formats import Formats, UnsupportedByInterpreter, elements_per_byte, from_torch, is_float, to_torch
from .grid_sync import split_at_grid_syncs
from .memory import Storage
from .statements import LANE_LOOPS, StatementCompiler

tirx = tvm.tirx
Argument = torch.Tensor | int | float | None
Precision = Literal["declared", "float64"]

__all__ = ["Interpreter", "UnsupportedByInterpreter", "run"]


class Interpreter:
    """One PrimFunc, compiled to closures; call it as often as wanted."""

    def __init__(self, func: Any, *, precision: Precision = "declared", uninitialised: float = math.nan) -> None:
        self.func = func
        self.formats = Formats(exact=precision == "float64", uninitialised=uninitialised)
        depth, threads = _lane_needs(func)
        self.scope = Scope(formats=self.formats, rank=depth + (3 if threads else 0))
        for var in _symbols(func):
            self.scope.slot(var)
        for buffer in func.buffer_map.values():
            self.scope.storage_slot(buffer.data)
        compiler = StatementCompiler(self.scope, threads)
        self.body = compiler.compile(split_at_grid_syncs(func.body))
        self.expressions: ExpressionCompiler = compiler.expressions
        self.shapes = {
            param: [self.expressions.compile(extent) for extent in func.buffer_map[param].shape]
            for param in func.params
            if param in func.buffer_map
        }

    def run(
        self, args: Sequence[Argument], out_idx: Sequence[int] | int | None = None, *, everything: bool = False
    ) -> list[torch.Tensor | None]:
        """The output tensors (``out_idx``, which ``args`` leaves out).

        With ``everything``, or without ``out_idx``: all parameters after the run, None for scalars.
        """
        params = list(self.func.params)
        outputs = [index % len(params) for index in ([out_idx] if isinstance(out_idx, int) else out_idx or [])]
        inputs = [index for index in range(len(params)) if index not in outputs]
        if len(args) != len(inputs):
            raise TypeError(f"the kernel takes {len(inputs)} arguments, got {len(args)}")
        frame: Frame = [None] * self.scope.size
        arrays: dict[int, np.ndarray[Any, Any]] = {}
        for index, argument in zip(inputs, args, strict=True):
            self._bind_argument(frame, arrays, index, argument)
        with np.errstate(all="ignore"):
            for index in outputs:
                shape = [int(extent(frame)) for extent in self.shapes[params[index]]]
                fill = self.formats.uninitialised if is_float(self._dtype(index)) else 0
                made = np.full(shape, fill, self.formats.compute_dtype(self._dtype(index)))
                self._bind_array(frame, arrays, index, made)
            self.body(frame)
        wanted = range(len(params)) if everything or out_idx is None else outputs
        return [self._result(frame, arrays, index) for index in wanted]

    def _dtype(self, index: int) -> str:
        return str(self.func.buffer_map[self.func.params[index]].dtype)

    def _bind_argument(self, frame: Frame, arrays: dict[int, Any], index: int, argument: Argument) -> None:
        param = self.func.params[index]
        if param not in self.func.buffer_map:
            if not isinstance(argument, int | float):
                raise TypeError(f"parameter {param} is a scalar, got {type(argument).__name__}")
            number = float(argument) if "float" in param.dtype else int(argument)
            frame[self.scope.slot(param)] = (
                self.formats.round_to(param.dtype, number) if isinstance(number, float) else number
            )
            return
        if argument is None:
            return
        if not isinstance(argument, torch.Tensor):
            raise TypeError(f"parameter {param} is a tensor, got {type(argument).__name__}")
        buffer = self.func.buffer_map[param]
        sizes = [int(size) for size in argument.shape]
        if sizes and argument.element_size() == 1:
            sizes[-1] *= elements_per_byte(str(buffer.dtype))
        for extent, size in zip(buffer.shape, sizes, strict=True):
            if isinstance(extent, tirx.Var):
                frame[self.scope.slot(extent)] = size
        for stride, size in zip(buffer.strides, argument.stride(), strict=False):
            if isinstance(stride, tirx.Var):
                frame[self.scope.slot(stride)] = int(size)
        self._bind_array(frame, arrays, index, from_torch(argument, str(buffer.dtype), self.formats))

    def _bind_array(self, frame: Frame, arrays: dict[int, Any], index: int, array: np.ndarray[Any, Any]) -> None:
        buffer = self.func.buffer_map[self.func.params[index]]
        dtype = str(buffer.dtype)
        arrays[index] = array
        storage = Storage(values=array.reshape(-1), dtype=dtype, formats=self.formats)
        frame[self.scope.storage_slot(buffer.data)] = storage

    def _result(self, frame: Frame, arrays: dict[int, Any], index: int) -> torch.Tensor | None:
        if index not in arrays:
            return None
        dtype = self._dtype(index)
        buffer = self.func.buffer_map[self.func.params[index]]
        storage: Storage = frame[self.scope.storage_slot(buffer.data)]
        values = storage.view(dtype, arrays[index].shape)
        return to_torch(values, dtype, keep_wide=self.formats.exact and values.dtype == np.float64)


def run(
    func: Any,
    args: Sequence[Argument],
    *,
    out_idx: Sequence[int] | int | None = None,
    precision: Precision = "declared",
) -> list[torch.Tensor | None]:
    """Runs ``func`` once. ``precision``: "declared" rounds as the kernel's dtypes do, "float64" computes the formula
    exactly.

    ``out_idx`` defaults to the outputs that an eager kernel declared with T.empty.
    """
    attributes = func.attrs or {}
    if out_idx is None and "tilelang_out_idx" in attributes:
        out_idx = [int(index) for index in attributes["tilelang_out_idx"]]
    return Interpreter(func, precision=precision).run(args, out_idx)


def _symbols(func: Any) -> list[Any]:
    """Scalar parameters and the variables of symbolic shapes."""
    found: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, tirx.Var) and node not in found:
            found.append(node)

    for param in func.params:
        if param in func.buffer_map:
            buffer = func.buffer_map[param]
            for extent in [*buffer.shape, *buffer.strides]:
                tirx.stmt_functor.post_order_visit(extent, visit)
        else:
            visit(param)
    return found


def _lane_needs(func: Any) -> tuple[int, bool]:
    """The deepest nest of parallel loops, and whether the kernel names its thread index."""
    thread_vars: set[Any] = set()
    used: set[Any] = set()

    def visit(node: Any) -> None:
        if (
            isinstance(node, tirx.Bind)
            and isinstance(node.value, tirx.Call)
            and operator_name(node.value) == "launch_thread_idx"
        ):
            thread_vars.add(node.var)
        elif isinstance(node, tirx.Var):
            used.add(node)

    tirx.stmt_functor.post_order_visit(func.body, visit)
    return _parallel_depth(func.body), bool(thread_vars & used)


def _parallel_depth(node: Any) -> int:
    if isinstance(node, tirx.SeqStmt):
        return max((_parallel_depth(child) for child in node.seq), default=0)
    if isinstance(node, tirx.SBlockRealize):
        return _parallel_depth(node.block)
    depth = 0
    for name in ("body", "then_case", "else_case"):
        child = getattr(node, name, None)
        if isinstance(child, tirx.Stmt):
            depth = max(depth, _parallel_depth(child))
    return depth + (1 if isinstance(node, tirx.For) and int(node.kind) in LANE_LOOPS else 0)
