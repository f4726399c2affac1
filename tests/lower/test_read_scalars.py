"""read_scalars: values that steer control flow and addresses are read once, in statements of their own."""

import tilelang.language as T

from tt_jit.errors import UnsupportedError
from tt_jit.lower.ops import call

from .programs import after, assert_program, line_of, refusal

PASS = "read_scalars"
MATRIX, TABLE = (256, 64), (8,)


def scalar(load: object) -> object:
    return call("read_scalar", load, dtype="int32")


def test_loop_bounds_and_indices() -> None:
    @T.prim_func
    def before(X: T.Tensor(MATRIX, "float32"), Lengths: T.Tensor(TABLE, "int32"), Table: T.Tensor(TABLE, "int32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            for k in T.serial(Lengths[bx]):
                T.copy(X[Table[k] * 32, 0], tile)

    @T.prim_func
    def expected(X: T.Tensor(MATRIX, "float32"), Lengths: T.Tensor(TABLE, "int32"), Table: T.Tensor(TABLE, "int32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            length = scalar(Lengths[bx])
            for k in T.serial(length):
                row = scalar(Table[k])
                T.copy(X[row * 32, 0], tile)

    assert_program(after(before, PASS), expected)


def test_a_branch_and_a_value_that_is_used_twice() -> None:
    @T.prim_func
    def before(X: T.Tensor(MATRIX, "float32"), Mask: T.Tensor(TABLE, "int32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            if Mask[bx] > 0:
                T.copy(X[Mask[bx] * 32, 0], tile)

    @T.prim_func
    def expected(X: T.Tensor(MATRIX, "float32"), Mask: T.Tensor(TABLE, "int32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            mask = scalar(Mask[bx])
            if mask > 0:
                T.copy(X[mask * 32, 0], tile)

    assert_program(after(before, PASS), expected)


def test_an_index_that_is_read_with_an_index_that_is_read() -> None:
    @T.prim_func
    def before(X: T.Tensor(MATRIX, "float32"), Outer: T.Tensor(TABLE, "int32"), Inner: T.Tensor(TABLE, "int32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            T.copy(X[Inner[Outer[bx]] * 32, 0], tile)

    text = after(before, PASS).script()
    assert "scalar: T.int32 = T.tt.read_scalar(Outer[bx])" in text
    assert "scalar_1: T.int32 = T.tt.read_scalar(Inner[scalar])" in text
    assert "T.copy(T.region(X[scalar_1 * 32, 0]" in text


def test_a_program_without_such_values_is_left_alone() -> None:
    @T.prim_func
    def kernel(X: T.Tensor(MATRIX, "float32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            for i, j in T.Parallel(32, 64):
                tile[i, j] = X[bx * 32 + i, j]

    assert_program(after(kernel, PASS), kernel)


def test_refuses_a_branch_on_a_tensor_that_holds_no_integers() -> None:
    @T.prim_func
    def kernel(X: T.Tensor(MATRIX, "float32"), Mask: T.Tensor(TABLE, "float32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            if Mask[bx] > 0.5:
                T.copy(X[bx * 32, 0], tile)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "Mask is float32: control flow and indices take integer tensors"
    assert line_of(error) == "if Mask[bx] > 0.5:"
