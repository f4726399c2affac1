"""split_at_grid_syncs: one launch for each part between the waits."""

import tilelang.language as T
from tvm import tirx as tir

from tt_jit.errors import UnsupportedError
from tt_jit.lower.tile_ir import statements_of

from .programs import after, assert_body, assert_program, line_of, refusal

PASS = "split_at_grid_syncs"


def test_two_waits_are_three_launches() -> None:
    @T.prim_func
    def before(X: T.Tensor((64, 32), "float32"), W: T.Tensor((64, 32), "float32"), Y: T.Tensor((64, 32), "float32")):
        with T.Kernel(2, 1) as (bx, by):
            x = T.alloc_fragment((32, 32), "float32")
            T.copy(X[bx * 32, by * 32], x)
            T.copy(x, W[bx * 32, 0])
            T.sync_grid()
            T.copy(W[32 - bx * 32, 0], x)
            T.copy(x, Y[bx * 32, 0])
            T.sync_grid()
            T.clear(x)
            T.copy(x, W[bx * 32, 0])

    @T.prim_func
    def first(X: T.Tensor((64, 32), "float32"), W: T.Tensor((64, 32), "float32"), Y: T.Tensor((64, 32), "float32")):
        with T.Kernel(2, 1) as (bx, by):
            x = T.alloc_fragment((32, 32), "float32")
            T.copy(X[bx * 32, by * 32], x)
            T.copy(x, W[bx * 32, 0])

    @T.prim_func
    def second(X: T.Tensor((64, 32), "float32"), W: T.Tensor((64, 32), "float32"), Y: T.Tensor((64, 32), "float32")):
        with T.Kernel(2, 1) as (bx, _):
            x = T.alloc_fragment((32, 32), "float32")
            T.copy(W[32 - bx * 32, 0], x)
            T.copy(x, Y[bx * 32, 0])

    @T.prim_func
    def third(X: T.Tensor((64, 32), "float32"), W: T.Tensor((64, 32), "float32"), Y: T.Tensor((64, 32), "float32")):
        with T.Kernel(2, 1) as (bx, _):
            x = T.alloc_fragment((32, 32), "float32")
            T.clear(x)
            T.copy(x, W[bx * 32, 0])

    found = after(before, PASS)
    launches = [stmt for stmt in statements_of(found.body) if isinstance(stmt, tir.For)]
    for launch, expected in zip(launches, [first, second, third], strict=True):
        assert_body(found.with_body(launch), expected)


def test_a_wait_at_the_end_is_no_launch() -> None:
    @T.prim_func
    def before(X: T.Tensor((32, 32), "float32"), Y: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((32, 32), "float32")
            T.copy(X, x)
            T.copy(x, Y)
            T.sync_grid()

    @T.prim_func
    def expected(X: T.Tensor((32, 32), "float32"), Y: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((32, 32), "float32")
            T.copy(X, x)
            T.copy(x, Y)

    assert_program(after(before, PASS), expected)


def test_refuses_content_that_would_have_to_stay_on_chip() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((32, 32), "float32"), Y: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((32, 32), "float32")
            T.copy(X, x)
            T.sync_grid()
            T.copy(x, Y)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "x keeps its content on chip over T.sync_grid"
    assert error.hint == "store it to a tensor before, and load it again after"
    assert line_of(error) == "T.copy(x, Y)"


def test_refuses_sums_that_go_on_after_the_wait() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((32, 32), "float32"), Y: T.Tensor((32,), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((32, 32), "float32")
            total = T.alloc_fragment((32,), "float32")
            T.copy(X, x)
            T.reduce_sum(x, total, dim=1)
            T.sync_grid()
            T.copy(X, x)
            T.reduce_sum(x, total, dim=1, clear=False)
            T.copy(total, Y)

    error = refusal(kernel, PASS)
    assert error.message == "total keeps its content on chip over T.sync_grid"
    assert isinstance(error, UnsupportedError)


def test_refuses_a_wait_in_a_loop() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((32, 32), "float32"), Y: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((32, 32), "float32")
            for _ in T.serial(2):
                T.copy(X, x)
                T.copy(x, Y)
                T.sync_grid()

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "T.sync_grid inside a loop or a condition"
    assert error.hint == "wait between the statements of the block"
