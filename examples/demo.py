"""`make demo`: a GEMM and a fused softmax in TileLang, run by the kernels that tt_jit generates, checked with torch.

Runs on the emulator unless TT_JIT_DEVICE says otherwise. Prints for each kernel where its sources are and what it did.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import tilelang.language as T
import torch

import tt_jit as tt

BFLOAT16_ROUNDOFF = 2.0**-8  # half the spacing of bfloat16 numbers around 1
TF32_TRUNCATION = 2.0**-10  # what a float32 may lose on its way through the matrix unit


@tt.jit(out_idx=[-1])
def gemm(M: int, N: int, K: int, block_M: int = 128, block_N: int = 128, block_K: int = 64) -> Any:
    """C = A @ B, bfloat16 with float32 accumulation."""

    @T.prim_func
    def main(
        A: T.Tensor((M, K), "bfloat16"),
        B: T.Tensor((K, N), "bfloat16"),
        C: T.Tensor((M, N), "bfloat16"),
    ) -> None:
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=128) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), "bfloat16")
            B_shared = T.alloc_shared((block_K, block_N), "bfloat16")
            C_local = T.alloc_fragment((block_M, block_N), "float32")
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=2):
                T.copy(A[by * block_M, k * block_K], A_shared)
                T.copy(B[k * block_K, bx * block_N], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            T.copy(C_local, C[by * block_M, bx * block_N])

    return main


@tt.jit(out_idx=[-1])
def softmax(M: int, N: int, block_M: int = 32) -> Any:
    """Y = softmax(X, dim=1), a whole row at a time."""

    @T.prim_func
    def main(X: T.Tensor((M, N), "bfloat16"), Y: T.Tensor((M, N), "bfloat16")) -> None:
        with T.Kernel(T.ceildiv(M, block_M), threads=128) as bx:
            row = T.alloc_fragment((block_M, N), "float32")
            row_max = T.alloc_fragment((block_M,), "float32")
            row_sum = T.alloc_fragment((block_M,), "float32")
            T.copy(X[bx * block_M, 0], row)
            T.reduce_max(row, row_max, dim=1)
            for i, j in T.Parallel(block_M, N):
                row[i, j] = T.exp(row[i, j] - row_max[i])
            T.reduce_sum(row, row_sum, dim=1)
            for i, j in T.Parallel(block_M, N):
                row[i, j] = row[i, j] / row_sum[i]
            T.copy(row, Y[bx * block_M, 0])

    return main


def check_gemm() -> float:
    """The largest error of a GEMM, in units of what the formats allow."""
    M, N, K = 512, 384, 640
    A, B = torch.randn(M, K).bfloat16(), torch.randn(K, N).bfloat16()
    C = run("gemm", "C = A @ B, bfloat16, 512 x 384 x 640", lambda: gemm(M, N, K), A, B)
    exact = A.double() @ B.double()
    # Products are exact; float32 sums of K terms may each lose a last bit; the result is rounded to bfloat16.
    allowed = BFLOAT16_ROUNDOFF * exact.abs() + K * 2.0**-23 * (A.double().abs() @ B.double().abs())
    return report_error((C.double() - exact).abs() / allowed)


def check_softmax() -> float:
    """The same for the fused softmax, on a number of rows that is not divisible by the block."""
    M, N = 500, 1024
    X = torch.randn(M, N).bfloat16()
    Y = run("softmax", "Y = softmax(X, dim=1), bfloat16, 500 x 1024", lambda: softmax(M, N), X)
    exact = torch.softmax(X.double(), dim=1)
    # The row sum may pass through the matrix unit, which truncates to TF32; the quotient is rounded to bfloat16.
    allowed = (BFLOAT16_ROUNDOFF + TF32_TRUNCATION) * exact
    return report_error((Y.double() - exact).abs() / allowed)


def run(name: str, title: str, make: Callable[[], Any], *inputs: torch.Tensor) -> torch.Tensor:
    """Make the kernel and call it, and print what it is and did."""
    start = time.perf_counter()
    kernel = make()
    made = time.perf_counter() - start
    calls = []
    for _ in range(3):
        start = time.perf_counter()
        output: torch.Tensor = kernel(*inputs)
        calls.append(time.perf_counter() - start)
    print(f"\n{name}: {title}")
    print(f"  sources   {kernel.artifact_dir}")
    for program in kernel.plan.programs:
        owners = [buffer for buffer in program.circular_buffers if buffer.alias_of is None]
        bytes_of_l1 = sum(buffer.page_size * buffer.pages for buffer in owners)
        names = ", ".join(f"{buffer.name} {buffer.pages} x {buffer.page_size}" for buffer in program.circular_buffers)
        columns, rows = kernel.plan.grid
        print(f"  cores     {program.work.core_count()} of {columns} x {rows} on {kernel.plan.target}")
        print(f"  L1        {bytes_of_l1 / 1024:.0f} KiB per core; circular buffers (pages x bytes): {names}")
    print_counters(kernel)
    print(f"  times     {made:.2f} s to make the kernel or to find it in the cache, {min(calls) * 1e3:.2f} ms a call")
    return output


def print_counters(kernel: Any) -> None:
    profile = kernel.last_launch
    if profile is None:
        return
    counters = profile.counters
    print(f"  NoC       {counters['noc_read_bytes'] / 2**20:.2f} MiB read in {counters['noc_reads']} transactions, "
          f"{counters['noc_write_bytes'] / 2**20:.2f} MiB written in {counters['noc_writes']}")  # fmt: skip
    kinds = ("matmul", "fpu", "sfpu", "copy", "pack")
    print("  tile ops  " + ", ".join(f"{counters[kind + '_tiles']} {kind}" for kind in kinds))
    print(f"  emulator  {profile.kernels_us / 1e3:.2f} ms in kernels, "
          f"{(profile.to_device_us + profile.from_device_us) / 1e3:.2f} ms converting tensors")  # fmt: skip


def report_error(relative: torch.Tensor) -> float:
    worst = float(relative.max())
    print(f"  error     {worst:.2f} of what the formats allow (checked against torch in float64)")
    return worst


def main() -> int:
    torch.manual_seed(0)
    checks: tuple[Callable[[], float], ...] = (check_gemm, check_softmax)
    worst = max(check() for check in checks)
    print(f"\n{'right' if worst <= 1 else 'WRONG'}: the largest error is {worst:.2f} of what the formats allow")
    print("Read the generated kernels: reader.cpp, compute.cpp and writer.cpp in the folders above.")
    return 0 if worst <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
