"""The generated host program calls TT-Metalium functions by names and signatures that the shipped library really has.

Reads the symbol table of libtt_metal.so, which only the ttnn wheel (Python 3.10 and 3.12) brings; without it there is
nothing to compare with, and the test is skipped.
"""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

import tt_jit
from tt_jit.codegen.host import emit_host_program
from tt_jit.plan import Plan

PACKAGE = Path(tt_jit.__file__).parent
PLAN_EXAMPLE = Path(__file__).parents[1] / "plan" / "example.plan.json"
# Defined inside classes or templates of the real headers, so that the library has no symbol for them.
INLINE = ("MeshBuffer::address", "MeshCommandQueue::enqueue_write_mesh", "MeshCommandQueue::enqueue_read_mesh")


def metalium_library() -> Path | None:
    spec = importlib.util.find_spec("ttnn")
    library = Path(spec.origin).parent / "build" / "lib" / "libtt_metal.so" if spec and spec.origin else None
    return library if library is not None and library.exists() else None


def symbols(arguments: list[str], file: Path) -> set[str]:
    output = subprocess.run(["nm", "--demangle", *arguments, file], check=True, capture_output=True, text=True).stdout
    return {line.split(maxsplit=2 if line[0] != " " else 1)[-1] for line in output.splitlines()}


@pytest.mark.skipif(metalium_library() is None, reason="compares with libtt_metal.so, which the ttnn wheel brings")
def test_every_host_call_exists_in_metalium(tmp_path: Path) -> None:
    library = metalium_library()
    assert library is not None
    source = tmp_path / "main.cpp"
    source.write_text(emit_host_program(Plan.from_json(PLAN_EXAMPLE.read_text())))
    includes = ["-I", PACKAGE / "emulator" / "include", "-I", PACKAGE / "codegen"]
    subprocess.run(["c++", "-std=c++20", "-O1", *includes, "-c", source, "-o", tmp_path / "main.o"], check=True)
    called = {name for name in symbols(["--undefined-only"], tmp_path / "main.o") if name.startswith("tt::tt_metal::")}
    offered = symbols(["--dynamic", "--defined-only"], library)
    assert len(called) > 20

    def exists(name: str) -> bool:
        # Parameters that only the real headers have come last and have defaults.
        without_end = name.removesuffix(" const").removesuffix(")")
        return any(other.startswith(without_end) for other in offered)

    missing = {name for name in called if not exists(name) and not any(part in name for part in INLINE)}
    assert not missing
