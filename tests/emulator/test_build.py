"""Compilers, build errors, caches, and the headers' own cleanliness."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from tt_jit.config import config
from tt_jit.errors import CacheError, CompilerNotFoundError, KernelCompileError
from tt_jit.runtime import emulator_build
from tt_jit.runtime.emulator import EmulatorDevice
from tt_jit.target import WORMHOLE_B0

from .programs import COPY_FILES, PROLOGUE, READER, HandWritten, copy_plan, load, tensor

COPY = copy_plan(tensor("A", 0, (32, 32), access="read"), tensor("B", 1, (32, 32), access="write"), 2048, pages=1)


def test_no_compiler_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with config.scope(cxx=None), pytest.raises(CompilerNotFoundError) as caught:
        emulator_build.find_compiler()
    assert "apt-get install g++" in str(caught.value) and "pip install ziglang" in str(caught.value)


def test_the_ziglang_wheel_is_the_last_resort(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name == "ziglang" else None)
    with config.scope(cxx=None):
        assert emulator_build.find_compiler().command[1:4] == ("-m", "ziglang", "c++")


def test_a_compiler_that_is_not_there() -> None:
    with config.scope(cxx="g++-of-the-future -O9"), pytest.raises(CompilerNotFoundError, match="g\\+\\+-of-the-future"):
        emulator_build.find_compiler()


def test_a_kernel_that_does_not_compile(tmp_path: Path) -> None:
    wrong = READER.replace("noc_async_read_barrier();", "noc_async_read_barrier(;")
    with pytest.raises(KernelCompileError) as caught:
        load(COPY, {**COPY_FILES, "reader.cpp": wrong}, tmp_path)
    error = caught.value
    assert "the reader kernel does not compile" in error.message
    assert error.location is not None and error.location.file == str(tmp_path / "reader.cpp")
    assert "noc_async_read_barrier(;" in wrong.splitlines()[error.location.line - 1]
    log = tmp_path / "reader.build.log"
    assert error.hint is not None and str(log) in error.hint
    assert "error:" in log.read_text()


def test_an_argument_of_the_wrong_size_is_refused_by_the_api(tmp_path: Path) -> None:
    wrong = READER.replace("get_arg_val<uint32_t>(0)", "get_arg_val<uint64_t>(0)")
    with pytest.raises(KernelCompileError, match="only 4B args are supported"):
        load(COPY, {**COPY_FILES, "reader.cpp": wrong}, tmp_path)


def test_a_compile_time_argument_that_the_plan_lacks(tmp_path: Path) -> None:
    wrong = READER.replace("TensorAccessorArgs<0>", "TensorAccessorArgs<2>")
    with pytest.raises(KernelCompileError, match="Index out of range"):
        load(COPY, {**COPY_FILES, "reader.cpp": wrong}, tmp_path)


def test_without_a_cache_entry() -> None:
    loaded = EmulatorDevice(WORMHOLE_B0).load(HandWritten(name="main", files=COPY_FILES, plan=COPY), None)
    a, b = torch.ones(32, 32, dtype=torch.bfloat16), torch.zeros(32, 32, dtype=torch.bfloat16)
    loaded.launch([a, b], [])
    assert torch.equal(a, b)


def test_damaged_binaries_are_made_again(tmp_path: Path) -> None:
    load(COPY, COPY_FILES, tmp_path)
    (binary,) = tmp_path.glob("emulator.*/0.reader.so")
    good = binary.read_bytes()
    binary.unlink()
    binary.write_bytes(good[:1000])
    made = HandWritten(name="main", files=COPY_FILES, plan=COPY)
    folder = emulator_build.kernel_libraries(made, tmp_path, WORMHOLE_B0)
    assert folder == binary.parent and len(binary.read_bytes()) == len(good)


def test_roles_may_have_helpers_of_the_same_name(tmp_path: Path) -> None:
    """Also inline ones, which a common library would merge."""
    files = {
        name: text.replace(
            "void kernel_main", f"inline uint32_t page_of(uint32_t page) {{ return {page}; }}\n\nvoid kernel_main"
        )
        .replace("noc_async_read_page(page,", "noc_async_read_page(page_of(page),")
        .replace("noc_async_write_page(page,", "noc_async_write_page(page_of(page),")
        for (name, text), page in zip(COPY_FILES.items(), ("page", "3 - page"), strict=True)
    }
    made = copy_plan(tensor("A", 0, (32, 128), access="read"), tensor("B", 1, (32, 128), access="write"), 2048, pages=4)
    a = torch.randn(32, 128).to(torch.bfloat16)
    b = torch.zeros_like(a)
    load(made, files, tmp_path).launch([a, b], [])
    assert torch.equal(b.reshape(32, 4, 32), a.reshape(32, 4, 32).flip(1))


def test_a_function_that_the_api_does_not_have(tmp_path: Path) -> None:
    wrong = READER.replace("void kernel_main", "void teleport(uint32_t page);\n\nvoid kernel_main").replace(
        "cb_push_back(cb_stream, 1);", "teleport(page);"
    )
    with pytest.raises(KernelCompileError, match=r"the reader kernel does not compile: undefined .*teleport"):
        load(COPY, {**COPY_FILES, "reader.cpp": wrong}, tmp_path)


def test_an_entry_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(emulator_build, "publish", refuse)
    with pytest.raises(CacheError, match="Permission denied") as caught:
        load(COPY, COPY_FILES, tmp_path)
    assert caught.value.hint is not None and "TT_JIT_CACHE_DIR" in caught.value.hint


def api_headers() -> list[str]:
    api = emulator_build.INCLUDE / "api"
    return sorted(path.relative_to(emulator_build.INCLUDE).as_posix() for path in api.rglob("*.h"))


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_headers_are_free_of_warnings(compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    headers = api_headers()
    assert "api/dataflow/dataflow_api.h" in headers and "api/compute/matmul.h" in headers
    text = tmp_path / "all.cpp"
    casts = """
uint32_t casts(uint32_t address) {
    volatile tt_l1_ptr uint16_t* halves = reinterpret_cast<volatile tt_l1_ptr uint16_t*>(address);
    auto* words = (tt_l1_ptr uint32_t*)address;
    return halves[0] + words[1];
}
"""
    text.write_text(PROLOGUE + "".join(f'#include "{header}"\n' for header in headers) + casts)
    command = [compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{emulator_build.INCLUDE}"]
    result = subprocess.run([*command, str(text)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
