"""A cheap test whether anything that a function captured has changed since it was last looked at in full.

Names are compared by identity, containers element by element, arrays by content. A false alarm costs one full look
(captured.py), after which the same content gives the same kernel again; a missed change cannot happen for what is
watched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableSequence, Sequence
from operator import attrgetter, is_, itemgetter
from types import CellType, FunctionType
from typing import Any

_MISSING = object()
_code_of, _defaults_of, _keywords_of, _attributes_of = map(
    attrgetter, ("__code__", "__defaults__", "__kwdefaults__", "__dict__")
)


class Watch:
    """The things to look at. Holds strong references, so that no identity can be used again while the watch lives."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[Mapping[str, Any], dict[str, Any]]] = {}
        self._absent: dict[int, tuple[Mapping[str, Any], set[str]]] = {}
        self._functions: list[tuple[FunctionType, object, object, object]] = []
        self._checks: list[Callable[[], bool]] = []
        self._kept: list[object] = []
        self._compiled = False

    def keep(self, value: object) -> None:
        """Keep `value` alive as long as the watch."""
        self._kept.append(value)

    def name(self, namespace: Mapping[str, Any], name: str, value: object) -> None:
        """`namespace[name]` is `value`."""
        self._names.setdefault(id(namespace), (namespace, {}))[1][name] = value

    def absence(self, namespace: Mapping[str, Any], name: str) -> None:
        """`namespace` has no `name`."""
        self._absent.setdefault(id(namespace), (namespace, set()))[1].add(name)

    def cell(self, cell: CellType, value: object) -> None:
        self._checks.append(lambda: _contents(cell) is value)

    def empty_cell(self, cell: CellType) -> None:
        self._checks.append(lambda: _contents(cell) is _MISSING)

    def sequence(self, values: MutableSequence[Any]) -> None:
        before = tuple(values)
        self._checks.append(lambda: len(values) == len(before) and all(map(is_, values, before)))

    def mapping(self, values: Mapping[Any, Any]) -> None:
        """The same keys in the same order, with the same values."""
        keys, items = tuple(values), tuple(values.values())
        self._checks.append(lambda: tuple(values) == keys and all(map(is_, values.values(), items)))

    def unordered(self, values: set[Any]) -> None:
        before = {id(value) for value in values}
        self._kept.append(tuple(values))
        self._checks.append(lambda: {id(value) for value in values} == before)

    def function(self, function: FunctionType) -> None:
        """Neither code, defaults nor attributes are replaced (as reloading in a notebook does)."""
        self._functions.append((function, function.__code__, function.__defaults__, function.__kwdefaults__))
        if function.__dict__:
            self.mapping(function.__dict__)

    def content(self, read: Callable[[], object]) -> None:
        """`read()` gives an equal value (bytes of an array, slots of an object)."""
        before = read()
        self._checks.append(lambda: read() == before)

    def unchanged(self) -> bool:
        """Whether all is as it was. Called before every launch."""
        if not self._compiled:
            self._compile()
        for check in self._checks:
            if not check():
                return False
        return True

    def _compile(self) -> None:
        checks: list[Callable[[], bool]] = []
        for namespace, expected in self._names.values():
            checks.append(_names_check(namespace, expected))
        if self._functions:
            checks.append(_functions_check(self._functions))
        for namespace, absent in self._absent.values():
            checks.append(_absence_check(namespace, frozenset(absent)))
        self._checks = checks + self._checks
        self._compiled = True


def _names_check(namespace: Mapping[str, Any], expected: Mapping[str, Any]) -> Callable[[], bool]:
    names = tuple(expected)
    if len(names) == 1:
        name, value = names[0], expected[names[0]]
        return lambda: namespace.get(name, _MISSING) is value
    values = tuple(expected.values())
    get = itemgetter(*names)

    def check() -> bool:
        try:
            return all(map(is_, get(namespace), values))
        except KeyError:
            return False

    return check


def _functions_check(watched: Sequence[tuple[FunctionType, object, object, object]]) -> Callable[[], bool]:
    functions, codes, defaults, keywords = zip(*watched, strict=True)
    if len(functions) == 1:
        ((function, code, default, keyword),) = watched
        bare = not function.__dict__
        return lambda: (
            function.__code__ is code
            and function.__defaults__ is default
            and function.__kwdefaults__ is keyword
            and not (bare and function.__dict__)
        )
    bare_functions = tuple(function for function in functions if not function.__dict__)
    return lambda: (
        all(map(is_, map(_code_of, functions), codes))
        and all(map(is_, map(_defaults_of, functions), defaults))
        and all(map(is_, map(_keywords_of, functions), keywords))
        and not any(map(_attributes_of, bare_functions))
    )


def _absence_check(namespace: Mapping[str, Any], names: frozenset[str]) -> Callable[[], bool]:
    if len(names) <= 3:
        # Short of four names, looking each one up is faster than making a view of the keys.
        ordered = tuple(names)
        return lambda: not any(name in namespace for name in ordered)
    return lambda: namespace.keys().isdisjoint(names)


def _contents(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return _MISSING
