"""narrow_int64_tensors: int64 tensors and buffers become int32, and what is computed from them where it fits."""

import tilelang.language as T
import tvm

from tt_jit.errors import UnsupportedError
from tt_jit.lower.numeric_policy import TENSOR_DTYPES, VALUE_BITS

from .programs import after, assert_program, before, line_of, refusal

PASS = "narrow_int64_tensors"


def test_copies_selections_and_comparisons() -> None:
    @T.prim_func
    def wide(A: T.Tensor((64,), "int64"), X: T.Tensor((64,), "float32"), B: T.Tensor((64,), "int64")):
        with T.Kernel(2) as bx:
            index = T.alloc_shared((32,), "int64")
            T.copy(A[bx * 32], index)
            for i in T.Parallel(32):
                B[bx * 32 + i] = T.if_then_else(index[i] < i, T.max(index[i], 7), -1)
            for i in T.Parallel(32):
                X[index[i] * 2 + i] = T.cast(index[i], "float32")

    @T.prim_func
    def narrow(A: T.Tensor((64,), "int32"), X: T.Tensor((64,), "float32"), B: T.Tensor((64,), "int32")):
        with T.Kernel(2) as bx:
            index = T.alloc_shared((32,), "int32")
            T.copy(A[bx * 32], index)
            for i in T.Parallel(32):
                B[bx * 32 + i] = T.if_then_else(index[i] < i, T.max(index[i], 7), -1)
            for i in T.Parallel(32):
                X[index[i] * 2 + i] = T.cast(index[i], "float32")

    result = after(wide, PASS)
    assert_program(result, before(narrow, PASS))
    assert dict(result.attrs[TENSOR_DTYPES]) == {"A": "int64", "B": "int64"}
    assert [str(buffer.dtype) for buffer in result.buffer_map.values()] == ["int32", "float32", "int32"]
    assert VALUE_BITS not in result.attrs


def test_sums_need_values_of_fewer_bits() -> None:
    @T.prim_func
    def wide(Start: T.Tensor((5,), "int64"), Y: T.Tensor((4, 32), "float32"), N: T.Tensor((4,), "int64")):
        with T.Kernel(4) as b:
            length = Start[b + 1] - Start[b]
            for i in T.Parallel(32):
                Y[b, i] = T.if_then_else(i < length, 1.0, 0.0)

    @T.prim_func
    def narrow(Start: T.Tensor((5,), "int32"), Y: T.Tensor((4, 32), "float32"), N: T.Tensor((4,), "int32")):
        with T.Kernel(4) as b:
            length = Start[b + 1] - Start[b]
            for i in T.Parallel(32):
                Y[b, i] = T.if_then_else(i < length, 1.0, 0.0)

    result = after(wide, PASS)
    assert_program(result, before(narrow, PASS))
    assert dict(result.attrs[VALUE_BITS]) == {"Start": 30}


def test_what_is_stored_under_a_condition_is_no_input() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "int64"), B: T.Tensor((64,), "int64"), C: T.Tensor((64,), "int64")):
        with T.Kernel(1):
            for i in T.Parallel(64):
                if i > 7:
                    B[i] = A[i] + 1
            for i in T.Parallel(64):
                C[i] = T.max(C[i], A[i] - i)

    assert dict(after(kernel, PASS).attrs[VALUE_BITS]) == {"A": 30}


def test_loops_count_in_32_bits() -> None:
    @T.prim_func
    def wide(L: T.Tensor((4,), "int64"), X: T.Tensor((4, 128), "float32"), Y: T.Tensor((4, 32), "float32")):
        with T.Kernel(4) as b:
            x = T.alloc_shared((32,), "float32")
            for k in T.serial(T.ceildiv(L[b], 32)):
                T.copy(X[b, k * 32], x)
            T.copy(x, Y[b, 0])

    @T.prim_func
    def narrow(L: T.Tensor((4,), "int32"), X: T.Tensor((4, 128), "float32"), Y: T.Tensor((4, 32), "float32")):
        with T.Kernel(4) as b:
            x = T.alloc_shared((32,), "float32")
            for k in T.serial(T.ceildiv(L[b], 32)):
                T.copy(X[b, k * 32], x)
            T.copy(x, Y[b, 0])

    assert_program(after(wide, PASS), before(narrow, PASS))


def test_a_buffer_that_may_need_64_bits_stays() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "int64"), S: T.Tensor((1,), "int32")):
        with T.Kernel(1, threads=64):
            tx = T.get_thread_binding()
            total = T.alloc_local((1,), "int64")
            total[0] = 0
            for k in T.serial(64):
                total[0] = total[0] + A[k]
            if tx == 0:
                S[0] = T.cast(total[0] // 64, "int32")

    text = after(kernel, PASS).script()
    assert 'total = T.alloc_buffer((1,), "int64"' in text
    assert 'total[0] + T.Cast("int64", A[k])' in text


def test_programs_without_int64_buffers_are_left_alone() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "int32"), B: T.Tensor((64,), "int32")):
        with T.Kernel(1):
            for i in T.Parallel(64):
                B[i] = T.cast(T.cast(A[i], "int64") * 3, "int32")

    tvm.ir.assert_structural_equal(after(kernel, PASS), before(kernel, PASS))


def test_refuses_what_a_tensor_cannot_hold() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "int64"), B: T.Tensor((64,), "int64")):
        with T.Kernel(1):
            for i in T.Parallel(64):
                B[i] = A[i] * A[i]

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == (
        "the int64 value that is stored to B may need more than 32 bits; the chip keeps int64 tensors in 32"
    )
    assert error.hint == 'where you know that 32 bits hold it, say so: T.cast(value, "int32")'
    assert line_of(error) == "B[i] = A[i] * A[i]"


def test_refuses_to_copy_it_there() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((64,), "float32"), B: T.Tensor((64,), "int64")):
        with T.Kernel(1):
            T.copy(X, B)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message.startswith("what is copied from X to B may need more than 32 bits")
    assert line_of(error) == "T.copy(X, B)"
