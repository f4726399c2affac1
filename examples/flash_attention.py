"""Flash attention, forward: (batch, length, heads, dim) tensors, causal or not, more keys than queries if wanted."""

import math

import tilelang.language as T
import torch
from check import check

import tt_jit as tt


@tt.jit(out_idx=[3])
def attention(batch, heads, q_length, kv_length, dim, causal, block_M=64, block_N=64, dtype="bfloat16"):
    scale = math.log2(math.e) / math.sqrt(dim)
    past = kv_length - q_length

    @T.prim_func
    def main(
        Q: T.Tensor((batch, q_length, heads, dim), dtype),
        K: T.Tensor((batch, kv_length, heads, dim), dtype),
        V: T.Tensor((batch, kv_length, heads, dim), dtype),
        Output: T.Tensor((batch, q_length, heads, dim), dtype),
    ):
        with T.Kernel(T.ceildiv(q_length, block_M), heads, batch, threads=128) as (bx, by, bz):
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

            T.copy(Q[bz, bx * block_M : (bx + 1) * block_M, by, :], Q_shared)
            T.clear(output)
            T.clear(total)
            T.fill(peak, -T.infinity("float32"))
            blocks = T.ceildiv(kv_length, block_N)
            visible = T.min(blocks, T.ceildiv((bx + 1) * block_M + past, block_N)) if causal else blocks
            for k in T.Pipelined(visible, num_stages=2):
                T.copy(K[bz, k * block_N : (k + 1) * block_N, by, :], K_shared)
                for i, j in T.Parallel(block_M, block_N):
                    if causal:
                        scores[i, j] = T.if_then_else(
                            bx * block_M + i + past >= k * block_N + j, 0.0, -T.infinity("float32")
                        )
                    else:
                        scores[i, j] = T.if_then_else(k * block_N + j < kv_length, 0.0, -T.infinity("float32"))
                T.gemm(Q_shared, K_shared, scores, transpose_B=True)
                T.copy(peak, old_peak)
                T.reduce_max(scores, peak, dim=1, clear=False)
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
                T.copy(V[bz, k * block_N : (k + 1) * block_N, by, :], V_shared)
                T.gemm(weights, V_shared, output)
            for i, j in T.Parallel(block_M, dim):
                output[i, j] /= total[i]
            T.copy(output, Output[bz, bx * block_M : (bx + 1) * block_M, by, :])

    return main


def reference(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
    q, k, v = (x.double().transpose(1, 2) for x in (q, k, v))
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
    if causal:
        hidden = ~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(k.shape[2] - q.shape[2])
        scores = scores.masked_fill(hidden, -math.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2)


def main() -> None:
    torch.manual_seed(0)
    for causal, q_length, kv_length in [(False, 256, 256), (True, 256, 256), (True, 64, 192), (False, 100, 150)]:
        q = torch.randn(1, q_length, 2, 64).bfloat16()
        k, v = (torch.randn(1, kv_length, 2, 64).bfloat16() for _ in range(2))
        result = attention(1, 2, q_length, kv_length, 64, causal)(q, k, v)
        check(f"causal={causal}, {q_length} x {kv_length}", result, reference(q, k, v, causal))


if __name__ == "__main__":
    main()
