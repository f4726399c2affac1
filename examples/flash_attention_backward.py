"""Flash attention with its backward pass: dQ is added up with atomics by the blocks that own dK and dV."""

import math

import tilelang.language as T
import torch
from check import check

import tt_jit as tt

LOG2_E = math.log2(math.e)


@tt.jit(out_idx=[3, 4])
def forward(batch, heads, length, dim, causal, block_M=64, block_N=64, dtype="bfloat16"):
    """Also returns the logarithm (base 2) of each row's softmax sum."""
    scale = LOG2_E / math.sqrt(dim)

    @T.prim_func
    def main(
        Q: T.Tensor((batch, heads, length, dim), dtype),
        K: T.Tensor((batch, heads, length, dim), dtype),
        V: T.Tensor((batch, heads, length, dim), dtype),
        Output: T.Tensor((batch, heads, length, dim), dtype),
        Lse: T.Tensor((batch, heads, length), "float32"),
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

            T.copy(Q[bz, by, bx * block_M, 0], Q_shared)
            T.clear(output)
            T.clear(total)
            T.fill(peak, -T.infinity("float32"))
            blocks = T.ceildiv((bx + 1) * block_M, block_N) if causal else T.ceildiv(length, block_N)
            for k in T.Pipelined(blocks, num_stages=2):
                T.copy(K[bz, by, k * block_N, 0], K_shared)
                T.copy(V[bz, by, k * block_N, 0], V_shared)
                if causal:
                    for i, j in T.Parallel(block_M, block_N):
                        scores[i, j] = T.if_then_else(bx * block_M + i >= k * block_N + j, 0.0, -T.infinity("float32"))
                else:
                    T.clear(scores)
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
                T.gemm(weights, V_shared, output)
            for i, j in T.Parallel(block_M, dim):
                output[i, j] /= total[i]
            T.copy(output, Output[bz, by, bx * block_M, 0])
            for i in T.Parallel(block_M):
                total[i] = T.log2(total[i]) + peak[i] * scale
            T.copy(total, Lse[bz, by, bx * block_M])

    return main


@tt.jit(out_idx=[2])
def row_products(batch, heads, length, dim, block=64, dtype="bfloat16"):
    """Delta = the sum of O * dO over each row."""

    @T.prim_func
    def main(
        O: T.Tensor((batch, heads, length, dim), dtype),
        dO: T.Tensor((batch, heads, length, dim), dtype),
        Delta: T.Tensor((batch, heads, length), "float32"),
    ):
        with T.Kernel(T.ceildiv(length, block), heads, batch, threads=128) as (bx, by, bz):
            output = T.alloc_fragment((block, dim), "float32")
            gradient = T.alloc_fragment((block, dim), "float32")
            delta = T.alloc_fragment((block,), "float32")
            T.copy(O[bz, by, bx * block, 0], output)
            T.copy(dO[bz, by, bx * block, 0], gradient)
            for i, j in T.Parallel(block, dim):
                output[i, j] = output[i, j] * gradient[i, j]
            T.reduce_sum(output, delta, dim=1)
            T.copy(delta, Delta[bz, by, bx * block])

    return main


@tt.jit
def backward(batch, heads, length, dim, causal, block_M=64, block_N=32, dtype="bfloat16"):
    """One block per ``block_M`` keys, looping over the queries; scores are held transposed (keys by queries)."""
    scale = LOG2_E / math.sqrt(dim)

    @T.prim_func
    def main(
        Q: T.Tensor((batch, heads, length, dim), dtype),
        K: T.Tensor((batch, heads, length, dim), dtype),
        V: T.Tensor((batch, heads, length, dim), dtype),
        dO: T.Tensor((batch, heads, length, dim), dtype),
        Lse: T.Tensor((batch, heads, length), "float32"),
        Delta: T.Tensor((batch, heads, length), "float32"),
        dQ: T.Tensor((batch, heads, length, dim), "float32"),
        dK: T.Tensor((batch, heads, length, dim), dtype),
        dV: T.Tensor((batch, heads, length, dim), dtype),
    ):
        with T.Kernel(T.ceildiv(length, block_M), heads, batch, threads=128) as (bx, by, bz):
            K_shared = T.alloc_shared((block_M, dim), dtype)
            V_shared = T.alloc_shared((block_M, dim), dtype)
            q = T.alloc_shared((block_N, dim), dtype)
            do = T.alloc_shared((block_N, dim), dtype)
            lse = T.alloc_shared((block_N,), "float32")
            delta = T.alloc_shared((block_N,), "float32")
            scores = T.alloc_fragment((block_M, block_N), "float32")
            d_scores = T.alloc_fragment((block_M, block_N), "float32")
            weights_cast = T.alloc_fragment((block_M, block_N), dtype)
            d_scores_cast = T.alloc_fragment((block_M, block_N), dtype)
            d_scores_shared = T.alloc_shared((block_M, block_N), dtype)
            dv = T.alloc_fragment((block_M, dim), "float32")
            dk = T.alloc_fragment((block_M, dim), "float32")
            dq = T.alloc_fragment((block_N, dim), "float32")

            T.copy(K[bz, by, bx * block_M, 0], K_shared)
            T.copy(V[bz, by, bx * block_M, 0], V_shared)
            T.clear(dv)
            T.clear(dk)
            first = T.floordiv(bx * block_M, block_N) if causal else 0
            for k in T.Pipelined(first, T.ceildiv(length, block_N), num_stages=2):
                T.copy(Q[bz, by, k * block_N, 0], q)
                T.clear(scores)
                T.gemm(K_shared, q, scores, transpose_B=True)
                T.copy(Lse[bz, by, k * block_N], lse)
                for i, j in T.Parallel(block_M, block_N):
                    scores[i, j] = T.exp2(scores[i, j] * scale - lse[j])
                if causal:
                    for i, j in T.Parallel(block_M, block_N):
                        scores[i, j] = T.if_then_else(bx * block_M + i <= k * block_N + j, scores[i, j], 0.0)
                T.copy(dO[bz, by, k * block_N, 0], do)
                T.clear(d_scores)
                T.gemm(V_shared, do, d_scores, transpose_B=True)
                T.copy(scores, weights_cast)
                T.gemm(weights_cast, do, dv)
                T.copy(Delta[bz, by, k * block_N], delta)
                for i, j in T.Parallel(block_M, block_N):
                    d_scores_cast[i, j] = scores[i, j] * (d_scores[i, j] - delta[j]) / math.sqrt(dim)
                T.gemm(d_scores_cast, q, dk)
                T.copy(d_scores_cast, d_scores_shared)
                T.clear(dq)
                T.gemm(d_scores_shared, K_shared, dq, transpose_A=True)
                T.atomic_add(dQ[bz, by, k * block_N : (k + 1) * block_N, :], dq)
            T.copy(dv, dV[bz, by, bx * block_M, 0])
            T.copy(dk, dK[bz, by, bx * block_M, 0])

    return main


def main() -> None:
    torch.manual_seed(0)
    batch, heads, length, dim = 1, 2, 128, 64
    sizes = (batch, heads, length, dim)
    q, k, v, do = (torch.randn(sizes).bfloat16() for _ in range(4))
    for causal in (False, True):
        output, lse = forward(*sizes, causal)(q, k, v)
        delta = row_products(*sizes)(output, do)
        dq, dk, dv = torch.zeros(sizes), torch.zeros_like(k), torch.zeros_like(v)
        backward(*sizes, causal)(q, k, v, do, lse, delta, dq, dk, dv)

        exact = [x.double().requires_grad_() for x in (q, k, v)]
        scores = exact[0] @ exact[1].transpose(2, 3) / math.sqrt(dim)
        if causal:
            scores = scores.masked_fill(~torch.ones(length, length, dtype=torch.bool).tril(), -math.inf)
        reference = scores.softmax(-1) @ exact[2]
        reference.backward(do.double())
        check(f"causal={causal}: output", output, reference.detach())
        for name, result, tensor in zip(("dQ", "dK", "dV"), (dq, dk, dv), exact, strict=True):
            assert tensor.grad is not None
            check(f"causal={causal}: {name}", result, tensor.grad, units=8)


if __name__ == "__main__":
    main()
