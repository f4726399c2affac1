"""Which argument goes to which parameter, for kernels and for decorated functions; complaints about count and names."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import torch

from .errors import ArgumentError
from .signature import KernelSignature, is_chip_tensor

_Tensor = torch.Tensor
_EMPTY = inspect.Parameter.empty
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
# Compile-time values that compare by value and cannot change: they may stand in a key as they are.
_ATOMS: set[type] = {int, bool, str, type(None), torch.dtype}


def bind_arguments(signature: KernelSignature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arguments in parameter order, one per input; complains about count and names."""
    inputs = signature.inputs
    if len(args) == len(inputs) and not kwargs:
        return tuple(args)
    names = [parameter.name for parameter in inputs]
    call = signature.describe()
    returned = [signature.parameters[index].name for index in signature.out_idx]
    note = f"{', '.join(returned)} {'is' if len(returned) == 1 else 'are'} allocated and returned by the call"
    hint = f"call {call}" + (f"; {note}" if returned else "")
    if len(args) > len(inputs):
        raise ArgumentError(
            f"{signature.name}: too many arguments",
            got=f"{len(args)} arguments",
            needed=f"{len(inputs)}: {', '.join(names) or 'none'}",
            hint=hint,
        )
    values = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name not in names:
            raise ArgumentError(
                f"{signature.name}: unknown keyword argument {name!r}",
                parameter=name,
                needed=", ".join(names) or "no arguments",
                hint=hint,
            )
        if name in values:
            raise ArgumentError(f"{signature.name}: argument {name!r} is given twice", parameter=name, hint=hint)
        values[name] = value
    missing = [name for name in names if name not in values]
    if missing:
        raise ArgumentError(
            f"{signature.name}: missing argument{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))}",
            parameter=missing[0],
            got=f"{len(values)} arguments",
            needed=f"{len(inputs)}: {', '.join(names)}",
            hint=hint,
        )
    return tuple(values[name] for name in names)


@dataclass(frozen=True, kw_only=True)
class BoundCall:
    """The arguments of one call of a decorated function, by parameter name."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    # In the order of the signature, defaults filled in; without the parameters that got nothing.
    values: Mapping[str, Any]
    # Keywords that are no parameters: values of T.const symbols, or mistakes.
    extras: Mapping[str, Any]


class FunctionBinder:
    """Binds calls of one decorated function."""

    def __init__(self, function: FunctionType) -> None:
        self.name = function.__name__
        self.signature = inspect.signature(function)
        self._parameters = tuple(self.signature.parameters.values())
        self._variadic = any(parameter.kind in _VARIADIC for parameter in self._parameters)
        self.takes_any_keyword = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in self._parameters)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self._parameters)

    def describe(self) -> str:
        bare = [parameter.replace(annotation=_EMPTY) for parameter in self._parameters]
        return f"{self.name}{inspect.Signature(bare)}"

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> BoundCall:
        if self._variadic:
            return self._bind_variadic(args, kwargs)
        positional = [p for p in self._parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]
        if len(args) > len(positional):
            raise ArgumentError(
                f"{self.name}: too many positional arguments",
                got=f"{len(args)} positional arguments",
                needed=f"at most {len(positional)}: {', '.join(p.name for p in positional)}",
                hint=f"call {self.describe()}",
            )
        given = {parameter.name: value for parameter, value in zip(positional, args, strict=False)}
        extras = {}
        for name, value in kwargs.items():
            if name in given:
                raise ArgumentError(
                    f"{self.name}: argument {name!r} is given twice",
                    parameter=name,
                    hint=f"call {self.describe()}",
                )
            if name in self.signature.parameters:
                given[name] = value
            else:
                extras[name] = value
        values = {}
        for parameter in self._parameters:
            if parameter.name in given:
                values[parameter.name] = given[parameter.name]
            elif parameter.default is not _EMPTY:
                values[parameter.name] = parameter.default
        return BoundCall(args=tuple(args), kwargs=dict(kwargs), values=values, extras=extras)

    def _bind_variadic(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> BoundCall:
        try:
            bound = self.signature.bind_partial(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(f"{self.name}: {error}", hint=f"call {self.describe()}") from error
        bound.apply_defaults()
        values = {}
        for parameter in self._parameters:
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                values.update(bound.arguments.get(parameter.name, {}))
            elif parameter.name in bound.arguments:
                values[parameter.name] = bound.arguments[parameter.name]
        return BoundCall(args=tuple(args), kwargs=dict(kwargs), values=values, extras={})

    def require(self, bound: BoundCall, exempt: Sequence[str] = ()) -> None:
        """Complain about parameters that got no value, except those in `exempt`."""
        missing = [
            parameter.name
            for parameter in self._parameters
            if parameter.name not in bound.values and parameter.kind not in _VARIADIC and parameter.name not in exempt
        ]
        if missing:
            raise ArgumentError(
                f"{self.name}: missing argument{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))}",
                parameter=missing[0],
                got=f"{len(bound.args) + len(bound.kwargs)} arguments",
                needed=", ".join(self.names),
                hint=f"call {self.describe()}",
            )

    def refuse_extras(self, bound: BoundCall, allowed: Sequence[str] = ()) -> None:
        """Complain about keywords that are neither parameters nor T.const symbols."""
        for name in bound.extras:
            if name not in allowed:
                raise ArgumentError(
                    f"{self.name}: unknown keyword argument {name!r}",
                    parameter=name,
                    needed=", ".join([*self.names, *allowed]),
                    hint=f"call {self.describe()}",
                )


def register_atom(kind: type) -> None:
    """Let values of an immutable type that compares by value stand in call keys."""
    _ATOMS.add(kind)


def call_key(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], places: Sequence[bool], names: frozenset[str]
) -> tuple[Any, ...] | None:
    """The key of a warm call: what run-time arguments look like, and the values of compile-time ones.

    `places` says of each positional parameter whether it is a run-time one, `names` has the names of those. None means
    that some argument must be looked at more closely (a list, an object of the user's, a tensor among the compile-time
    arguments).
    """
    parts: list[Any] = []
    for value, runtime in zip(args, places, strict=False):
        if not _add_to_key(parts, value, runtime):
            return None
    if kwargs:
        for name, value in kwargs.items():
            parts.append(name)
            if not _add_to_key(parts, value, name in names):
                return None
    return tuple(parts) if len(args) <= len(places) else None


def _add_to_key(parts: list[Any], value: Any, runtime: bool) -> bool:
    kind = type(value)
    if kind is _Tensor or isinstance(value, _Tensor):
        if runtime:
            parts += (value.shape, value.stride(), value.dtype, value.is_cpu)
        return runtime
    if runtime:
        if is_chip_tensor(value):
            parts += (kind, tuple(value.shape), value.dtype)
        else:
            parts.append(kind)
    elif kind in _ATOMS:
        parts += (kind, value)
    elif kind is float:
        parts += (kind, value.hex())
    elif kind is tuple and _ATOMS.issuperset(map(type, value)):
        parts += (*map(type, value), value)
    else:
        return False
    return True
