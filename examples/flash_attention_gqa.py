"""Grouped-query attention, forward: several query heads share one head of keys and values; sliding window and
sinks included."""

import math

import tilelang.language as T
import torch
from check import check

import tt_jit as tt

LOG2_E = math.log2(math.e)


@tt.jit(out_idx=[4])
def gqa_with_sinks(batch, heads, groups, length, dim, window, block_M=64, block_N=64, dtype="bfloat16"):
    """(batch, heads, length, dim) tensors. A sink is one more logit per head that takes weight and gives nothing."""
    scale = LOG2_E / math.sqrt(dim)
    kv_heads = heads // groups

    @T.prim_func
    def main(
        Q: T.Tensor((batch, heads, length, dim), dtype),
        K: T.Tensor((batch, kv_heads, length, dim), dtype),
        V: T.Tensor((batch, kv_heads, length, dim), dtype),
        Sinks: T.Tensor((heads,), dtype),
        Output: T.Tensor((batch, heads, length, dim), dtype),
    ):
        with T.Kernel(T.ceildiv(length, block_M), heads, batch, threads=128) as (bx, by, bz):
            Q_shared = T.alloc_shared((block_M, dim), dtype)
            K_shared = T.alloc_shared((block_N, dim), dtype)
            V_shared = T.alloc_shared((block_N, dim), dtype)
            scores = T.alloc_fragment((block_M, block_N), "float32")
            weights = T.alloc_fragment((block_M, block_N), dtype)
            output = T.alloc_fragment((block_M, dim), "float32")
            peak = T.alloc_fragment((block_M,), "float32")
            old_peak = T.alloc_fragment((block_M,), "float32")
            rescale = T.alloc_fragment((block_M,), "float32")
            row_sum = T.alloc_fragment((block_M,), "float32")
            total = T.alloc_fragment((block_M,), "float32")
            sink = T.alloc_fragment((block_M,), dtype)

            T.copy(Q[bz, by, bx * block_M : (bx + 1) * block_M, :], Q_shared)
            T.clear(output)
            T.clear(total)
            T.fill(peak, -T.infinity("float32"))
            for i in T.Parallel(block_M):
                sink[i] = Sinks[by]
            start = T.max(0, (bx * block_M - window) // block_N) if window else 0
            end = T.min(T.ceildiv(length, block_N), T.ceildiv((bx + 1) * block_M, block_N))
            for k in T.Pipelined(start, end, num_stages=2):
                T.copy(K[bz, by // groups, k * block_N : (k + 1) * block_N, :], K_shared)
                for i, j in T.Parallel(block_M, block_N):
                    query = bx * block_M + i
                    key = k * block_N + j
                    if window:
                        scores[i, j] = T.if_then_else(
                            T.And(query >= key, query < key + window), 0.0, -T.infinity("float32")
                        )
                    else:
                        scores[i, j] = T.if_then_else(query >= key, 0.0, -T.infinity("float32"))
                T.gemm(Q_shared, K_shared, scores, transpose_B=True)
                T.copy(peak, old_peak)
                T.reduce_max(scores, peak, dim=1, clear=False)
                # A block may hide every key of a row: its peak stays -inf and must not reach exp2 as inf - inf.
                for i in T.Parallel(block_M):
                    peak[i] = T.max(peak[i], -1.0e30)
                for i in T.Parallel(block_M):
                    rescale[i] = T.exp2((old_peak[i] - peak[i]) * scale)
                for i, j in T.Parallel(block_M, block_N):
                    scores[i, j] = T.exp2((scores[i, j] - peak[i]) * scale)
                T.reduce_sum(scores, row_sum, dim=1)
                for i in T.Parallel(block_M):
                    total[i] = total[i] * rescale[i] + row_sum[i]
                T.copy(scores, weights)
                for i, j in T.Parallel(block_M, dim):
                    output[i, j] *= rescale[i]
                T.copy(V[bz, by // groups, k * block_N : (k + 1) * block_N, :], V_shared)
                T.gemm(weights, V_shared, output)
            for i in T.Parallel(block_M):
                total[i] += T.exp2(sink[i] * LOG2_E - peak[i] * scale)
            for i, j in T.Parallel(block_M, dim):
                output[i, j] /= total[i]
            T.copy(output, Output[bz, by, bx * block_M : (bx + 1) * block_M, :])

    return main


def reference(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, sinks: torch.Tensor, window: int) -> torch.Tensor:
    groups = q.shape[1] // k.shape[1]
    q, k, v = q.double(), k.double().repeat_interleave(groups, 1), v.double().repeat_interleave(groups, 1)
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
    visible = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    if window:
        visible &= torch.ones_like(visible).triu(1 - window)
    scores = scores.masked_fill(~visible, -math.inf)
    sink = sinks.double().view(1, -1, 1, 1).expand(*scores.shape[:3], 1)
    return torch.cat([scores, sink], -1).softmax(-1)[..., :-1] @ v


def main() -> None:
    torch.manual_seed(0)
    batch, heads, groups, length, dim = 1, 4, 2, 256, 64
    q = torch.randn(batch, heads, length, dim).bfloat16()
    k, v = (torch.randn(batch, heads // groups, length, dim).bfloat16() for _ in range(2))
    sinks = torch.randn(heads).bfloat16()
    for window in (0, 96):
        result = gqa_with_sinks(batch, heads, groups, length, dim, window)(q, k, v, sinks)
        check(f"window {window or 'unlimited'}", result, reference(q, k, v, sinks, window))


if __name__ == "__main__":
    main()
