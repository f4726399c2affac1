"""Kernels on the emulator against torch on one thread, and against the best published time of a rival simulator.

Each kernel is compiled for the chip, run on the emulator and checked against torch before it is timed. Times are CPU
times, best of several calls: other programs on the machine hardly disturb them. `first call` is wall-clock time and
includes lowering and the compilation of the kernels, unless the cache has them.
"""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import report
import tilelang.language as T
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from flash_attention import attention
from flash_attention import reference as attention_reference

import tt_jit as tt

GEMM_GOAL = 3.0  # times torch's float32 matmul, at 1024^3
ATTENTION_GOAL = 500.0  # milliseconds, 8 heads, S = 1024, D = 64


def add(M: int, N: int, block: int = 128, dtype: str = "bfloat16"):
    @T.prim_func
    def main(A: T.Tensor((M, N), dtype), B: T.Tensor((M, N), dtype), C: T.Tensor((M, N), dtype)):
        with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block)) as (bx, by):
            a = T.alloc_shared((block, block), dtype)
            b = T.alloc_shared((block, block), dtype)
            c = T.alloc_fragment((block, block), dtype)
            T.copy(A[by * block, bx * block], a)
            T.copy(B[by * block, bx * block], b)
            for i, j in T.Parallel(block, block):
                c[i, j] = a[i, j] + b[i, j]
            T.copy(c, C[by * block, bx * block])

    return main


def matmul(M: int, N: int, K: int, block: int = 128, block_K: int = 64, dtype: str = "bfloat16"):
    @T.prim_func
    def main(A: T.Tensor((M, K), dtype), B: T.Tensor((K, N), dtype), C: T.Tensor((M, N), dtype)):
        with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block)) as (bx, by):
            a = T.alloc_shared((block, block_K), dtype)
            b = T.alloc_shared((block_K, block), dtype)
            c = T.alloc_fragment((block, block), "float32")
            T.clear(c)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=2):
                T.copy(A[by * block, k * block_K], a)
                T.copy(B[k * block_K, bx * block], b)
                T.gemm(a, b, c)
            T.copy(c, C[by * block, bx * block])

    return main


def softmax(M: int, N: int, block: int = 32, dtype: str = "bfloat16"):
    @T.prim_func
    def main(X: T.Tensor((M, N), dtype), Y: T.Tensor((M, N), dtype)):
        with T.Kernel(T.ceildiv(M, block)) as bx:
            x = T.alloc_fragment((block, N), "float32")
            peak = T.alloc_fragment((block,), "float32")
            total = T.alloc_fragment((block,), "float32")
            T.copy(X[bx * block, 0], x)
            T.reduce_max(x, peak, dim=1)
            for i, j in T.Parallel(block, N):
                x[i, j] = T.exp(x[i, j] - peak[i])
            T.reduce_sum(x, total, dim=1)
            for i, j in T.Parallel(block, N):
                x[i, j] = x[i, j] / total[i]
            T.copy(x, Y[bx * block, 0])

    return main


@dataclass(frozen=True)
class Row:
    """One line of the table; milliseconds."""

    work: str
    first: float
    call: float
    torch: float
    ratio: float
    rival: float | None


def milliseconds(call: Callable[[], Any], repeat: int) -> float:
    best = math.inf
    for _ in range(repeat):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best * 1e3


def measure(
    work: str,
    func: Any,
    inputs: list[torch.Tensor],
    reference: Callable[..., torch.Tensor],
    competitor: Callable[[], Any],
    rival: float | None = None,
) -> Row:
    """Time `func` on `inputs`; `reference` is what the result must be, `competitor` what torch is timed on."""
    start = time.perf_counter()
    kernel = tt.compile(func, out_idx=-1, device="emulator")
    result = kernel(*inputs)
    first = (time.perf_counter() - start) * 1e3
    torch.testing.assert_close(result.float(), reference(*(x.float() for x in inputs)), rtol=2e-2, atol=2e-2)
    repeat = 3 if first > 2000 else 7
    call = milliseconds(lambda: kernel(*inputs), repeat)
    own = milliseconds(competitor, repeat)
    return Row(work=work, first=first, call=call, torch=own, ratio=call / own, rival=rival)


def rows() -> list[Row]:
    torch.manual_seed(0)
    table = []
    for size, rival in ((1024, 35.0), (4096, 299.0)):
        a, b = torch.randn(size, size).bfloat16(), torch.randn(size, size).bfloat16()
        table.append(
            measure(f"add {size}x{size} bf16", add(size, size), [a, b], torch.add, lambda: torch.add(a, b), rival)
        )
    for size, rival in ((256, 23.0), (512, 38.0), (1024, 157.0), (2048, 1280.0)):
        a = (torch.randn(size, size) / math.sqrt(size)).bfloat16()
        b = torch.randn(size, size).bfloat16()
        wide_a, wide_b = a.float(), b.float()
        func = matmul(size, size, size)
        competitor = lambda: torch.matmul(wide_a, wide_b)  # noqa: E731
        table.append(measure(f"matmul {size}^3 bf16", func, [a, b], torch.matmul, competitor, rival))
    x = torch.randn(4096, 1024).bfloat16()
    wide_x = x.float()
    table.append(
        measure(
            "softmax 4096x1024 bf16",
            softmax(4096, 1024),
            [x],
            lambda values: torch.softmax(values, -1),
            lambda: torch.softmax(wide_x, -1),
            202.0,
        )
    )
    q, k, v = (torch.randn(1, 1024, 8, 64).bfloat16() for _ in range(3))
    heads = [tensor.float().transpose(1, 2) for tensor in (q, k, v)]
    table.append(
        measure(
            "attention H8 S1024 D64 bf16",
            attention.get_tir(1, 8, 1024, 1024, 64, False),
            [q, k, v],
            lambda *values: attention_reference(*values, False).float(),
            lambda: torch.nn.functional.scaled_dot_product_attention(*heads),
        )
    )
    return table


def main() -> None:
    torch.set_num_threads(1)
    table = rows()
    columns = ["first call", "call", "torch", "times torch", "rival's best"]
    report.show_table(
        "The emulator on one thread, milliseconds",
        ["work", *columns],
        [[row.work, row.first, row.call, row.torch, row.ratio, row.rival] for row in table],
    )
    ratio = next(row.ratio for row in table if row.work.startswith("matmul 1024"))
    verdict = "reached" if ratio <= GEMM_GOAL else "missed"
    print(f"\nmatmul 1024^3: {ratio:.2f} times torch's float32 matmul; goal {GEMM_GOAL}: {verdict}")
    attention_time = next(row.call for row in table if row.work.startswith("attention"))
    verdict = "reached" if attention_time <= ATTENTION_GOAL else "missed"
    print(f"attention H8 S1024 D64: {attention_time:.0f} ms; goal {ATTENTION_GOAL:.0f} ms: {verdict}")
    report.write_json("bench_emulator", {"unit": "milliseconds", "rows": [asdict(row) for row in table]})


if __name__ == "__main__":
    main()
