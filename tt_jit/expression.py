"""The integer expressions of tt.plan.json: parsed once, evaluated in Python, printed as C++.

Grammar: non-negative integers, names, `+ - * / %`, parentheses, `min(a, b, ...)`, `max(a, b, ...)`. `/` truncates.
Operands of `/` and `%` are never negative in a valid plan, so Python's floor division and C++'s truncation agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from .errors import PlanError

_TOKEN = re.compile(r"\s*(?:(?P<integer>\d+)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[-+*/%(),]))")
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2}
_FUNCTIONS = ("min", "max")
_ATOM = 3


@dataclass(frozen=True, kw_only=True)
class Integer:
    value: int


@dataclass(frozen=True, kw_only=True)
class Name:
    name: str


@dataclass(frozen=True, kw_only=True)
class Binary:
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, kw_only=True)
class Call:
    function: str
    operands: tuple[Node, ...]


Node = Integer | Name | Binary | Call


@dataclass(frozen=True, kw_only=True)
class Expression:
    """One parsed expression. Equality and hash go by the canonical text."""

    text: str
    node: Node = field(compare=False, repr=False)
    names: frozenset[str] = field(compare=False, repr=False)
    _function: Callable[[Mapping[str, int]], int] = field(compare=False, repr=False)

    @staticmethod
    def parse(source: str | int) -> Expression:
        """The expression of `source`; raises PlanError with the column of the first mistake."""
        if isinstance(source, bool) or not isinstance(source, int | str):
            raise PlanError(f"a plan expression is an integer or a string, got {source!r}")
        return _parse(str(source))

    @property
    def constant(self) -> int | None:
        """The value, where no name occurs in the expression."""
        return None if self.names else self._function({})

    def evaluate(self, values: Mapping[str, int]) -> int:
        try:
            return self._function(values)
        except KeyError as error:
            known = ", ".join(sorted(values)) or "nothing"
            raise PlanError(f"plan expression '{self.text}': no value for {error.args[0]!r} (known: {known})") from None
        except ZeroDivisionError:
            raise PlanError(f"plan expression '{self.text}': division by zero with {dict(values)}") from None

    def to_cpp(self, spell: Callable[[str], str] = str) -> str:
        """C++ text over int64_t variables or members; `spell` gives the C++ spelling of a name."""
        return _render(self.node, "/", spell, "std::{}<int64_t>({{".format, "})")

    def to_json(self) -> int | str:
        constant = self.constant
        return self.text if constant is None else constant

    def __str__(self) -> str:
        return self.text


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens: list[tuple[str, str, int]] = []
        self.next = 0
        position = 0
        while source[position:].strip():
            match = _TOKEN.match(source, position)
            if match is None:
                column = position + len(source[position:]) - len(source[position:].lstrip())
                raise self.error(f"unexpected {source[column]!r}", column)
            kind = match.lastgroup or ""
            self.tokens.append((kind, match.group(kind), match.start(kind)))
            position = match.end()

    def error(self, problem: str, column: int) -> PlanError:
        return PlanError(f"plan expression '{self.source}': {problem} at column {column + 1}")

    def peek(self) -> str:
        return self.tokens[self.next][1] if self.next < len(self.tokens) else ""

    def take(self, wanted: str = "") -> tuple[str, str]:
        if self.next == len(self.tokens):
            raise self.error(f"expected {wanted!r}" if wanted else "expected a value", len(self.source))
        kind, text, column = self.tokens[self.next]
        if wanted and text != wanted:
            raise self.error(f"expected {wanted!r}, got {text!r}", column)
        self.next += 1
        return kind, text

    def expression(self, level: int = 1) -> Node:
        if level == _ATOM:
            return self.atom()
        left = self.expression(level + 1)
        while _PRECEDENCE.get(self.peek()) == level:
            _, operator = self.take()
            left = Binary(operator=operator, left=left, right=self.expression(level + 1))
        return left

    def atom(self) -> Node:
        kind, text = self.take()
        if kind == "integer":
            return Integer(value=int(text))
        if kind == "name":
            return self.call(text) if self.peek() == "(" else Name(name=text)
        if text == "(":
            inner = self.expression()
            self.take(")")
            return inner
        raise self.error(f"expected a value, got {text!r}", self.tokens[self.next - 1][2])

    def call(self, function: str) -> Node:
        if function not in _FUNCTIONS:
            raise self.error(f"unknown function {function!r} (known: min, max)", self.tokens[self.next - 1][2])
        self.take("(")
        operands = [self.expression()]
        while self.peek() == ",":
            self.take(",")
            operands.append(self.expression())
        self.take(")")
        return Call(function=function, operands=tuple(operands))


def _render(
    node: Node, division: str, name: Callable[[str], str], opening: Callable[[str], str], closing: str, level: int = 0
) -> str:
    """Text of `node` with as few parentheses as its grouping allows."""
    if isinstance(node, Integer):
        return str(node.value)
    if isinstance(node, Name):
        return name(node.name)
    if isinstance(node, Call):
        operands = ", ".join(_render(operand, division, name, opening, closing) for operand in node.operands)
        return opening(node.function) + operands + closing
    own = _PRECEDENCE[node.operator]
    left = _render(node.left, division, name, opening, closing, own)
    right = _render(node.right, division, name, opening, closing, own + 1)
    text = f"{left} {division if node.operator == '/' else node.operator} {right}"
    return f"({text})" if own < level else text


def _names(node: Node) -> frozenset[str]:
    if isinstance(node, Name):
        return frozenset({node.name})
    if isinstance(node, Call):
        return frozenset[str]().union(*(_names(operand) for operand in node.operands))
    if isinstance(node, Binary):
        return _names(node.left) | _names(node.right)
    return frozenset()


@lru_cache(maxsize=4096)
def _parse(source: str) -> Expression:
    parser = _Parser(source)
    node = parser.expression()
    if parser.next < len(parser.tokens):
        _, text, column = parser.tokens[parser.next]
        raise parser.error(f"unexpected {text!r}", column)
    text = _render(node, "/", lambda name: name, lambda function: f"{function}(", ")")
    # The Python text is made from the parsed tree alone, so nothing of the plan's text reaches eval.
    python = _render(node, "//", lambda name: f"values[{name!r}]", lambda function: f"{function}((", ",))")
    function = eval(f"lambda values: {python}", {"__builtins__": {}, "min": min, "max": max})
    return Expression(text=text, node=node, names=_names(node), _function=function)
