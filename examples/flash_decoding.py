"""Decoding one token: the keys and values are split over cores, a second kernel combines the parts."""

import math

import tilelang.language as T
import torch
from check import check

import tt_jit as tt


@tt.jit(out_idx=[-1])
def decode(batch, heads, groups, length, dim, splits, block_H=32, block_N=64, dtype="bfloat16"):
    scale = math.log2(math.e) / math.sqrt(dim)
    kv_heads = heads // groups
    per_split = length // splits

    @T.prim_func
    def main(
        Q: T.Tensor((batch, heads, dim), dtype),
        K: T.Tensor((batch, length, kv_heads, dim), dtype),
        V: T.Tensor((batch, length, kv_heads, dim), dtype),
        Partial: T.Tensor((batch, heads, splits, dim), "float32"),
        Lse: T.Tensor((batch, heads, splits), "float32"),
        Output: T.Tensor((batch, heads, dim), dtype),
    ):
        with T.Kernel(batch, kv_heads, splits, threads=128) as (bx, by, bz):
            Q_shared = T.alloc_shared((block_H, dim), dtype)
            K_shared = T.alloc_shared((block_N, dim), dtype)
            V_shared = T.alloc_shared((block_N, dim), dtype)
            scores = T.alloc_fragment((block_H, block_N), "float32")
            weights = T.alloc_fragment((block_H, block_N), dtype)
            output = T.alloc_fragment((block_H, dim), "float32")
            peak = T.alloc_fragment((block_H,), "float32")
            old_peak = T.alloc_fragment((block_H,), "float32")
            rescale = T.alloc_fragment((block_H,), "float32")
            row_sum = T.alloc_fragment((block_H,), "float32")
            total = T.alloc_fragment((block_H,), "float32")

            # The group's heads fill the first rows of the tile; what follows belongs to other groups and is not stored.
            T.copy(Q[bx, by * groups : by * groups + block_H, :], Q_shared)
            T.clear(output)
            T.clear(total)
            T.fill(peak, -T.infinity("float32"))
            for k in T.Pipelined(T.ceildiv(per_split, block_N), num_stages=2):
                start = bz * per_split + k * block_N
                T.copy(K[bx, start : start + block_N, by, :], K_shared)
                T.copy(V[bx, start : start + block_N, by, :], V_shared)
                T.clear(scores)
                T.gemm(Q_shared, K_shared, scores, transpose_B=True)
                T.copy(peak, old_peak)
                T.reduce_max(scores, peak, dim=1, clear=False)
                for i in T.Parallel(block_H):
                    rescale[i] = T.exp2((old_peak[i] - peak[i]) * scale)
                for i, j in T.Parallel(block_H, block_N):
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
            for i in T.Parallel(block_H):
                total[i] = T.log2(total[i]) + peak[i] * scale
            for i, j in T.Parallel(block_H, dim):
                if i < groups:
                    Partial[bx, by * groups + i, bz, j] = output[i, j]
            for i in T.Parallel(block_H):
                if i < groups:
                    Lse[bx, by * groups + i, bz] = total[i]

        with T.Kernel(heads, batch, threads=128) as (by, bz):
            part = T.alloc_fragment((dim,), "float32")
            result = T.alloc_fragment((dim,), "float32")
            lse = T.alloc_fragment((splits,), "float32")
            peak = T.alloc_fragment((1,), "float32")
            total = T.alloc_var("float32")
            weight = T.alloc_var("float32")
            T.copy(Lse[bz, by, 0:splits], lse)
            T.reduce_max(lse, peak, dim=0)
            total = 0.0
            T.clear(result)
            for s in T.serial(splits):
                weight = T.exp2(Lse[bz, by, s] - peak[0])
                total += weight
                T.copy(Partial[bz, by, s, 0:dim], part)
                for j in T.Parallel(dim):
                    result[j] += part[j] * weight
            for j in T.Parallel(dim):
                result[j] = result[j] / total
            T.copy(result, Output[bz, by, 0:dim])

    return main


def main() -> None:
    torch.manual_seed(0)
    batch, heads, groups, length, dim, splits = 2, 8, 4, 512, 64, 4
    q = torch.randn(batch, heads, dim).bfloat16()
    k, v = (torch.randn(batch, length, heads // groups, dim).bfloat16() for _ in range(2))
    partial, lse = torch.zeros(batch, heads, splits, dim), torch.zeros(batch, heads, splits)
    result = decode(batch, heads, groups, length, dim, splits)(q, k, v, partial, lse)

    keys, values = (x.double().transpose(1, 2).repeat_interleave(groups, 1) for x in (k, v))
    scores = q.double().unsqueeze(2) @ keys.transpose(2, 3) / math.sqrt(dim)
    check("split KV", result, (scores.softmax(-1) @ values).squeeze(2))


if __name__ == "__main__":
    main()
