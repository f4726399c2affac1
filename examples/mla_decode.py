"""Multi-head latent attention, decoding: all heads share one latent vector per position, plus a part with rotary
position."""

import math

import tilelang.language as T
import torch
from check import check

import tt_jit as tt


@tt.jit(out_idx=[-1])
def mla_decode(batch, heads, length, latent, rope, block_H=32, block_N=64, dtype="bfloat16"):
    scale = math.log2(math.e) / math.sqrt(latent + rope)

    @T.prim_func
    def main(
        Q: T.Tensor((batch, heads, latent), dtype),
        Q_rope: T.Tensor((batch, heads, rope), dtype),
        KV: T.Tensor((batch, length, latent), dtype),
        K_rope: T.Tensor((batch, length, rope), dtype),
        Output: T.Tensor((batch, heads, latent), dtype),
    ):
        with T.Kernel(T.ceildiv(heads, block_H), batch, threads=128) as (bx, by):
            Q_shared = T.alloc_shared((block_H, latent), dtype)
            Q_rope_shared = T.alloc_shared((block_H, rope), dtype)
            KV_shared = T.alloc_shared((block_N, latent), dtype)
            K_rope_shared = T.alloc_shared((block_N, rope), dtype)
            scores = T.alloc_fragment((block_H, block_N), "float32")
            weights = T.alloc_fragment((block_H, block_N), dtype)
            output = T.alloc_fragment((block_H, latent), "float32")
            peak = T.alloc_fragment((block_H,), "float32")
            old_peak = T.alloc_fragment((block_H,), "float32")
            rescale = T.alloc_fragment((block_H,), "float32")
            row_sum = T.alloc_fragment((block_H,), "float32")
            total = T.alloc_fragment((block_H,), "float32")

            T.copy(Q[by, bx * block_H, 0], Q_shared)
            T.copy(Q_rope[by, bx * block_H, 0], Q_rope_shared)
            T.clear(output)
            T.clear(total)
            T.fill(peak, -T.infinity("float32"))
            for k in T.Pipelined(T.ceildiv(length, block_N), num_stages=2):
                T.copy(KV[by, k * block_N, 0], KV_shared)
                T.copy(K_rope[by, k * block_N, 0], K_rope_shared)
                T.gemm(Q_shared, KV_shared, scores, transpose_B=True, clear_accum=True)
                T.gemm(Q_rope_shared, K_rope_shared, scores, transpose_B=True)
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
                for i, j in T.Parallel(block_H, latent):
                    output[i, j] *= rescale[i]
                T.gemm(weights, KV_shared, output)
            for i, j in T.Parallel(block_H, latent):
                output[i, j] /= total[i]
            T.copy(output, Output[by, bx * block_H, 0])

    return main


def main() -> None:
    torch.manual_seed(0)
    batch, heads, length, latent, rope = 2, 64, 192, 256, 64
    q, q_rope = torch.randn(batch, heads, latent).bfloat16(), torch.randn(batch, heads, rope).bfloat16()
    kv, k_rope = torch.randn(batch, length, latent).bfloat16(), torch.randn(batch, length, rope).bfloat16()
    result = mla_decode(batch, heads, length, latent, rope)(q, q_rope, kv, k_rope)

    scores = q.double() @ kv.double().transpose(1, 2) + q_rope.double() @ k_rope.double().transpose(1, 2)
    weights = (scores / math.sqrt(latent + rope)).softmax(-1)
    check("MLA decode", result, weights @ kv.double())


if __name__ == "__main__":
    main()
