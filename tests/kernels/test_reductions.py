"""Reductions, softmax and norms against float64 torch."""

import functools
import math

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tests.kernels.tolerance import TF32_ROUNDOFF, assert_within, elementwise_bound, sum_bound, unit

REFERENCES = {
    "sum": lambda x, dim: x.sum(dim),
    "max": lambda x, dim: x.amax(dim),
    "min": lambda x, dim: x.amin(dim),
    "absmax": lambda x, dim: x.abs().amax(dim),
    "abssum": lambda x, dim: x.abs().sum(dim),
}


@tt.jit(out_idx=[-1])
def reduction(kind, dim, rows, columns, dtype, block_rows, block_columns):
    """The whole of the other axis in one block; ``dim`` 1 gives one value per row."""
    length = rows if dim == 1 else columns
    block = block_rows if dim == 1 else block_columns
    function = {
        "sum": T.reduce_sum,
        "max": T.reduce_max,
        "min": T.reduce_min,
        "absmax": T.reduce_absmax,
        "abssum": T.reduce_abssum,
    }[kind]
    padding = {"max": -math.inf, "min": math.inf}.get(kind, 0.0)

    @T.prim_func
    def main(X: T.Tensor((rows, columns), dtype), Y: T.Tensor((length,), "float32")):
        with T.Kernel(T.ceildiv(length, block), threads=128) as bx:
            x = T.alloc_fragment((block_rows, block_columns), "float32")
            y = T.alloc_fragment((block,), "float32")
            if dim == 1:
                T.copy(X[bx * block_rows, 0], x)
            else:
                T.copy(X[0, bx * block_columns], x)
            for i, j in T.Parallel(block_rows, block_columns):
                if dim == 1:
                    x[i, j] = T.if_then_else(j < columns, x[i, j], padding)
                else:
                    x[i, j] = T.if_then_else(i < rows, x[i, j], padding)
            function(x, y, dim=dim)
            T.copy(y, Y[bx * block])

    return main


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("kind", list(REFERENCES))
@pytest.mark.parametrize("sizes", [(64, 128), (50, 100)])
def test_rows_and_columns(kind, dim, sizes):
    rows, columns = sizes
    blocks = (32, 128) if dim == 1 else (64, 32)
    x = torch.randn(rows, columns).bfloat16()
    exact = REFERENCES[kind](x.double(), dim)
    bound = sum_bound(x.abs().float(), dim, torch.float32) if "sum" in kind else 2 * TF32_ROUNDOFF * exact.abs()
    assert_within(reduction(kind, dim, rows, columns, "bfloat16", *blocks)(x), exact, bound)


@tt.jit(out_idx=[-1])
def split_sum(rows, columns, block_columns, kind="sum"):
    """Accumulates over blocks of columns with clear=False."""
    function = {"sum": T.reduce_sum, "max": T.reduce_max}[kind]

    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float32"), Y: T.Tensor((rows,), "float32")):
        with T.Kernel(T.ceildiv(rows, 32), threads=128) as by:
            x = T.alloc_fragment((32, block_columns), "float32")
            y = T.alloc_fragment((32,), "float32")
            T.fill(y, -T.infinity("float32") if kind == "max" else 0.0)
            for k in T.Pipelined(T.ceildiv(columns, block_columns), num_stages=2):
                T.copy(X[by * 32, k * block_columns], x)
                function(x, y, dim=1, clear=False)
            T.copy(y, Y[by * 32])

    return main


@pytest.mark.parametrize("kind", ["sum", "max"])
def test_reductions_that_keep_the_old_value(kind):
    x = torch.randn(70, 256)
    exact = REFERENCES[kind](x.double(), 1)
    bound = sum_bound(x, 1, torch.float32) if kind == "sum" else 2 * TF32_ROUNDOFF * exact.abs()
    assert_within(split_sum(70, 256, 64, kind)(x), exact, bound)


@tt.jit(out_idx=[-1])
def softmax(rows, columns, block_rows, block_columns, dtype="bfloat16"):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), dtype), Y: T.Tensor((rows, columns), dtype)):
        with T.Kernel(T.ceildiv(rows, block_rows), threads=128) as by:
            x = T.alloc_fragment((block_rows, block_columns), "float32")
            peak = T.alloc_fragment((block_rows,), "float32")
            total = T.alloc_fragment((block_rows,), "float32")
            T.copy(X[by * block_rows, 0], x)
            for i, j in T.Parallel(block_rows, block_columns):
                x[i, j] = T.if_then_else(j < columns, x[i, j], -T.infinity("float32"))
            T.reduce_max(x, peak, dim=1)
            for i, j in T.Parallel(block_rows, block_columns):
                x[i, j] = T.exp(x[i, j] - peak[i])
            T.reduce_sum(x, total, dim=1)
            for i, j in T.Parallel(block_rows, block_columns):
                x[i, j] = x[i, j] / total[i]
            T.copy(x, Y[by * block_rows, 0])

    return main


def softmax_bound(exact, dtype):
    """The shift by the maximum and the sum pass the matrix unit once each (TF32); exp turns the shift's error into
    a factor."""
    return elementwise_bound(exact, dtype, operations=exact.shape[-1] + 4, functions=2) + 8 * TF32_ROUNDOFF * exact


@pytest.mark.parametrize(
    ("rows", "columns", "block_rows", "block_columns"),
    [(64, 256, 32, 256), (40, 100, 32, 128), (5, 33, 32, 64), (128, 1024, 32, 1024)],
)
def test_softmax_in_one_pass(rows, columns, block_rows, block_columns):
    x = (3 * torch.randn(rows, columns)).bfloat16()
    exact = torch.softmax(x.double(), 1)
    assert_within(softmax(rows, columns, block_rows, block_columns)(x), exact, softmax_bound(exact, torch.bfloat16))


@tt.jit
def online_softmax(X, block_rows: int = 32, block_columns: int = 64):
    """The running maximum and sum of TileLang's online_softmax example."""
    M, N = T.const("M N")
    X: T.Tensor((M, N), "float16")
    Y = T.empty((M, N), "float16")
    with T.Kernel(T.ceildiv(M, block_rows), threads=128) as row:
        tiles = T.ceildiv(N, block_columns)
        x = T.alloc_fragment((block_rows, block_columns), "float16")
        y = T.alloc_fragment((block_rows, block_columns), "float32")
        lse = T.alloc_fragment([block_rows], "float32")
        peak = T.alloc_fragment([block_rows], "float32")
        exp_x = T.alloc_fragment((block_rows, block_columns), "float32")
        exp_sum = T.alloc_fragment([block_rows], "float32")
        scale = 1.44269504
        T.fill(lse, -T.infinity("float32"))
        for k in T.Pipelined(0, tiles):
            T.copy(X[row * block_rows, k * block_columns], x)
            T.reduce_max(x, peak, dim=1, clear=True)
            for i, j in T.Parallel(block_rows, block_columns):
                exp_x[i, j] = T.exp2(x[i, j] * scale - peak[i] * scale)
            T.reduce_sum(exp_x, exp_sum, dim=1, clear=True)
            for i in T.Parallel(block_rows):
                lse[i] = peak[i] * scale + T.log2(T.exp2(lse[i] - peak[i] * scale) + exp_sum[i])
        for k in T.Pipelined(0, tiles):
            T.copy(X[row * block_rows, k * block_columns], x)
            for i, j in T.Parallel(block_rows, block_columns):
                y[i, j] = T.exp2(x[i, j] * scale - lse[i])
            T.copy(y, Y[row * block_rows, k * block_columns])
    return Y


def test_online_softmax():
    x = (2 * torch.randn(64, 512)).half()
    exact = torch.softmax(x.double(), 1)
    # x times a constant is a float16 product in TileLang: an error of u(float16) |x|, here and in the maximum,
    # exponentiated.
    exponent = (x.double().abs() + x.double().abs().amax(1, keepdim=True)) * unit(torch.float16)
    assert_within(online_softmax(x), exact, softmax_bound(exact, torch.float16) + 1.1 * exponent * exact)


@tt.jit(out_idx=[-1])
def layer_norm(rows, columns, block_rows, dtype="bfloat16"):
    @T.prim_func
    def main(
        X: T.Tensor((rows, columns), dtype),
        G: T.Tensor((columns,), dtype),
        B: T.Tensor((columns,), dtype),
        Y: T.Tensor((rows, columns), dtype),
    ):
        with T.Kernel(T.ceildiv(rows, block_rows), threads=128) as by:
            x = T.alloc_fragment((block_rows, columns), "float32")
            square = T.alloc_fragment((block_rows, columns), "float32")
            gain = T.alloc_fragment((columns,), dtype)
            shift = T.alloc_fragment((columns,), dtype)
            mean = T.alloc_fragment((block_rows,), "float32")
            variance = T.alloc_fragment((block_rows,), "float32")
            T.copy(X[by * block_rows, 0], x)
            T.copy(G, gain)
            T.copy(B, shift)
            T.reduce_sum(x, mean, dim=1)
            for i in T.Parallel(block_rows):
                mean[i] = mean[i] / columns
            for i, j in T.Parallel(block_rows, columns):
                x[i, j] = x[i, j] - mean[i]
            for i, j in T.Parallel(block_rows, columns):
                square[i, j] = x[i, j] * x[i, j]
            T.reduce_sum(square, variance, dim=1)
            for i in T.Parallel(block_rows):
                variance[i] = T.rsqrt(variance[i] / columns + 1e-5)
            for i, j in T.Parallel(block_rows, columns):
                x[i, j] = x[i, j] * variance[i] * gain[j] + shift[j]
            T.copy(x, Y[by * block_rows, 0])

    return main


@pytest.mark.parametrize(("rows", "columns"), [(64, 256), (50, 128), (33, 1024)])
def test_layer_norm(rows, columns):
    x, g, b = torch.randn(rows, columns).bfloat16(), torch.randn(columns).bfloat16(), torch.randn(columns).bfloat16()
    exact = torch.nn.functional.layer_norm(x.double(), (columns,), g.double(), b.double(), 1e-5)
    magnitude = exact.abs() + 3 * g.double().abs() + b.double().abs()
    bound = (
        elementwise_bound(exact, torch.bfloat16, operations=columns, functions=2, magnitude=magnitude)
        + 6 * TF32_ROUNDOFF * magnitude
    )
    assert_within(layer_norm(rows, columns, 32)(x, g, b), exact, bound)


@tt.jit(out_idx=[-1])
def rms_norm(rows, columns, block_rows, dtype="bfloat16"):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), dtype), Y: T.Tensor((rows, columns), dtype)):
        with T.Kernel(T.ceildiv(rows, block_rows), threads=128) as by:
            x = T.alloc_fragment((block_rows, columns), "float32")
            square = T.alloc_fragment((block_rows, columns), "float32")
            total = T.alloc_fragment((block_rows,), "float32")
            T.copy(X[by * block_rows, 0], x)
            for i, j in T.Parallel(block_rows, columns):
                square[i, j] = x[i, j] * x[i, j]
            T.reduce_sum(square, total, dim=1)
            for i in T.Parallel(block_rows):
                total[i] = T.rsqrt(total[i] / columns + 1e-12)
            for i, j in T.Parallel(block_rows, columns):
                x[i, j] *= total[i]
            T.copy(x, Y[by * block_rows, 0])

    return main


@tt.jit(out_idx=[-1])
def rms_norm_split(rows, columns, block_rows, block_columns, dtype="bfloat16"):
    """The row is read twice in blocks, as rows that do not fit the chip must be."""

    @T.prim_func
    def main(X: T.Tensor((rows, columns), dtype), Y: T.Tensor((rows, columns), dtype)):
        with T.Kernel(T.ceildiv(rows, block_rows), threads=128) as by:
            x_shared = T.alloc_shared((block_rows, block_columns), dtype)
            square = T.alloc_fragment((block_rows, block_columns), "float32")
            out = T.alloc_fragment((block_rows, block_columns), "float32")
            total = T.alloc_fragment((block_rows,), "float32")
            T.clear(square)
            for k in T.Pipelined(T.ceildiv(columns, block_columns), num_stages=2):
                T.copy(X[by * block_rows, k * block_columns], x_shared)
                for i, j in T.Parallel(block_rows, block_columns):
                    square[i, j] += x_shared[i, j] * x_shared[i, j]
            T.reduce_sum(square, total, dim=1)
            for i in T.Parallel(block_rows):
                total[i] = T.rsqrt(total[i] / columns + 1e-12)
            for k in T.Pipelined(T.ceildiv(columns, block_columns), num_stages=2):
                T.copy(X[by * block_rows, k * block_columns], x_shared)
                for i, j in T.Parallel(block_rows, block_columns):
                    out[i, j] = x_shared[i, j] * total[i]
                T.copy(out, Y[by * block_rows, k * block_columns])

    return main


def check_rms_norm(kernel, rows, columns, product_rounding=0.0):
    x = torch.randn(rows, columns).bfloat16()
    exact = x.double() * torch.rsqrt(x.double().square().mean(1, keepdim=True) + 1e-12)
    bound = (
        elementwise_bound(exact, torch.bfloat16, operations=columns, functions=1)
        + (4 * TF32_ROUNDOFF + product_rounding) * exact.abs()
    )
    assert_within(kernel(x), exact, bound)


@pytest.mark.parametrize(("rows", "columns"), [(64, 512), (50, 96)])
def test_rms_norm(rows, columns):
    check_rms_norm(rms_norm(rows, columns, 32), rows, columns)


@pytest.mark.parametrize(("rows", "columns"), [(64, 1024), (40, 300)])
def test_rms_norm_split_along_the_row(rows, columns):
    # The square of a bf16 value is a bf16 operation in TileLang: each term may be off by u(bf16).
    check_rms_norm(rms_norm_split(rows, columns, 32, 128), rows, columns, product_rounding=2.0**-8)


@tt.jit(out_idx=[-1])
def scan(rows, columns, reverse, dim):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float32"), Y: T.Tensor((rows, columns), "float32")):
        with T.Kernel(1, threads=128):
            x = T.alloc_shared((rows, columns), "float32")
            T.copy(X, x)
            T.cumsum(x, dim=dim, reverse=reverse)
            T.copy(x, Y)

    return main


@pytest.mark.parametrize(("dim", "reverse"), [(1, False), (0, False), (1, True)])
def test_cumulative_sums(dim, reverse):
    x = torch.randn(32, 64)
    exact = (x.double().flip(dim) if reverse else x.double()).cumsum(dim)
    exact = exact.flip(dim) if reverse else exact
    bound = 64 * 2 * unit(torch.float32) * x.double().abs().sum(dim, keepdim=True) + 2 * TF32_ROUNDOFF * 0
    assert_within(scan(32, 64, reverse, dim)(x), exact, bound)


@tt.jit(out_idx=[-1])
def with_reducer(rows, columns):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float32"), Y: T.Tensor((rows,), "float32")):
        with T.Kernel(T.ceildiv(rows, 32), threads=128) as by:
            x = T.alloc_fragment((32, columns), "float32")
            y = T.alloc_fragment((32,), "float32")
            total = T.alloc_reducer((32,), "float32", op="sum")
            T.copy(X[by * 32, 0], x)
            T.reducer_init(total)
            for i, j in T.Parallel(32, columns):
                T.reducer_update(total[i], x[i, j] * x[i, j])
            T.finalize_reducer(total, y)
            T.copy(y, Y[by * 32])

    return main


@tt.jit(out_idx=[-1])
def with_old_reducer(rows, columns):
    """A reducer as its first form declares it: a fragment, filled and changed like any other."""

    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float32"), Y: T.Tensor((rows,), "float32")):
        with T.Kernel(T.ceildiv(rows, 32)) as bx:
            x = T.alloc_fragment((32, columns), "float32")
            first = T.alloc_fragment((32,), "float32")
            total = T.alloc_reducer((32,), "float32", op="sum", replication="all")
            T.copy(X[bx * 32, 0], x)
            T.reduce_max(x, first, dim=1)
            T.clear(total)
            for i in T.Parallel(32):
                total[i] += first[i]
            for step in T.serial(2):
                for i, j in T.Parallel(32, columns):
                    total[i] += x[i, j] * step
            T.finalize_reducer(total)
            T.copy(total, Y[bx * 32])

    return main


def test_reducers_declared_as_fragments():
    x = torch.randn(64, 128)
    expected = x.double().amax(1) + x.double().sum(1)
    assert_within(with_old_reducer(64, 128)(x), expected, sum_bound(x, 1, torch.float32) + 2 * unit(torch.float32))


def test_reducers():
    x = torch.randn(64, 128)
    assert_within(with_reducer(64, 128)(x), x.double().square().sum(1), sum_bound(x.square(), 1, torch.float32))


@tt.jit(out_idx=[-1])
def by_element(operation, shape, out_shape, dtype, **options):
    @T.prim_func
    def main(X: T.Tensor(shape, dtype), Y: T.Tensor(out_shape, dtype)):
        with T.Kernel(1, threads=128):
            x = T.alloc_shared(shape, dtype)
            y = T.alloc_shared(out_shape, dtype)
            T.copy(X, x)
            T.fill(y, 3)
            operation(x, y, **options)
            T.copy(y, Y)

    return main


def test_running_maxima():
    x = torch.randn(40, 50).bfloat16()
    assert torch.equal(by_element(T.cummax, (40, 50), (40, 50), "bfloat16", dim=1)(x), x.cummax(1).values)
    backwards = by_element(T.cummax, (40, 50), (40, 50), "bfloat16", dim=0, reverse=True)(x)
    assert torch.equal(backwards, x.flip(0).cummax(0).values.flip(0))
    (note,) = by_element(T.cummax, (40, 50), (40, 50), "bfloat16", dim=1).performance_notes
    assert "element by element" in note.what and note.file == __file__ and note.line > 0


def test_sums_of_integers_along_an_axis_are_exact():
    x = torch.randint(-(2**24), 2**24, (40, 50), dtype=torch.int32)
    assert torch.equal(by_element(T.cumsum, (40, 50), (40, 50), "int32", dim=0)(x), x.cumsum(0).int())


@pytest.mark.parametrize("name", ["bitand", "bitor", "bitxor"])
def test_bitwise_reductions(name):
    x = torch.randint(-(2**31), 2**31, (40, 5), dtype=torch.int64).int()
    combine = {"bitand": torch.bitwise_and, "bitor": torch.bitwise_or, "bitxor": torch.bitwise_xor}[name]
    expected = functools.reduce(combine, x.unbind(1))
    reduce = getattr(T, f"reduce_{name}")
    assert torch.equal(by_element(reduce, (40, 5), (40,), "int32", dim=1)(x), expected)
    kept = by_element(reduce, (40, 5), (40,), "int32", dim=1, clear=False)(x)
    assert torch.equal(kept, combine(expected, torch.full_like(expected, 3)))


def test_the_first_of_three_dimensions():
    x = torch.randn(4, 33, 40)
    result = by_element(T.reduce_absmax, (4, 33, 40), (33, 40), "float32", dim=0)(x)
    assert torch.equal(result, x.abs().amax(0))
