"""A cheap test whether anything that a function captured has changed since it was last looked at in full.

Names are compared by identity, containers element by element, arrays by content. A false alarm costs one full look
(captured.py), after which the same content gives the same kernel again; a missed change cannot happen for what is
watched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableSequence
from operator import attrgetter, is_, itemgetter
from types import CellType, FunctionType
from typing import Any

_MISSING = object()
_FUNCTION_PARTS = tuple(map(attrgetter, ("__code__", "__defaults__", "__kwdefaults__")))


class Watch:
    """The things to look at. Holds strong references, so that no identity can be used again while the watch lives."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[Mapping[str, Any], dict[str, Any]]] = {}
        self._absent: dict[int, tuple[Mapping[str, Any], set[str]]] = {}
        self._functions: list[FunctionType] = []
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
        self._functions.append(function)

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
            checks.append(_functions_check(tuple(self._functions)))
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


def _functions_check(functions: tuple[FunctionType, ...]) -> Callable[[], bool]:
    """No function had its code or defaults replaced (as reloading in a notebook does)."""
    before = [[get(function) for function in functions] for get in _FUNCTION_PARTS]
    if len(functions) == 1:
        (function,), (code, defaults, keywords) = functions, (parts[0] for parts in before)
        return lambda: (
            function.__code__ is code and function.__defaults__ is defaults and function.__kwdefaults__ is keywords
        )
    code_of, defaults_of, keywords_of = _FUNCTION_PARTS
    codes, defaults_list, keywords_list = before
    return lambda: (
        all(map(is_, map(code_of, functions), codes))
        and all(map(is_, map(defaults_of, functions), defaults_list))
        and all(map(is_, map(keywords_of, functions), keywords_list))
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
