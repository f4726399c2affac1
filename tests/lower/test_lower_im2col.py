"""lower_im2col: T.im2col as a gather."""

import tilelang.language as T

from .programs import after, assert_program

PASS = "lower_im2col"
IMAGE = (1, 16, 16, 8)


def test_a_three_by_three_kernel_with_padding() -> None:
    @T.prim_func
    def before(image: T.Tensor(IMAGE, "float32")):
        with T.Kernel(4) as by:
            patches = T.alloc_shared((64, 72), "float32")
            T.im2col(image, patches, by, 0, 3, 1, 1, 1)

    @T.prim_func
    def expected(image: T.Tensor(IMAGE, "float32")):
        with T.Kernel(4) as by:
            patches = T.alloc_shared((64, 72), "float32")
            for i, j in T.Parallel(64, 72):
                patches[i, j] = image[
                    (by * 64 + i) // 256,
                    (by * 64 + i) % 256 // 16 * 1 + j // 8 // 3 * 1 - 1,
                    (by * 64 + i) % 256 % 16 * 1 + j // 8 % 3 * 1 - 1,
                    j % 8,
                ]

    assert_program(after(before, PASS), expected)


def test_what_holds_no_im2col_is_left_alone() -> None:
    @T.prim_func
    def kernel(image: T.Tensor(IMAGE, "float32")):
        with T.Kernel(4):
            tile = T.alloc_shared((32, 32), "float32")
            T.clear(tile)

    assert_program(after(kernel, PASS), kernel)
