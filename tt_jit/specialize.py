"""One decorated function in one state of its captured values: from bound arguments to a compiled kernel.

Every step first asks memory, then the index on disk, and traces only when both know nothing. The index is used only
where the key holds everything that the trace can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal

import torch

from . import build
from .binding import BoundCall, FunctionBinder, register_atom
from .cache.captured import Captured, capture_values
from .cache.key import call_key
from .errors import ArgumentError, InternalError, location_of
from .kernel import Kernel
from .signature import KernelSignature, is_chip_tensor, normalize_out_idx
from .storage import Storage, with_storage

if TYPE_CHECKING:
    from tvm import tirx

    from .runtime.base import Device
    from .trace import Template, Tracer

Style = Literal["lazy", "eager"]


@dataclass(frozen=True, kw_only=True)
class FunctionFacts:
    """What TileLang makes of the function itself, whatever the arguments."""

    style: Style
    tensor_parameters: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Const:
    """A T.const symbol: a dimension or stride of a tensor argument."""

    name: str
    parameter: str
    what: str
    dim: int


@dataclass
class _TemplateEntry:
    consts: tuple[Const, ...]
    template: Template | None = None
    kernels: dict[tuple[int, ...], Kernel] = field(default_factory=dict)


class Specializer:
    """Turns calls of one function, in one state of its captured values, into kernels for one device."""

    def __init__(
        self,
        *,
        function: FunctionType,
        binder: FunctionBinder,
        captured: Captured,
        out_idx: Any,
        device: Device,
        precision: str | None,
        storage: Storage,
        verbose: bool,
    ) -> None:
        self._function = function
        self._binder = binder
        self._captured = captured
        self._out_idx = out_idx
        self._device = device
        self._precision = precision
        self._storage = storage
        self._verbose = verbose
        self._facts: FunctionFacts | None = None
        self._lazy: dict[str, Kernel] = {}
        self._templates: dict[str, _TemplateEntry] = {}

    @cached_property
    def _tracer(self) -> Tracer:
        from tvm import DataType

        from .trace import Tracer, refresh_macros

        register_atom(DataType)
        refresh_macros(self._captured.macros)
        return Tracer(self._function, self._device.target)

    # The function.

    def facts(self, bound: BoundCall) -> FunctionFacts:
        """Style and tensor parameters."""
        if self._facts is None:
            key = self._index_key("function", None)
            record = build.read_index(key) if key else None
            if record is None:
                style = self._tracer.style(bound.args, bound.kwargs)
                record = {"style": style, "tensor_parameters": list(self._tracer.tensor_parameters)}
                self._write(key, {**record, "function": self._function.__qualname__})
            self._facts = FunctionFacts(style=record["style"], tensor_parameters=tuple(record["tensor_parameters"]))
            if self._facts.style == "eager" and self._out_idx is not None:
                raise ArgumentError(
                    f"{self._function.__name__}: out_idx is only supported in lazy mode",
                    got=f"out_idx={self._out_idx!r} on a function in eager style",
                    needed="no out_idx",
                    hint="make outputs with T.empty and return them",
                )
        return self._facts

    def kernel(self, bound: BoundCall) -> Kernel:
        """The kernel for a call; tensors may be placeholders, or missing where the symbols are given by name."""
        facts = self.facts(bound)
        if facts.style == "lazy":
            return self._lazy_kernel(bound)
        return self._eager_kernel(bound, facts)

    def prim_func(self, bound: BoundCall) -> tirx.PrimFunc:
        """The traced TIR, without compiling."""
        facts = self.facts(bound)
        if facts.style == "lazy":
            self._check_lazy(bound)
            return self._trace_lazy(bound)
        tensors, values = self._split(bound, facts)
        entry = self._template(self._digest(values), values, bound)
        return self._trace_eager(entry, tensors, {**values, **bound.extras})

    # Lazy style.

    def _check_lazy(self, bound: BoundCall) -> None:
        self._binder.refuse_extras(bound)
        self._binder.require(bound)

    def _lazy_kernel(self, bound: BoundCall) -> Kernel:
        self._check_lazy(bound)
        arguments = capture_values([dict(bound.values)])
        kernel = None if arguments.volatile else self._lazy.get(arguments.digest)
        if kernel is None:
            key = self._index_key("lazy", arguments)
            kernel = self._from_index(key) or self._built(self._trace_lazy(bound), key, bound.values)
            self._lazy[arguments.digest] = kernel
            self._captured.watch.keep(arguments.watch)
        return kernel

    def _trace_lazy(self, bound: BoundCall) -> tirx.PrimFunc:
        build.tell(self._verbose, f"tracing {self._function.__name__}")
        build.statistics.traces += 1
        self._tracer.style(bound.args, bound.kwargs)
        return self._tracer.trace_lazy(bound.args, bound.kwargs)

    # Eager style.

    def _split(self, bound: BoundCall, facts: FunctionFacts) -> tuple[dict[str, Any], dict[str, Any]]:
        """Run-time arguments and compile-time values."""
        self._binder.require(bound, exempt=facts.tensor_parameters)
        tensors = {name: value for name, value in bound.values.items() if name in facts.tensor_parameters}
        values = {name: value for name, value in bound.values.items() if name not in facts.tensor_parameters}
        return tensors, values

    def _eager_kernel(self, bound: BoundCall, facts: FunctionFacts) -> Kernel:
        tensors, values = self._split(bound, facts)
        arguments = self._digest(values)
        entry = self._template(arguments, values, bound)
        given = {**values, **bound.extras}
        sizes = tuple(self._const_value(const, tensors, given) for const in entry.consts)
        kernel = entry.kernels.get(sizes)
        if kernel is None:
            key = self._index_key("eager", arguments, *sizes)
            kernel = self._from_index(key)
            if kernel is None:
                described = {**values, **{const.name: size for const, size in zip(entry.consts, sizes, strict=True)}}
                kernel = self._built(self._trace_eager(entry, tensors, given), key, described)
            entry.kernels[sizes] = kernel
        return kernel

    def _digest(self, values: Mapping[str, Any]) -> Captured:
        return capture_values([dict(sorted(values.items()))])

    def _template(self, arguments: Captured, values: Mapping[str, Any], bound: BoundCall) -> _TemplateEntry:
        entry = None if arguments.volatile else self._templates.get(arguments.digest)
        if entry is None:
            key = self._index_key("template", arguments)
            record = build.read_index(key) if key else None
            if record is not None:
                entry = _TemplateEntry(consts=tuple(Const(**const) for const in record["consts"]))
            else:
                entry = self._traced_template(values, bound)
                if entry.template is not None and not entry.template.packed:
                    consts = [vars(const) for const in entry.consts]
                    self._write(key, {"consts": consts, "function": self._function.__qualname__})
            self._templates[arguments.digest] = entry
            self._captured.watch.keep(arguments.watch)
        self._binder.refuse_extras(bound, allowed=[const.name for const in entry.consts])
        return entry

    def _traced_template(self, values: Mapping[str, Any], bound: BoundCall) -> _TemplateEntry:
        self._tracer.style(bound.args, bound.kwargs)
        template = self._tracer.template(values)
        return _TemplateEntry(
            consts=tuple(
                Const(name=source.name, parameter=source.parameter, what=source.what, dim=source.dim)
                for source in template.consts
            ),
            template=template,
        )

    def _trace_eager(
        self, entry: _TemplateEntry, tensors: Mapping[str, Any], values: Mapping[str, Any]
    ) -> tirx.PrimFunc:
        build.tell(self._verbose, f"tracing {self._function.__name__}")
        build.statistics.traces += 1
        if entry.template is None:
            self._tracer.style((), {})
            entry.template = self._tracer.template(values)
        return self._tracer.trace_eager(entry.template, tensors, values)

    def _const_value(self, const: Const, tensors: Mapping[str, Any], values: Mapping[str, Any]) -> int:
        if const.name in values:
            return int(values[const.name])
        name = self._function.__name__
        if tensors.get(const.parameter) is None:
            raise ArgumentError(
                f"{name}: no value for {const.name}, which is {const.parameter}.{const.what}[{const.dim}]",
                parameter=const.parameter,
                got=f"no {const.parameter}",
                needed=f"the tensor {const.parameter}, or {const.name}=<value>",
            )
        tensor = tensors[const.parameter]
        on_chip = is_chip_tensor(tensor) and const.what == "shape"
        if not isinstance(tensor, torch.Tensor) and not on_chip:
            return self._placeholder_value(const, tensor)
        if len(tensor.shape) <= const.dim:
            raise ArgumentError(
                f"{name}: argument {const.parameter!r} has the wrong number of dimensions",
                parameter=const.parameter,
                got=f"{len(tensor.shape)} dimensions, shape {tuple(tensor.shape)}",
                needed=f"at least {const.dim + 1}, as {const.name} is {const.parameter}.{const.what}[{const.dim}]",
            )
        return int(tensor.shape[const.dim] if const.what == "shape" else tensor.stride(const.dim))

    def _placeholder_value(self, const: Const, value: Any) -> int:
        from .trace import placeholder_size

        size = placeholder_size(value, const.what, const.dim)
        if size is None:
            raise ArgumentError(
                f"{self._function.__name__}: argument {const.parameter!r} is no torch tensor",
                parameter=const.parameter,
                got=type(value).__name__,
                needed=f"a tensor, as {const.name} is {const.parameter}.{const.what}[{const.dim}]",
                hint="wrap it with torch.from_numpy" if type(value).__module__ == "numpy" else None,
            )
        return size

    # Kernels.

    def _built(self, func: tirx.PrimFunc, key: str | None, described: Mapping[str, Any]) -> Kernel:
        signature = kernel_signature(func, self._out_idx)
        func = with_precision(func, self._precision)
        func = with_storage(func, self._storage, signature)
        compiled = build.build(func, self._device, self._verbose)
        self._write(
            key,
            {
                "kernel": compiled.key,
                "signature": signature.to_json(),
                "function": self._function.__qualname__,
                "arguments": {name: repr(value)[:200] for name, value in described.items()},
            },
        )
        return Kernel(signature=signature, compiled=compiled, prim_func=func, location=location_of(self._function))

    def _from_index(self, key: str | None) -> Kernel | None:
        record = build.read_index(key) if key else None
        if record is None:
            return None
        compiled = build.find(record["kernel"], self._device, self._verbose)
        if compiled is None:
            return None
        signature = KernelSignature.from_json(record["signature"])
        return Kernel(signature=signature, compiled=compiled, location=location_of(self._function))

    def _index_key(self, kind: str, arguments: Captured | None, *more: object) -> str | None:
        """The key of an index record, or None where something means nothing outside this process."""
        if self._captured.not_portable or self._captured.volatile:
            return None
        if arguments is not None and (arguments.not_portable or arguments.volatile):
            return None
        digest = arguments.digest if arguments is not None else None
        options = (repr(self._out_idx), self._precision, self._storage)
        return call_key(kind, self._device.target, self._captured.digest, digest, *options, *more)

    def _write(self, key: str | None, content: Mapping[str, Any]) -> None:
        if key is not None:
            build.write_index(key, content)


def checked_precision(precision: str | None) -> str | None:
    """``precision`` if it is a policy (or None: the setting decides)."""
    if precision not in (None, "accurate", "fast"):
        raise ArgumentError(
            f"unknown precision {precision!r}",
            parameter="precision",
            got=repr(precision),
            needed="'accurate' or 'fast'",
        )
    return precision


def with_precision(func: tirx.PrimFunc, precision: str | None) -> tirx.PrimFunc:
    """``func`` with the policy of its call or decorator, which overrides an annotation of the kernel."""
    return func if precision is None else func.with_attr("tt_precision", precision)


def kernel_signature(func: tirx.PrimFunc, out_idx: Any) -> KernelSignature:
    """The parameters of a PrimFunc and what its call returns."""
    from .trace import declared_out_idx, describe_parameters, symbol_of

    declared = declared_out_idx(func)
    name = symbol_of(func)
    if declared is not None and out_idx is not None:
        raise ArgumentError(
            f"{name}: Out index conflict: out_idx is given, and the kernel returns tensors that it made with T.empty",
            got=f"out_idx={out_idx!r}",
            needed="no out_idx",
        )
    parameters = describe_parameters(func)
    if len({parameter.name for parameter in parameters}) != len(parameters):
        raise InternalError(f"{name}: two parameters have one name: {[parameter.name for parameter in parameters]}")
    chosen = normalize_out_idx(declared if declared is not None else out_idx, parameters, name)
    return KernelSignature(name=name, parameters=parameters, out_idx=chosen)
