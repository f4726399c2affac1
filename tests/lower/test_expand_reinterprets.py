"""expand_reinterprets: a float16 with given bits is computed."""

import tilelang.language as T

from .programs import after, assert_program

PASS = "expand_reinterprets"


def test_bits_that_are_loaded() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            X = T.alloc_fragment((32, 32), "float16")
            W = T.alloc_fragment((32, 32), "uint16")
            for i, j in T.Parallel(32, 32):
                X[i, j] = T.reinterpret(W[i, j], "float16")

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            X = T.alloc_fragment((32, 32), "float16")
            W = T.alloc_fragment((32, 32), "uint16")
            for i, j in T.Parallel(32, 32):
                X[i, j] = T.Cast(
                    "float16",
                    T.Select(
                        (T.Cast("int32", W[i, j]) & 0x7FFF) >= 0x7C00,
                        T.reinterpret(
                            T.Cast("int32", W[i, j]) >> 15 << 31
                            | (T.Cast("int32", W[i, j]) & 0x7FFF) << 13
                            | 0x7F800000,
                            "float32",
                        ),
                        T.Select(
                            (T.Cast("int32", W[i, j]) & 0x7FFF) < 0x400,
                            T.reinterpret(T.Cast("int32", W[i, j]) >> 15 << 31 | 0x3F800000, "float32")
                            * (T.Cast("float32", T.Cast("int32", W[i, j]) & 0x7FFF) * T.float32(2.0**-24)),
                            T.reinterpret(
                                T.Cast("int32", W[i, j]) >> 15 << 31 | (T.Cast("int32", W[i, j]) & 0x7FFF) << 13,
                                "float32",
                            )
                            * T.float32(2.0**112),
                        ),
                    ),
                )

    assert_program(after(before, PASS), expected)


def test_bits_that_are_computed_get_a_buffer() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            X = T.alloc_fragment((32, 32), "float16")
            W = T.alloc_fragment((32, 32), "uint16")
            for i, j in T.Parallel(32, 32):
                X[i, j] = T.reinterpret(W[i, j] << T.uint16(8), "float16")

    found = after(before, PASS).script()
    assert 'X_bits[i, j] = T.Cast("int32", T.shift_left(W[i, j], T.uint16(8)))' in found
    assert found.count("T.shift_left(W[i, j]") == 1
    assert "T.bitwise_and(X_bits[i, j], 32767)" in found


def test_other_reinterpretations_are_left_to_the_registers() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            X = T.alloc_fragment((32, 32), "float32")
            W = T.alloc_fragment((32, 32), "int32")
            for i, j in T.Parallel(32, 32):
                X[i, j] = T.reinterpret(W[i, j], "float32")

    assert_program(after(kernel, PASS), kernel)
