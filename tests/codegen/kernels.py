"""The kernels whose generated text is tested; the first three are also kept whole, in golden/."""

import tilelang.language as T
from tvm import tirx as tir

BF16 = "bfloat16"

# fmt: off


@T.prim_func
def gemm(A: T.Tensor((512, 1024), BF16), B: T.Tensor((1024, 512), BF16), C: T.Tensor((512, 512), BF16)):
    with T.Kernel(4, 4, threads=128) as (bx, by):
        A_shared = T.alloc_shared((128, 64), "bfloat16")
        B_shared = T.alloc_shared((64, 128), "bfloat16")
        C_local = T.alloc_fragment((128, 128), "float32")
        T.clear(C_local)
        for k in T.Pipelined(16, num_stages=2):
            T.copy(A[by * 128, k * 64], A_shared)
            T.copy(B[k * 64, bx * 128], B_shared)
            T.gemm(A_shared, B_shared, C_local)
        T.copy(C_local, C[by * 128, bx * 128])


@T.prim_func
def softmax(X: T.Tensor((4096, 1024), "bfloat16"), Y: T.Tensor((4096, 1024), "bfloat16")):
    with T.Kernel(128, threads=128) as bx:
        row = T.alloc_fragment((32, 1024), "float32")
        row_max = T.alloc_fragment((32,), "float32")
        row_sum = T.alloc_fragment((32,), "float32")
        T.copy(X[bx * 32, 0], row)
        T.reduce_max(row, row_max, dim=1)
        for i, j in T.Parallel(32, 1024):
            row[i, j] = T.exp(row[i, j] - row_max[i])
        T.reduce_sum(row, row_sum, dim=1)
        for i, j in T.Parallel(32, 1024):
            row[i, j] = row[i, j] / row_sum[i]
        T.copy(row, Y[bx * 32, 0])


@T.prim_func
def silu(X: T.Tensor((1000, 512), "float32"), scale: T.float32, Y: T.Tensor((1000, 512), "float32")):
    with T.Kernel(T.ceildiv(1000, 64), 4) as (bx, by):
        for i, j in T.Parallel(64, 128):
            x = X[bx * 64 + i, by * 128 + j]
            Y[bx * 64 + i, by * 128 + j] = x * T.sigmoid(x * scale)


@T.prim_func
def causal(X: T.Tensor((128, 128), "float32"), Y: T.Tensor((128, 128), "float32")):
    with T.Kernel(2) as bx:
        tile = T.alloc_fragment((64, 128), "float32")
        T.copy(X[bx * 64, 0], tile)
        for i, j in T.Parallel(64, 128):
            tile[i, j] = T.if_then_else(bx * 64 + i >= j, tile[i, j], -T.infinity("float32"))
        T.copy(tile, Y[bx * 64, 0])


def dynamic_scale() -> tir.PrimFunc:
    m = T.dynamic("m")

    @T.prim_func
    def main(A: T.Tensor((m, 64), "float32"), C: T.Tensor((m, 64), "float32")):
        with T.Kernel(T.ceildiv(m, 32)) as bx:
            a = T.alloc_shared((32, 64), "float32")
            c = T.alloc_fragment((32, 64), "float32")
            T.copy(A[bx * 32, 0], a)
            for i, j in T.Parallel(32, 64):
                c[i, j] = a[i, j] * 2.0
            T.copy(c, C[bx * 32, 0])

    return main


GOLDEN = {"gemm": gemm, "softmax": softmax, "silu": silu}
KERNELS = {**GOLDEN, "causal": causal, "dynamic_scale": dynamic_scale()}
