"""flatten_rows: a long row that meets no matrix is a line of elements."""

import tilelang.language as T

from tt_jit.lower.tile_layout import layouts_of

from .programs import after, allocations, assert_program

PASS = "flatten_rows"


def test_copies_element_wise_work_and_reductions_of_a_row() -> None:
    @T.prim_func
    def before(X: T.Tensor((8, 4096), "float32"), Y: T.Tensor((8, 4096), "float32")):
        with T.Kernel(8) as bx:
            x = T.alloc_fragment((1, 2048), "float32")
            peak = T.alloc_fragment((1,), "float32")
            for k in T.serial(2):
                T.copy(X[bx, k * 2048], x)
                T.reduce_max(x, peak, dim=1)
                for i, j in T.Parallel(1, 2048):
                    x[i, j] = x[i, j] - peak[i]
                T.fill(x[0:1, 1024:2048], 0.0)
                T.copy(x, Y[bx, k * 2048])

    @T.prim_func
    def expected(X: T.Tensor((8, 4096), "float32"), Y: T.Tensor((8, 4096), "float32")):
        with T.Kernel(8) as bx:
            x = T.alloc_fragment((2048,), "float32")
            peak = T.alloc_fragment((1,), "float32")
            for k in T.serial(2):
                T.copy(X[bx, k * 2048 : k * 2048 + 2048], x)
                T.reduce_max(x, peak, dim=0)
                for j in T.Parallel(2048):
                    x[j] = x[j] - peak[0]
                T.fill(x[1024:2048], 0.0)
                T.copy(x, Y[bx, k * 2048 : k * 2048 + 2048])

    result = after(before, PASS)
    assert_program(result, expected)
    assert layouts_of(after(before, "infer_tile_layout"))["x"].tiles == 2


def test_rows_that_a_matrix_or_part_of_a_tile_needs_stay() -> None:
    @T.prim_func
    def kernel(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            matrix = T.alloc_fragment((64, 2048), "float32")
            beside = T.alloc_fragment((1, 2048), "float32")
            product = T.alloc_fragment((1, 2048), "float32")
            short = T.alloc_fragment((1, 512), "float32")
            cut = T.alloc_fragment((1, 2048), "float32")
            for i, j in T.Parallel(64, 2048):
                matrix[i, j] = matrix[i, j] * beside[0, j]
            T.gemm(product, matrix, short[0:1, 0:64], transpose_B=True, clear_accum=True)
            for j in T.Parallel(1024):
                cut[0, j + 512] = 0.0

    assert allocations(after(kernel, PASS)) == allocations(after(kernel, "transpose_operands"))
