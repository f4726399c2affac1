"""The short cuts of tt_jit/cache/names.py say the same as the standard library's long way."""

import argparse
import ast
import dis
import inspect
import json
import logging
import textwrap
from types import CodeType, ModuleType

import pytest

from tt_jit.cache import names
from tt_jit.cache.names import Chain, names_in_annotations, names_of_code, source_of

from . import kernels

MODULES = (argparse, ast, inspect, json, logging, textwrap)


def with_dis(code: CodeType) -> list[tuple[str, object]]:
    wanted = names._GLOBAL | names._FREE | names._ATTRIBUTE | names._OTHERS
    return [
        (step.opname, step.argval) if step.opname in wanted else ("", None)
        for step in dis.get_instructions(code)
        if step.opname not in names._TRANSPARENT and step.opname != "EXTENDED_ARG"
    ]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_instructions_are_read_as_dis_reads_them(module: ModuleType) -> None:
    module_code = compile(inspect.getsource(module), module.__file__, "exec")
    for code in names._nested(module_code):
        assert list(names._instructions(code)) == with_dis(code)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_sources_are_those_that_inspect_finds(module: ModuleType) -> None:
    short_cuts = 0
    for function in vars(module).values():
        if not inspect.isfunction(function) or hasattr(function, "__wrapped__"):
            continue
        expected = textwrap.dedent(inspect.getsource(function))
        found = source_of(function)
        short_cuts += names._lines_by_position(function.__code__) is not None
        # Comments after the last statement belong to nobody.
        assert ast.dump(ast.parse(found)) == ast.dump(ast.parse(expected))
    assert short_cuts


MODULE_NAME = 1


def reads(argument: "annotated.outer") -> object:
    free = MODULE_NAME

    def inner() -> None:
        import imported_module.part as part

        local: annotated.inner[free, annotated.text] = 0
        return local + free + settings.block.size + part.name + len([]) + item.attribute.deep

    item = inner
    return item


def test_names() -> None:
    found = names_of_code(reads.__code__)
    assert Chain("MODULE_NAME", (), False) in found.chains
    assert Chain("settings", ("block", "size"), False) in found.chains
    assert Chain("len", (), False) in found.chains
    assert not [chain for chain in found.chains if chain.root in ("free", "item", "part")]
    assert found.imports == ((0, "imported_module.part"),)
    assert {"name", "attribute", "deep"} <= found.attributes
    annotations = names_in_annotations(source_of(reads), reads.__code__)
    chains = {(chain.root, *chain.attributes) for chain in annotations}
    assert {("annotated", "outer"), ("annotated", "inner"), ("annotated", "text"), ("free",)} <= chains


def test_free_variables_of_the_function_itself_are_found_in_nested_code() -> None:
    scaled = kernels.make_scaled(2.0)
    assert Chain("scale", (), True) in names_of_code(scaled.__code__).chains
