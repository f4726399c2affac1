"""widen_integer_gemm: int8 products in two exact bfloat16 parts."""

import tilelang.language as T

from tt_jit.errors import UnsupportedError

from .programs import after, allocations, assert_program, line_of, refusal

PASS = "widen_integer_gemm"


def test_an_int8_gemm() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 64), "int32")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 32), "int8")
            b = T.alloc_shared((32, 64), "int8")
            c = T.alloc_fragment((64, 64), "int32")
            T.gemm(a, b, c, clear_accum=True)

    @T.prim_func
    def expected(C: T.Tensor((64, 64), "int32")):
        with T.Kernel(1):
            a_high = T.alloc_fragment((64, 32), "bfloat16")
            a_low = T.alloc_fragment((64, 32), "bfloat16")
            b_wide = T.alloc_fragment((32, 64), "bfloat16")
            c_high = T.alloc_fragment((64, 64), "float32")
            c_low = T.alloc_fragment((64, 64), "float32")
            a = T.alloc_shared((64, 32), "int8")
            b = T.alloc_shared((32, 64), "int8")
            c = T.alloc_fragment((64, 64), "int32")
            for i, j in T.Parallel(64, 32):
                a_high[i, j] = T.Cast("bfloat16", T.floor(T.Cast("float32", a[i, j]) * T.float32(0.0625)))
            for i, j in T.Parallel(64, 32):
                a_low[i, j] = T.Cast(
                    "bfloat16", T.Cast("float32", a[i, j]) - T.Cast("float32", a_high[i, j]) * T.float32(16.0)
                )
            for i, j in T.Parallel(32, 64):
                b_wide[i, j] = T.Cast("bfloat16", T.Cast("float32", b[i, j]))
            T.gemm(a_high, b_wide, c_high, clear_accum=True)
            T.gemm(a_low, b_wide, c_low, clear_accum=True)
            for i, j in T.Parallel(64, 64):
                c[i, j] = T.Cast("int32", c_high[i, j] * T.float32(16.0) + c_low[i, j])

    assert_program(after(before, PASS), expected)


def test_the_parts_are_exact() -> None:
    """Every int8 is 16 * high + low with both parts exact in bfloat16, whose products have at most 12 bits."""
    for value in range(-128, 128):
        high, low = value // 16, value - 16 * (value // 16)
        assert -8 <= high < 8 and 0 <= low < 16 and 16 * high + low == value
        assert abs(high * 128) < 2**12 and abs(low * 128) < 2**12


def test_floating_point_gemms_are_left_alone() -> None:
    @T.prim_func
    def kernel(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "bfloat16")
            c = T.alloc_fragment((64, 64), "float32")
            T.gemm(a, a, c, clear_accum=True)

    assert list(allocations(after(kernel, PASS))) == ["a", "c"]


def test_refuses_wider_integers() -> None:
    @T.prim_func
    def kernel(C: T.Tensor((64, 64), "int32")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "int16")
            c = T.alloc_fragment((64, 64), "int32")
            T.gemm(a, a, c, clear_accum=True)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "T.gemm of int16 and int16"
    assert error.hint == "integers of 4 and 8 bits and floating point have an exact form"
    assert line_of(error) == "T.gemm(a, a, c, clear_accum=True)"
