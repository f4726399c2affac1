"""reduce_colliding_updates: lanes that meet in one element are reduced on chip first."""

import tilelang.language as T

from tt_jit.errors import UnsupportedError

from .programs import after, assert_program, line_of, refusal

PASS = "reduce_colliding_updates"


def test_columns_that_are_added_up() -> None:
    @T.prim_func
    def before(M: T.Tensor((64,), "float32")):
        with T.Kernel(2):
            x = T.alloc_fragment((32, 64), "float32")
            for i, j in T.Parallel(32, 64):
                T.atomic_add(M[j], x[i, j])

    @T.prim_func
    def expected(M: T.Tensor((64,), "float32")):
        with T.Kernel(2):
            M_sum = T.alloc_fragment((32, 64), "float32")
            M_sum_1 = T.alloc_fragment((64,), "float32")
            x = T.alloc_fragment((32, 64), "float32")
            for i, j in T.Parallel(32, 64):
                M_sum[i, j] = x[i, j]
            T.reduce_sum(M_sum, M_sum_1, dim=0)
            for j in T.Parallel(64):
                M[j] = M[j] + M_sum_1[j]

    assert_program(after(before, PASS), expected)


def test_updates_that_do_not_meet_are_left_alone() -> None:
    @T.prim_func
    def kernel(C: T.Tensor((32, 64), "float32")):
        with T.Kernel(2):
            x = T.alloc_fragment((32, 64), "float32")
            for i, j in T.Parallel(32, 64):
                C[i, j] = C[i, j] + x[i, j]

    assert_program(after(kernel, PASS), kernel)


def test_refuses_other_stores_that_meet() -> None:
    @T.prim_func
    def kernel(M: T.Tensor((64,), "float32")):
        with T.Kernel(2):
            x = T.alloc_fragment((32, 64), "float32")
            for i, j in T.Parallel(32, 64):
                T.atomic_add(M[j], x[i, j])
            for i, j in T.Parallel(32, 64):
                M[j] = x[i, j]

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "several lanes store to the same element of M"
    assert error.hint == "update it only with T.atomic_add, T.atomic_max or T.atomic_min"
    assert line_of(error) == "M[j] = x[i, j]"
