"""Mamba 2's two chunk kernels: the state that each chunk contributes, and the scan that mixes a chunk with what
came before."""

import math

import tilelang.language as T
import torch
from check import check

import tt_jit as tt

LOG2_E = math.log2(math.e)


@tt.jit(out_idx=[4])
def chunk_state(batch, length, chunk, groups, heads, dim, states, block_M=64, block_N=64, block_K=64, dtype="bfloat16"):
    """states[b, c, h] = X^T (B * decay): per chunk, weighted by the decay to the chunk's end."""
    chunks = length // chunk

    @T.prim_func
    def main(
        B: T.Tensor((batch, length, groups, states), dtype),
        X: T.Tensor((batch, length, heads, dim), dtype),
        dt: T.Tensor((batch, heads, chunks, chunk), "float32"),
        dA: T.Tensor((batch, heads, chunks, chunk), "float32"),
        Output: T.Tensor((batch, chunks, heads, dim, states), "float32"),
    ):
        with T.Kernel(heads, T.ceildiv(dim, block_M) * T.ceildiv(states, block_N), batch * chunks, threads=128) as (
            bz,
            bx,
            by,
        ):
            x = T.alloc_shared((block_K, block_M), dtype)
            x_scaled = T.alloc_fragment((block_K, block_M), dtype)
            b = T.alloc_shared((block_K, block_N), dtype)
            step = T.alloc_fragment((block_K,), "float32")
            sums = T.alloc_fragment((block_K,), "float32")
            last = T.alloc_fragment((1,), "float32")
            state = T.alloc_fragment((block_M, block_N), "float32")
            scaled_shared = T.alloc_shared((block_K, block_M), dtype)

            sequence = by // chunks
            index = by % chunks
            m = bx // T.ceildiv(states, block_N)
            n = bx % T.ceildiv(states, block_N)
            last[0] = dA[sequence, bz, index, chunk - 1]
            T.clear(state)
            for k in T.Pipelined(T.ceildiv(chunk, block_K), num_stages=2):
                row = index * chunk + k * block_K
                T.copy(X[sequence, row : row + block_K, bz, m * block_M : (m + 1) * block_M], x)
                T.copy(dA[sequence, bz, index, k * block_K : (k + 1) * block_K], sums)
                T.copy(dt[sequence, bz, index, k * block_K : (k + 1) * block_K], step)
                for i, j in T.Parallel(block_K, block_M):
                    x_scaled[i, j] = x[i, j] * T.exp2((last[0] - sums[i]) * LOG2_E) * step[i]
                T.copy(x_scaled, scaled_shared)
                T.copy(B[sequence, row : row + block_K, bz // (heads // groups), n * block_N : (n + 1) * block_N], b)
                T.gemm(scaled_shared, b, state, transpose_A=True)
            T.copy(state, Output[sequence, index, bz, m * block_M : (m + 1) * block_M, n * block_N : (n + 1) * block_N])

    return main


@tt.jit(out_idx=[6])
def chunk_scan(batch, length, chunk, groups, heads, dim, states, block_M=64, block_N=64, block_K=64, dtype="bfloat16"):
    """Y = decay * C state + (CB masked and decayed) X + D X."""
    chunks = length // chunk

    @T.prim_func
    def main(
        CB: T.Tensor((batch, chunks, groups, chunk, chunk), dtype),
        X: T.Tensor((batch, length, heads, dim), dtype),
        dt: T.Tensor((batch, heads, chunks, chunk), "float32"),
        dA: T.Tensor((batch, heads, chunks, chunk), "float32"),
        C: T.Tensor((batch, length, groups, states), dtype),
        State: T.Tensor((batch, chunks, heads, dim, states), dtype),
        Output: T.Tensor((batch, length, heads, dim), dtype),
    ):
        with T.Kernel(heads, T.ceildiv(chunk, block_M) * T.ceildiv(dim, block_N), batch * chunks, threads=128) as (
            bz,
            bx,
            by,
        ):
            output = T.alloc_fragment((block_M, block_N), "float32")
            c_shared = T.alloc_shared((block_M, states), dtype)
            state = T.alloc_shared((block_N, states), dtype)
            cb = T.alloc_shared((block_M, block_K), dtype)
            cb_scaled = T.alloc_fragment((block_M, block_K), dtype)
            x = T.alloc_shared((block_K, block_N), dtype)
            sums_m = T.alloc_fragment((block_M,), "float32")
            sums_k = T.alloc_fragment((block_K,), "float32")
            step = T.alloc_fragment((block_K,), "float32")

            sequence = by // chunks
            index = by % chunks
            m = bx // T.ceildiv(dim, block_N)
            n = bx % T.ceildiv(dim, block_N)
            group = bz // (heads // groups)
            row = index * chunk + m * block_M
            T.copy(dA[sequence, bz, index, m * block_M : (m + 1) * block_M], sums_m)
            T.copy(C[sequence, row : row + block_M, group, :], c_shared)
            T.copy(State[sequence, index, bz, n * block_N : (n + 1) * block_N, :], state)
            T.clear(output)
            T.gemm(c_shared, state, output, transpose_B=True)
            for i, j in T.Parallel(block_M, block_N):
                output[i, j] *= T.exp2(sums_m[i] * LOG2_E)
            for k in T.Pipelined(T.ceildiv((m + 1) * block_M, block_K), num_stages=2):
                T.copy(CB[sequence, index, group, m * block_M : (m + 1) * block_M, k * block_K : (k + 1) * block_K], cb)
                T.copy(dA[sequence, bz, index, k * block_K : (k + 1) * block_K], sums_k)
                T.copy(dt[sequence, bz, index, k * block_K : (k + 1) * block_K], step)
                for i, j in T.Parallel(block_M, block_K):
                    cb_scaled[i, j] = T.if_then_else(
                        m * block_M + i >= k * block_K + j,
                        cb[i, j] * T.exp2((sums_m[i] - sums_k[j]) * LOG2_E) * step[j],
                        0.0,
                    )
                start = index * chunk + k * block_K
                T.copy(X[sequence, start : start + block_K, bz, n * block_N : (n + 1) * block_N], x)
                T.gemm(cb_scaled, x, output)
            T.copy(output, Output[sequence, row : row + block_M, bz, n * block_N : (n + 1) * block_N])

    return main


def main() -> None:
    torch.manual_seed(0)
    batch, length, chunk, groups, heads, dim, states = 1, 256, 128, 1, 2, 64, 64
    chunks = length // chunk
    b, c = (torch.randn(batch, length, groups, states).bfloat16() for _ in range(2))
    x = torch.randn(batch, length, heads, dim).bfloat16()
    dt = torch.rand(batch, heads, chunks, chunk)
    sums = -0.05 * dt.cumsum(-1)

    state = chunk_state(batch, length, chunk, groups, heads, dim, states)(b, x, dt, sums)
    keys = b.double().repeat_interleave(heads // groups, 2).reshape(batch, chunks, chunk, heads, states)
    values = x.double().reshape(batch, chunks, chunk, heads, dim)
    weight = (torch.exp(sums[..., -1:] - sums) * dt).double()
    check("chunk state", state, torch.einsum("bclhn,bhcl,bclhp->bchpn", keys, weight, values))

    queries = c.double().repeat_interleave(heads // groups, 2).reshape(batch, chunks, chunk, heads, states)
    cb = torch.einsum("bclgn,bcsgn->bcgls", *(t.float().reshape(batch, chunks, chunk, groups, states) for t in (c, b)))
    cb, before = (cb / 8).bfloat16(), (torch.randn(batch, chunks, heads, dim, states)).bfloat16()
    y = chunk_scan(batch, length, chunk, groups, heads, dim, states)(cb, x, dt, sums, c, before)
    decay = torch.exp((sums[..., :, None] - sums[..., None, :]).double()) * dt[..., None, :].double()
    decay = decay * torch.ones(chunk, chunk, dtype=torch.float64).tril()
    scores = cb.double().repeat_interleave(heads // groups, 2).permute(0, 2, 1, 3, 4) * decay
    exact = torch.einsum("bhcls,bcshp->bclhp", scores, values)
    exact += torch.einsum("bclhn,bchpn,bhcl->bclhp", queries, before.double(), torch.exp(sums.double()))
    check("chunk scan", y, exact.reshape(batch, length, heads, dim))


if __name__ == "__main__":
    main()
