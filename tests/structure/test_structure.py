"""Rules about the source tree itself: what may import what, how long things may get, nothing of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tt_jit"
MAX_MODULE_LINES = 600
MAX_FUNCTION_LINES = 80
CPP_SUFFIXES = (".h", ".hpp", ".inc", ".cpp")

PYTHON_FILES = sorted(PACKAGE.rglob("*.py"))
CPP_FILES = sorted(path for path in PACKAGE.rglob("*") if path.suffix in CPP_SUFFIXES)

# (files below this folder or this file) -> top-level modules they never import
FORBIDDEN = {
    "lower": ("torch", "ttnn", "tt_jit.runtime"),
    "codegen": ("torch", "ttnn", "tt_jit.runtime"),
    "compile.py": ("torch", "ttnn", "tt_jit.runtime"),
    "plan.py": ("torch", "ttnn", "tilelang", "tt_jit.runtime", "tt_jit.lower"),
}
# module -> the only files that may import it
ONLY_IMPORTED_BY = {"ttnn": {"runtime/ttnn.py"}, "ctypes": {"runtime/emulator.py"}}


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imported_modules(path: Path) -> set[str]:
    """Absolute names of all that the file imports, at any depth; `from x import y` counts as x and x.y."""
    package = ["tt_jit", *path.relative_to(PACKAGE).parent.parts]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*parents, *([node.module] if node.module else [])])
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names


def imports(path: Path, module: str) -> bool:
    return any(name == module or name.startswith(module + ".") for name in imported_modules(path))


def tracked_files() -> list[Path]:
    """Files of the repository that are text; a source archive without git has all of them below ROOT."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listing.split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()]


@pytest.mark.parametrize(("place", "modules"), FORBIDDEN.items())
def test_imports_point_one_way(place: str, modules: tuple[str, ...]) -> None:
    files = [path for path in PYTHON_FILES if relative(path) == place or relative(path).startswith(place + "/")]
    assert files, f"nothing at tt_jit/{place}"
    wrong = [f"{relative(path)} imports {module}" for path in files for module in modules if imports(path, module)]
    assert not wrong


@pytest.mark.parametrize(("module", "allowed"), ONLY_IMPORTED_BY.items())
def test_foreign_libraries_are_imported_in_one_place(module: str, allowed: set[str]) -> None:
    found = {relative(path) for path in PYTHON_FILES if imports(path, module)}
    assert found == allowed


def test_modules_stay_short() -> None:
    lengths = {relative(path): len(path.read_text().splitlines()) for path in PYTHON_FILES + CPP_FILES}
    assert not {name: lines for name, lines in lengths.items() if lines > MAX_MODULE_LINES}


def test_functions_stay_short() -> None:
    long_functions = []
    for path in PYTHON_FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long_functions.append(f"{relative(path)}:{node.lineno} {node.name}: {lines} lines")
    assert not long_functions


def test_every_function_states_its_types() -> None:
    untyped = []
    for path in PYTHON_FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            bare = [argument.arg for argument in arguments if argument.annotation is None]
            if node.returns is None or [name for name in bare if name not in ("self", "cls")]:
                untyped.append(f"{relative(path)}:{node.lineno} {node.name}")
    assert not untyped


def test_no_left_overs() -> None:
    marker = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked_files()
        if path.suffix in (".py", *CPP_SUFFIXES)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if marker.search(line)
    ]
    assert not found


def test_no_broad_except_swallows_errors() -> None:
    broad = []
    for path in PYTHON_FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                name = getattr(node.type, "id", "")
                raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                if (node.type is None or name in ("Exception", "BaseException")) and not raises:
                    broad.append(f"{relative(path)}:{node.lineno}")
    assert not broad


def test_no_path_of_one_machine() -> None:
    place = re.compile(r"(^|[\s\"'(=:])/(root|work|home|farm|opt/pypi|Users)/")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked_files()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if place.search(line)
    ]
    assert not found
