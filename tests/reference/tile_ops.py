"""Tile operations (``tl.tileop.*``) of the reference interpreter. Each compiler returns a closure that runs the
operation."""

from collections.abc import Callable
from typing import Any

import numpy as np
from tilelang import tvm

from .expressions import ExpressionCompiler, Frame, operator_name
from .formats import UnsupportedByInterpreter, Value, is_float
from .memory import Array, Region

tirx = tvm.tirx
Run = Callable[[Frame], None]
ReadRegion = Callable[[Frame], Region]

REDUCTIONS: dict[str, tuple[np.ufunc, bool]] = {
    "sum": (np.add, False),
    "abssum": (np.add, True),
    "max": (np.fmax, False),
    "absmax": (np.fmax, True),
    "min": (np.fmin, False),
    "bitand": (np.bitwise_and, False),
    "bitor": (np.bitwise_or, False),
    "bitxor": (np.bitwise_xor, False),
}


class TileOperations:
    """Compiles the tile operations of one PrimFunc."""

    def __init__(self, expressions: ExpressionCompiler) -> None:
        self.expressions = expressions
        self.formats = expressions.formats
        self.reducer_starts: dict[Any, Callable[[Frame], Value] | None] = {}
        self.reducer_kinds: dict[Any, str] = {}

    def compile(self, call: Any) -> Run:
        name = operator_name(call).removeprefix("tileop.")
        method = getattr(self, f"_{name}", None)
        if method is None:
            raise UnsupportedByInterpreter(f"tile operation {name}")
        run: Run = method(call)
        return run

    def _copy(self, call: Any) -> Run:
        source, target = self.expressions.region(call.args[0]), self.expressions.region(call.args[1])
        cast = self.formats.cast

        def copy(frame: Frame) -> None:
            read, write = source(frame), target(frame)
            values = cast(read.dtype, write.dtype, read.read())
            write.write(_fit(values, read, write))

        return copy

    _tma_copy = _copy
    _async_copy = _copy

    def _fill(self, call: Any) -> Run:
        target, value = self.expressions.region(call.args[0]), self.expressions.compile(call.args[1])
        cast, source = self.formats.cast, call.args[1].dtype

        def fill(frame: Frame) -> None:
            region = target(frame)
            number = cast(source, region.dtype, value(frame))
            region.write(np.broadcast_to(np.asarray(number, region.view.dtype), region.extents))

        return fill

    def _transpose(self, call: Any) -> Run:
        source, target = self.expressions.region(call.args[0]), self.expressions.region(call.args[1])
        cast = self.formats.cast

        def transpose(frame: Frame) -> None:
            read, write = source(frame), target(frame)
            values = cast(read.dtype, write.dtype, read.read()).swapaxes(-1, -2).copy()
            write.write(values.reshape(write.extents))

        return transpose

    def _gemm(self, call: Any) -> Run:
        a, b, c = (self.expressions.region(argument) for argument in call.args[:3])
        transpose_a, transpose_b = (bool(argument) for argument in call.args[3:5])
        clear = self.expressions.compile(call.args[9])
        round_to = self.formats.round_to

        def gemm(frame: Frame) -> None:
            left, right, accumulator = _matrix(a(frame)), _matrix(b(frame)), c(frame)
            if transpose_a:
                left = left.T
            if transpose_b:
                right = right.T
            product = _multiply(left, right, accumulator).reshape(accumulator.extents)
            total = product if clear(frame) else accumulator.read() + product
            accumulator.write(round_to(accumulator.dtype, total) if is_float(accumulator.dtype) else total)

        return gemm

    def _reduce(self, call: Any) -> Run:
        source, target = self.expressions.region(call.args[0]), self.expressions.region(call.args[1])
        kind, axis, clear = str(call.args[2].value), int(call.args[3]), bool(call.args[4])
        ufunc, absolute = REDUCTIONS[kind]
        cast = self.formats.cast

        def reduce(frame: Frame) -> None:
            read, write = source(frame), target(frame)
            values = cast(read.dtype, write.dtype, read.read())
            if kind in ("max", "absmax", "min") and not is_float(write.dtype):
                operation = np.maximum if kind != "min" else np.minimum
            else:
                operation = ufunc
            result = operation.reduce(np.abs(values) if absolute else values, axis=axis).reshape(write.extents)
            if not clear:
                result = operation(write.read(), result)
            write.write(
                cast("float32" if is_float(write.dtype) else write.dtype, write.dtype, result).astype(write.view.dtype)
            )

        return reduce

    def _scan(self, call: Any, ufunc: np.ufunc) -> Run:
        source, target = self.expressions.region(call.args[0]), self.expressions.region(call.args[1])
        axis, reverse = int(call.args[2]), bool(call.args[3])
        round_to = self.formats.round_to

        def scan(frame: Frame) -> None:
            read, write = source(frame), target(frame)
            values = read.read()
            flipped = np.flip(values, axis) if reverse else values
            result = ufunc.accumulate(flipped, axis=axis)
            result = np.flip(result, axis) if reverse else result
            result = round_to(write.dtype, result) if is_float(write.dtype) else result.astype(write.view.dtype)
            write.write(result.reshape(write.extents))

        return scan

    def _cumsum(self, call: Any) -> Run:
        return self._scan(call, np.add)

    def _cummax(self, call: Any) -> Run:
        return self._scan(call, np.maximum)

    def _atomic_tile(self, call: Any, ufunc: np.ufunc) -> Run:
        target = self.expressions.region(call.args[1])
        is_region = isinstance(call.args[0], tirx.Call) and operator_name(call.args[0]) == "region"
        source = self.expressions.region(call.args[0]) if is_region else None
        number = None if is_region else self.expressions.compile(call.args[0])
        formats = self.formats

        def update(frame: Frame) -> None:
            write = target(frame)
            if source is not None:
                read = source(frame)
                values = _fit(formats.cast(read.dtype, write.dtype, read.read()), read, write)
            else:
                assert number is not None
                values = np.broadcast_to(np.asarray(number(frame), write.view.dtype), write.extents)
            total = ufunc(write.read(), values)
            write.write(formats.round_to(write.dtype, total) if is_float(write.dtype) else total)

        return update

    def _atomicadd(self, call: Any) -> Run:
        return self._atomic_tile(call, np.add)

    def _atomicmax(self, call: Any) -> Run:
        return self._atomic_tile(call, np.maximum)

    def _atomicmin(self, call: Any) -> Run:
        return self._atomic_tile(call, np.minimum)

    def _im2col(self, call: Any) -> Run:
        image, column = self.expressions.region(call.args[0]), self.expressions.region(call.args[1])
        row_step, channel_step, *geometry = (self.expressions.compile(argument) for argument in call.args[2:8])

        def im2col(frame: Frame) -> None:
            source, target = image(frame).view, column(frame)
            kernel, stride, dilation, pad = (int(value(frame)) for value in geometry)
            block_m, block_k = target.extents[-2:]
            _, height, width, channels = source.shape
            out_height = (height + 2 * pad - (kernel - 1) * dilation - 1) // stride + 1
            out_width = (width + 2 * pad - (kernel - 1) * dilation - 1) // stride + 1
            k = int(channel_step(frame)) * block_k + np.arange(block_k)
            m = (int(row_step(frame)) * block_m + np.arange(block_m))[:, None]
            row = m % (out_height * out_width) // out_width * stride + k // (kernel * channels) * dilation - pad
            col = m % out_width * stride + k // channels % kernel * dilation - pad
            batch = m // (out_height * out_width) + 0 * k
            inside = (row >= 0) & (col >= 0) & (row < height) & (col < width) & (batch < source.shape[0])
            clipped = (np.clip(batch, 0, source.shape[0] - 1), np.clip(row, 0, height - 1), np.clip(col, 0, width - 1))
            values = np.where(inside, source[(*clipped, k % channels + 0 * m)], 0)
            target.write(values.astype(target.view.dtype).reshape(target.extents))

        return im2col

    def _reducer_init(self, call: Any) -> Run:
        data = call.args[0].args[0].buffer.data
        target = self.expressions.region(call.args[0])
        start = self.expressions.compile(call.args[1]) if len(call.args) > 1 else None
        kind = self.reducer_kinds.get(data, "sum")
        slot = self.expressions.scope.slot((data, "start"))

        def initialise(frame: Frame) -> None:
            region = target(frame)
            frame[slot] = start(frame) if start is not None else None
            region.write(np.full(region.extents, identity(kind, region), region.view.dtype))

        return initialise

    def _finalize_reducer_v2(self, call: Any) -> Run:
        data = call.args[0].args[0].buffer.data
        source, target = self.expressions.region(call.args[0]), self.expressions.region(call.args[1])
        slot = self.expressions.scope.slot((data, "start"))
        ufunc = REDUCTIONS[self.reducer_kinds.get(data, "sum")][0]
        formats = self.formats

        def finalize(frame: Frame) -> None:
            read, write = source(frame), target(frame)
            values = read.read()
            if frame[slot] is not None:
                values = ufunc(values, np.asarray(frame[slot], values.dtype))
            write.write(formats.cast(read.dtype, write.dtype, values).reshape(write.extents))

        return finalize

    def _finalize_reducer(self, call: Any) -> Run:
        return lambda frame: None


def identity(kind: str, region: Region) -> Value:
    """The value that a reduction of ``kind`` starts from."""
    floating = is_float(region.dtype)
    if kind in ("max", "min"):
        if floating:
            return -np.inf if kind == "max" else np.inf
        bounds = np.iinfo(region.view.dtype)
        return bounds.min if kind == "max" else bounds.max
    return -1 if kind == "bitand" else 0


def _fit(values: Array, read: Region, write: Region) -> Array:
    """``values`` of the region read, shaped for the region written: dimensions of one element may come and go."""
    source, target = read.squeezed(), write.squeezed()
    if source == target:
        return values.reshape(write.extents)
    if len(source) == len(target):
        # Run-time extents may differ: what exceeds the other side is dropped, what is missing stays as it is.
        common = tuple(slice(0, min(a, b)) for a, b in zip(source, target, strict=True))
        result = write.read().copy().reshape(target)
        result[common] = values.reshape(source)[common]
        return result.reshape(write.extents)
    if not source:
        return np.broadcast_to(values.reshape(()), write.extents)
    return np.broadcast_to(values, write.extents)


def _matrix(region: Region) -> Array:
    """The last two dimensions of a region; the others have one element."""
    return region.read().reshape(region.extents[-2:])


def _multiply(left: Array, right: Array, accumulator: Region) -> Array:
    dtype = accumulator.view.dtype
    if np.issubdtype(dtype, np.integer):
        exact = left.astype(np.float64) @ right.astype(np.float64)
        return exact.astype(np.int64).astype(dtype)
    return left.astype(dtype, copy=False) @ right.astype(dtype, copy=False)
