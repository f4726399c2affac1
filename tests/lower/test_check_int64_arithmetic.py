"""check_int64_arithmetic: int64 values that 32-bit lanes would cut off are refused at their line."""

import tilelang.language as T
import tvm

from tt_jit.errors import UnsupportedError

from .programs import after, before, line_of, refusal

PASS = "check_int64_arithmetic"
HINT = 'where you know that 32 bits hold it, say so: T.cast(value, "int32")'


def test_scalar_code_and_addresses_are_left_alone() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "int64"), X: T.Tensor((64, 32), "float32"), Y: T.Tensor((64, 32), "float32")):
        with T.Kernel(1, threads=64):
            tx = T.get_thread_binding()
            product = T.alloc_local((1,), "int64")
            product[0] = A[tx] * A[63 - tx]
            if product[0] * 5 > 7:
                Y[A[tx] * A[tx], 0] = X[tx, 0]

    tvm.ir.assert_structural_equal(after(kernel, PASS), before(kernel, PASS))


def test_refuses_a_comparison_of_lanes() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "int64"), Y: T.Tensor((64,), "float32")):
        with T.Kernel(1):
            for i in T.Parallel(64):
                Y[i] = T.if_then_else(A[i] * A[i] < i, 1.0, 0.0)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message.endswith("may need more than 32 bits, which is all that the chip's lanes have")
    assert error.hint == HINT
    assert line_of(error) == "Y[i] = T.if_then_else(A[i] * A[i] < i, 1.0, 0.0)"


def test_refuses_a_condition_by_way_of_a_name() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "int64"), X: T.Tensor((64, 32), "float32"), Y: T.Tensor((64, 32), "float32")):
        with T.Kernel(64) as b:
            square = A[b] * A[b]
            if square > 1 << 20:
                T.copy(X[b, 0:32], Y[b, 0:32])

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError) and error.hint == HINT
    assert line_of(error) == "if square > 1 << 20:"


def test_refuses_a_sum_in_a_variable() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "int64"), X: T.Tensor((64, 32), "float32"), Y: T.Tensor((64, 32), "float32")):
        with T.Kernel(1):
            total = T.alloc_var("int64")
            total = 0
            for k in T.serial(64):
                total += A[k]
            T.copy(X[total, 0:32], Y[0, 0:32])

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError) and error.hint == HINT
    assert line_of(error) == "total += A[k]"


def test_refuses_tiles_of_wide_values() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "int64"), Y: T.Tensor((64,), "int32")):
        with T.Kernel(1):
            square = T.alloc_fragment((64,), "int64")
            for i in T.Parallel(64):
                square[i] = A[i] * A[i]
            T.copy(square, Y)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "square holds int64 values that may need more than 32 bits, which is all that lanes have"
    assert error.hint == 'declare square with "int32" where you know that 32 bits hold its values'
