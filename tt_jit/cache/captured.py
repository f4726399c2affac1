"""Everything that tracing a function can read besides its arguments, as one digest, plus a cheap watch for changes.

The walk goes from the function over its globals, closure, defaults and annotations to the functions, macros, classes,
modules, containers and arrays that it reaches. What it cannot look into is named by identity; then the digest is good
for this process only (`not_portable` says why) and kernels on disk are found through their IR alone.
"""

from __future__ import annotations

import builtins
import enum
import functools
import hashlib
import os
import sys
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .names import Chain, names_in_annotations, names_in_text, names_of_code, source_of
from .watch import Watch

# Tracing is a pure function of what it is given, as far as these packages go; their versions are in the key.
_TRUSTED = frozenset({"tilelang", "tvm", "tvm_ffi", "tt_jit"})
# ... except the parts that ask the machine, the user's environment or a compiler.
_ASKS_THE_MACHINE = (
    "tilelang.contrib",
    "tilelang.env",
    "tilelang.utils.device",
    "tilelang.utils.target",
    "tilelang.backend",
    "tilelang.autotuner.capture",
    "tvm.contrib",
    "tvm.runtime.device",
    "tvm.rpc",
)
_PURE_STANDARD_MODULES = frozenset(
    "math cmath operator _operator itertools functools _functools typing collections dataclasses enum abc fractions "
    "decimal numbers string re types contextlib copy bisect heapq statistics warnings logging textwrap "
    "typing_extensions collections.abc builtins".split()
)
# Large libraries: their functions are never walked into, and are not taken for pure.
_OPAQUE = frozenset({"torch", "numpy", "triton", "scipy", "pandas", "ttnn", "_pytest", "pytest", "pluggy", "jax"})
# Builtins that reach what the walk cannot see.
_REACHING_BUILTINS = frozenset(
    {"globals", "eval", "exec", "__import__", "open", "input", "breakpoint", "vars", "locals"}
)
_UNSTABLE_BUILTINS = frozenset({"id", "hash", "dir"})
_VALUE_TYPES = (type(None), bool, int, float, complex, str, bytes, range, type(Ellipsis), type(NotImplemented))
_PLAIN_RECORDS = frozenset({"types.SimpleNamespace", "argparse.Namespace"})
_TORCH_VALUES = frozenset({"dtype", "device", "Size", "layout", "memory_format", "finfo", "iinfo"})
_CLASS_NOISE = frozenset(
    "__dict__ __weakref__ __doc__ __module__ __dataclass_fields__ __dataclass_params__ __match_args__ _abc_impl "
    "__abstractmethods__ __parameters__ __orig_bases__ __firstlineno__ __static_attributes__ __qualname__".split()
)
_DESCRIPTORS = (types.MemberDescriptorType, types.GetSetDescriptorType)
_STANDARD_LIBRARY = os.path.join(os.path.dirname(os.__file__), "")
_MAX_OBJECTS = 50_000
_MISSING = object()


@dataclass(frozen=True, kw_only=True)
class Captured:
    """The outcome of one walk."""

    digest: str
    # None where the digest means the same in every process, else what stands in the way.
    not_portable: str | None
    # None where `watch` sees every change, else what it cannot see: such a function is traced at every call.
    volatile: str | None
    watch: Watch
    macros: tuple[Any, ...]


def capture(function: types.FunctionType) -> Captured:
    """Walk `function` and all it reaches."""
    walk = _Walk()
    walk.function(function, traced=True)
    return walk.result()


def capture_values(values: Iterable[Any]) -> Captured:
    """Walk argument values."""
    walk = _Walk()
    for value in values:
        walk.value(value)
    return walk.result()


def _root_package(name: str | None) -> str:
    return (name or "").partition(".")[0]


def _is_standard(name: str) -> bool:
    return _root_package(name) in sys.stdlib_module_names and name != "__main__"


def _qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


class _Walk:
    def __init__(self) -> None:
        self._tokens: list[str] = []
        self._seen: dict[int, int] = {}
        self._watch = Watch()
        self._macros: list[Any] = []
        self._not_portable: str | None = None
        self._volatile: str | None = None

    def result(self) -> Captured:
        digest = hashlib.sha256("\0".join(self._tokens).encode("utf-8", "surrogatepass")).hexdigest()
        return Captured(
            digest=digest,
            not_portable=self._not_portable,
            volatile=self._volatile,
            watch=self._watch,
            macros=tuple(self._macros),
        )

    def _emit(self, *tokens: object) -> None:
        self._tokens.extend(map(str, tokens))

    def _first_visit(self, value: object) -> bool:
        """False, with a reference emitted, for an object that was already walked: sharing is part of the content."""
        number = self._seen.get(id(value))
        if number is not None:
            self._emit("again", number)
            return False
        self._seen[id(value)] = len(self._seen)
        self._watch.keep(value)
        return True

    def _by_identity(self, value: object, why: str, volatile: bool = False) -> None:
        self._watch.keep(value)
        self._emit("identity", _qualified(type(value)), id(value))
        self._not_portable = self._not_portable or why
        if volatile:
            self._volatile = self._volatile or why

    def value(self, value: Any) -> None:
        """Emit the content of any value."""
        kind = type(value)
        if kind in _VALUE_TYPES:
            self._emit(kind.__name__, repr(value))
            return
        if not self._first_visit(value):
            return
        if len(self._seen) > _MAX_OBJECTS:
            self._by_identity(value, "the function reaches too many objects", volatile=True)
            return
        handler = _HANDLERS.get(kind)
        if handler is not None:
            handler(self, value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, enum.Enum):
            self._emit("enum", _qualified(kind), value.name)
            self.value(value.value)
        elif isinstance(value, types.ModuleType):
            self._bare_module(value)
        else:
            self._instance(value)

    # Containers.

    def _tuple(self, value: tuple[Any, ...]) -> None:
        self._emit("tuple", len(value))
        for item in value:
            self.value(item)

    def _sequence(self, value: Any) -> None:
        self._emit(type(value).__name__, len(value))
        self._watch.sequence(value)
        for item in value:
            self.value(item)

    def _mapping(self, value: Mapping[Any, Any]) -> None:
        self._emit(type(value).__name__, len(value))
        self._watch.mapping(value)
        for key, item in value.items():
            self.value(key)
            self.value(item)
        if isinstance(value, defaultdict):
            self.value(value.default_factory)

    def _set(self, value: Any) -> None:
        self._emit(type(value).__name__, len(value))
        if isinstance(value, set):
            self._watch.unordered(value)
        for item in sorted(value, key=lambda item: (type(item).__name__, repr(item))):
            self.value(item)

    def _bytearray(self, value: bytearray) -> None:
        self._emit("bytearray", value.hex())
        self._watch.content(lambda: bytes(value))

    def _slice(self, value: slice) -> None:
        self._emit("slice")
        for item in (value.start, value.stop, value.step):
            self.value(item)

    # Functions.

    def function(self, function: types.FunctionType, traced: bool = False) -> None:
        """`traced` functions are read by TileLang from their source; others run as they are."""
        package = _root_package(function.__module__)
        if package in _TRUSTED and not traced:
            self._library_callable(function)
            return
        if not traced and (package in _OPAQUE or _is_standard(package)):
            self._library_callable(function)
            return
        code = function.__code__
        self._watch.function(function)
        self._emit("function", function.__module__, function.__qualname__)
        if code.co_filename.startswith(_STANDARD_LIBRARY) and not traced:
            # A wrapper of the standard library around a function of the user's: the user's is in its closure.
            self._emit("wrapper", code.co_qualname if hasattr(code, "co_qualname") else code.co_name)
            for cell in function.__closure__ or ():
                self._cell(cell, ())
            return
        self._code(code)
        chains = list(names_of_code(code).chains)
        if traced or any(isinstance(constant, types.CodeType) for constant in code.co_consts):
            source = source_of(function)
            self._emit("source", source)
            if source is not None:
                try:
                    chains += names_in_annotations(source, code)
                except SyntaxError:
                    # A lambda inside a larger statement: Python runs its bytecode, and TileLang cannot trace it.
                    self._emit("fragment")
        if traced and hasattr(function, "__wrapped__"):
            # TileLang reads the source of what a decorator wrapped.
            self.function(function.__wrapped__, traced=True)
        for annotation in function.__annotations__.values():
            if isinstance(annotation, str):
                chains += names_in_text(annotation, code)
        for part in (function.__defaults__, function.__kwdefaults__, function.__annotations__):
            self.value(part)
        for name, item in vars(function).items():
            if name not in ("__wrapped__", "__signature__"):
                self._emit("attribute", name)
                self.value(item)
        self._names(function, dict.fromkeys(chains))
        for level, module in names_of_code(code).imports:
            self._import(function, level, module, names_of_code(code).attributes)

    def _code(self, code: types.CodeType) -> None:
        self._emit("code", code.co_filename, code.co_firstlineno, code.co_code.hex(), code.co_flags)
        self._emit(code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount)
        self._emit(*code.co_names, "|", *code.co_varnames, "|", *code.co_freevars, "|", *code.co_cellvars)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._code(constant)
            else:
                self.value(constant)

    def _names(self, function: types.FunctionType, chains: Iterable[Chain]) -> None:
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        namespace = function.__globals__
        for chain in chains:
            self._emit("name", chain.root, *chain.attributes)
            if chain.free and chain.root in cells:
                self._cell(cells[chain.root], chain.attributes)
            elif chain.root in namespace:
                found = namespace[chain.root]
                self._watch.name(namespace, chain.root, found)
                self._chain(found, chain.attributes)
            else:
                self._watch.absence(namespace, chain.root)
                self._builtin(chain.root)

    def _cell(self, cell: types.CellType, attributes: tuple[str, ...]) -> None:
        try:
            found = cell.cell_contents
        except ValueError:
            self._watch.empty_cell(cell)
            self._emit("empty")
            return
        self._watch.cell(cell, found)
        self._chain(found, attributes)

    def _builtin(self, name: str) -> None:
        self._emit("builtin" if hasattr(builtins, name) else "absent")
        if name in _REACHING_BUILTINS:
            why = f"{name}() is called"
            self._not_portable = self._not_portable or why
            self._volatile = self._volatile or why
        elif name in _UNSTABLE_BUILTINS:
            self._not_portable = self._not_portable or f"{name}() is called"

    def _chain(self, value: Any, attributes: tuple[str, ...]) -> None:
        """Follow a chain through modules; whatever else it reaches is taken whole."""
        path = ""
        while isinstance(value, types.ModuleType) and attributes:
            module, name = value, attributes[0]
            attributes = attributes[1:]
            path = f"{module.__name__}.{name}"
            namespace = vars(module)
            value = namespace.get(name, _MISSING)
            if value is _MISSING:
                value = getattr(module, name, _MISSING)
            elif _root_package(module.__name__) not in _TRUSTED | _OPAQUE and not _is_standard(module.__name__):
                self._watch.name(namespace, name, value)
            if value is _MISSING:
                self._watch.absence(namespace, name)
                self._emit("absent", path)
                return
        if path.startswith(("tilelang", "tvm")) and self._is_library_constant(value):
            self._emit("library", path, _qualified(type(value)), value if isinstance(value, _VALUE_TYPES) else "")
            if path.startswith(_ASKS_THE_MACHINE):
                self._not_portable = self._not_portable or f"{path} may depend on the machine"
            return
        if path in ("os.environ", "os.getenv"):
            self._environment()
            return
        self.value(value)

    @staticmethod
    def _is_library_constant(value: Any) -> bool:
        """An object of TileLang or TVM that is the same in every process, so that its name says all."""
        if isinstance(value, (types.FunctionType, type)):
            return False
        return _root_package(type(value).__module__) in _TRUSTED and not isinstance(value, enum.Enum)

    def _environment(self) -> None:
        values = os.environ
        self._emit("environment", sorted(values.items()))
        self._watch.content(lambda: dict(values))
        self._not_portable = self._not_portable or "the environment is read"

    def _import(self, function: types.FunctionType, level: int, name: str, attributes: frozenset[str]) -> None:
        """An import inside the function: the attributes that the code mentions are taken from the module."""
        package = _root_package(name)
        if not level and (package in _TRUSTED or name in _PURE_STANDARD_MODULES):
            self._emit("import", name)
            if name.startswith(_ASKS_THE_MACHINE):
                self._not_portable = self._not_portable or f"{name} may depend on the machine"
            return
        self._not_portable = self._not_portable or f"{'.' * level}{name} is imported inside the function"
        if not level and (package in _OPAQUE or _is_standard(name)):
            self._emit("import", name)
            return
        parents = (function.__globals__.get("__package__") or "").split(".")
        base = ".".join(parents[: len(parents) - level + 1]) if level else ""
        absolute = ".".join(part for part in (base, name) if part)
        module = sys.modules.get(absolute)
        if module is None:
            self._watch.absence(sys.modules, absolute)
            self._emit("not imported yet", absolute)
            return
        self._emit("import", absolute)
        self._watch.name(sys.modules, absolute, module)
        for attribute in sorted(attributes):
            if attribute in vars(module):
                self._emit(attribute)
                self._chain(module, (attribute,))
            else:
                self._watch.absence(vars(module), attribute)

    def _library_callable(self, value: Any) -> None:
        module = getattr(value, "__module__", None) or ""
        name = str(getattr(value, "__qualname__", None) or getattr(value, "__name__", ""))
        bound = getattr(value, "__self__", None)
        self._emit("callable", module, name)
        if bound is not None and not isinstance(bound, types.ModuleType):
            self.value(bound)
        if _root_package(module) in _TRUSTED:
            if module.startswith(_ASKS_THE_MACHINE):
                self._not_portable = self._not_portable or f"{module}.{name} may depend on the machine"
        elif module == "builtins" or module == "":
            self._builtin(name)
        elif module not in _PURE_STANDARD_MODULES:
            self._not_portable = self._not_portable or f"{module}.{name} is called"

    def _method(self, value: types.MethodType) -> None:
        self._emit("method")
        self.value(value.__func__)
        self.value(value.__self__)

    def _partial(self, value: functools.partial[Any]) -> None:
        self._emit("partial")
        for part in (value.func, value.args, value.keywords):
            self.value(part)

    def _wrapper(self, value: Any) -> None:
        self._emit(type(value).__name__)
        self.value(value.__func__)

    def _property(self, value: property) -> None:
        self._emit("property")
        for part in (value.fget, value.fset):
            self.value(part)

    # Classes and instances.

    def _class(self, value: type) -> None:
        package = _root_package(value.__module__)
        self._emit("class", _qualified(value))
        if package in _TRUSTED or package in _OPAQUE or _is_standard(package):
            return
        for base in value.__bases__:
            self.value(base)
        namespace = value.__dict__
        self._watch.mapping(namespace)
        for name, item in namespace.items():
            if name not in _CLASS_NOISE and not isinstance(item, _DESCRIPTORS):
                self._emit("attribute", name)
                self.value(item)

    def _bare_module(self, value: types.ModuleType) -> None:
        """A module that is passed around: anything in it may be read."""
        name = value.__name__
        self._emit("module", name)
        if _root_package(name) in _TRUSTED or name in _PURE_STANDARD_MODULES:
            return
        self._not_portable = self._not_portable or f"module {name} is used as a value"
        if _root_package(name) not in _OPAQUE and not _is_standard(name):
            self._watch.mapping(vars(value))
            self._emit(*(f"{key}:{id(item)}" for key, item in vars(value).items()))

    def _instance(self, value: Any) -> None:
        kind = type(value)
        package = _root_package(kind.__module__)
        if package == "torch":
            self._torch(value)
        elif package == "numpy":
            self._numpy(value)
        elif package in _TRUSTED:
            self._library_object(value)
        elif _qualified(kind) in _PLAIN_RECORDS or not _is_standard(package):
            self._record(value)
        elif kind.__module__ in ("typing", "types", "typing_extensions") and not hasattr(value, "gi_frame"):
            self._emit("typing", repr(value))
        elif _qualified(kind) in ("re.Pattern", "pathlib.PosixPath", "fractions.Fraction", "decimal.Decimal"):
            self._emit(_qualified(kind), repr(value))
        elif _qualified(kind) == "functools._lru_cache_wrapper":
            self.value(value.__wrapped__)
            self._not_portable = self._not_portable or "a function with a cache is called"
        else:
            iterates = hasattr(value, "__next__")
            self._by_identity(value, f"a {_qualified(kind)} is captured", volatile=iterates)

    def _record(self, value: Any) -> None:
        """An object of the user's own: its class, its attributes and, for subclasses of containers, its items."""
        kind = type(value)
        self._emit("instance")
        self.value(kind)
        attributes = getattr(value, "__dict__", None)
        slots = [name for base in kind.__mro__ for name in _slots(base)]
        if isinstance(value, tuple):
            self._tuple(tuple(value))
        elif isinstance(value, list):
            self._sequence(value)
        elif isinstance(value, dict):
            self._mapping(value)
        elif isinstance(value, (set, frozenset)):
            self._set(value)
        elif isinstance(value, (int, float, str, bytes)):
            base = next(base for base in (int, float, str, bytes) if isinstance(value, base))
            self._emit(base.__name__, base.__repr__(value))
        elif attributes is None and not slots:
            # Not even a __dict__: what a class written in C keeps is out of sight.
            self._by_identity(value, f"a {_qualified(kind)} is captured", volatile=True)
            return
        if attributes is not None:
            self._watch.mapping(attributes)
            for name, item in attributes.items():
                self._emit(name)
                self.value(item)
        if slots:
            self._watch.content(lambda: tuple(id(getattr(value, name, None)) for name in slots))
            for name in slots:
                self._emit(name)
                self.value(getattr(value, name, None))

    # Libraries.

    def _torch(self, value: Any) -> None:
        import torch

        kind = type(value)
        if isinstance(value, torch.Tensor):
            if value.device.type != "cpu" or value.layout is not torch.strided:
                self._by_identity(value, "a tensor on a device is captured", volatile=True)
                return
            self._emit("tensor", value.dtype, tuple(value.shape), hashlib.sha256(_tensor_bytes(value)).hexdigest())
            self._watch.content(lambda: _tensor_bytes(value))
        elif kind.__name__ in _TORCH_VALUES:
            self._emit(_qualified(kind), repr(value))
        else:
            self._by_identity(value, f"a {_qualified(kind)} is captured")

    def _numpy(self, value: Any) -> None:
        import numpy

        if isinstance(value, numpy.ndarray) and not value.dtype.hasobject:
            self._emit("ndarray", value.dtype.str, value.shape, hashlib.sha256(value.tobytes()).hexdigest())
            self._watch.content(lambda: (value.shape, value.tobytes()))
        elif isinstance(value, (numpy.generic, numpy.dtype)):
            self._emit(_qualified(type(value)), repr(value))
        elif isinstance(value, numpy.ufunc):
            self._emit("ufunc", value.__name__, numpy.__version__)
        else:
            self._by_identity(value, f"a {_qualified(type(value))} is captured")

    def _library_object(self, value: Any) -> None:
        """An object of TileLang, TVM or tt_jit that the user made or decorated."""
        name = _qualified(type(value))
        if name == "tilelang.language.eager.builder.Macro":
            self._emit("macro", value.name)
            self._macros.append(value)
            self.function(value.orig_func, traced=True)
            self.value(value.annotations)
        elif name == "tilelang.language.eager.builder.JITFunc":
            self._emit("jit function")
            self.function(value.orig_func, traced=True)
        elif name in ("tilelang.jit.JITImpl", "tilelang.autotuner.tuner.AutoTuneImpl", "tt_jit.jit.JitFunction"):
            self._emit("jit")
            inner = getattr(value, "jit_impl", value)
            function = getattr(inner, "function", None) or getattr(inner.func, "orig_func", inner.func)
            self.function(function, traced=True)
        else:
            from .ir_values import describe_ir_value

            text = describe_ir_value(value, self._seen)
            if text is not None:
                self._emit("ir", name, text)
            else:
                self._by_identity(value, f"a {name} is captured")


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    return (
        (slots,) if isinstance(slots, str) else tuple(slot for slot in slots if slot not in ("__dict__", "__weakref__"))
    )


def _tensor_bytes(value: Any) -> bytes:
    import torch

    flat = value.detach().contiguous().reshape(-1)
    return bytes(flat.view(torch.uint8).numpy().tobytes()) if flat.numel() else b""


_HANDLERS: dict[type, Callable[[_Walk, Any], None]] = {
    tuple: _Walk._tuple,
    list: _Walk._sequence,
    deque: _Walk._sequence,
    dict: _Walk._mapping,
    OrderedDict: _Walk._mapping,
    defaultdict: _Walk._mapping,
    types.MappingProxyType: _Walk._mapping,
    set: _Walk._set,
    frozenset: _Walk._set,
    bytearray: _Walk._bytearray,
    slice: _Walk._slice,
    types.FunctionType: _Walk.function,
    types.BuiltinFunctionType: _Walk._library_callable,
    types.MethodWrapperType: _Walk._library_callable,
    types.WrapperDescriptorType: _Walk._library_callable,
    types.MethodDescriptorType: _Walk._library_callable,
    types.ClassMethodDescriptorType: _Walk._library_callable,
    types.MethodType: _Walk._method,
    functools.partial: _Walk._partial,
    staticmethod: _Walk._wrapper,
    classmethod: _Walk._wrapper,
    property: _Walk._property,
}
