"""Which outside names a function reads: chains such as `T.copy` or `settings.BLOCK`, found in its bytecode and in the
annotations of its source (TileLang evaluates those of local variables, which the bytecode does not hold).
"""

from __future__ import annotations

import ast
import dis
import inspect
import linecache
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_FREE = frozenset({"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_OTHERS = frozenset({"LOAD_CONST", "IMPORT_NAME", "IMPORT_FROM"})
_TRANSPARENT = frozenset({"CACHE", "PRECALL", "PUSH_NULL", "NOP"})
# What the loop over byte code looks at; every other instruction ends a chain.
_OPERATIONS = {dis.opmap[name]: name for name in _GLOBAL | _FREE | _ATTRIBUTE | _OTHERS if name in dis.opmap}
_SKIPPED = frozenset({dis.opmap[name] for name in _TRANSPARENT if name in dis.opmap} | {0})
# The lowest bit of the argument of these says something else.
_SHIFTED = frozenset(
    {name for name, since in (("LOAD_GLOBAL", (3, 11)), ("LOAD_ATTR", (3, 12))) if sys.version_info >= since}
)


@dataclass(frozen=True)
class Chain:
    """`root.attributes[0].attributes[1]...`; `free` says that the root is a free variable rather than a global."""

    root: str
    attributes: tuple[str, ...]
    free: bool


@dataclass(frozen=True)
class NamesRead:
    """All that one code object, with the functions nested in it, may read from outside."""

    chains: tuple[Chain, ...]
    # (level, module, attributes that the code mentions anywhere)
    imports: tuple[tuple[int, str], ...]
    attributes: frozenset[str]


@lru_cache(maxsize=1024)
def names_of_code(code: CodeType) -> NamesRead:
    """The names that `code` and the code nested in it read from outside of `code`."""
    chains: dict[Chain, None] = {}
    imports: dict[tuple[int, str], None] = {}
    attributes: set[str] = set()
    for nested in _nested(code):
        level = 0
        open_chain: tuple[str, bool, list[str]] | None = None
        for name, argument in _instructions(nested):
            if open_chain is not None:
                if name in _ATTRIBUTE:
                    open_chain[2].append(argument)
                    attributes.add(argument)
                    continue
                chains[Chain(open_chain[0], tuple(open_chain[2]), open_chain[1])] = None
                open_chain = None
            if name in _GLOBAL:
                open_chain = (argument, False, [])
            elif name in _FREE:
                if argument in code.co_freevars:
                    open_chain = (argument, True, [])
            elif name in _ATTRIBUTE or name == "IMPORT_FROM":
                attributes.add(argument)
            elif name == "LOAD_CONST":
                # The level of an import is loaded two instructions before it, the list of its names one before.
                level = argument if type(argument) is int else level
            elif name == "IMPORT_NAME":
                imports[(level, argument)] = None
        if open_chain is not None:
            chains[Chain(open_chain[0], tuple(open_chain[2]), open_chain[1])] = None
    return NamesRead(tuple(chains), tuple(imports), frozenset(attributes))


def _instructions(code: CodeType) -> Iterator[tuple[str, Any]]:
    """Name and argument of the instructions of interest, and ("", None) for each of the others.

    `dis.get_instructions` says the same, in ten times the time; this runs whenever a function is looked at in full.
    """
    names, constants = code.co_names, code.co_consts
    cells = tuple(name for name in code.co_cellvars if name not in code.co_varnames)
    # Since Python 3.11 variables and cells are numbered together.
    variables = (
        (*code.co_varnames, *cells, *code.co_freevars)
        if sys.version_info >= (3, 11)
        else (*code.co_cellvars, *code.co_freevars)
    )
    content = code.co_code
    extension = 0
    for operation, low in zip(content[::2], content[1::2], strict=True):
        argument = low | extension
        if operation == dis.EXTENDED_ARG:
            extension = argument << 8
            continue
        extension = 0
        if operation in _SKIPPED:
            continue
        name = _OPERATIONS.get(operation, "")
        if not name:
            yield "", None
        elif name == "LOAD_CONST":
            yield name, constants[argument]
        elif name in _FREE:
            yield name, variables[argument]
        else:
            yield name, names[argument >> 1 if name in _SHIFTED else argument]


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def names_in_annotations(source: str, code: CodeType) -> tuple[Chain, ...]:
    """The outside names in annotations anywhere in `source`, including those written as strings."""
    chains: dict[Chain, None] = {}
    for annotation in _annotations(ast.parse(source).body):
        for expression in _expressions(annotation):
            for chain in _chains(expression):
                chains[Chain(chain.root, chain.attributes, chain.root in code.co_freevars)] = None
    return tuple(chains)


def _annotations(statements: Sequence[ast.AST]) -> Iterator[ast.expr]:
    """The annotations in statements and the statements inside them; expressions have none."""
    pending = list(statements)
    while pending:
        statement = pending.pop()
        if isinstance(statement, ast.AnnAssign):
            yield statement.annotation
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            arguments = statement.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
            for argument in every:
                if argument is not None and argument.annotation is not None:
                    yield argument.annotation
            if statement.returns is not None:
                yield statement.returns
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            inside = getattr(statement, part, ())
            if isinstance(inside, list):
                pending.extend(inside)


def names_in_text(text: str, code: CodeType) -> tuple[Chain, ...]:
    """The outside names of an annotation that is kept as text (`from __future__ import annotations`)."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return ()
    return tuple(Chain(chain.root, chain.attributes, chain.root in code.co_freevars) for chain in _chains(tree))


def _expressions(annotation: ast.expr) -> Iterator[ast.AST]:
    yield annotation
    for node in ast.walk(annotation):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                yield ast.parse(node.value, mode="eval")
            except SyntaxError:
                continue


def _chains(tree: ast.AST) -> Iterator[Chain]:
    inner: set[ast.AST] = set()
    for node in ast.walk(tree):
        attributes: list[str] = []
        place: ast.AST = node
        while isinstance(place, ast.Attribute):
            attributes.append(place.attr)
            inner.add(place.value)
            place = place.value
        if isinstance(place, ast.Name) and node not in inner:
            yield Chain(place.id, tuple(reversed(attributes)), False)


def source_of(function: FunctionType) -> str | None:
    """The source text of a function, without its indentation, or None where there is none."""
    lines = _lines_by_position(function.__code__)
    if lines is None:
        try:
            lines, _ = inspect.getsourcelines(function)
        except (OSError, TypeError, IndentationError):
            return None
    return textwrap.dedent("".join(lines))


def _lines_by_position(code: CodeType) -> list[str] | None:
    """The lines of a function from its first to its last instruction; None where that is not the whole function.

    `inspect` finds the end by splitting the text into tokens, which takes most of the time of looking at a function.
    """
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename)
    last = 0
    for nested in _nested(code):
        for _, _, line in nested.co_lines():
            last = max(last, line or 0)
    chosen = lines[code.co_firstlineno - 1 : last]
    if not chosen or last >= len(lines) or _is_continued(chosen, lines[last:]):
        return None
    return chosen


def _is_continued(chosen: Sequence[str], rest: Sequence[str]) -> bool:
    """Whether the function may go on in the lines after its last instruction.

    It does not if the next line with text is indented no deeper than the first one and closes no bracket.
    """
    indent = len(chosen[0]) - len(chosen[0].lstrip())
    for line in rest:
        text = line.strip()
        if text and not text.startswith("#"):
            return len(line) - len(line.lstrip()) > indent or text[0] in ")]}"
    return True
