"""grid_to_persistent_tt: one loop over a core's share; block indices from the number of the block."""

import tilelang.language as T

from .programs import WORK_COUNT, WORK_START, after, assert_program

PASS = "grid_to_persistent_tt"


def test_a_grid_of_two_axes() -> None:
    @T.prim_func
    def before(A: T.Tensor((512, 256), "float32")):
        with T.Kernel(8, 16) as (bx, by):
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(A[by * 32, bx * 32], tile)

    @T.prim_func
    def expected(A: T.Tensor((512, 256), "float32")):
        tile = T.alloc_fragment((32, 32), "float32")
        for work in T.serial(WORK_START, WORK_START + WORK_COUNT):
            bx = work % 8
            by = work // 8
            T.copy(A[by * 32, bx * 32], tile)

    assert_program(after(before, PASS), expected)


def test_a_grid_of_three_axes() -> None:
    @T.prim_func
    def before(A: T.Tensor((2, 96, 160), "float32")):
        with T.Kernel(5, 3, 2) as (bx, by, bz):
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(A[bz, by * 32, bx * 32], tile)

    @T.prim_func
    def expected(A: T.Tensor((2, 96, 160), "float32")):
        tile = T.alloc_fragment((32, 32), "float32")
        for work in T.serial(WORK_START, WORK_START + WORK_COUNT):
            bx = work % 5
            by = work // 5 % 3
            bz = work // 5 // 3
            T.copy(A[bz, by * 32, bx * 32], tile)

    assert_program(after(before, PASS), expected)


def test_axes_of_one_block_are_zero() -> None:
    @T.prim_func
    def before(A: T.Tensor((2, 96, 64), "float32")):
        with T.Kernel(3, 1, 2) as (bx, by, bz):
            tile = T.alloc_fragment((32, 64), "float32")
            T.copy(A[bz, bx * 32, by], tile)

    @T.prim_func
    def expected(A: T.Tensor((2, 96, 64), "float32")):
        tile = T.alloc_fragment((32, 64), "float32")
        for work in T.serial(WORK_START, WORK_START + WORK_COUNT):
            bx = work % 3
            bz = work // 3
            T.copy(A[bz, bx * 32, 0], tile)

    assert_program(after(before, PASS), expected)


def test_what_stands_before_the_grid_stays_there() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            S = T.alloc_fragment((32, 64), "float32")
            for i, j in T.Parallel(32, 64):
                S[i, j] = T.if_then_else(i >= j, S[i, j], T.float32(0))

    text = after(kernel, PASS).script()
    assert text.index("tt.index_tile") < text.index("for work in")
