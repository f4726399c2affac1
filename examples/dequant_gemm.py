"""GEMM with 4-bit weights: two to a byte, with one scale per 64 of them; unpacked on the way to the multiplication."""

import tilelang.language as T
import torch
from check import check

import tt_jit as tt


@tt.jit(out_idx=[-1])
def matmul_int4(M, N, K, group=64, block_M=64, block_N=64, block_K=64, dtype="bfloat16"):
    """C = A W^T; Packed[n, k // 2] holds W[n, k] + 8 in its low (even k) or high (odd k) half."""

    @T.prim_func
    def main(
        A: T.Tensor((M, K), dtype),
        Packed: T.Tensor((N, K // 2), "uint8"),
        Scale: T.Tensor((N, K // group), dtype),
        C: T.Tensor((M, N), dtype),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=128) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), dtype)
            packed = T.alloc_shared((block_N, block_K // 2), "uint8")
            weights = T.alloc_fragment((block_N, block_K), dtype)
            weights_shared = T.alloc_shared((block_N, block_K), dtype)
            C_local = T.alloc_fragment((block_M, block_N), "float32")
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=2):
                T.copy(A[by * block_M, k * block_K], A_shared)
                T.copy(Packed[bx * block_N, k * block_K // 2], packed)
                for i, j in T.Parallel(block_N, block_K):
                    nibble = (packed[i, j // 2] >> T.cast((j % 2) * 4, "uint8")) & T.cast(15, "uint8")
                    weights[i, j] = (T.cast(nibble, dtype) - 8.0) * Scale[bx * block_N + i, k * block_K // group]
                T.copy(weights, weights_shared)
                T.gemm(A_shared, weights_shared, C_local, transpose_B=True)
            T.copy(C_local, C[by * block_M, bx * block_N])

    return main


def main() -> None:
    torch.manual_seed(0)
    M, N, K, group = 96, 128, 256, 64
    a = torch.randn(M, K).bfloat16()
    weights = torch.randint(0, 16, (N, K), dtype=torch.uint8)
    scale = (torch.rand(N, K // group) + 0.5).bfloat16()
    packed = weights[:, 0::2] | (weights[:, 1::2] << 4)
    exact = a.double() @ ((weights.double() - 8) * scale.double().repeat_interleave(group, 1)).T
    check("4-bit weights", matmul_int4(M, N, K)(a, packed, scale), exact)


if __name__ == "__main__":
    main()
