"""normalize_tile_program: blocks, early binds, conditional stores and several stores per loop."""

import tilelang.language as T

from tt_jit.errors import UnsupportedError

from .programs import after, allocations, assert_program, line_of, refusal

PASS = "normalize_tile_program"


def test_blocks_and_thread_indices_go() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(2, threads=128) as bx:
            tile = T.alloc_shared((32, 64), "float32")
            T.copy(A[bx * 32, 0], tile)
            T.copy(tile, C[bx * 32, 0])

    result = after(before, PASS)
    assert_program(result, before)  # assert_program strips what TileLang wraps around `before`
    text = result.script()
    assert "sblock" not in text and "launch_thread_idx" not in text
    assert allocations(result) == {"tile": ((32, 64), "float32", "shared.dyn")}


def test_a_value_bound_early_goes_where_it_is_used() -> None:
    @T.prim_func
    def before(A: T.Tensor((256, 64), "float32"), C: T.Tensor((256, 64), "float32")):
        with T.Kernel(4) as bx:
            tile = T.alloc_shared((32, 64), "float32")
            count = T.min(2, bx + 1)
            for k in T.serial(count):
                T.copy(A[k * 32, 0], tile)
                T.copy(tile, C[k * 32, 0])

    @T.prim_func
    def expected(A: T.Tensor((256, 64), "float32"), C: T.Tensor((256, 64), "float32")):
        with T.Kernel(4) as bx:
            tile = T.alloc_shared((32, 64), "float32")
            for k in T.serial(T.min(2, bx + 1)):
                T.copy(A[k * 32, 0], tile)
                T.copy(tile, C[k * 32, 0])

    assert_program(after(before, PASS), expected)


def test_every_store_of_a_parallel_loop_gets_its_own_and_no_condition() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            C = T.alloc_fragment((64, 64), "float32")
            D = T.alloc_fragment((64, 64), "float32")
            for i, j in T.Parallel(64, 64):
                if i >= j:
                    C[i, j] = 0.0
                else:
                    C[i, j] = 1.0
                D[i, j] = C[i, j] * 2.0

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            C = T.alloc_fragment((64, 64), "float32")
            D = T.alloc_fragment((64, 64), "float32")
            for i, j in T.Parallel(64, 64):
                C[i, j] = T.if_then_else(i >= j, T.float32(0.0), T.float32(1.0))
            for i, j in T.Parallel(64, 64):
                D[i, j] = C[i, j] * 2.0

    assert_program(after(before, PASS), expected)


def test_a_condition_that_only_keeps_a_store_inside_its_tensor_goes() -> None:
    @T.prim_func
    def before(C: T.Tensor((50, 64), "float32")):
        with T.Kernel(2) as bx:
            for i, j in T.Parallel(32, 64):
                if bx * 32 + i < 50:
                    C[bx * 32 + i, j] = 1.0

    @T.prim_func
    def expected(C: T.Tensor((50, 64), "float32")):
        with T.Kernel(2) as bx:
            for i, j in T.Parallel(32, 64):
                C[bx * 32 + i, j] = 1.0

    assert_program(after(before, PASS), expected)


def test_vectorized_loops_are_parallel_and_others_serial() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            C = T.alloc_fragment((64,), "float32")
            for _ in T.unroll(4):
                for i in T.vectorized(64):
                    C[i] = 1.0

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            C = T.alloc_fragment((64,), "float32")
            for _ in T.serial(4):
                for i in T.Parallel(64):
                    C[i] = 1.0

    assert_program(after(before, PASS), expected)


def test_buffers_of_one_name_are_told_apart() -> None:
    @T.macro
    def double(A):
        scratch = T.alloc_fragment((32, 32), "float32")
        T.copy(A, scratch)
        T.copy(scratch, A)

    @T.prim_func
    def before(A: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((32, 32), "float32")
            double(tile)
            double(tile)

    assert list(allocations(after(before, PASS))) == ["tile", "scratch", "scratch_1"]


def test_refuses_a_tile_operator_inside_a_parallel_loop() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((32, 32), "float32")
            for i in T.Parallel(32):
                T.copy(A[i, 0], tile[i, 0:32])

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError) and error.category == "not_yet"
    assert error.message == "a Evaluate inside T.Parallel cannot be evaluated tile by tile"
    assert error.hint == "move tile operators outside of T.Parallel, or write the body as element-wise expressions"
    assert line_of(error) == "T.copy(A[i, 0], tile[i, 0:32])"


def test_refuses_another_value_behind_the_end_than_zero() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((50, 32), "float32")):
        with T.Kernel(2) as bx:
            T.annotate_safe_value({A: 1.0})
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(A[bx * 32, 0], tile)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "T.annotate_safe_value of A with 1.0: reads past the end of a tensor give 0"
    assert error.hint == "select the value with T.if_then_else and the condition that the index is inside"
    assert line_of(error) == "with T.Kernel(2) as bx:"


def test_a_value_in_terms_of_a_later_loop_is_written_inside_of_it() -> None:
    """T.Persistent binds its indices in front of the loop whose variable they are made of."""

    @T.prim_func
    def before(X: T.Tensor((512, 64), "float32")):
        with T.Kernel(4) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            first = T.alloc_var("int32")
            first = 2
            for m, _n in T.Persistent([8, 2], 4, bx):
                T.copy(X[m * 32, 0], tile)
                first = first + 1

    text = after(before, PASS).script()
    body = text[text.index("for w in") :]
    assert "truncmod(T.Div(w * 4 + bx, 2), 8)" in body[body.index("T.copy") :]
    assert "w" not in text[text.index("for bx") : text.index("for w in")].replace("writes", "")
