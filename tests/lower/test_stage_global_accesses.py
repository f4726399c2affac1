"""stage_global_accesses: element-wise global accesses become copies and on-chip work."""

import tilelang.language as T

from tt_jit.errors import UnsupportedError

from .programs import after, assert_program, line_of, refusal

PASS = "stage_global_accesses"
MATRIX, VECTOR = (128, 128), (128,)


def test_loads_and_stores_of_tensors() -> None:
    @T.prim_func
    def before(A: T.Tensor(MATRIX, "float32"), bias: T.Tensor(VECTOR, "float32"), C: T.Tensor(MATRIX, "float32")):
        with T.Kernel(2, 2) as (bx, by):
            for i, j in T.Parallel(64, 64):
                C[by * 64 + i, bx * 64 + j] = A[by * 64 + i, bx * 64 + j] * bias[bx * 64 + j]

    @T.prim_func
    def expected(A: T.Tensor(MATRIX, "float32"), bias: T.Tensor(VECTOR, "float32"), C: T.Tensor(MATRIX, "float32")):
        with T.Kernel(2, 2) as (bx, by):
            A_tile = T.alloc_fragment((64, 64), "float32")
            bias_tile = T.alloc_fragment((64,), "float32")
            C_tile = T.alloc_fragment((64, 64), "float32")
            T.copy(A[by * 64, bx * 64], A_tile)
            T.copy(bias[bx * 64], bias_tile)
            for i, j in T.Parallel(64, 64):
                C_tile[i, j] = A_tile[i, j] * bias_tile[j]
            T.copy(C_tile, C[by * 64, bx * 64])

    assert_program(after(before, PASS), expected)


def test_an_element_that_is_read_twice_is_copied_once() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            square = T.alloc_fragment((64, 64), "float32")
            for i, j in T.Parallel(64, 64):
                square[i, j] = A[i, j] * A[i, j]

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            A_tile = T.alloc_fragment((64, 64), "float32")
            square = T.alloc_fragment((64, 64), "float32")
            T.copy(A, A_tile)
            for i, j in T.Parallel(64, 64):
                square[i, j] = A_tile[i, j] * A_tile[i, j]

    assert_program(after(before, PASS), expected)


def test_a_copy_from_tensor_to_tensor_goes_through_the_chip() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "bfloat16")):
        with T.Kernel(2) as bx:
            T.copy(A[bx * 32 : bx * 32 + 32, 0:64], C[bx * 32 : bx * 32 + 32, 0:64])

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "bfloat16")):
        with T.Kernel(2) as bx:
            A_tile = T.alloc_fragment((32, 64), "float32")
            T.copy(A[bx * 32, 0], A_tile)
            T.copy(A_tile, C[bx * 32, 0])

    assert_program(after(before, PASS), expected)


def test_a_tensor_is_filled_from_a_tile() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            T.fill(C[bx * 32 : bx * 32 + 32, 0:64], 3.0)

    @T.prim_func
    def expected(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            C_tile = T.alloc_fragment((32, 64), "float32")
            T.fill(C_tile, 3.0)
            T.copy(C_tile, C[bx * 32, 0])

    assert_program(after(before, PASS), expected)


def test_refuses_a_gemm_on_a_tensor() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "bfloat16"), B: T.Tensor((64, 64), "bfloat16")):
        with T.Kernel(1):
            B_shared = T.alloc_shared((64, 64), "bfloat16")
            C_local = T.alloc_fragment((64, 64), "float32")
            T.copy(B, B_shared)
            T.gemm(A, B_shared, C_local, clear_accum=True)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "A is a global tensor used directly by a tile operation"
    assert error.hint == "copy it to a shared or fragment buffer first (T.copy)"
    assert line_of(error) == "T.gemm(A, B_shared, C_local, clear_accum=True)"
