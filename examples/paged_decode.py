"""Decoding with a paged cache: keys and values lie in pages, a block table and lengths say which belong to a
sequence."""

import math

import tilelang.language as T
import torch
from check import check

import tt_jit as tt


@tt.jit(out_idx=[-1])
def decode(batch, heads, kv_heads, dim, pages, page, table_width, block_H=32, dtype="bfloat16"):
    scale = math.log2(math.e) / math.sqrt(dim)
    groups = heads // kv_heads

    @T.prim_func
    def main(
        Q: T.Tensor((batch, kv_heads, groups, dim), dtype),
        K: T.Tensor((pages, page, kv_heads, dim), dtype),
        V: T.Tensor((pages, page, kv_heads, dim), dtype),
        Table: T.Tensor((batch, table_width), "int32"),
        Lengths: T.Tensor((batch,), "int32"),
        Output: T.Tensor((batch, kv_heads, groups, dim), dtype),
    ):
        with T.Kernel(batch, kv_heads, threads=128) as (bx, by):
            Q_shared = T.alloc_shared((block_H, dim), dtype)
            K_shared = T.alloc_shared((page, dim), dtype)
            V_shared = T.alloc_shared((page, dim), dtype)
            scores = T.alloc_fragment((block_H, page), "float32")
            weights = T.alloc_fragment((block_H, page), dtype)
            output = T.alloc_fragment((block_H, dim), "float32")
            peak = T.alloc_fragment((block_H,), "float32")
            old_peak = T.alloc_fragment((block_H,), "float32")
            rescale = T.alloc_fragment((block_H,), "float32")
            row_sum = T.alloc_fragment((block_H,), "float32")
            total = T.alloc_fragment((block_H,), "float32")

            # groups < block_H: rows past the end of the tensor read as 0 and are not written.
            T.copy(Q[bx, by, 0:block_H, :], Q_shared)
            T.clear(output)
            T.clear(total)
            T.fill(peak, -T.infinity("float32"))
            for k in T.Pipelined(T.ceildiv(Lengths[bx], page), num_stages=2):
                T.copy(K[Table[bx, k], 0:page, by, :], K_shared)
                T.copy(V[Table[bx, k], 0:page, by, :], V_shared)
                T.clear(scores)
                T.gemm(Q_shared, K_shared, scores, transpose_B=True)
                for i, j in T.Parallel(block_H, page):
                    scores[i, j] = T.if_then_else(k * page + j < Lengths[bx], scores[i, j], -T.infinity("float32"))
                T.copy(peak, old_peak)
                T.reduce_max(scores, peak, dim=1, clear=False)
                for i in T.Parallel(block_H):
                    rescale[i] = T.exp2((old_peak[i] - peak[i]) * scale)
                for i, j in T.Parallel(block_H, page):
                    scores[i, j] = T.exp2((scores[i, j] - peak[i]) * scale)
                T.reduce_sum(scores, row_sum, dim=1)
                for i in T.Parallel(block_H):
                    total[i] = total[i] * rescale[i] + row_sum[i]
                T.copy(scores, weights)
                for i, j in T.Parallel(block_H, dim):
                    output[i, j] *= rescale[i]
                T.gemm(weights, V_shared, output)
            for i, j in T.Parallel(block_H, dim):
                output[i, j] /= total[i]
            T.copy(output, Output[bx, by, 0:block_H, :])

    return main


def main() -> None:
    torch.manual_seed(0)
    batch, heads, kv_heads, dim, page, table_width = 3, 16, 2, 64, 64, 4
    pages = batch * table_width
    lengths = torch.tensor([1, 130, 256], dtype=torch.int32)
    table = torch.randperm(pages).int().reshape(batch, table_width)
    q = torch.randn(batch, kv_heads, heads // kv_heads, dim).bfloat16()
    k, v = (torch.randn(pages, page, kv_heads, dim).bfloat16() for _ in range(2))
    result = decode(batch, heads, kv_heads, dim, pages, page, table_width)(q, k, v, table, lengths)

    exact = torch.empty(q.shape, dtype=torch.float64)
    for b, length in enumerate(lengths.tolist()):
        keys, values = (x[table[b].long()].reshape(-1, kv_heads, dim)[:length].double().transpose(0, 1) for x in (k, v))
        scores = q[b].double() @ keys.transpose(1, 2) / math.sqrt(dim)
        exact[b] = scores.softmax(-1) @ values
    check("paged decode", result, exact)


if __name__ == "__main__":
    main()
