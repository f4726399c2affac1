"""Views of on-chip buffers, reductions over every dim, and accesses that start or end inside of tiles."""

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tests.kernels.tolerance import assert_within, elementwise_bound, gemm_bound, sum_bound


@tt.jit(out_idx=[-1])
def weighted_heads(rows, heads, width):
    """The sum over each head's columns of relu(x) * weights * scale, through a view with a dim per head."""

    @T.prim_func
    def main(
        X: T.Tensor((rows, heads * width), "float32"),
        W: T.Tensor((heads, width), "float32"),
        S: T.Tensor((rows,), "float32"),
        Y: T.Tensor((rows, heads), "float32"),
    ):
        with T.Kernel(1, threads=128):
            x = T.alloc_fragment((rows, heads * width), "float32")
            weights = T.alloc_fragment((heads, width), "float32")
            scale = T.alloc_fragment((rows,), "float32")
            y = T.alloc_fragment((rows, heads), "float32")
            by_head = T.reshape(x, (rows, heads, width))
            T.copy(X, x)
            T.copy(W, weights)
            T.copy(S, scale)
            for i, h, k in T.Parallel(rows, heads, width):
                by_head[i, h, k] = T.max(by_head[i, h, k], 0.0) * weights[h, k] * scale[i]
            T.reduce_sum(by_head, y, dim=-1)
            T.copy(y, Y)

    return main


@pytest.mark.parametrize(("rows", "heads", "width"), [(64, 4, 32), (40, 2, 64), (32, 1, 32)])
def test_a_view_that_splits_the_columns(rows, heads, width):
    x, w, s = torch.randn(rows, heads * width), torch.randn(heads, width), torch.randn(rows)
    terms = x.double().view(rows, heads, width).clamp(min=0) * w.double() * s.double()[:, None, None]
    bound = sum_bound(terms.abs().float(), -1, torch.float32) + elementwise_bound(
        terms.abs().sum(-1), torch.float32, operations=3
    )
    assert_within(weighted_heads(rows, heads, width)(x, w, s), terms.sum(-1), bound)


@tt.jit(out_idx=[-1])
def through_both_names():
    @T.prim_func
    def main(
        X: T.Tensor((4, 32, 64), "bfloat16"), W: T.Tensor((64, 32), "bfloat16"), Y: T.Tensor((128, 32), "float32")
    ):
        with T.Kernel(1, threads=128):
            x = T.alloc_shared((4, 32, 64), "bfloat16")
            flat = T.reshape(x, (128, 64))
            w = T.alloc_shared((64, 32), "bfloat16")
            y = T.alloc_fragment((128, 32), "float32")
            T.copy(X, x)
            T.copy(W, w)
            for i, k in T.Parallel(128, 64):
                flat[i, k] = flat[i, k] * 2.0
            for p, i, k in T.Parallel(4, 32, 64):
                x[p, i, k] = -x[p, i, k]
            T.gemm(flat, w, y, clear_accum=True)
            T.copy(y, Y)

    return main


def test_what_is_written_through_one_name_is_read_through_the_other():
    x, w = torch.randn(4, 32, 64).bfloat16(), torch.randn(64, 32).bfloat16()
    left = -2 * x.double().view(128, 64)
    bound = gemm_bound(left.bfloat16(), w, torch.float32)
    assert_within(through_both_names()(x, w), left @ w.double(), bound)


@tt.jit(out_idx=[-1])
def reduction_of_rank_three(shape, dim, kind):
    rest = [size for number, size in enumerate(shape) if number != dim]
    function = {"sum": T.reduce_sum, "absmax": T.reduce_absmax, "min": T.reduce_min}[kind]

    @T.prim_func
    def main(X: T.Tensor(shape, "float32"), Y: T.Tensor(rest, "float32")):
        with T.Kernel(1, threads=128):
            x = T.alloc_fragment(shape, "float32")
            y = T.alloc_fragment(rest, "float32")
            T.copy(X, x)
            T.fill(y, 1.0)
            function(x, y, dim=dim, clear=kind != "sum")
            T.copy(y, Y)

    return main


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("kind", ["sum", "absmax", "min"])
def test_reductions_of_rank_three(dim, kind):
    x = torch.randn(3, 40, 50)
    exact = {"sum": x.double().sum(dim) + 1, "absmax": x.abs().amax(dim), "min": x.amin(dim)}[kind].double()
    bound = sum_bound(x.abs(), dim, torch.float32) + exact.abs() * 2.0**-23 if kind == "sum" else 0 * exact
    assert_within(reduction_of_rank_three((3, 40, 50), dim, kind)(x), exact, bound)


@tt.jit(out_idx=[-1])
def parts(kind):
    @T.prim_func
    def main(X: T.Tensor((64, 64), "float32"), Y: T.Tensor((64, 64), "float32")):
        with T.Kernel(1, threads=128):
            s = T.alloc_fragment((64, 64), "float32")
            x = T.alloc_fragment((64, 64), "float32")
            v = T.alloc_fragment((64,), "float32")
            T.copy(X, s)
            T.copy(X, x)
            if kind == "rows":
                for i, j in T.Parallel(24, 64):
                    s[i + 8, j] = x[i + 8, j] * 2
            elif kind == "fill":
                T.fill(s[16:48, 8:40], 3.0)
            elif kind == "columns":
                for k in T.serial(64):
                    for i in T.Parallel(64):
                        v[i] = x[i, k] + k
                    for i in T.Parallel(64):
                        s[i, k] = v[i]
            elif kind == "element":
                for k in T.serial(64):
                    for i, j in T.Parallel(64, 64):
                        s[i, j] = T.max(s[i, j], x[k, k])
            elif kind == "outer":
                for k in T.serial(64):
                    for i, j in T.Parallel(64, 64):
                        s[i, j] = T.max(s[i, j], x[k, j] - x[i, k])
            elif kind == "vector":
                for i in T.Parallel(64):
                    v[i] = 0.0
                for k in T.serial(20):
                    v[k + 5] = 1.0
                for i, j in T.Parallel(64, 64):
                    s[i, j] = s[i, j] * v[j]
            elif kind == "load":
                T.copy(X[10:26, 0:64], s[16:32, 0:64])
            elif kind == "half":
                for i, j in T.Parallel(32, 64):
                    s[i + 32, j] = s[i, j] - s[i + 32, j]
            T.copy(s, Y)

    return main


def expected_parts(kind, x):
    y = x.clone()
    if kind == "rows":
        y[8:32] = x[8:32] * 2
    elif kind == "fill":
        y[16:48, 8:40] = 3.0
    elif kind == "columns":
        y = x + torch.arange(64)
    elif kind == "element":
        y = torch.maximum(x, x.diagonal().max())
    elif kind == "outer":
        y = torch.maximum(x, (x[:, None, :] - x.T[:, :, None]).amax(0))
    elif kind == "vector":
        y[:, :5] *= 0
        y[:, 25:] *= 0
    elif kind == "load":
        y[16:32] = x[10:26]
    elif kind == "half":
        y[32:] = x[:32] - x[32:]
    return y


@pytest.mark.parametrize("kind", ["rows", "fill", "columns", "element", "outer", "vector", "load", "half"])
def test_parts_of_tiles(kind):
    """Every value is one float32 operation on the vector unit away from its operands: exact."""
    x = torch.randn(64, 64)
    assert torch.equal(parts(kind)(x), expected_parts(kind, x))
