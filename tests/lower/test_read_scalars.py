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


def test_a_float_decides_by_way_of_the_reader() -> None:
    @T.prim_func
    def before(X: T.Tensor(MATRIX, "float32"), Weights: T.Tensor(TABLE, "bfloat16")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            if Weights[bx] > 0.5:
                T.copy(X[bx * 32, 0], tile)

    text = after(before, PASS).script()
    assert "scalar: T.float32 = T.tt.read_scalar(Weights[bx])" in text
    value = 'T.Cast("float32", T.Cast("bfloat16", scalar))'
    assert f'decision: T.int32 = T.tt.decide(T.Cast("int32", {value} > T.float32(0.5)))' in text
    assert "if decision != 0:" in text


def test_a_value_that_is_computed_on_chip_is_read_where_it_stands() -> None:
    @T.prim_func
    def before(X: T.Tensor(MATRIX, "float32"), Y: T.Tensor(MATRIX, "float32")):
        with T.Kernel(8) as bx:
            count = T.alloc_fragment((32, 64), "int32")
            T.fill(count, 3)
            if count[1, 2] > 2 and count[1, 2] < 9:
                T.fill(count, 4)
            for _k in T.serial(count[1, 2]):
                T.fill(count, 5)

    @T.prim_func
    def expected(X: T.Tensor(MATRIX, "float32"), Y: T.Tensor(MATRIX, "float32")):
        with T.Kernel(8) as bx:
            count = T.alloc_fragment((32, 64), "int32")
            T.fill(count, 3)
            first = scalar(count[1, 2])
            if first > 2 and first < 9:
                T.fill(count, 4)
            second = scalar(count[1, 2])
            for _k in T.serial(second):
                T.fill(count, 5)

    assert_program(after(before, PASS), expected)


def test_a_copied_block_stands_for_its_tensor_behind_the_copy_only() -> None:
    @T.prim_func
    def before(X: T.Tensor(MATRIX, "float32"), Table: T.Tensor((8, 32), "int32")):
        with T.Kernel(8) as bx:
            row = T.alloc_shared((32,), "int32")
            tile = T.alloc_fragment((32, 64), "float32")
            if row[1] > 0:
                T.copy(X[0, 0], tile)
            T.copy(Table[bx, 0], row)
            if row[1] > 0:
                T.copy(X[32, 0], tile)

    text = after(before, PASS).script()
    assert "T.tt.read_scalar(row[1])" in text and "T.tt.read_scalar(Table[bx, 1])" in text
    assert text.index("read_scalar(row[1])") < text.index("read_scalar(Table[bx, 1])")


def test_a_tensor_that_the_kernel_writes_is_read_anew() -> None:
    @T.prim_func
    def kernel(X: T.Tensor(MATRIX, "float32"), Flags: T.Tensor((8, 32), "int32")):
        with T.Kernel(8) as bx:
            row = T.alloc_fragment((32,), "int32")
            for _k in T.serial(Flags[bx, 0]):
                T.fill(row, 1)
                T.copy(row, Flags[bx, 0])
            for _k in T.serial(Flags[bx, 0]):
                T.fill(row, 1)
                T.copy(row, Flags[bx, 0])

    assert after(kernel, PASS).script().count("T.tt.read_scalar(Flags[bx, 0])") == 2


def test_a_while_loop_keeps_its_condition_in_a_variable() -> None:
    @T.prim_func
    def before(X: T.Tensor(MATRIX, "float32"), Next: T.Tensor(TABLE, "int32")):
        with T.Kernel(8) as bx:
            at = T.alloc_var("int32")
            tile = T.alloc_fragment((32, 64), "float32")
            at = bx
            while Next[at] > 0:
                T.copy(X[at * 32, 0], tile)
                at = Next[at]

    @T.prim_func
    def expected(X: T.Tensor(MATRIX, "float32"), Next: T.Tensor(TABLE, "int32")):
        with T.Kernel(8) as bx:
            at = T.alloc_var("int32")
            tile = T.alloc_fragment((32, 64), "float32")
            going = T.alloc_var("bool")
            at = bx
            first = scalar(Next[at])
            going = first > 0
            while going:
                T.copy(X[at * 32, 0], tile)
                following = scalar(Next[at])
                at = following
                again = scalar(Next[at])
                going = again > 0

    assert_program(after(before, PASS), expected)


def test_refuses_a_function_of_floats_in_a_condition() -> None:
    @T.prim_func
    def kernel(X: T.Tensor(MATRIX, "float32"), Weights: T.Tensor(TABLE, "float32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            if T.exp(Weights[bx]) > 0.5:
                T.copy(X[bx * 32, 0], tile)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "the function exp in what steers control flow or an address"
    assert line_of(error) == "if T.exp(Weights[bx]) > 0.5:"
