"""A GEMM exported by `kernel.export_sources` and built once with CMake for all tests here."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import tilelang.language as T

import tt_jit

ROWS_PER_BLOCK = 64


@tt_jit.jit(out_idx=[-1], device="emulator")
def gemm(N: int, K: int) -> Any:
    """C = A @ B with a number of rows that is known only at run time."""
    M = T.dynamic("m")

    @T.prim_func
    def main(
        A: T.Tensor((M, K), "bfloat16"), B: T.Tensor((K, N), "bfloat16"), C: T.Tensor((M, N), "float32")
    ) -> None:
        with T.Kernel(T.ceildiv(N, 64), T.ceildiv(M, ROWS_PER_BLOCK), threads=128) as (bx, by):
            A_shared = T.alloc_shared((ROWS_PER_BLOCK, 32), "bfloat16")
            B_shared = T.alloc_shared((32, 64), "bfloat16")
            C_local = T.alloc_fragment((ROWS_PER_BLOCK, 64), "float32")
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, 32), num_stages=2):
                T.copy(A[by * ROWS_PER_BLOCK, k * 32], A_shared)
                T.copy(B[k * 32, bx * 64], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            T.copy(C_local, C[by * ROWS_PER_BLOCK, bx * 64])

    return main


@pytest.fixture(scope="session")
def gemm_kernel() -> tt_jit.Kernel:
    kernel: tt_jit.Kernel = gemm(96, 80)
    return kernel


@pytest.fixture(scope="session")
def exported(gemm_kernel: tt_jit.Kernel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The GEMM's project after cmake and a build; warnings in main.cpp are errors there."""
    directory = tmp_path_factory.mktemp("exported")
    gemm_kernel.export_sources(directory)
    for command in (["cmake", "-B", "build", "-DCMAKE_BUILD_TYPE=Debug"], ["cmake", "--build", "build"]):
        result = subprocess.run(command, cwd=directory, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
    return directory
