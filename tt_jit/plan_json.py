"""Reading JSON objects field by field, with the path in every complaint, and writing them for people to read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from .errors import PlanError
from .expression import Expression

LINE_WIDTH = 118


class Fields:
    """One JSON object being read; `finish` complains about fields that nobody asked for."""

    def __init__(self, document: object, path: str) -> None:
        if not isinstance(document, dict):
            raise PlanError(f"{path}: expected an object, got {document!r}")
        self._document = document
        self._path = path
        self._unread = set(document)

    def finish(self) -> None:
        if self._unread:
            raise PlanError(f"{self._path}: unknown field {sorted(self._unread)[0]!r}")

    def text(self, name: str) -> str:
        value = self._value(name)
        if not isinstance(value, str) or not value:
            raise self._mismatch(name, "a non-empty string", value)
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str:
        value = self._value(name)
        if value not in choices:
            raise self._mismatch(name, "one of " + ", ".join(choices), value)
        return str(value)

    def flag(self, name: str) -> bool:
        value = self._value(name)
        if not isinstance(value, bool):
            raise self._mismatch(name, "true or false", value)
        return value

    def integer(self, name: str) -> int:
        return self._natural(name, self._value(name))

    def optional_integer(self, name: str) -> int | None:
        value = self._value(name)
        return None if value is None else self._natural(name, value)

    def has(self, name: str) -> bool:
        return name in self._document

    def integers(self, name: str) -> tuple[int, ...]:
        return tuple(self._natural(f"{name}[{index}]", value) for index, value in enumerate(self._list(name)))

    def pair(self, name: str) -> tuple[int, int]:
        values = self.integers(name)
        if len(values) != 2:
            raise self._mismatch(name, "two integers", list(values))
        return values[0], values[1]

    def expression(self, name: str) -> Expression:
        return self._expression(name, self._value(name))

    def expressions(self, name: str) -> tuple[Expression, ...]:
        return tuple(self._expression(f"{name}[{index}]", value) for index, value in enumerate(self._list(name)))

    def optional_expressions(self, name: str) -> tuple[Expression, ...] | None:
        return self.expressions(name) if name in self._document else None

    def child(self, name: str) -> Fields:
        return Fields(self._value(name), f"{self._path}.{name}")

    def objects(self, name: str) -> list[Fields]:
        return [Fields(value, f"{self._path}.{name}[{index}]") for index, value in enumerate(self._list(name))]

    def integers_or_objects(self, name: str) -> list[int | Fields]:
        return [
            Fields(value, f"{self._path}.{name}[{index}]")
            if isinstance(value, dict)
            else self._natural(f"{name}[{index}]", value)
            for index, value in enumerate(self._list(name))
        ]

    def _value(self, name: str) -> object:
        if name not in self._document:
            raise PlanError(f"{self._path}: field {name!r} is missing")
        self._unread.discard(name)
        return self._document[name]

    def _list(self, name: str) -> list[object]:
        value = self._value(name)
        if not isinstance(value, list):
            raise self._mismatch(name, "a list", value)
        return value

    def _natural(self, name: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self._mismatch(name, "an integer of at least 0", value)
        return value

    def _expression(self, name: str, value: object) -> Expression:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise self._mismatch(name, "an integer or an expression", value)
        return Expression.parse(value)

    def _mismatch(self, name: str, wanted: str, value: object) -> PlanError:
        return PlanError(f"{self._path}.{name}: expected {wanted}, got {value!r}")


def format_json(document: Mapping[str, object]) -> str:
    """Indented JSON in which every object or list that fits on a line stays on one line."""
    return _format(document, "", 0) + "\n"


def _format(value: object, indent: str, used: int) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(indent) + used + len(flat) <= LINE_WIDTH:
        return flat
    inner = indent + "  "
    if isinstance(value, dict):
        lines = [f"{json.dumps(key)}: " + _format(item, inner, len(key) + 4) for key, item in value.items()]
        return "{\n" + ",\n".join(inner + line for line in lines) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _format(item, inner, 0) for item in value) + f"\n{indent}]"
