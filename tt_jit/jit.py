"""The decorator `tt_jit.jit` and `tt_jit.compile`: bind -> signature -> cache -> launch. No compiler knowledge.

Follows tilelang.jit 0.1.15: a function that returns a T.prim_func is a factory of kernels (lazy style); one that
builds the kernel in its own body runs it at once (eager style).
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from . import build
from .binding import BoundCall, FunctionBinder, call_key
from .cache.captured import capture
from .cache.names import source_of
from .cache.watch import Watch
from .config import config
from .errors import ArgumentError, SourceLocation, TraceError, TTJitError, located, location_of
from .kernel import Kernel, Launcher
from .runtime.select import device as select_device
from .runtime.select import named_target
from .specialize import FunctionFacts, Specializer, checked_precision, kernel_signature, with_precision
from .storage import checked_storage, with_storage
from .tuning import TunedFunction

if TYPE_CHECKING:
    from tvm import tirx

    from .runtime.base import Device

_EXECUTION_BACKENDS = (None, "auto", "tvm_ffi", "cython", "nvrtc", "torch", "cutedsl")
# A function whose captured values change all the time keeps this many states, and this many call forms per state.
_MAX_STATES = 64
_MAX_CALLS = 4096


class JitFunction:
    """A decorated function. In lazy style a call gives a Kernel, in eager style it runs one."""

    def __init__(
        self,
        function: FunctionType,
        *,
        out_idx: int | Sequence[int] | None = None,
        device: Any = None,
        target: Any = None,
        precision: str | None = None,
        storage: Mapping[str, str] | None = None,
        verbose: bool | None = None,
        debug_root_path: str | None = None,
        pass_configs: Mapping[str, Any] | None = None,
        compile_flags: Sequence[str] | str | None = None,
        execution_backend: str | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.out_idx = out_idx
        self.device = device
        self.target = target
        self.precision = checked_precision(precision)
        self.storage = storage
        self._storage = checked_storage(storage)
        self.verbose = bool(verbose)
        self.debug_root_path = debug_root_path
        self.pass_configs = pass_configs
        self.compile_flags = compile_flags
        self.execution_backend = execution_backend
        self._binder = FunctionBinder(function)
        # Options of a call that are none of the function's own parameters.
        self._call_options = tuple(name for name in ("device", "precision") if name not in self._binder.names)
        self._lock = threading.Lock()
        self._states: dict[tuple[Any, ...], Specializer] = {}
        # The warm path: call form -> what answers it, good as long as the watch and the settings are unchanged.
        self._calls: dict[tuple[Any, ...], Callable[[Sequence[Any]], Any]] = {}
        self._watch: Watch | None = None
        self._digest = ""
        self._generation = -1
        self._facts: FunctionFacts | None = None
        # Which parameters are given at run time, by position and by name.
        self._places: tuple[bool, ...] = tuple(False for _ in self._binder.names)
        self._names: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<tt_jit.jit {self._binder.describe()}>"

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    @property
    def signature(self) -> Any:
        return self._binder.signature

    @property
    def location(self) -> SourceLocation:
        """Where the function is defined."""
        return location_of(self.function)

    @property
    def mode(self) -> str:
        """ "lazy", "eager", or "auto" before the first use."""
        return self._facts.style if self._facts is not None else "auto"

    @property
    def func_source(self) -> str:
        return source_of(self.function) or ""

    def is_lazy_mode(self) -> bool:
        return self.mode == "lazy"

    # Calling.

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Lazy style: the kernel for these compile-time arguments. Eager style: run the kernel on these arguments."""
        watch = self._watch
        if watch is not None and self._generation == config.generation and watch.unchanged():
            try:
                key = call_key(args, kwargs, self._places, self._names)
            except RuntimeError:
                # A tensor without strides: the check of the arguments says which.
                key = None
            answer = self._calls.get(key) if key is not None else None
            if answer is not None:
                return answer((*args, *kwargs.values()) if kwargs else args)
        with located(self.location):
            return self._first_call(args, kwargs)

    def _first_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        names = tuple(kwargs)
        specializer, bound = self._prepare(args, kwargs)
        facts = specializer.facts(bound)
        self._remember_facts(facts)
        if facts.style == "lazy":
            kernel = specializer.kernel(bound).load()
            self._write_debug_files(kernel)
            self._remember(args, kwargs, lambda values: kernel)
            return kernel
        self._binder.require(bound)
        kernel = specializer.kernel(bound)
        self._write_debug_files(kernel)
        launcher = kernel.launcher([bound.values[name] for name in facts.tensor_parameters])
        pick = _picker(self._binder, facts.tensor_parameters, len(args), names, bound)
        values = (*args, *kwargs.values())
        if not kernel.checks_scalar_values:
            self._remember(args, kwargs, _composed(launcher, pick))
        return launcher(pick(values))

    def _prepare(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Specializer, BoundCall]:
        """The specializer for the present state of all captured values, and the arguments by name."""
        given = {name: kwargs[name] for name in self._call_options if name in kwargs}
        kwargs = {name: value for name, value in kwargs.items() if name not in given} if given else kwargs
        chosen = select_device(given.get("device", self.device), named_target(self.target))
        precision = checked_precision(given["precision"]) if "precision" in given else self.precision
        with self._lock:
            specializer = self._specializer(chosen, precision)
        return specializer, self._binder.bind(args, kwargs)

    def _specializer(self, device: Device, precision: str | None) -> Specializer:
        if self._watch is None or self._generation != config.generation or not self._watch.unchanged():
            captured = capture(self.function)
            if captured.digest != self._digest or self._generation != config.generation:
                self._calls = {}
                self._facts = None
            self._digest = captured.digest
            self._generation = config.generation
            # Without a watch every call looks at everything again.
            self._watch = None if captured.volatile else captured.watch
            self._captured = captured
            # Defaults may have been replaced.
            self._binder = FunctionBinder(self.function)
        place = (self._digest, id(device), precision, config.key_items(), config.dump_dir)
        specializer = self._states.get(place)
        if specializer is None or self._captured.volatile:
            specializer = Specializer(
                function=self.function,
                binder=self._binder,
                captured=self._captured,
                out_idx=self.out_idx,
                device=device,
                precision=precision,
                storage=self._storage,
                verbose=self.verbose,
            )
            if len(self._states) >= _MAX_STATES:
                self._states.pop(next(iter(self._states)))
            self._states[place] = specializer
        return specializer

    def _remember_facts(self, facts: FunctionFacts) -> None:
        self._facts = facts
        # In lazy style every argument is a compile-time one.
        self._names = frozenset(facts.tensor_parameters if facts.style == "eager" else ())
        self._places = tuple(name in self._names for name in self._binder.names)

    def _remember(self, args: tuple[Any, ...], kwargs: dict[str, Any], answer: Callable[[Sequence[Any]], Any]) -> None:
        key = call_key(args, kwargs, self._places, self._names)
        if key is None or self._watch is None:
            return
        if len(self._calls) >= _MAX_CALLS:
            self._calls.clear()
        self._calls[key] = answer

    # Without running.

    def compile(self, *args: Any, **kwargs: Any) -> Kernel:
        """The kernel. In eager style, T.const symbols may be given by name instead of tensors."""
        with located(self.location):
            kernel = self._kernel(args, kwargs).load()
            self._write_debug_files(kernel)
            return kernel

    def _kernel(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Kernel:
        specializer, bound = self._prepare(args, kwargs)
        self._remember_facts(specializer.facts(bound))
        return specializer.kernel(bound)

    def get_tir(self, *args: Any, **kwargs: Any) -> tirx.PrimFunc:
        """The traced TIR for these arguments."""
        with located(self.location):
            specializer, bound = self._prepare(args, kwargs)
            self._remember_facts(specializer.facts(bound))
            return specializer.prim_func(bound)

    def get_kernel_source(self, *args: Any, **kwargs: Any) -> str:
        """The generated kernels for these arguments; needs no C++ compiler."""
        with located(self.location):
            return self._kernel(args, kwargs).get_kernel_source()

    def par_compile(
        self,
        configs: Iterable[dict[str, Any] | tuple[Any, ...]],
        num_workers: int | None = None,
        ignore_error: bool = False,
    ) -> list[Kernel | None]:
        """Compile for several sets of arguments (dicts of keywords or tuples of positional ones)."""
        calls: list[Callable[[], Kernel]] = []
        for arguments in configs:
            if isinstance(arguments, tuple):
                calls.append(functools.partial(self.compile, *arguments))
            elif isinstance(arguments, dict):
                calls.append(functools.partial(self.compile, **arguments))
            else:
                raise ArgumentError(
                    "par_compile takes one set of arguments per kernel",
                    got=type(arguments).__name__,
                    needed="a tuple of positional or a dict of keyword arguments",
                )
        return _in_parallel(calls, num_workers, ignore_error)

    def _write_debug_files(self, kernel: Kernel) -> None:
        if self.debug_root_path:
            folder = Path(self.debug_root_path) / kernel.signature.name
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in kernel.artifact.files.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            (folder / f"{kernel.signature.name}.py").write_text(kernel.prim_func.script())


def _composed(launcher: Launcher, pick: Callable[[Sequence[Any]], Sequence[Any]]) -> Callable[[Sequence[Any]], Any]:
    return lambda values: launcher(pick(values))


def _picker(
    binder: FunctionBinder, wanted: Sequence[str], positional: int, keywords: Sequence[str], bound: BoundCall
) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """From the values of a call in the order they were given, those of the run-time parameters in order."""
    given = [*binder.names[:positional], *keywords]
    if all(name in given for name in wanted):
        places = [given.index(name) for name in wanted]
        if len(places) > 1:
            return itemgetter(*places)
        return lambda values: [values[place] for place in places]
    fixed = {name: bound.values[name] for name in wanted if name not in given}
    sources = [(True, fixed[name]) if name in fixed else (False, given.index(name)) for name in wanted]
    return lambda values: [source if constant else values[source] for constant, source in sources]


def jit(
    func: Any = None,
    *,
    out_idx: int | Sequence[int] | None = None,
    device: Any = None,
    target: Any = None,
    precision: str | None = None,
    storage: Mapping[str, str] | None = None,
    target_host: Any = None,
    execution_backend: str | None = None,
    verbose: bool | None = None,
    pass_configs: Mapping[str, Any] | None = None,
    debug_root_path: str | os.PathLike[str] | None = None,
    compile_flags: Sequence[str] | str | None = None,
) -> Any:
    """Decorate a TileLang function, bare or with arguments; or adopt a function that `@tilelang.jit` already decorated.

    `out_idx` (lazy style only) names the parameters that calls allocate and return. `device` is "emulator", "ttnn",
    "ttnn:N" or a device; `target` a chip ("wormhole_b0", "blackhole"); `precision` "accurate" or "fast"
    (docs/numerics.md). A call may give `device` and `precision` too. `storage` keeps tensors in block floats on the
    chip: {"B": "bfp8_b"} or "bfp4_b" (docs/device.md). TileLang's GPU targets, `target_host`,
    `execution_backend`, `pass_configs` and `compile_flags` steer GPU compilers only: they are accepted, so that
    decorators need no edit, and change nothing here.
    """
    if execution_backend not in _EXECUTION_BACKENDS:
        raise ArgumentError(
            f"unknown execution_backend {execution_backend!r}",
            parameter="execution_backend",
            got=repr(execution_backend),
            needed=", ".join(map(repr, _EXECUTION_BACKENDS)),
        )
    options = {
        "out_idx": out_idx,
        "device": device,
        "target": target,
        "precision": precision,
        "storage": storage,
        "execution_backend": execution_backend,
        "verbose": verbose,
        "pass_configs": pass_configs,
        "debug_root_path": os.fspath(debug_root_path) if debug_root_path is not None else None,
        "compile_flags": compile_flags,
    }
    if func is None:
        return lambda function: _decorate(function, options)
    return _decorate(func, options)


def _decorate(func: Any, options: dict[str, Any]) -> JitFunction | TunedFunction:
    if isinstance(func, FunctionType):
        return JitFunction(func, **options)
    if isinstance(func, JitFunction):
        given = {name: value for name, value in options.items() if value is not None}
        kept = {name: getattr(func, name) for name in options}
        return JitFunction(func.function, **{**kept, **given})
    adopted = getattr(func, "jit_impl", func)
    inner = getattr(getattr(adopted, "func", None), "orig_func", None)
    if isinstance(inner, FunctionType):
        given = {name: value for name, value in options.items() if value is not None}
        kept = {name: getattr(adopted, name, None) for name in options}
        adopted_function = JitFunction(inner, **{**kept, **given})
        return TunedFunction(adopted_function, func) if adopted is not func else adopted_function
    if type(func).__name__ == "PrimFunc":
        raise ArgumentError(
            "tt_jit.jit decorates the function that makes the kernel, not the T.prim_func itself",
            got="a PrimFunc",
            hint="use tt_jit.compile(prim_func, out_idx=...)",
        )
    raise ArgumentError(
        "tt_jit.jit decorates Python functions and objects made by @tilelang.jit",
        got=type(func).__name__,
        needed="a function",
        hint="arguments of the decorator are keywords: @tt_jit.jit(out_idx=-1)"
        if isinstance(func, (int, list))
        else None,
    )


def compile(
    func: Any = None,
    out_idx: int | Sequence[int] | None = None,
    execution_backend: str | None = None,
    target: Any = None,
    target_host: Any = None,
    verbose: bool | None = None,
    pass_configs: Mapping[str, Any] | None = None,
    compile_flags: Sequence[str] | str | None = None,
    *,
    device: Any = None,
    precision: str | None = None,
    storage: Mapping[str, str] | None = None,
) -> Kernel:
    """Compile a T.prim_func. Takes the parameters of tilelang.compile; `device`, `precision` and `storage` as `jit`."""
    if type(func).__name__ != "PrimFunc":
        decorated = hasattr(func, "orig_func") or hasattr(func, "func") or isinstance(func, JitFunction)
        raise ArgumentError(
            "tt_jit.compile takes a T.prim_func",
            parameter="func",
            got=type(func).__name__,
            needed="a PrimFunc",
            hint="use f.compile(...) of the decorated function" if decorated else None,
        )
    chosen = select_device(device, named_target(target))
    original = getattr(func, "orig_func", None)
    location = location_of(original) if isinstance(original, FunctionType) else None
    with located(location):
        signature = kernel_signature(func, out_idx)
        func = with_precision(func, checked_precision(precision))
        func = with_storage(func, checked_storage(storage), signature)
        compiled = build.build(func, chosen, bool(verbose))
        return Kernel(signature=signature, compiled=compiled, prim_func=func, location=location).load()


def par_compile(
    funcs: Iterable[Any],
    out_idx: int | Sequence[int] | None = None,
    num_workers: int | None = None,
    ignore_error: bool = False,
    **options: Any,
) -> list[Kernel | None]:
    """Compile several T.prim_funcs; `options` are those of `compile`."""
    calls = [functools.partial(compile, func, out_idx, **options) for func in funcs]
    return _in_parallel(calls, num_workers, ignore_error)


def _in_parallel(
    calls: Sequence[Callable[[], Kernel]], num_workers: int | None, ignore_error: bool
) -> list[Kernel | None]:
    def run(call: Callable[[], Kernel]) -> Kernel | None:
        try:
            return call()
        except TTJitError as error:
            if not ignore_error:
                raise
            build.tell(True, f"not compiled: {error}")
            return None

    if not calls:
        return []
    # Tracing and lowering are Python; the C++ compiler runs beside them in its own process.
    workers = num_workers or min(len(calls), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    with ThreadPoolExecutor(workers, "tt_jit-compile") as pool:
        return list(pool.map(run, calls))


__all__ = ["JitFunction", "TraceError", "compile", "jit", "par_compile"]
