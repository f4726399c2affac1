"""transpose_operands: transposed accesses read a transposed copy."""

import tilelang.language as T

from .programs import after, assert_program

PASS = "transpose_operands"


def test_the_first_operand_of_a_gemm() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            A_shared = T.alloc_shared((32, 64), "bfloat16")
            B_shared = T.alloc_shared((32, 64), "bfloat16")
            C_local = T.alloc_fragment((64, 64), "float32")
            T.gemm(A_shared, B_shared, C_local, transpose_A=True)

    @T.prim_func
    def expected(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            A_shared_t = T.alloc_fragment((64, 32), "bfloat16")
            A_shared = T.alloc_shared((32, 64), "bfloat16")
            B_shared = T.alloc_shared((32, 64), "bfloat16")
            C_local = T.alloc_fragment((64, 64), "float32")
            T.transpose(A_shared, A_shared_t)
            T.gemm(A_shared_t, B_shared, C_local)

    assert_program(after(before, PASS), expected)


def test_the_second_operand_of_a_gemm_is_left_to_the_matrix_engine() -> None:
    @T.prim_func
    def kernel(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            A_shared = T.alloc_shared((64, 32), "bfloat16")
            B_shared = T.alloc_shared((64, 32), "bfloat16")
            C_local = T.alloc_fragment((64, 64), "float32")
            T.gemm(A_shared, B_shared, C_local, transpose_B=True)

    assert_program(after(kernel, PASS), kernel)


def test_swapped_indices() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((32, 64), "float32")
            y = T.alloc_fragment((64, 32), "float32")
            for i, j in T.Parallel(64, 32):
                y[i, j] = y[i, j] + x[j, i]

    @T.prim_func
    def expected(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x_t = T.alloc_fragment((64, 32), "float32")
            x = T.alloc_fragment((32, 64), "float32")
            y = T.alloc_fragment((64, 32), "float32")
            T.transpose(x, x_t)
            for i, j in T.Parallel(64, 32):
                y[i, j] = y[i, j] + x_t[i, j]

    assert_program(after(before, PASS), expected)


def test_a_load_that_occurs_twice_is_transposed_once() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((32, 64), "float32")
            y = T.alloc_fragment((64, 32), "float32")
            for i, j in T.Parallel(64, 32):
                y[i, j] = x[j, i] * x[j, i]

    @T.prim_func
    def expected(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x_t = T.alloc_fragment((64, 32), "float32")
            x = T.alloc_fragment((32, 64), "float32")
            y = T.alloc_fragment((64, 32), "float32")
            T.transpose(x, x_t)
            for i, j in T.Parallel(64, 32):
                y[i, j] = x_t[i, j] * x_t[i, j]

    assert_program(after(before, PASS), expected)
