"""separate_partial_updates: what cannot turn in its ring is computed into a new block."""

import tilelang.language as T

from .programs import after, assert_program

PASS = "separate_partial_updates"


def test_an_update_of_half_a_buffer() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((64, 64), "float32")
            for i, j in T.Parallel(32, 64):
                s[i + 32, j] = s[i, j] + s[i + 32, j]

    @T.prim_func
    def expected(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s_new = T.alloc_fragment((32, 64), "float32")
            s = T.alloc_fragment((64, 64), "float32")
            for i, j in T.Parallel(32, 64):
                s_new[i, j] = s[i, j] + s[i + 32, j]
            for i, j in T.Parallel(32, 64):
                s[i + 32, j] = s_new[i, j]

    assert_program(after(before, PASS), expected)


def test_an_update_that_reads_its_first_column() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((64, 64), "float32")
            for i, j in T.Parallel(64, 64):
                s[i, j] = s[i, j] - s[i, 0]

    @T.prim_func
    def expected(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s_new = T.alloc_fragment((64, 64), "float32")
            s = T.alloc_fragment((64, 64), "float32")
            for i, j in T.Parallel(64, 64):
                s_new[i, j] = s[i, j] - s[i, 0]
            for i, j in T.Parallel(64, 64):
                s[i, j] = s_new[i, j]

    assert_program(after(before, PASS), expected)


def test_planes_out_of_order_are_updated_one_by_one() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((2, 3, 32, 64), "float32")
            for q, p, i, j in T.Parallel(3, 2, 32, 64):
                s[p, q, i, j] = s[p, q, i, j] * 2.0

    @T.prim_func
    def expected(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s_new = T.alloc_fragment((32, 64), "float32")
            s = T.alloc_fragment((2, 3, 32, 64), "float32")
            for q in T.serial(3):
                for p in T.serial(2):
                    for i, j in T.Parallel(32, 64):
                        s_new[i, j] = s[p, q, i, j] * 2.0
                    for i, j in T.Parallel(32, 64):
                        s[p, q, i, j] = s_new[i, j]

    assert_program(after(before, PASS), expected)


def test_whole_buffers_are_updated_in_place() -> None:
    @T.prim_func
    def kernel(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((3, 50, 64), "float32")
            one = T.alloc_fragment((1, 64), "float32")
            for p, i, j in T.Parallel(3, 50, 64):
                s[p, i, j] = s[p, i, j] + 1.0
            for j in T.Parallel(64):
                one[0, j] = one[0, j] * one[0, j]

    assert_program(after(kernel, PASS), kernel)
