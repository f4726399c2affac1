"""fold_accumulator_clears: the first gemm of an accumulation overwrites."""

import tilelang.language as T

from .programs import after, assert_program

PASS = "fold_accumulator_clears"


def test_a_clear_before_a_loop() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 256), "bfloat16")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "bfloat16")
            c = T.alloc_fragment((64, 64), "float32")
            T.clear(c)
            for k in T.Pipelined(4, num_stages=2):
                T.copy(A[0, k * 64], a)
                T.gemm(a, a, c)

    @T.prim_func
    def expected(A: T.Tensor((64, 256), "bfloat16")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "bfloat16")
            c = T.alloc_fragment((64, 64), "float32")
            for k in T.Pipelined(4, num_stages=2):
                T.copy(A[0, k * 64], a)
                T.gemm(a, a, c, clear_accum=(k == 0))

    assert_program(after(before, PASS), expected)


def test_a_clear_before_a_gemm() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "bfloat16")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "bfloat16")
            c = T.alloc_fragment((64, 64), "float32")
            T.clear(c)
            T.copy(A, a)
            T.gemm(a, a, c)

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "bfloat16")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "bfloat16")
            c = T.alloc_fragment((64, 64), "float32")
            T.copy(A, a)
            T.gemm(a, a, c, clear_accum=True)

    assert_program(after(before, PASS), expected)


def test_a_clear_stays_where_the_loop_may_not_run() -> None:
    n = T.dynamic("n")

    @T.prim_func
    def kernel(A: T.Tensor((64, n), "bfloat16")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "bfloat16")
            c = T.alloc_fragment((64, 64), "float32")
            T.clear(c)
            for k in T.serial(n // 64):
                T.copy(A[0, k * 64], a)
                T.gemm(a, a, c)

    assert_program(after(kernel, PASS), kernel)


def test_a_clear_stays_where_another_statement_needs_it() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "bfloat16")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "bfloat16")
            c = T.alloc_fragment((64, 64), "float32")
            d = T.alloc_fragment((64, 64), "float32")
            T.clear(c)
            T.copy(A, a)
            for _ in T.serial(4):
                for i, j in T.Parallel(64, 64):
                    d[i, j] = c[i, j] + 1.0
                T.gemm(a, a, c)

    assert_program(after(kernel, PASS), kernel)


def test_a_fill_with_another_value_stays() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "bfloat16")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "bfloat16")
            c = T.alloc_fragment((64, 64), "float32")
            T.fill(c, 1.0)
            T.copy(A, a)
            T.gemm(a, a, c)

    assert_program(after(kernel, PASS), kernel)
