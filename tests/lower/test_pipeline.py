"""The pipeline as a whole: its passes are documented and tested; the runner dumps, times and locates errors."""

import re
from pathlib import Path

import pytest
import tilelang.language as T
import tvm
from tvm import tirx as tir

import tt_jit.lower
from tt_jit.compile import CompileOptions, compile_prim_func
from tt_jit.config import config
from tt_jit.errors import InternalError, SourceLocation, UnsupportedError
from tt_jit.lower import PIPELINE, lower
from tt_jit.lower.base import LoweringContext, PassTrace, function_pass, module_pass, run_pipeline, verified

from .programs import WORMHOLE

CONTEXT = LoweringContext(target=WORMHOLE)
PASSES = [step.name for step in PIPELINE]
SOURCES = Path(tt_jit.lower.__file__).parent
TESTS = Path(__file__).parent


@T.prim_func
def scale(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
    with T.Kernel(2) as bx:
        a = T.alloc_shared((32, 64), "float32")
        c = T.alloc_fragment((32, 64), "float32")
        T.copy(A[bx * 32, 0], a)
        for i, j in T.Parallel(32, 64):
            c[i, j] = a[i, j] * 2.0
        T.copy(c, C[bx * 32, 0])


def module() -> tvm.IRModule:
    return tvm.IRModule({"scale": scale})


# ---- every pass ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PASSES)
def test_every_pass_has_a_file_that_says_why_and_shows_before_and_after(name: str) -> None:
    docstring = (SOURCES / f"{name}.py").read_text().split('"""')[1]
    assert "Before" in docstring and "After" in docstring


@pytest.mark.parametrize("name", PASSES)
def test_every_pass_has_tests_and_each_that_refuses_has_a_refusal(name: str) -> None:
    tests = (TESTS / f"test_{name}.py").read_text()
    assert f'PASS = "{name}"' in tests
    if re.search(r"(raise|return) (?!Internal)\w+Error\(", (SOURCES / f"{name}.py").read_text()):
        assert "def test_refuses_" in tests


def test_pass_names_differ() -> None:
    assert len(set(PASSES)) == len(PASSES)


# ---- the runner ----------------------------------------------------------------------------------------------------


def test_passes_are_timed() -> None:
    trace = PassTrace()
    lower(module(), CONTEXT, trace=trace)
    assert list(trace.milliseconds) == PASSES
    assert all(0 <= elapsed < 10_000 for elapsed in trace.milliseconds.values())
    assert not trace.dumps, "printing costs time and is done on demand"


def test_one_setting_writes_a_numbered_file_per_pass(tmp_path: Path) -> None:
    with config.scope(dump_dir=str(tmp_path)):
        artifact = compile_prim_func(scale, target=WORMHOLE, options=CompileOptions())
    files = sorted(path.name for path in (tmp_path / "scale").iterdir())
    assert files == [f"{number:02d}_{name}.py" for number, name in enumerate(PASSES, start=1)]
    assert sorted(name for name in artifact.files if name.startswith("ir/")) == [f"ir/{name}" for name in files]
    first, last = ((tmp_path / "scale" / name).read_text() for name in (files[0], files[-1]))
    assert "T.copy" in first and "tt.copy_tile" not in first
    assert "T.copy" not in last and "tt.copy_tile" in last


def test_nothing_is_dumped_without_the_setting() -> None:
    artifact = compile_prim_func(scale, target=WORMHOLE, options=CompileOptions())
    assert not [name for name in artifact.files if name.startswith("ir/")]


def refuse_copies(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    def visit(node: object) -> None:
        if isinstance(node, tir.Evaluate):
            found.append(node)

    found: list[tir.Evaluate] = []
    tir.stmt_functor.post_order_visit(func.body, visit)
    raise UnsupportedError("a copy", at=found[1])


def test_an_error_gets_the_line_of_its_statement() -> None:
    with pytest.raises(UnsupportedError) as caught:
        run_pipeline(module(), [function_pass(refuse_copies)], CONTEXT)
    location = caught.value.location
    assert location is not None and location.file == __file__
    assert location.source_line().strip() == "T.copy(c, C[bx * 32, 0])"


@pytest.mark.parametrize("at", ["buffer", "function", None])
def test_an_error_about_no_statement(at: str | None) -> None:
    def refuse(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
        buffer = func.buffer_map[func.params[0]]
        raise UnsupportedError("something", at={"buffer": buffer, "function": func, None: None}[at])

    with pytest.raises(UnsupportedError) as caught:
        run_pipeline(module(), [function_pass(refuse)], CONTEXT)
    assert caught.value.location is not None
    assert caught.value.location.source_line().startswith("def scale(A: T.Tensor")


def test_an_error_keeps_the_place_it_came_with() -> None:
    place = SourceLocation(file="kernel.py", line=7)

    def refuse(module: tvm.IRModule, context: LoweringContext) -> tvm.IRModule:
        raise UnsupportedError("something", location=place)

    with pytest.raises(UnsupportedError) as caught:
        run_pipeline(module(), [module_pass(refuse)], CONTEXT)
    assert caught.value.location == place


def test_a_check_runs_behind_its_pass() -> None:
    def keep(module: tvm.IRModule, context: LoweringContext) -> tvm.IRModule:
        return module

    def check(module: tvm.IRModule) -> None:
        raise InternalError("broken")

    with pytest.raises(InternalError, match="broken"):
        run_pipeline(module(), [verified(module_pass(keep), check)], CONTEXT)


def test_the_users_function_is_not_changed() -> None:
    text = scale.script()
    lower(module(), CONTEXT)
    assert scale.script() == text


def test_every_statement_of_the_result_knows_its_line() -> None:
    import tilelang.ir as tilelang_ir

    lines: set[str] = set()
    for func in lower(module(), CONTEXT).functions.values():
        tir.stmt_functor.post_order_visit(
            func.body,
            lambda node: lines.add(str(tilelang_ir.get_stmt_span(node).line))
            if isinstance(node, tir.Evaluate) and tilelang_ir.get_stmt_span(node) is not None
            else None,
        )
    source = Path(__file__).read_text().splitlines()
    named = {source[int(line) - 1].strip() for line in lines}
    assert {"T.copy(A[bx * 32, 0], a)", "T.copy(c, C[bx * 32, 0])"} <= named
    assert named & {"for i, j in T.Parallel(32, 64):", "c[i, j] = a[i, j] * 2.0"}
