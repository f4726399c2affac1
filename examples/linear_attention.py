"""Causal linear attention and retention, chunk by chunk: a running state carries what earlier chunks contribute."""

import math

import tilelang.language as T
import torch
from check import check

import tt_jit as tt


@tt.jit(out_idx=[3, 4])
def linear_attention(batch, heads, length, dim_k, dim_v, chunk=64, dtype="bfloat16"):
    """O = (Q K^T masked causally) V and the final state K^T V."""

    @T.prim_func
    def main(
        Q: T.Tensor((batch, length, heads, dim_k), dtype),
        K: T.Tensor((batch, length, heads, dim_k), dtype),
        V: T.Tensor((batch, length, heads, dim_v), dtype),
        Output: T.Tensor((batch, length, heads, dim_v), "float32"),
        State: T.Tensor((batch, heads, dim_k, dim_v), "float32"),
    ):
        with T.Kernel(heads, batch, threads=128) as (by, bz):
            q = T.alloc_shared((chunk, dim_k), dtype)
            k = T.alloc_shared((chunk, dim_k), dtype)
            v = T.alloc_shared((chunk, dim_v), dtype)
            scores = T.alloc_fragment((chunk, chunk), "float32")
            scores_cast = T.alloc_shared((chunk, chunk), dtype)
            state = T.alloc_fragment((dim_k, dim_v), "float32")
            state_cast = T.alloc_shared((dim_k, dim_v), dtype)
            output = T.alloc_fragment((chunk, dim_v), "float32")
            T.clear(state)
            for c in T.Pipelined(length // chunk, num_stages=2):
                T.copy(Q[bz, c * chunk : (c + 1) * chunk, by, :], q)
                T.copy(K[bz, c * chunk : (c + 1) * chunk, by, :], k)
                T.copy(V[bz, c * chunk : (c + 1) * chunk, by, :], v)
                T.gemm(q, k, scores, transpose_B=True, clear_accum=True)
                for i, j in T.Parallel(chunk, chunk):
                    scores_cast[i, j] = T.if_then_else(i >= j, scores[i, j], 0.0)
                T.gemm(scores_cast, v, output, clear_accum=True)
                T.copy(state, state_cast)
                T.gemm(q, state_cast, output)
                T.gemm(k, v, state, transpose_A=True)
                T.copy(output, Output[bz, c * chunk : (c + 1) * chunk, by, :])
            T.copy(state, State[bz, by, :, :])

    return main


@tt.jit(out_idx=[3])
def retention(batch, heads, length, dim, chunk=64, dtype="bfloat16"):
    """Linear attention whose weights decay with distance; head h decays by 1 - 2^(-5 - h) a step."""

    @T.prim_func
    def main(
        Q: T.Tensor((batch, length, heads, dim), dtype),
        K: T.Tensor((batch, length, heads, dim), dtype),
        V: T.Tensor((batch, length, heads, dim), dtype),
        Output: T.Tensor((batch, length, heads, dim), "float32"),
    ):
        with T.Kernel(heads, batch, threads=128) as (by, bz):
            q = T.alloc_shared((chunk, dim), dtype)
            k = T.alloc_shared((chunk, dim), dtype)
            v = T.alloc_shared((chunk, dim), dtype)
            scores = T.alloc_fragment((chunk, chunk), "float32")
            scores_cast = T.alloc_shared((chunk, chunk), dtype)
            state = T.alloc_fragment((dim, dim), "float32")
            state_cast = T.alloc_shared((dim, dim), dtype)
            earlier = T.alloc_fragment((chunk, dim), "float32")
            output = T.alloc_fragment((chunk, dim), "float32")
            decayed = T.alloc_shared((chunk, dim), dtype)
            log_decay = T.log2(1.0 - T.exp2(-5.0 - 1.0 * by))
            T.clear(state)
            for c in T.Pipelined(length // chunk, num_stages=2):
                T.copy(Q[bz, c * chunk : (c + 1) * chunk, by, :], q)
                T.copy(K[bz, c * chunk : (c + 1) * chunk, by, :], k)
                T.copy(V[bz, c * chunk : (c + 1) * chunk, by, :], v)
                T.gemm(q, k, scores, transpose_B=True, clear_accum=True)
                for i, j in T.Parallel(chunk, chunk):
                    scores_cast[i, j] = T.if_then_else(i >= j, scores[i, j] * T.exp2((i - j) * log_decay), 0.0)
                T.copy(state, state_cast)
                T.gemm(q, state_cast, earlier, clear_accum=True)
                T.gemm(scores_cast, v, output, clear_accum=True)
                for i, j in T.Parallel(chunk, dim):
                    output[i, j] += earlier[i, j] * T.exp2((i + 1) * log_decay)
                T.copy(output, Output[bz, c * chunk : (c + 1) * chunk, by, :])
                for i, j in T.Parallel(chunk, dim):
                    decayed[i, j] = v[i, j] * T.exp2((chunk - i - 1) * log_decay)
                for i, j in T.Parallel(dim, dim):
                    state[i, j] = state[i, j] * T.exp2(chunk * log_decay)
                T.gemm(k, decayed, state, transpose_A=True)

    return main


def weighted_sum(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    q, k, v = (x.double().transpose(1, 2) for x in (q, k, v))
    return ((q @ k.transpose(2, 3) * weights) @ v).transpose(1, 2)


def main() -> None:
    torch.manual_seed(0)
    batch, heads, length, dim = 1, 2, 256, 64
    q, k, v = (torch.randn(batch, length, heads, dim).bfloat16() / math.sqrt(dim) for _ in range(3))
    q, k, v = q.bfloat16(), k.bfloat16(), v.bfloat16()
    causal = torch.ones(length, length, dtype=torch.float64).tril()
    output, state = linear_attention(batch, heads, length, dim, dim)(q, k, v)
    check("linear attention", output, weighted_sum(q, k, v, causal))
    check("its state", state, k.double().transpose(1, 2).transpose(2, 3) @ v.double().transpose(1, 2))

    distance = (torch.arange(length)[:, None] - torch.arange(length)).clamp(min=0).double()
    decay = 1 - 2.0 ** (-5 - torch.arange(heads, dtype=torch.float64))
    weights = causal * decay[:, None, None] ** distance
    check("retention", retention(batch, heads, length, dim)(q, k, v), weighted_sum(q, k, v, weights))


if __name__ == "__main__":
    main()
