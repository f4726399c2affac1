"""Attention over chosen blocks: a mask says, per block of queries, which blocks of keys take part."""

import math

import tilelang.language as T
import torch
from check import check

import tt_jit as tt


@tt.jit(out_idx=[4])
def sparse_attention(batch, heads, length, dim, block=64, dtype="bfloat16"):
    scale = math.log2(math.e) / math.sqrt(dim)
    blocks = length // block

    @T.prim_func
    def main(
        Q: T.Tensor((batch, heads, length, dim), dtype),
        K: T.Tensor((batch, heads, length, dim), dtype),
        V: T.Tensor((batch, heads, length, dim), dtype),
        Mask: T.Tensor((batch, heads, blocks, blocks), "int8"),
        Output: T.Tensor((batch, heads, length, dim), dtype),
    ):
        with T.Kernel(blocks, heads, batch, threads=128) as (bx, by, bz):
            Q_shared = T.alloc_shared((block, dim), dtype)
            K_shared = T.alloc_shared((block, dim), dtype)
            V_shared = T.alloc_shared((block, dim), dtype)
            scores = T.alloc_fragment((block, block), "float32")
            weights = T.alloc_fragment((block, block), dtype)
            output = T.alloc_fragment((block, dim), "float32")
            peak = T.alloc_fragment((block,), "float32")
            old_peak = T.alloc_fragment((block,), "float32")
            rescale = T.alloc_fragment((block,), "float32")
            row_sum = T.alloc_fragment((block,), "float32")
            total = T.alloc_fragment((block,), "float32")

            T.copy(Q[bz, by, bx * block, 0], Q_shared)
            T.clear(output)
            T.clear(total)
            T.fill(peak, -T.infinity("float32"))
            for k in T.Pipelined(bx + 1, num_stages=2):
                if Mask[bz, by, bx, k] != 0:
                    T.copy(K[bz, by, k * block, 0], K_shared)
                    T.copy(V[bz, by, k * block, 0], V_shared)
                    for i, j in T.Parallel(block, block):
                        scores[i, j] = T.if_then_else(bx * block + i >= k * block + j, 0.0, -T.infinity("float32"))
                    T.gemm(Q_shared, K_shared, scores, transpose_B=True)
                    T.copy(peak, old_peak)
                    T.reduce_max(scores, peak, dim=1, clear=False)
                    for i in T.Parallel(block):
                        rescale[i] = T.exp2((old_peak[i] - peak[i]) * scale)
                    for i, j in T.Parallel(block, block):
                        scores[i, j] = T.exp2((scores[i, j] - peak[i]) * scale)
                    T.reduce_sum(scores, row_sum, dim=1)
                    for i in T.Parallel(block):
                        total[i] = total[i] * rescale[i] + row_sum[i]
                    T.copy(scores, weights)
                    for i, j in T.Parallel(block, dim):
                        output[i, j] *= rescale[i]
                    T.gemm(weights, V_shared, output)
            for i, j in T.Parallel(block, dim):
                output[i, j] /= total[i]
            T.copy(output, Output[bz, by, bx * block, 0])

    return main


def main() -> None:
    torch.manual_seed(0)
    batch, heads, length, dim, block = 1, 2, 256, 64, 64
    q, k, v = (torch.randn(batch, heads, length, dim).bfloat16() for _ in range(3))
    blocks = length // block
    mask = (torch.rand(batch, heads, blocks, blocks) < 0.5) | torch.eye(blocks, dtype=torch.bool)
    result = sparse_attention(batch, heads, length, dim)(q, k, v, mask.to(torch.int8))

    visible = mask.repeat_interleave(block, 2).repeat_interleave(block, 3)
    visible &= torch.ones(length, length, dtype=torch.bool).tril()
    scores = (q.double() @ k.double().transpose(2, 3) / math.sqrt(dim)).masked_fill(~visible, -math.inf)
    check("block-sparse attention", result, scores.softmax(-1) @ v.double())


if __name__ == "__main__":
    main()
