"""align_partial_accesses: accesses inside of tiles become whole-tile work with a condition."""

import tilelang.language as T

from .programs import after, assert_program

PASS = "align_partial_accesses"


def test_a_store_to_one_column() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((64, 64), "float32")
            x = T.alloc_fragment((64,), "float32")
            for k in T.serial(20):
                for i in T.Parallel(64):
                    s[i, k] = x[i] * 2.0

    @T.prim_func
    def expected(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((64, 64), "float32")
            x = T.alloc_fragment((64,), "float32")
            for k in T.serial(20):
                for i, j in T.Parallel(64, 32):
                    s[i, k // 32 * 32 + j] = T.if_then_else(j == k % 32, x[i] * 2.0, s[i, k // 32 * 32 + j])

    assert_program(after(before, PASS), expected)


def test_a_store_to_rows_in_the_middle_moves_with_its_operands() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((64, 64), "float32")
            x = T.alloc_fragment((64, 64), "float32")
            y = T.alloc_fragment((64,), "float32")
            for i, j in T.Parallel(16, 64):
                s[i + 40, j] = x[i + 8, j] + y[j]

    @T.prim_func
    def expected(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((64, 64), "float32")
            x = T.alloc_fragment((64, 64), "float32")
            y = T.alloc_fragment((64,), "float32")
            for i, j in T.Parallel(32, 64):
                s[i + 32, j] = T.if_then_else(8 <= i and i < 24, x[i, j] + y[j], s[i + 32, j])

    assert_program(after(before, PASS), expected)


def test_a_fill_of_a_corner() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((32, 32), "float32")
            T.fill(s[0:8, 0:32], 1.0)

    @T.prim_func
    def expected(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((32, 32), "float32")
            for i, j in T.Parallel(32, 32):
                s[i, j] = T.if_then_else(i < 8, T.float32(1.0), s[i, j])

    assert_program(after(before, PASS), expected)


def test_a_load_of_one_row_and_of_one_element() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((64, 64), "float32")
            x = T.alloc_fragment((64, 64), "float32")
            v = T.alloc_fragment((20,), "float32")
            for k in T.serial(20):
                for i, j in T.Parallel(64, 64):
                    s[i, j] = x[k, j] * v[k]

    @T.prim_func
    def expected(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x_lanes = T.alloc_fragment((32, 64), "float32")
            x_line = T.alloc_fragment((64,), "float32")
            v_lanes = T.alloc_fragment((32,), "float32")
            v_line = T.alloc_fragment((1,), "float32")
            s = T.alloc_fragment((64, 64), "float32")
            x = T.alloc_fragment((64, 64), "float32")
            v = T.alloc_fragment((20,), "float32")
            for k in T.serial(20):
                for r, c in T.Parallel(32, 64):
                    x_lanes[r, c] = T.if_then_else(r == k % 32, x[k // 32 * 32 + r, c], T.float32(0))
                T.reduce_sum(x_lanes, x_line, dim=0)
                for r in T.Parallel(32):
                    v_lanes[r] = T.if_then_else(r == k, v[r], T.float32(0))
                T.reduce_sum(v_lanes, v_line, dim=0)
                for i, j in T.Parallel(64, 64):
                    s[i, j] = x_line[j] * v_line[0]

    assert_program(after(before, PASS), expected)


def test_a_loop_that_chooses_tiles_is_serial() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((64, 128), "float32")
            x = T.alloc_fragment((64, 32), "float32")
            for i, j, k in T.Parallel(64, 4, 32):
                s[i, j * 32 + k] = x[i, k]

    @T.prim_func
    def expected(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((64, 128), "float32")
            x = T.alloc_fragment((64, 32), "float32")
            for j in T.serial(4):
                for i, k in T.Parallel(64, 32):
                    s[i, j * 32 + k] = x[i, k]

    assert_program(after(before, PASS), expected)


def test_whole_tiles_and_lanes_that_change_places_are_left() -> None:
    @T.prim_func
    def kernel(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((64, 64), "float32")
            x = T.alloc_fragment((64, 64), "float32")
            ragged = T.alloc_fragment((50, 64), "float32")
            for i, j in T.Parallel(32, 64):
                s[i + 32, j] = x[i, j]
            for i, j in T.Parallel(18, 64):
                ragged[i + 32, j] = x[i, j]
            for i, j in T.Parallel(16, 64):
                s[i + 16, j] = x[i, j]

    assert_program(after(kernel, PASS), kernel)
