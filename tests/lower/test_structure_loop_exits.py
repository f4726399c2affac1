"""structure_loop_exits: break and continue as variables and branches."""

import tilelang.language as T

from .programs import after, assert_program

PASS = "structure_loop_exits"
MATRIX = (256, 64)


def test_break_and_continue_of_a_for_loop() -> None:
    @T.prim_func
    def before(X: T.Tensor(MATRIX, "float32"), Last: T.Tensor((8,), "int32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            for k in T.serial(8):
                if k == Last[bx]:
                    break
                if k == 3:
                    T.clear(tile)
                    continue
                T.copy(X[k * 32, 0], tile)

    @T.prim_func
    def expected(X: T.Tensor(MATRIX, "float32"), Last: T.Tensor((8,), "int32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            skipped = T.alloc_var("bool")
            stopped = T.alloc_var("bool")
            stopped = False
            for k in T.serial(8):
                if not stopped:
                    skipped = False
                    if k == Last[bx]:
                        stopped = True
                    if not stopped:
                        if k == 3:
                            T.clear(tile)
                            skipped = True
                        if not skipped:
                            T.copy(X[k * 32, 0], tile)

    text = after(before, PASS).script()
    assert "break" not in text and "continue" not in text
    assert_program(after(before, PASS), expected)


def test_a_jump_leaves_the_innermost_loop() -> None:
    @T.prim_func
    def before(X: T.Tensor(MATRIX, "float32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            for m in T.serial(4):
                for k in T.serial(8):
                    if k > m:
                        break
                    else:
                        T.copy(X[k * 32, 0], tile)
                T.copy(tile, X[bx * 32, 0])

    @T.prim_func
    def expected(X: T.Tensor(MATRIX, "float32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            stopped = T.alloc_var("bool")
            for m in T.serial(4):
                stopped = False
                for k in T.serial(8):
                    if not stopped:
                        if k > m:
                            stopped = True
                        else:
                            T.copy(X[k * 32, 0], tile)
                T.copy(tile, X[bx * 32, 0])

    assert_program(after(before, PASS), expected)


def test_a_while_loop_ends_by_its_condition() -> None:
    @T.prim_func
    def before(X: T.Tensor(MATRIX, "float32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            n = T.alloc_var("int32")
            n = bx
            while n < 8:
                T.copy(X[n * 32, 0], tile)
                if n == 5:
                    break
                n = n + 1

    @T.prim_func
    def expected(X: T.Tensor(MATRIX, "float32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            n = T.alloc_var("int32")
            stopped = T.alloc_var("bool")
            n = bx
            stopped = False
            while not stopped and n < 8:
                T.copy(X[n * 32, 0], tile)
                if n == 5:
                    stopped = True
                if not stopped:
                    n = n + 1

    assert_program(after(before, PASS), expected)


def test_a_program_without_jumps_is_left_alone() -> None:
    @T.prim_func
    def kernel(X: T.Tensor(MATRIX, "float32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            for _k in T.serial(2):
                T.copy(X[bx * 32, 0], tile)

    assert_program(after(kernel, PASS), kernel)
