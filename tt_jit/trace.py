"""A Python function and its compile-time arguments -> a PrimFunc, in TileLang's lazy and eager styles.

The only module of the front end that imports TileLang. It uses TileLang's own tracing machinery without its caches,
whose keys hold neither globals nor closures (and take 1, 1.0 and True for the same argument).
"""

from __future__ import annotations

import inspect
import logging
import os
import re
import sys
import sysconfig
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType, TracebackType
from typing import Any, Literal

import tilelang
import tilelang.carver.arch.driver.cuda_driver as cuda_driver
from tilelang import tvm
from tilelang.jit.exceptions import EagerJITBuildError, JITNoBuilderError
from tilelang.language.eager import JITFunc
from tilelang.language.eager import prim_func as rewrite
from tilelang.language.eager.ast import has_internal_prim_func, mutate
from tilelang.language.eager.builder import Builder, Macro, TirTemplate
from tilelang.language.eager.utils import construct_strides
from tvm import tirx

from .errors import ArgumentError, SourceLocation, TraceError, TTJitError, location_of
from .expression import Expression
from .signature import Parameter
from .target import Target

Style = Literal["lazy", "eager"]

# Tracing patches a module of TileLang for a moment and TVM's builders keep thread-wide state: one trace at a time.
_TRACE_LOCK = threading.RLock()

_BINARY_SIGNS = {
    tirx.Add: "+",
    tirx.Sub: "-",
    tirx.Mul: "*",
    tirx.Div: "/",
    tirx.FloorDiv: "/",
    tirx.Mod: "%",
    tirx.FloorMod: "%",
}


@dataclass(frozen=True, kw_only=True)
class ConstSource:
    """Where the value of a T.const symbol comes from: a dimension or a stride of a tensor argument."""

    name: str
    parameter: str
    what: Literal["shape", "stride"]
    dim: int


@dataclass(frozen=True, kw_only=True)
class Template:
    """A function traced for given compile-time arguments, before the values of its T.const symbols are known."""

    consts: tuple[ConstSource, ...]
    # The sizes of packed dtypes are not those that torch reports; such templates are not kept on disk.
    packed: bool
    inner: TirTemplate


class Tracer:
    """Traces one function in one state of its closure."""

    def __init__(self, function: FunctionType, target: Target) -> None:
        self._function = function
        self._target = target
        self._style: Style | None = None
        self._probed: tuple[Sequence[Any], Mapping[str, Any], tirx.PrimFunc] | None = None

    @cached_property
    def _jit_func(self) -> JITFunc:
        """The function as TileLang rewrites it to build IR in its own body."""
        with self._session():
            rewritten = rewrite(self._function, eager_jit=True)
        rewritten.set_mode("eager")
        return rewritten

    @property
    def tensor_parameters(self) -> tuple[str, ...]:
        """The parameters that are given at run time; in lazy style those of the inner function are."""
        return tuple(self._jit_func.tensor_args) if self._style == "eager" else ()

    def style(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Style:
        """Lazy if the function has an inner T.prim_func or, called as plain Python, returns a PrimFunc; else eager."""
        if self._style is None:
            with self._session():
                self._style = "lazy" if self._is_lazy(args, kwargs) else "eager"
        return self._style

    def _is_lazy(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        if has_internal_prim_func(self._function):
            return True
        try:
            inspect.signature(self._function).bind(*args, **kwargs)
        except TypeError:
            return False
        try:
            result = self._function(*args, **kwargs)
        except (JITNoBuilderError, EagerJITBuildError):
            return False
        if isinstance(result, tirx.PrimFunc):
            # The trace that follows is of the same call: once is enough.
            self._probed = (args, kwargs, result)
            return True
        return False

    def trace_lazy(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tirx.PrimFunc:
        """Call the factory."""
        probed, self._probed = self._probed, None
        if probed is not None and probed[0] is args and probed[1] is kwargs:
            return probed[2]
        with self._session():
            result = self._function(*args, **kwargs)
        if not isinstance(result, tirx.PrimFunc):
            raise TraceError(
                f"{self._function.__name__} returned {type(result).__name__}; a factory returns a T.prim_func",
                location=location_of(self._function),
                hint="return the function that is decorated with @T.prim_func",
            )
        return result

    def template(self, compile_values: Mapping[str, Any]) -> Template:
        """First phase of the eager style: find out which symbols the tensor arguments must provide."""
        with self._session():
            inner = self._jit_func._build_tir_template(**compile_values)
        sources = [
            ConstSource(name=name, parameter=parameter, what=what, dim=dim)
            for parameter, what, dim, name in (inner.matcher or {}).values()
        ]
        packed = any(buffer.dtype.bits < 8 for buffer in inner.prim_func.buffer_map.values())
        return Template(consts=tuple(sorted(sources, key=lambda source: source.name)), packed=packed, inner=inner)

    def trace_eager(
        self, template: Template, tensors: Mapping[str, Any], compile_values: Mapping[str, Any]
    ) -> tirx.PrimFunc:
        """Second phase of the eager style: trace the body with the values of the symbols."""
        with self._session():
            return template.inner.get_tir(self._jit_func.tensor_args, dict(tensors), dict(compile_values))

    @contextmanager
    def _session(self) -> Iterator[None]:
        """Everything that holds while user code runs under the tracer."""
        with _TRACE_LOCK, _chip_core_count(self._target), _quiet_builder(), _lines_of_the_user():
            try:
                yield
            except TTJitError:
                raise
            except Exception as error:
                raise _as_trace_error(self._function, error) from error


def refresh_macros(macros: Iterable[Macro]) -> None:
    """Give macros the closure values of now; T.macro keeps those of the moment of decoration."""
    for macro in macros:
        cells = _cells(macro.orig_func)
        seen = _cells(macro.ir_gen.gen)
        if any(name in cells and cells[name] is not value for name, value in seen.items()) or (
            cells.keys() - seen.keys() and set(macro.ir_gen.gen.__code__.co_names) & (cells.keys() - seen.keys())
        ):
            with _TRACE_LOCK:
                macro.ir_gen = mutate(macro.orig_func)


def _cells(function: FunctionType) -> dict[str, Any]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            # An empty cell: the variable is not assigned yet.
            continue
    return found


@dataclass(frozen=True, kw_only=True)
class _ChipProperties:
    """What kernels ask of a GPU while they are traced, answered for the chip."""

    name: str
    multi_processor_count: int
    shared_memory_per_block: int


@contextmanager
def _chip_core_count(target: Target) -> Iterator[None]:
    """Let `driver.get_num_sms()` and its relatives answer for the chip; they all ask the same two functions."""
    properties = _ChipProperties(
        name=target.arch,
        multi_processor_count=target.grid[0] * target.grid[1],
        shared_memory_per_block=target.l1_usable_bytes,
    )
    attributes = {
        16: properties.multi_processor_count,
        cuda_driver.cudaDeviceAttrNames.cudaDevAttrMaxSharedMemoryPerMultiprocessor: target.l1_usable_bytes,
    }
    replaced = {
        "get_cuda_device_properties": lambda device_id=0: properties,
        "get_device_attribute": lambda attribute, device_id=0: attributes.get(attribute),
    }
    before = {name: getattr(cuda_driver, name) for name in replaced}
    for name, replacement in replaced.items():
        setattr(cuda_driver, name, replacement)
    try:
        yield
    finally:
        for name, original in before.items():
            setattr(cuda_driver, name, original)


@contextmanager
def _lines_of_the_user() -> Iterator[None]:
    """Statements of TileLang's own macros (its reductions are some) get the line of the user's call."""
    library = os.path.dirname(tilelang.__file__)
    original = Builder.set_fileline

    def set_fileline(self: Builder, filename: str, lineno: int, name: str) -> None:
        if filename.startswith(library):
            callers = [place for place in self.macro_fileline_stack if not place[0].startswith(library)]
            filename, lineno = callers[-1][:2] if callers else (filename, lineno)
        original(self, filename, lineno, name)

    Builder.set_fileline = set_fileline
    try:
        yield
    finally:
        Builder.set_fileline = original


@contextmanager
def _quiet_builder() -> Iterator[None]:
    """TileLang logs the whole rewritten source when a trace fails; the TraceError names the line instead."""
    logger = logging.getLogger("tilelang.language.eager.builder")

    def keep(record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("Failed to build prim_func")

    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def describe_parameters(func: tirx.PrimFunc) -> tuple[Parameter, ...]:
    """The parameters of a PrimFunc, with shapes as expressions over named symbols."""
    names: dict[tirx.Var, str] = {}
    used, read, written = _accesses(func)
    for var in func.params:
        if var not in func.buffer_map and var.dtype != "handle":
            names[var] = var.name
    parameters = []
    for var in func.params:
        if var not in func.buffer_map:
            kind: Literal["scalar", "pointer"] = "pointer" if var.dtype == "handle" else "scalar"
            parameters.append(Parameter(name=var.name, kind=kind, dtype=str(var.dtype), written=kind == "pointer"))
            continue
        buffer = func.buffer_map[var]
        parameters.append(
            Parameter(
                name=buffer.name,
                kind="tensor",
                dtype=str(buffer.dtype),
                shape=tuple(_expression(size, names) for size in buffer.shape),
                strides=_explicit_strides(buffer, names),
                used=buffer.data in used,
                read=buffer.data in read,
                written=buffer.data in written,
            )
        )
    return tuple(parameters)


def _explicit_strides(buffer: tirx.Buffer, names: dict[tirx.Var, str]) -> tuple[Expression, ...] | None:
    analyzer = tvm.arith.Analyzer()
    contiguous = construct_strides(tuple(buffer.shape))
    pairs = zip(buffer.strides, contiguous, strict=False)
    if all(analyzer.can_prove_equal(stride, expected) for stride, expected in pairs):
        return None
    return tuple(_expression(stride, names) for stride in buffer.strides)


def _expression(value: Any, names: dict[tirx.Var, str]) -> Expression:
    return Expression.parse(_expression_text(value, names))


def _expression_text(value: Any, names: dict[tirx.Var, str]) -> str:
    if isinstance(value, (int, tirx.IntImm)):
        number = int(value)
        return str(number) if number >= 0 else f"(0 - {-number})"
    if isinstance(value, tirx.Var):
        if value not in names:
            taken = set(names.values())
            name = value.name
            while name in taken:
                name += "_"
            names[value] = name
        return names[value]
    if isinstance(value, tirx.Cast):
        return _expression_text(value.value, names)
    if isinstance(value, (tirx.Min, tirx.Max)):
        function = "min" if isinstance(value, tirx.Min) else "max"
        return f"{function}({_expression_text(value.a, names)}, {_expression_text(value.b, names)})"
    sign = _BINARY_SIGNS.get(type(value))
    if sign is None:
        raise TraceError(
            f"a tensor dimension is `{value}`, which cannot be computed from the arguments of a call",
            hint="use integers, symbols, + - * // % min and max in shapes and strides",
        )
    return f"({_expression_text(value.a, names)} {sign} {_expression_text(value.b, names)})"


_OVERWRITING = ("tl.tileop.copy", "tl.tileop.fill", "tl.tileop.transpose")


def _is_only_written(argument: Any) -> bool:
    is_region = isinstance(argument, tirx.Call) and getattr(argument.op, "name", "") == "tl.region"
    return is_region and int(argument.args[1]) == 2


def _accesses(func: tirx.PrimFunc) -> tuple[set[tirx.Var], set[tirx.Var], set[tirx.Var]]:
    """The data variables of the buffers that the body touches, that it may read, and that it may write."""
    used: set[tirx.Var] = set()
    written: set[tirx.Var] = set()
    loads: Counter[tirx.Var] = Counter()

    def visit(node: Any) -> None:
        if isinstance(node, tirx.Var):
            used.add(node)
        elif isinstance(node, tirx.BufferStore):
            used.add(node.buffer.data)
            written.add(node.buffer.data)
        elif isinstance(node, tirx.BufferLoad):
            used.add(node.buffer.data)
            loads[node.buffer.data] += 1
        elif isinstance(node, tirx.Call) and getattr(node.op, "name", "") == "tl.region" and int(node.args[1]) & 2:
            written.add(node.args[0].buffer.data)
        elif isinstance(node, tirx.Call) and getattr(node.op, "name", "") in _OVERWRITING:
            # A region names its buffer by a load, which reads nothing. (Atomic operations call theirs written, too.)
            loads.subtract(arg.args[0].buffer.data for arg in node.args if _is_only_written(arg))

    tirx.stmt_functor.post_order_visit(func.body, visit)
    return used, {data for data, count in loads.items() if count > 0}, written


def declared_out_idx(func: tirx.PrimFunc) -> list[int] | None:
    """The outputs that an eager kernel made with T.empty, as indices from the end."""
    if func.attrs and "tilelang_out_idx" in func.attrs:
        return [int(index) for index in func.attrs["tilelang_out_idx"]]
    return None


def symbol_of(func: tirx.PrimFunc) -> str:
    """The name of the kernel."""
    return str(func.attrs["global_symbol"]) if func.attrs and "global_symbol" in func.attrs else "main"


def placeholder_size(value: Any, what: str, dim: int) -> int | None:
    """A dimension of a T.Tensor placeholder (get_tir and compile take them), or None for anything else."""
    if not isinstance(value, tirx.Buffer):
        return None
    size = (value.shape if what == "shape" else value.strides)[dim]
    if not isinstance(size, (int, tirx.IntImm)):
        raise ArgumentError(
            f"dimension {dim} of the placeholder {value.name!r} is `{size}`",
            needed="an integer, as the kernel reads it with T.const",
        )
    return int(size)


_LIBRARIES = tuple(
    os.path.join(os.path.realpath(path), "")
    for path in (
        os.path.dirname(tilelang.__file__),
        os.path.dirname(tvm.__file__),
        os.path.dirname(__file__),
        sysconfig.get_paths()["stdlib"],
        sysconfig.get_paths()["purelib"],
    )
)


# What TileLang says of T.copy and T.atomic_* with whole buffers of different shapes.
_DIFFERENT_SHAPES = r"(?s)StructuralEqual check failed, caused by lhs at \S+\n(\(.*?\))\nand rhs at \S+\n(\(.*?\))"


def _as_trace_error(function: FunctionType, error: Exception) -> TraceError:
    location = _innermost_user_line(error.__traceback__, function.__code__.co_filename)
    kind = type(error).__name__
    text = str(error).strip() or kind
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("  File ", "Traceback "))]
    message = "\n".join(lines[:20])
    hint = None
    shapes = re.fullmatch(_DIFFERENT_SHAPES, message)
    if shapes is not None:
        kind, message = "ValueError", f"buffers of different shapes, {shapes[1]} and {shapes[2]}"
        hint = "name a region of the larger one by its first element, as in T.copy(A[0, 0], A_shared)"
    if isinstance(error, OSError) and "source" in text:
        hint = "TileLang reads the source of a kernel: put it into a file (not exec, eval or an interactive prompt)"
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        location = SourceLocation(file=error.filename, line=error.lineno)
    return TraceError(
        f"{function.__name__}: {message}" if kind in ("TraceError",) else f"{function.__name__}: {kind}: {message}",
        location=location or location_of(function),
        hint=hint,
    )


def _innermost_user_line(trace: TracebackType | None, kernel_file: str) -> SourceLocation | None:
    """The last place in the traceback outside of libraries and tt_jit; the kernel's own file always counts."""
    found = None
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        known = file == kernel_file or file == os.path.abspath(kernel_file)
        # Frames of C++ code name files of the machine where TVM was built.
        if known or (file.endswith(".py") and not os.path.realpath(file).startswith(_LIBRARIES)):
            found = SourceLocation(file=file, line=trace.tb_lineno)
        trace = trace.tb_next
    return found


def normalized_text(func: tirx.PrimFunc) -> str:
    """The IR as text without the kernel's name and without source places: the identity of the kernel."""
    renamed = func.with_attr("global_symbol", "main")
    return f"{renamed.script(show_meta=True)}\n# structural hash: {tvm.ir.structural_hash(renamed)}\n"


def to_json(func: tirx.PrimFunc) -> str:
    """The PrimFunc, complete, as text."""
    return str(tvm.ir.save_json(func))


def from_json(text: str) -> tirx.PrimFunc:
    """The PrimFunc of `to_json`."""
    return tvm.ir.load_json(text)


def tilelang_version() -> str:
    return str(sys.modules["tilelang"].__version__)
