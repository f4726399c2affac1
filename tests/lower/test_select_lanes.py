"""select_lanes: elements read at other places of their row or column, by a product with zeros and ones."""

import tilelang.language as T

from .programs import after, assert_program

PASS = "select_lanes"


def test_every_byte_twice() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "uint8")):
        with T.Kernel(2) as bx:
            X = T.alloc_fragment((32, 64), "uint8")
            Y = T.alloc_fragment((32, 128), "int32")
            T.copy(A[bx * 32, 0], X)
            for i, j in T.Parallel(32, 128):
                Y[i, j] = X[i, j // 2] + j % 2

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "uint8")):
        with T.Kernel(2) as bx:
            X_wide = T.alloc_fragment((32, 64), "bfloat16")
            selection = T.alloc_fragment((64, 128), "bfloat16")
            X_selected = T.alloc_fragment((32, 128), "float32")
            X = T.alloc_fragment((32, 64), "uint8")
            Y = T.alloc_fragment((32, 128), "int32")
            for k, j in T.Parallel(64, 128):
                selection[k, j] = T.if_then_else(k == j // 2, T.bfloat16(1.0), T.bfloat16(0.0))
            T.copy(A[bx * 32, 0], X)
            for i, k in T.Parallel(32, 64):
                X_wide[i, k] = T.Cast("bfloat16", X[i, k])
            T.gemm(X_wide, selection, X_selected, clear_accum=True)
            for i, j in T.Parallel(32, 128):
                Y[i, j] = T.Cast("int32", T.Cast("uint8", X_selected[i, j])) + j % 2

    assert_program(after(before, PASS), expected)


def test_rows_are_selected_from_the_left() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "int8")):
        with T.Kernel(1):
            X = T.alloc_fragment((32, 64), "int8")
            Y = T.alloc_fragment((32, 64), "int8")
            for i, j in T.Parallel(32, 64):
                Y[i, j] = X[31 - i, j]

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "int8")):
        with T.Kernel(1):
            X_wide = T.alloc_fragment((32, 64), "bfloat16")
            selection = T.alloc_fragment((32, 32), "bfloat16")
            X_selected = T.alloc_fragment((32, 64), "float32")
            X = T.alloc_fragment((32, 64), "int8")
            Y = T.alloc_fragment((32, 64), "int8")
            for i, k in T.Parallel(32, 32):
                selection[i, k] = T.if_then_else(k == 31 - i, T.bfloat16(1.0), T.bfloat16(0.0))
            for i, j in T.Parallel(32, 64):
                X_wide[i, j] = T.Cast("bfloat16", X[i, j])
            T.gemm(selection, X_wide, X_selected, clear_accum=True)
            for i, j in T.Parallel(32, 64):
                Y[i, j] = T.Cast("int8", X_selected[i, j])

    assert_program(after(before, PASS), expected)


def test_equal_selections_share_their_matrix() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "uint8")):
        with T.Kernel(1):
            X = T.alloc_fragment((32, 64), "uint8")
            W = T.alloc_fragment((32, 64), "uint8")
            Y = T.alloc_fragment((32, 128), "int32")
            for i, j in T.Parallel(32, 128):
                Y[i, j] = X[i, j // 2] + W[i, j // 2] + X[i, j // 2]
            for i, j in T.Parallel(32, 128):
                Y[i, j] = Y[i, j] + X[i, j // 4]

    found = after(kernel, PASS).script()
    assert found.count("alloc_buffer") == 3 + 2 + 3 * 2, "two matrices, three products"
    assert found.count("T.gemm(") == 3


def test_what_a_product_cannot_do_is_left_alone() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "uint8"), n: T.int32):
        with T.Kernel(1):
            X = T.alloc_fragment((32, 64), "uint8")
            Wide = T.alloc_fragment((32, 64), "float32")
            Y = T.alloc_fragment((32, 64), "float32")
            for i, j in T.Parallel(32, 64):
                Y[i, j] = Wide[i, j // 2]
            for i, j in T.Parallel(32, 64):
                Y[i, j] = X[i, (i + j) % 64]
            for i, j in T.Parallel(32, 64):
                Y[i, j] = X[i, j * 2]
            for i, j in T.Parallel(32, 64):
                Y[i, j] = X[i, j // 2 + n]
            for i, j in T.Parallel(32, 64):
                Y[i, j] = X[i, j]

    assert_program(after(kernel, PASS), kernel)
