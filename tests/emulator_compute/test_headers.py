"""The compute headers compile alone, together and without warnings, under the paths of the real ones."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tt_jit.runtime.emulator_build import INCLUDE

HEADERS = sorted(path.relative_to(INCLUDE).as_posix() for path in (INCLUDE / "api" / "compute").rglob("*.h"))
FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-DKERNEL_COMPILE_TIME_ARGS=", f"-I{INCLUDE}"]
# Paths that generated kernels and hand-written ones include most.
EXPECTED = [
    "bcast",
    "binary_max_min",
    "cb_api",
    "common",
    "compute_kernel_api",
    "compute_kernel_hw_startup",
    "copy_dest_values",
    "cumsum",
    "eltwise_binary",
    "eltwise_binary_sfpu",
    "eltwise_unary/binop_with_scalar",
    "eltwise_unary/comp",
    "eltwise_unary/exp",
    "eltwise_unary/fill",
    "eltwise_unary/gelu",
    "eltwise_unary/recip",
    "eltwise_unary/rsqrt",
    "eltwise_unary/typecast",
    "eltwise_unary/where",
    "mask",
    "matmul",
    "pack",
    "pack_untilize",
    "reconfig_data_format",
    "reduce",
    "reg_api",
    "sfpu_binary_bcast",
    "src_order",
    "tile_move_copy",
    "tilize",
    "transpose",
    "transpose_dest",
]


def compile_text(compiler: str, text: str, directory: Path) -> subprocess.CompletedProcess[str]:
    source = directory / "compute.cpp"
    source.write_text(text)
    return subprocess.run([compiler, *FLAGS, str(source)], capture_output=True, text=True)


@pytest.fixture(params=["g++", "clang++"])
def compiler(request: pytest.FixtureRequest) -> str:
    path = shutil.which(request.param)
    if path is None:
        pytest.skip(f"{request.param} is not installed")
    return path


def test_the_usual_headers_exist() -> None:
    assert {f"api/compute/{name}.h" for name in EXPECTED} <= set(HEADERS)


def test_all_headers_together(compiler: str, tmp_path: Path) -> None:
    text = "".join(f'#include "{header}"\n' for header in HEADERS) + "void kernel_main() {}\n"
    result = compile_text(compiler, text, tmp_path)
    assert result.returncode == 0, result.stderr


def test_every_header_alone(tmp_path: Path) -> None:
    compiler = shutil.which("g++") or shutil.which("clang++")
    assert compiler is not None
    for header in HEADERS:
        result = compile_text(compiler, f'#include "{header}"\n', tmp_path)
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("reduce_init<PoolType::MIN, ReduceDim::REDUCE_ROW>(0, 1, 2)", "no MIN"),
        ("add_reuse_dest_init<EltwiseBinaryReuseDestType::NONE>(0)", "DEST_TO_SRCA or DEST_TO_SRCB"),
        ("add_int_tile<DataFormat::Float32>(0, 1, 2)", "Unsupported data format"),
    ],
)
def test_wrong_template_arguments_do_not_compile(compiler: str, tmp_path: Path, call: str, message: str) -> None:
    includes = ["reduce", "eltwise_binary", "add_int_sfpu"]
    text = "".join(f'#include "api/compute/{name}.h"\n' for name in includes) + f"void kernel_main() {{ {call}; }}\n"
    result = compile_text(compiler, text, tmp_path)
    assert result.returncode != 0
    assert message in result.stderr
