"""What the policy ``fast`` buys: the emulator's counters for the same kernels in both policies, and the errors.

Counters do not depend on the machine. `matrix` counts passes of the matrix engine over a tile of a product (four in
HiFi4, two in HiFi2); the errors are relative to the largest value of a row, against float64.
"""

import math
from collections.abc import Callable
from typing import Any

import report
import tilelang.language as T
import torch
from bench_emulator import matmul, softmax

import tt_jit as tt

PASSES = {"HiFi4": 4, "HiFi2": 2}
COLUMNS = ("kernel", "policy", "NoC MB", "matrix", "matrix element-wise", "vector", "copies", "DST bits", "error")


def scaled_exp(M: int, N: int, block: int = 64, dtype: str = "float16"):
    @T.prim_func
    def main(
        A: T.Tensor((M, N), dtype),
        S: T.Tensor((M,), "float32"),
        V: T.Tensor((N,), "float32"),
        C: T.Tensor((M, N), dtype),
    ):
        with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block)) as (bx, by):
            a = T.alloc_shared((block, block), dtype)
            s = T.alloc_fragment((block,), "float32")
            v = T.alloc_fragment((block,), "float32")
            c = T.alloc_fragment((block, block), "float32")
            T.copy(A[by * block, bx * block], a)
            T.copy(S[by * block], s)
            T.copy(V[bx * block], v)
            for i, j in T.Parallel(block, block):
                c[i, j] = T.exp(a[i, j] * s[i] - v[j])
            T.copy(c, C[by * block, bx * block])

    return main


def attention(S: int, D: int, block: int = 64, dtype: str = "bfloat16"):
    scale = math.log2(math.e) / math.sqrt(D)

    @T.prim_func
    def main(
        Q: T.Tensor((S, D), dtype), K: T.Tensor((S, D), dtype), V: T.Tensor((S, D), dtype), Out: T.Tensor((S, D), dtype)
    ):
        with T.Kernel(S // block) as bx:
            q = T.alloc_shared((block, D), dtype)
            k = T.alloc_shared((block, D), dtype)
            v = T.alloc_shared((block, D), dtype)
            scores = T.alloc_fragment((block, block), "float32")
            weights = T.alloc_fragment((block, block), dtype)
            output = T.alloc_fragment((block, D), "float32")
            peak = T.alloc_fragment((block,), "float32")
            old = T.alloc_fragment((block,), "float32")
            rescale = T.alloc_fragment((block,), "float32")
            row_sum = T.alloc_fragment((block,), "float32")
            total = T.alloc_fragment((block,), "float32")
            T.copy(Q[bx * block, 0], q)
            T.clear(output)
            T.clear(total)
            T.fill(peak, -T.infinity("float32"))
            for step in T.Pipelined(S // block, num_stages=2):
                T.copy(K[step * block, 0], k)
                T.gemm(q, k, scores, transpose_B=True, clear_accum=True)
                T.copy(peak, old)
                T.reduce_max(scores, peak, dim=1, clear=False)
                for i in T.Parallel(block):
                    rescale[i] = T.exp2((old[i] - peak[i]) * scale)
                for i, j in T.Parallel(block, block):
                    scores[i, j] = T.exp2((scores[i, j] - peak[i]) * scale)
                T.reduce_sum(scores, row_sum, dim=1)
                for i in T.Parallel(block):
                    total[i] = total[i] * rescale[i] + row_sum[i]
                T.copy(scores, weights)
                for i, j in T.Parallel(block, D):
                    output[i, j] *= rescale[i]
                T.copy(V[step * block, 0], v)
                T.gemm(weights, v, output)
            for i, j in T.Parallel(block, D):
                output[i, j] /= total[i]
            T.copy(output, Out[bx * block, 0])

    return main


def attention_reference(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return torch.softmax(q @ k.T / math.sqrt(q.shape[-1]), -1) @ v


def measured(
    name: str, policy: str, func: Any, inputs: list[torch.Tensor], reference: Callable[..., torch.Tensor]
) -> list[Any]:
    kernel = tt.compile(func, out_idx=-1, precision=policy, device="emulator")
    result, exact = kernel(*inputs).double(), reference(*(x.double() for x in inputs))
    error = float(((result - exact).abs() / exact.abs().amax(-1, keepdim=True)).max())
    counters = kernel.last_launch.counters
    (program,) = kernel.artifact.plan.programs
    config = program.compute_config
    return [
        name,
        policy,
        (counters["noc_read_bytes"] + counters["noc_write_bytes"]) / 1e6,
        counters["matmul_tiles"] * PASSES[config.math_fidelity],
        counters["fpu_tiles"],
        counters["sfpu_tiles"],
        counters["copy_tiles"],
        32 if config.fp32_dest_acc_en else 16,
        f"{error:.1e}",
    ]


def main() -> None:
    torch.manual_seed(0)
    square = [torch.randn(512, 512).bfloat16() for _ in range(2)]
    row_values = [torch.randn(1024, 1024).half(), torch.rand(1024), torch.rand(1024)]
    rows = []
    for policy in ("accurate", "fast"):
        rows.append(measured("matmul 512^3", policy, matmul(512, 512, 512), square, torch.matmul))
        rows.append(
            measured(
                "exp(a * s[i] - v[j])",
                policy,
                scaled_exp(1024, 1024),
                row_values,
                lambda a, s, v: torch.exp(a * s[:, None] - v),
            )
        )
        softmax_input = [torch.randn(512, 512, generator=torch.Generator().manual_seed(1)).bfloat16()]
        rows.append(
            measured("softmax 512 x 512", policy, softmax(512, 512), softmax_input, lambda x: torch.softmax(x, -1))
        )
        for dtype in (torch.bfloat16, torch.float16):
            generator = torch.Generator().manual_seed(2)
            heads = [torch.randn(2048, 128, generator=generator).to(dtype) for _ in range(3)]
            name = str(dtype).removeprefix("torch.")
            kernel = attention(2048, 128, dtype=name)
            rows.append(measured(f"attention S2048 D128 {name}", policy, kernel, heads, attention_reference))
    rows.sort(key=lambda row: row[0])
    report.show_table("policies", COLUMNS, rows)
    report.write_json("precision", {"rows": [dict(zip(COLUMNS, row, strict=True)) for row in rows]})


if __name__ == "__main__":
    main()
