"""Matrix multiplication: plain, with transposed operands, batched, and with a fused bias and SiLU."""

import tilelang.language as T
import torch
from check import check

import tt_jit as tt


@tt.jit(out_idx=[-1])
def matmul(M, N, K, block_M=64, block_N=64, block_K=64, dtype="bfloat16"):
    @T.prim_func
    def main(A: T.Tensor((M, K), dtype), B: T.Tensor((K, N), dtype), C: T.Tensor((M, N), dtype)):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=128) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), dtype)
            B_shared = T.alloc_shared((block_K, block_N), dtype)
            C_local = T.alloc_fragment((block_M, block_N), "float32")
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=3):
                T.copy(A[by * block_M, k * block_K], A_shared)
                T.copy(B[k * block_K, bx * block_N], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            T.copy(C_local, C[by * block_M, bx * block_N])

    return main


@tt.jit(out_idx=[-1])
def matmul_transposed(M, N, K, block=64, dtype="bfloat16"):
    """C = A^T B^T: both operands are stored the other way round."""

    @T.prim_func
    def main(A: T.Tensor((K, M), dtype), B: T.Tensor((N, K), dtype), C: T.Tensor((M, N), dtype)):
        with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block), threads=128) as (bx, by):
            A_shared = T.alloc_shared((block, block), dtype)
            B_shared = T.alloc_shared((block, block), dtype)
            C_local = T.alloc_fragment((block, block), "float32")
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block), num_stages=2):
                T.copy(A[k * block, by * block], A_shared)
                T.copy(B[bx * block, k * block], B_shared)
                T.gemm(A_shared, B_shared, C_local, transpose_A=True, transpose_B=True)
            T.copy(C_local, C[by * block, bx * block])

    return main


@tt.jit(out_idx=[-1])
def matmul_batched(batch, M, N, K, block=64, dtype="bfloat16"):
    @T.prim_func
    def main(A: T.Tensor((batch, M, K), dtype), B: T.Tensor((batch, K, N), dtype), C: T.Tensor((batch, M, N), dtype)):
        with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block), batch, threads=128) as (bx, by, bz):
            A_shared = T.alloc_shared((block, block), dtype)
            B_shared = T.alloc_shared((block, block), dtype)
            C_local = T.alloc_fragment((block, block), "float32")
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block), num_stages=2):
                T.copy(A[bz, by * block, k * block], A_shared)
                T.copy(B[bz, k * block, bx * block], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            T.copy(C_local, C[bz, by * block, bx * block])

    return main


@tt.jit(out_idx=[-1])
def linear_silu(M, N, K, block=64, dtype="bfloat16"):
    """silu(X W + bias) without a round trip to memory."""

    @T.prim_func
    def main(
        X: T.Tensor((M, K), dtype), W: T.Tensor((K, N), dtype), bias: T.Tensor((N,), dtype), Y: T.Tensor((M, N), dtype)
    ):
        with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block), threads=128) as (bx, by):
            X_shared = T.alloc_shared((block, block), dtype)
            W_shared = T.alloc_shared((block, block), dtype)
            bias_local = T.alloc_fragment((block,), dtype)
            Y_local = T.alloc_fragment((block, block), "float32")
            T.copy(bias[bx * block], bias_local)
            T.clear(Y_local)
            for k in T.Pipelined(T.ceildiv(K, block), num_stages=2):
                T.copy(X[by * block, k * block], X_shared)
                T.copy(W[k * block, bx * block], W_shared)
                T.gemm(X_shared, W_shared, Y_local)
            for i, j in T.Parallel(block, block):
                Y_local[i, j] += bias_local[j]
            for i, j in T.Parallel(block, block):
                Y_local[i, j] = Y_local[i, j] * T.sigmoid(Y_local[i, j])
            T.copy(Y_local, Y[by * block, bx * block])

    return main


def main() -> None:
    torch.manual_seed(0)
    M, N, K = 200, 192, 160  # 200 is no multiple of the block, nor of a tile
    a, b = torch.randn(M, K).bfloat16(), torch.randn(K, N).bfloat16()
    exact = a.double() @ b.double()
    check("plain", matmul(M, N, K)(a, b), exact)
    check("transposed", matmul_transposed(M, N, K)(a.T.contiguous(), b.T.contiguous()), exact)
    c, d = torch.randn(3, 96, 64).bfloat16(), torch.randn(3, 64, 128).bfloat16()
    check("batched", matmul_batched(3, 96, 128, 64)(c, d), c.double() @ d.double())
    bias = torch.randn(N).bfloat16()
    check("bias and SiLU", linear_silu(M, N, K)(a, b, bias), torch.nn.functional.silu(exact + bias.double()))


if __name__ == "__main__":
    main()
