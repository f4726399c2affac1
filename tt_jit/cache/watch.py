"""A cheap test whether anything that a function captured has changed since it was last looked at in full.

Names are compared by identity, containers element by element, arrays by content. A false alarm costs one full look
(captured.py), after which the same content gives the same kernel again; a missed change cannot happen for what is
watched.

The test runs before every launch, so its terms are joined into one Python expression: a term such as `v3['T'] is v4`
takes a tenth of the time of a call that checks the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableSequence
from operator import is_
from types import CellType, FunctionType
from typing import Any

_COMPARED_BY_VALUE = (int, bool, str)
# Longer containers are compared by a loop in C instead of term by term.
_MAX_TERMS = 8


class Watch:
    """The things to look at. Holds strong references, so that no identity is used again while the watch lives."""

    def __init__(self) -> None:
        self._objects: dict[str, object] = {"is_": is_}
        self._terms: dict[str, None] = {}
        self._numbers: dict[int, str] = {}
        self._kept: list[object] = []
        self._test: Callable[[], bool] | None = None

    def keep(self, value: object) -> None:
        """Keep `value` alive as long as the watch."""
        self._kept.append(value)

    def name(self, namespace: Mapping[str, Any], name: str, value: object) -> None:
        """`namespace[name]` is `value`."""
        self._add(self._same(f"{self._call(namespace)}[{name!r}]", value))

    def absence(self, namespace: Mapping[str, Any], name: str) -> None:
        """`namespace` has no `name`."""
        self._add(f"{name!r} not in {self._call(namespace)}")

    def cell(self, cell: CellType, value: object) -> None:
        """The variable of a closure is `value`."""
        self._add(self._same(f"{self._call(cell)}.cell_contents", value))

    def empty_cell(self, cell: CellType) -> None:
        """The variable of a closure is not assigned yet."""
        self._add(f"{self._call(lambda: _is_empty(cell))}()")

    def sequence(self, values: MutableSequence[Any]) -> None:
        """The same elements."""
        before = tuple(values)
        name = self._call(values)
        self._add(f"len({name}) == {len(before)}")
        if len(before) <= _MAX_TERMS:
            for index, value in enumerate(before):
                self._add(self._same(f"{name}[{index}]", value))
        else:
            self._add(f"all(map(is_, {name}, {self._call(before)}))")

    def mapping(self, values: Mapping[Any, Any]) -> None:
        """The same keys in the same order, with the same values."""
        name = self._call(values)
        self._add(f"len({name}) == {len(values)}")
        if values:
            keys, items = self._call(tuple(values)), self._call(tuple(values.values()))
            self._add(f"tuple({name}) == {keys}")
            self._add(f"all(map(is_, {name}.values(), {items}))")

    def unordered(self, values: set[Any]) -> None:
        before = {id(value) for value in values}
        self._kept.append(tuple(values))
        self._add(f"{self._call(lambda: {id(value) for value in values} == before)}()")

    def function(self, function: FunctionType) -> None:
        """Neither code, defaults nor attributes are replaced (as reloading in a notebook does)."""
        name = self._call(function)
        for part in ("__code__", "__defaults__", "__kwdefaults__"):
            self._add(f"{name}.{part} is {self._call(getattr(function, part))}")
        if function.__dict__:
            self.mapping(function.__dict__)
        else:
            self._add(f"not {name}.__dict__")

    def content(self, read: Callable[[], object]) -> None:
        """`read()` gives an equal value (bytes of an array, slots of an object)."""
        self._add(f"{self._call(read)}() == {self._call(read())}")

    def unchanged(self) -> bool:
        """Whether all is as it was. Called before every launch."""
        test = self._test
        if test is None:
            # Only names that this class made are in the text; what it looks at is in the namespace.
            test = eval(f"lambda: {' and '.join(self._terms) or True}", self._objects)
            self._test = test
        try:
            return test()
        except (LookupError, ValueError, TypeError):
            # A name is gone, a cell is empty, or a container became something else.
            return False

    def _same(self, place: str, value: object) -> str:
        """`place` holds `value`. Numbers and texts that are computed anew, to the same value, are no change."""
        kind, name = type(value), self._call(value)
        if kind in _COMPARED_BY_VALUE or (kind is float and value != 0.0):
            return f"({place} is {name} or type({place}) is {kind.__name__} and {place} == {name})"
        return f"{place} is {name}"

    def _add(self, term: str) -> None:
        self._terms[term] = None

    def _call(self, value: object) -> str:
        """The name of an object in the text of the test."""
        number = self._numbers.get(id(value))
        if number is None:
            number = f"v{len(self._numbers)}"
            self._numbers[id(value)] = number
            self._objects[number] = value
        return number


def _is_empty(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 (reading it is the question)
    except ValueError:
        return True
    return False
