"""Which outside names a function reads: chains such as `T.copy` or `settings.BLOCK`, found in its bytecode and in the
annotations of its source (TileLang evaluates those of local variables, which the bytecode does not hold).
"""

from __future__ import annotations

import ast
import dis
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType

_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_FREE = frozenset({"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_TRANSPARENT = frozenset({"EXTENDED_ARG", "CACHE", "PRECALL", "PUSH_NULL", "NOP"})


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
        for instruction in dis.get_instructions(nested):
            name = instruction.opname
            if name in _TRANSPARENT:
                continue
            if open_chain is not None:
                if name in _ATTRIBUTE:
                    open_chain[2].append(instruction.argval)
                    attributes.add(instruction.argval)
                    continue
                chains[Chain(open_chain[0], tuple(open_chain[2]), open_chain[1])] = None
                open_chain = None
            if name in _GLOBAL:
                open_chain = (instruction.argval, False, [])
            elif name in _FREE:
                if instruction.argval in code.co_freevars:
                    open_chain = (instruction.argval, True, [])
            elif name in _ATTRIBUTE:
                attributes.add(instruction.argval)
            elif name == "LOAD_CONST":
                level = instruction.argval if isinstance(instruction.argval, int) else level
                # The level of an import is loaded two instructions before it, its name list one before.
            elif name == "IMPORT_NAME":
                imports[(level, instruction.argval)] = None
            elif name == "IMPORT_FROM":
                attributes.add(instruction.argval)
        if open_chain is not None:
            chains[Chain(open_chain[0], tuple(open_chain[2]), open_chain[1])] = None
    return NamesRead(tuple(chains), tuple(imports), frozenset(attributes))


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def names_in_annotations(source: str, code: CodeType) -> tuple[Chain, ...]:
    """The outside names in annotations anywhere in `source`, including those written as strings."""
    chains: dict[Chain, None] = {}
    for node in ast.walk(ast.parse(source)):
        annotation = getattr(node, "annotation", None)
        if annotation is None:
            continue
        for expression in _expressions(annotation):
            for chain in _chains(expression):
                chains[Chain(chain.root, chain.attributes, chain.root in code.co_freevars)] = None
    return tuple(chains)


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
    try:
        lines, _ = inspect.getsourcelines(function)
    except (OSError, TypeError, IndentationError):
        return None
    return textwrap.dedent("".join(lines))
