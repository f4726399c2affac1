"""Grouped GEMM: the rows of A belong to groups of different sizes, each multiplied with its own matrix."""

import tilelang.language as T
import torch
from check import check

import tt_jit as tt


@tt.jit(out_idx=[-1])
def grouped_matmul(rows, groups, tiles, N, K, block_M=64, block_N=64, block_K=64, dtype="bfloat16"):
    """Block ``bx`` computes rows of group Group[bx], starting at Start[bx]; Size[bx] of them exist."""

    @T.prim_func
    def main(
        A: T.Tensor((rows, K), dtype),
        B: T.Tensor((groups, K, N), dtype),
        Group: T.Tensor((tiles,), "int32"),
        Start: T.Tensor((tiles,), "int32"),
        Size: T.Tensor((tiles,), "int32"),
        C: T.Tensor((rows, N), dtype),
    ):
        with T.Kernel(tiles, T.ceildiv(N, block_N), threads=128) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), dtype)
            B_shared = T.alloc_shared((block_K, block_N), dtype)
            C_local = T.alloc_fragment((block_M, block_N), "float32")
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=2):
                T.copy(A[Start[bx] : Start[bx] + block_M, k * block_K : (k + 1) * block_K], A_shared)
                T.copy(B[Group[bx], k * block_K : (k + 1) * block_K, by * block_N : (by + 1) * block_N], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            for i, j in T.Parallel(block_M, block_N):
                if i < Size[bx]:
                    C[Start[bx] + i, by * block_N + j] = C_local[i, j]

    return main


def main() -> None:
    torch.manual_seed(0)
    sizes, N, K, block = [63, 130, 7], 128, 192, 64
    a = torch.randn(sum(sizes), K).bfloat16()
    b = torch.randn(len(sizes), K, N).bfloat16()
    tiles = []
    first = 0
    for group, size in enumerate(sizes):
        for offset in range(0, size, block):
            tiles.append((group, first + offset, min(block, size - offset)))
        first += size
    group, start, size = (torch.tensor(column, dtype=torch.int32) for column in zip(*tiles, strict=True))
    result = grouped_matmul(len(a), len(sizes), len(tiles), N, K)(a, b, group, start, size)
    exact = torch.cat([part @ matrix for part, matrix in zip(a.double().split(sizes), b.double(), strict=True)])
    check("grouped GEMM", result, exact)


if __name__ == "__main__":
    main()
