"""split_expressions: what needs more registers than DST has is computed in parts."""

import tilelang.language as T

from tt_jit.errors import UnsupportedError

from .programs import after, allocations, assert_program, line_of, refusal

PASS = "split_expressions"


def test_an_expression_that_keeps_five_values_alive() -> None:
    @T.prim_func
    def before(A: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((8, 32, 32), "float32")
            y = T.alloc_fragment((8, 32, 32), "float32")
            d = T.alloc_fragment((32, 32), "float32")
            for i, j in T.Parallel(32, 32):
                d[i, j] = (
                    ((x[0, i, j] * x[1, i, j] + x[2, i, j] * x[3, i, j])
                     * (x[4, i, j] * x[5, i, j] + x[6, i, j] * x[7, i, j]))
                    + ((y[0, i, j] * y[1, i, j] + y[2, i, j] * y[3, i, j])
                       * (y[4, i, j] * y[5, i, j] + y[6, i, j] * y[7, i, j]))
                )

    @T.prim_func
    def expected(A: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            d_part = T.alloc_fragment((32, 32), "float32")
            x = T.alloc_fragment((8, 32, 32), "float32")
            y = T.alloc_fragment((8, 32, 32), "float32")
            d = T.alloc_fragment((32, 32), "float32")
            for i, j in T.Parallel(32, 32):
                d_part[i, j] = (
                    (x[0, i, j] * x[1, i, j] + x[2, i, j] * x[3, i, j])
                    * (x[4, i, j] * x[5, i, j] + x[6, i, j] * x[7, i, j])
                )
            for i, j in T.Parallel(32, 32):
                d[i, j] = d_part[i, j] + (
                    (y[0, i, j] * y[1, i, j] + y[2, i, j] * y[3, i, j])
                    * (y[4, i, j] * y[5, i, j] + y[6, i, j] * y[7, i, j])
                )

    assert_program(after(before, PASS), expected)


def test_a_long_expression_that_keeps_few_values_alive_stays_whole() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((4, 32, 32), "float32")
            d = T.alloc_fragment((32, 32), "float32")
            for i, j in T.Parallel(32, 32):
                d[i, j] = T.exp(T.exp(x[0, i, j] + 1.0) * x[1, i, j] - x[2, i, j]) / x[3, i, j] + T.sqrt(x[0, i, j])

    result = after(kernel, PASS)
    assert_program(result, kernel)
    assert list(allocations(result)) == ["x", "d"]


def test_refuses_lanes_that_store_to_one_element() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((32, 64), "float32"), C: T.Tensor((32,), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((32, 64), "float32")
            total = T.alloc_fragment((32,), "float32")
            T.copy(A, x)
            T.clear(total)
            for i, j in T.Parallel(32, 64):
                total[i] += x[i, j]
            T.copy(total, C)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "all lanes along j store to the same elements of total"
    assert error.hint == "combine them with T.reduce_sum (max, min), or with T.alloc_reducer"
    assert line_of(error) == "total[i] += x[i, j]"
