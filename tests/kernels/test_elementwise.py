"""Element-wise expressions: arithmetic, functions, comparisons, selects, casts, broadcasts, scalars, ragged sizes."""

import math

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tests.kernels.tolerance import assert_within, elementwise_bound

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}

# name: (TileLang, torch, operations, functions, inputs for which the function is defined)
UNARY = {
    "exp": (T.exp, torch.exp, 0, 1, lambda x: x),
    "exp2": (T.exp2, torch.exp2, 0, 1, lambda x: x),
    "log": (T.log, torch.log, 0, 1, lambda x: x.abs() + 0.1),
    "log2": (T.log2, torch.log2, 0, 1, lambda x: x.abs() + 0.1),
    "sqrt": (T.sqrt, torch.sqrt, 0, 1, lambda x: x.abs()),
    "rsqrt": (T.rsqrt, torch.rsqrt, 0, 1, lambda x: x.abs() + 0.1),
    "tanh": (T.tanh, torch.tanh, 0, 1, lambda x: x),
    "sigmoid": (T.sigmoid, torch.sigmoid, 0, 2, lambda x: x),
    "erf": (T.erf, torch.erf, 0, 1, lambda x: x),
    "abs": (T.abs, torch.abs, 1, 0, lambda x: x),
    "reciprocal": (lambda x: 1.0 / x, torch.reciprocal, 0, 1, lambda x: torch.where(x >= 0, x + 0.1, x - 0.1)),
    "relu": (lambda x: T.max(x, 0.0), torch.relu, 1, 0, lambda x: x),
    "floor": (T.floor, torch.floor, 1, 0, lambda x: x * 10),
    "ceil": (T.ceil, torch.ceil, 1, 0, lambda x: x * 10),
    "round": (T.round, torch.round, 1, 0, lambda x: (x * 20).round() / 2),
    "round_away": (
        lambda x: T.round(x, "ties-away-from-zero"),
        lambda x: x.sign() * (x.abs() + 0.5).floor(),
        1,
        0,
        lambda x: (x * 20).round() / 2,
    ),
}


@tt.jit(out_idx=[-1])
def unary(function, rows, columns, dtype):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), dtype), Y: T.Tensor((rows, columns), dtype)):
        with T.Kernel(T.ceildiv(columns, 64), T.ceildiv(rows, 32), threads=128) as (bx, by):
            x = T.alloc_fragment((32, 64), dtype)
            y = T.alloc_fragment((32, 64), "float32")
            T.copy(X[by * 32, bx * 64], x)
            for i, j in T.Parallel(32, 64):
                y[i, j] = function(T.cast(x[i, j], "float32"))
            T.copy(y, Y[by * 32, bx * 64])

    return main


@pytest.mark.parametrize("name", list(UNARY))
def test_functions(name):
    function, reference, operations, functions, domain = UNARY[name]
    x = domain(torch.randn(50, 100)).bfloat16()
    exact = reference(x.double())
    bound = elementwise_bound(
        exact, torch.bfloat16, operations=operations, functions=functions, magnitude=exact.abs() + 1
    )
    assert_within(unary(function, 50, 100, "bfloat16")(x), exact, bound)


@pytest.mark.parametrize("name", ["exp", "log", "rsqrt", "tanh", "reciprocal", "sqrt"])
def test_functions_in_float32(name):
    function, reference, operations, functions, domain = UNARY[name]
    x = domain(torch.randn(50, 100))
    exact = reference(x.double())
    bound = elementwise_bound(
        exact, torch.float32, operations=operations, functions=functions, magnitude=exact.abs() + 1
    )
    assert_within(unary(function, 50, 100, "float32")(x), exact, bound)


@tt.jit(out_idx=[-1])
def binary(expression, rows, columns, dtype, block_rows=32, block_columns=64):
    @T.prim_func
    def main(
        A: T.Tensor((rows, columns), dtype), B: T.Tensor((rows, columns), dtype), C: T.Tensor((rows, columns), dtype)
    ):
        with T.Kernel(T.ceildiv(columns, block_columns), T.ceildiv(rows, block_rows), threads=128) as (bx, by):
            a = T.alloc_shared((block_rows, block_columns), dtype)
            b = T.alloc_shared((block_rows, block_columns), dtype)
            c = T.alloc_fragment((block_rows, block_columns), dtype)
            T.copy(A[by * block_rows, bx * block_columns], a)
            T.copy(B[by * block_rows, bx * block_columns], b)
            for i, j in T.Parallel(block_rows, block_columns):
                c[i, j] = expression(a[i, j], b[i, j])
            T.copy(c, C[by * block_rows, bx * block_columns])

    return main


BINARY = {
    "add": (lambda a, b: a + b, 1, 0),
    "subtract": (lambda a, b: a - b, 1, 0),
    "multiply": (lambda a, b: a * b, 1, 0),
    "divide": (lambda a, b: a / b, 1, 1),
}


@pytest.mark.parametrize("dtype", list(DTYPES))
@pytest.mark.parametrize("name", list(BINARY))
def test_arithmetic(name, dtype):
    expression, operations, functions = BINARY[name]
    a, b = torch.randn(64, 128).to(DTYPES[dtype]), torch.randn(64, 128).to(DTYPES[dtype])
    b = torch.where(b.abs() < 0.1, torch.full_like(b, 0.5), b)
    exact = expression(a.double(), b.double())
    bound = elementwise_bound(exact, DTYPES[dtype], operations=operations, functions=functions)
    assert_within(binary(expression, 64, 128, dtype)(a, b), exact, bound)


@pytest.mark.parametrize("blocks", [(32, 32), (128, 64), (64, 256), (256, 32)])
@pytest.mark.parametrize("sizes", [(256, 256), (70, 100), (1, 5)])
def test_block_and_tensor_sizes(blocks, sizes):
    a, b = torch.randn(*sizes).bfloat16(), torch.randn(*sizes).bfloat16()
    exact = a.double() + b.double()
    assert_within(
        binary(BINARY["add"][0], *sizes, "bfloat16", *blocks)(a, b), exact, elementwise_bound(exact, torch.bfloat16)
    )


def test_minimum_maximum_and_comparisons():
    def expression(a, b):
        return T.if_then_else(a > b, T.min(a, 1.0), T.if_then_else(a <= -1.0, T.max(b, -0.5), a * b))

    a, b = torch.randn(64, 64), torch.randn(64, 64)
    exact = torch.where(a > b, a.clamp(max=1.0), torch.where(a <= -1.0, b.clamp(min=-0.5), a * b)).double()
    assert_within(binary(expression, 64, 64, "float32")(a, b), exact, elementwise_bound(exact, torch.float32))


def test_logic_and_clamp():
    def expression(a, b):
        inside = T.And(a > -0.5, b < 0.5)
        return T.if_then_else(T.Or(inside, a > 1.5), T.clamp(a * 4.0, -1.0, 1.0), 0.0)

    a, b = torch.randn(64, 64), torch.randn(64, 64)
    exact = torch.where(((a > -0.5) & (b < 0.5)) | (a > 1.5), (a * 4).clamp(-1, 1), torch.zeros(())).double()
    assert_within(binary(expression, 64, 64, "float32")(a, b), exact, elementwise_bound(exact, torch.float32))


def test_a_deep_expression():
    """More live values than the destination registers hold at once."""

    def expression(a, b):
        terms = [(a + float(n)) * (b - float(n)) for n in range(1, 9)]
        total = terms[0]
        for index, term in enumerate(terms[1:]):
            total = total + term if index % 2 else T.max(total, term)
        return total * T.exp(-a * a) + (terms[0] - terms[7]) * (terms[1] - terms[6])

    a, b = torch.randn(64, 64), torch.randn(64, 64)

    def reference(a, b):
        terms = [(a + n) * (b - n) for n in range(1, 9)]
        total = terms[0]
        for index, term in enumerate(terms[1:]):
            total = total + term if index % 2 else torch.maximum(total, term)
        return total * torch.exp(-a * a) + (terms[0] - terms[7]) * (terms[1] - terms[6])

    exact = reference(a.double(), b.double())
    bound = elementwise_bound(exact, torch.float32, operations=30, functions=1, magnitude=exact.abs() + 1e4)
    assert_within(binary(expression, 64, 64, "float32")(a, b), exact, bound)


def test_infinities_follow_ieee():
    """exp2(-inf) = 0, max(-inf, x) = x, -inf - finite = -inf, inf - inf = NaN."""

    def expression(a, b):
        return T.exp2(a - T.max(a, b))

    a = torch.tensor([-math.inf, 0.0, -math.inf, 3.0]).repeat(32, 16)
    b = torch.tensor([1.0, -math.inf, -math.inf, 3.0]).repeat(32, 16)
    exact = torch.exp2(a - torch.maximum(a, b)).double()
    assert exact.isnan().any()
    assert_within(
        binary(expression, 32, 64, "float32")(a, b), exact, elementwise_bound(exact, torch.float32, functions=1)
    )


@tt.jit(out_idx=[-1])
def broadcast(rows, columns, dtype):
    """Row and column vectors, and an index of the row, meet in one expression."""

    @T.prim_func
    def main(
        X: T.Tensor((rows, columns), dtype),
        R: T.Tensor((rows,), dtype),
        C: T.Tensor((columns,), dtype),
        Y: T.Tensor((rows, columns), "float32"),
    ):
        with T.Kernel(T.ceildiv(columns, 64), T.ceildiv(rows, 32), threads=128) as (bx, by):
            x = T.alloc_fragment((32, 64), dtype)
            y = T.alloc_fragment((32, 64), "float32")
            row = T.alloc_fragment((32,), dtype)
            column = T.alloc_fragment((64,), dtype)
            T.copy(X[by * 32, bx * 64], x)
            T.copy(R[by * 32], row)
            T.copy(C[bx * 64], column)
            for i, j in T.Parallel(32, 64):
                y[i, j] = (x[i, j] - row[i]) * column[j]
            T.copy(y, Y[by * 32, bx * 64])

    return main


@pytest.mark.parametrize("sizes", [(64, 128), (50, 100)])
def test_row_and_column_vectors(sizes):
    rows, columns = sizes
    x, r, c = torch.randn(rows, columns).bfloat16(), torch.randn(rows).bfloat16(), torch.randn(columns).bfloat16()
    exact = (x.double() - r.double()[:, None]) * c.double()
    # The difference and product of bf16 operands are bf16 operations in TileLang, each rounded to bf16.
    bound = elementwise_bound(exact, torch.float32, operations=2) + 2.01 * 2.0**-8 * exact.abs()
    assert_within(broadcast(rows, columns, "bfloat16")(x, r, c), exact, bound)


@tt.jit(out_idx=[-1])
def causal_mask(rows, columns):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float32"), Y: T.Tensor((rows, columns), "float32")):
        with T.Kernel(T.ceildiv(columns, 64), T.ceildiv(rows, 64), threads=128) as (bx, by):
            x = T.alloc_fragment((64, 64), "float32")
            T.copy(X[by * 64, bx * 64], x)
            for i, j in T.Parallel(64, 64):
                x[i, j] = T.if_then_else(by * 64 + i >= bx * 64 + j, x[i, j], -T.infinity("float32"))
            T.copy(x, Y[by * 64, bx * 64])

    return main


def test_masks_that_depend_on_indices():
    x = torch.randn(128, 192)
    exact = x.masked_fill(~torch.ones(128, 192, dtype=torch.bool).tril(), -math.inf)
    assert torch.equal(causal_mask(128, 192)(x), exact)


@tt.jit(out_idx=[-1])
def casts(source, target, rows=64, columns=64):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), source), Y: T.Tensor((rows, columns), target)):
        with T.Kernel(T.ceildiv(rows, 32), threads=128) as by:
            x = T.alloc_fragment((32, columns), source)
            y = T.alloc_fragment((32, columns), target)
            T.copy(X[by * 32, 0], x)
            for i, j in T.Parallel(32, columns):
                y[i, j] = T.cast(x[i, j], target)
            T.copy(y, Y[by * 32, 0])

    return main


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("float32", "bfloat16"),
        ("float32", "float16"),
        ("bfloat16", "float32"),
        ("float16", "float32"),
        ("int32", "float32"),
        ("float32", "int32"),
    ],
)
def test_casts(source, target):
    x = (torch.randn(64, 64) * 100).to(getattr(torch, source))
    expected = x.to(getattr(torch, target))
    result = casts(source, target)(x)
    assert result.dtype == expected.dtype
    assert torch.equal(result, expected)


@tt.jit(out_idx=[-1])
def scaled(rows, columns):
    @T.prim_func
    def main(
        X: T.Tensor((rows, columns), "float32"),
        alpha: T.float32,
        shift: T.int32,
        Y: T.Tensor((rows, columns), "float32"),
    ):
        with T.Kernel(T.ceildiv(rows, 32), threads=128) as by:
            x = T.alloc_fragment((32, columns), "float32")
            T.copy(X[by * 32, 0], x)
            for i, j in T.Parallel(32, columns):
                x[i, j] = x[i, j] * alpha + T.cast(shift, "float32")
            T.copy(x, Y[by * 32, 0])

    return main


def test_scalar_arguments_need_no_second_kernel():
    kernel = scaled(64, 64)
    x = torch.randn(64, 64)
    for alpha, shift in [(2.5, 3), (-1.0, 0), (0.1, -7)]:
        exact = x.double() * torch.tensor(alpha, dtype=torch.float32).double() + shift
        bound = elementwise_bound(exact, torch.float32, operations=2, magnitude=exact.abs() + abs(shift))
        assert_within(kernel(x, alpha, shift), exact, bound)


@tt.jit(out_idx=[-1])
def integers(rows=64, columns=64):
    @T.prim_func
    def main(
        A: T.Tensor((rows, columns), "int32"),
        B: T.Tensor((rows, columns), "int32"),
        C: T.Tensor((rows, columns), "int32"),
    ):
        with T.Kernel(T.ceildiv(rows, 32), threads=128) as by:
            a = T.alloc_fragment((32, columns), "int32")
            b = T.alloc_fragment((32, columns), "int32")
            T.copy(A[by * 32, 0], a)
            T.copy(B[by * 32, 0], b)
            for i, j in T.Parallel(32, columns):
                a[i, j] = ((a[i, j] & 255) << 2) + (b[i, j] ^ a[i, j]) - (b[i, j] >> 3)
            T.copy(a, C[by * 32, 0])

    return main


def test_integer_and_bitwise_operations():
    a, b = (
        torch.randint(0, 1 << 20, (64, 64), dtype=torch.int32),
        torch.randint(0, 1 << 20, (64, 64), dtype=torch.int32),
    )
    assert torch.equal(integers()(a, b), ((a & 255) << 2) + (b ^ a) - (b >> 3))


@tt.jit(out_idx=[-1])
def flat_add(length, block):
    @T.prim_func
    def main(A: T.Tensor((length,), "float32"), B: T.Tensor((length,), "float32"), C: T.Tensor((length,), "float32")):
        with T.Kernel(T.ceildiv(length, block), threads=128) as bx:
            for i in T.Parallel(block):
                C[bx * block + i] = A[bx * block + i] + B[bx * block + i]

    return main


@pytest.mark.parametrize(("length", "block"), [(2048, 1024), (1000, 256), (70, 32)])
def test_element_access_to_global_vectors(length, block):
    a, b = torch.randn(length), torch.randn(length)
    assert torch.equal(flat_add(length, block)(a, b), a + b)


def test_dynamic_sizes_use_one_kernel():
    m, n = T.dynamic("m"), T.dynamic("n")
    kernel = binary(BINARY["multiply"][0], m, n, "float32")
    for sizes in [(32, 64), (100, 30), (1, 200)]:
        a, b = torch.randn(*sizes), torch.randn(*sizes)
        assert_within(kernel(a, b), a.double() * b.double(), elementwise_bound(a.double() * b.double(), torch.float32))


@tt.jit(out_idx=[1, 2])
def decay_differences(n, block):
    @T.prim_func
    def main(G: T.Tensor((n,), "float32"), D: T.Tensor((n, block), "float32"), S: T.Tensor((n,), "float32")):
        with T.Kernel(n // block) as bx:
            g = T.alloc_shared((block,), "float32")
            d = T.alloc_fragment((block, block), "float32")
            s = T.alloc_fragment((block,), "float32")
            T.copy(G[bx * block], g)
            for i, j in T.Parallel(block, block):
                d[i, j] = g[i] - g[j]
            T.copy(d, D[bx * block, 0])
            T.reduce_max(d, s, dim=0)
            for i, j in T.Parallel(block, block):
                d[i, j] = d[i, j] * s[i]
            T.reduce_max(d, s, dim=1)
            T.copy(s, S[bx * block])

    return main


@pytest.mark.parametrize("block", [32, 96, 40])
def test_a_vector_along_rows_and_columns(block):
    """Differences, products and maxima of float32 are exact operations on the vector unit."""
    g = torch.randn(3 * block)
    d, s = decay_differences(3 * block, block)(g)
    rows = g.view(3, block)
    wanted = rows[:, :, None] - rows[:, None, :]
    assert torch.equal(d, wanted.reshape(3 * block, block))
    scaled = wanted * wanted.amax(1)[:, :, None]
    assert torch.equal(s, scaled.amax(2).reshape(-1))


@tt.jit(out_idx=[-1])
def blocks(depth, rows, columns):
    @T.prim_func
    def main(X: T.Tensor((depth, rows, columns), "float32"), Y: T.Tensor((depth, rows, columns), "float32")):
        with T.Kernel(1, threads=128):
            for d, i, j in T.Parallel(depth, rows, columns):
                Y[d, i, j] = X[d, i, j] * 2.0 + T.cast(d, "float32")

    return main


def test_the_index_of_a_leading_dimension_as_a_value():
    x = torch.randn(3, 20, 30)
    assert torch.equal(blocks(3, 20, 30)(x), x * 2 + torch.arange(3)[:, None, None])


@tt.jit(out_idx=[2])
def scaled_by_parts(rows, parts):
    """Each part of the columns is read and rewritten where it lies."""

    @T.prim_func
    def main(
        X: T.Tensor((rows, parts * 32), "float32"),
        W: T.Tensor((parts, 32), "float32"),
        Y: T.Tensor((rows, parts * 32), "float32"),
    ):
        with T.Kernel(1):
            x = T.alloc_fragment((rows, parts * 32), "float32")
            w = T.alloc_fragment((32,), "float32")
            T.copy(X, x)
            for part in T.serial(parts):
                T.copy(W[part, 0], w)
                for i, j in T.Parallel(rows, 32):
                    x[i, part * 32 + j] = x[i, part * 32 + j] * w[j]
            T.copy(x, Y)

    return main


@pytest.mark.parametrize(("rows", "parts"), [(64, 2), (96, 3), (32, 4)])
def test_updates_of_parts_of_a_buffer(rows, parts):
    x, w = torch.randn(rows, parts * 32), torch.randn(parts, 32)
    assert torch.equal(scaled_by_parts(rows, parts)(x, w), x * w.reshape(-1))
