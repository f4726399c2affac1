"""Integers: every operator over the whole range of every dtype, exactly, with the wrap-around of C."""

import pytest
import tilelang.language as T
import torch

import tt_jit as tt

RANGES = {
    "int32": (-(2**31), 2**31, torch.int32),
    "uint32": (0, 2**32, torch.uint32),
    "int16": (-(2**15), 2**15, torch.int16),
    "uint16": (0, 2**16, torch.uint16),
    "int8": (-(2**7), 2**7, torch.int8),
    "uint8": (0, 2**8, torch.uint8),
}
SIZE = 200


def numbers(dtype, *shape):
    """Numbers from the whole range, its ends among them."""
    low, high, torch_dtype = RANGES[dtype]
    values = torch.randint(low, high, shape, dtype=torch.int64).flatten()
    values[:6] = torch.tensor([low, high - 1, 0, 1, high - 2, low + 1])
    return values[torch.randperm(len(values))].reshape(shape).to(torch_dtype)


def wrapped(values, dtype):
    """``values`` (int64) as ``dtype`` holds them."""
    low, high, _ = RANGES[dtype]
    return (values - low) % (high - low) + low


@tt.jit(out_idx=[-1])
def binary(function, dtype, out_dtype):
    @T.prim_func
    def main(X: T.Tensor((SIZE,), dtype), Y: T.Tensor((SIZE,), dtype), Z: T.Tensor((SIZE,), out_dtype)):
        with T.Kernel(1, threads=128) as bx:
            for i in T.Parallel(SIZE):
                Z[bx * SIZE + i] = function(X[bx * SIZE + i], Y[bx * SIZE + i], bx * SIZE + i)

    return main


EVERYWHERE = {
    "sum": (lambda x, y, i: x + y, lambda x, y, i: x + y),
    "difference": (lambda x, y, i: x - y, lambda x, y, i: x - y),
    "max": (lambda x, y, i: T.max(x, y), lambda x, y, i: torch.maximum(x, y)),
    "select": (lambda x, y, i: T.if_then_else(x < y, x, y), lambda x, y, i: torch.minimum(x, y)),
    "shift_right": (lambda x, y, i: x >> 3, lambda x, y, i: x >> 3),
    "shift_left": (lambda x, y, i: x << 3, lambda x, y, i: x << 3),
    "quotient": (lambda x, y, i: x // 7, lambda x, y, i: x // 7),
    "remainder": (lambda x, y, i: x % 7, lambda x, y, i: x % 7),
}
IN_32_BITS = {
    "product": (lambda x, y, i: x * y, lambda x, y, i: x * y),
    "xor": (lambda x, y, i: x ^ (x >> 16), lambda x, y, i: x ^ (x >> 16)),
    "not": (lambda x, y, i: ~x, lambda x, y, i: ~x),
    "or": (lambda x, y, i: (x & 255) | y, lambda x, y, i: (x & 255) | y),
    "equal_to_lane": (
        lambda x, y, i: T.if_then_else(x % 64 == T.Cast(x.dtype, i % 64), y, x),
        lambda x, y, i: torch.where(x % 64 == i % 64, y, x),
    ),
}


def check(function, reference, dtype, out_dtype):
    x, y = numbers(dtype, SIZE), numbers(dtype, SIZE)
    result = binary(function, dtype, out_dtype)(x, y)
    exact = wrapped(reference(x.to(torch.int64), y.to(torch.int64), torch.arange(SIZE)), out_dtype)
    torch.testing.assert_close(result.to(torch.int64), exact, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", ["int32", "uint32", "uint8", "int16"])
@pytest.mark.parametrize("name", list(EVERYWHERE))
def test_operators(name, dtype):
    check(*EVERYWHERE[name], dtype, dtype)


@pytest.mark.parametrize("dtype", ["int32", "uint32"])
@pytest.mark.parametrize("name", list(IN_32_BITS))
def test_operators_of_wide_integers(name, dtype):
    check(*IN_32_BITS[name], dtype, dtype)


def test_division_by_a_tile_rounds_down():
    check(lambda x, y, i: x // (y | 1), lambda x, y, i: x // (y | 1), "int32", "int32")
    check(lambda x, y, i: x % (y | 1), lambda x, y, i: x % (y | 1), "int32", "int32")


def test_division_towards_zero():
    exact = lambda x, y, i: torch.div(x, 7, rounding_mode="trunc")  # noqa: E731
    check(lambda x, y, i: T.truncdiv(x, 7), exact, "int32", "int32")
    check(lambda x, y, i: T.truncmod(x, 7), lambda x, y, i: torch.fmod(x, 7), "int32", "int32")


@pytest.mark.parametrize("narrow", ["int8", "uint8", "int16", "uint16"])
def test_casts_to_narrow_dtypes_wrap(narrow):
    check(lambda x, y, i: T.Cast(narrow, x), lambda x, y, i: x, "int32", narrow)
    back = lambda x, y, i: wrapped(x, narrow)  # noqa: E731
    check(lambda x, y, i: T.Cast("int32", T.Cast(narrow, x)), back, "int32", "int32")


@pytest.mark.parametrize("dtype", ["int32", "uint32"])
def test_casts_to_float(dtype):
    x = numbers(dtype, SIZE)
    kernel = binary(lambda x, y, i: T.Cast("float32", x), dtype, "float32")
    torch.testing.assert_close(kernel(x, x).double(), x.double(), rtol=2**-24, atol=0)


def test_uint32_division_by_a_tile_is_refused():
    with pytest.raises(tt.errors.UnsupportedError, match="uint32 division by a value that is not a constant"):
        binary(lambda x, y, i: x // y, "uint32", "uint32")


@tt.jit(out_idx=[-1])
def lookup(rows, columns, dtype):
    """One flag per row and column: whether the column is the row's number."""

    @T.prim_func
    def main(Key: T.Tensor((rows,), dtype), Table: T.Tensor((rows, columns), dtype),
             Hit: T.Tensor((rows, columns), "float32")):  # fmt: skip
        with T.Kernel(T.ceildiv(rows, 32), threads=128) as bx:
            key = T.alloc_fragment((32,), dtype)
            table = T.alloc_fragment((32, columns), dtype)
            hit = T.alloc_fragment((32, columns), "float32")
            T.copy(Key[bx * 32], key)
            T.copy(Table[bx * 32, 0], table)
            for i, j in T.Parallel(32, columns):
                hit[i, j] = T.if_then_else(table[i, j] == key[i], 1.0, T.if_then_else(j == key[i], 2.0, 0.0))
            T.copy(hit, Hit[bx * 32, 0])

    return main


@pytest.mark.parametrize("dtype", ["int32", "int8"])
def test_a_vector_is_compared_with_each_column(dtype):
    table = numbers(dtype, 50, 70)
    key = table[torch.arange(50), torch.randint(0, 70, (50,))].clone()
    key[:25] = torch.randint(0, 70, (25,)).to(key.dtype)
    expected = torch.where(table == key[:, None], 1.0, torch.where(torch.arange(70) == key[:, None], 2.0, 0.0))
    assert torch.equal(lookup(50, 70, dtype)(key, table), expected)


@tt.jit(out_idx=[-1])
def reduction(reduce, rows, columns, dtype, dim):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), dtype), Y: T.Tensor(((rows, columns)[1 - dim],), dtype)):
        with T.Kernel(1, threads=128):
            x = T.alloc_fragment((rows, columns), dtype)
            y = T.alloc_fragment(((rows, columns)[1 - dim],), dtype)
            T.copy(X, x)
            reduce(x, y, dim=dim)
            T.copy(y, Y)

    return main


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int8", "uint8"])
@pytest.mark.parametrize("name", ["sum", "max", "min"])
def test_reductions(name, dtype):
    x = numbers(dtype, 40, 50)
    for dim in (0, 1):
        result = reduction(getattr(T, f"reduce_{name}"), 40, 50, dtype, dim)(x)
        exact = {"sum": torch.sum, "max": torch.amax, "min": torch.amin}[name](x.to(torch.int64), dim)
        torch.testing.assert_close(result.to(torch.int64), wrapped(exact, dtype), rtol=0, atol=0)
