"""Kernels with more buffers than rings, or more bytes than L1, whose buffers are not all in use at the same time."""

import tilelang.language as T
import torch

import tt_jit as tt
from tests.kernels.tolerance import assert_within, elementwise_bound


@tt.jit(out_idx=[-1])
def powers(count):
    """x, x / 2, (x / 2) / 2, ...: every step in a buffer of its own, the last ones added up."""

    @T.prim_func
    def main(X: T.Tensor((64, 64), "float32"), Y: T.Tensor((64, 64), "float32")):
        with T.Kernel(1, threads=128):
            steps = [T.alloc_fragment((64, 64), "float32") for _ in range(count)]
            total = T.alloc_fragment((64, 64), "float32")
            T.copy(X, steps[0])
            T.clear(total)
            for n in tuple(range(1, count)):
                for i, j in T.Parallel(64, 64):
                    steps[n][i, j] = steps[n - 1][i, j] * 0.5
                for i, j in T.Parallel(64, 64):
                    total[i, j] = total[i, j] + steps[n][i, j]
            T.copy(total, Y)

    return main


def test_forty_buffers_in_turn():
    x = torch.randn(64, 64)
    kernel = powers.compile(40)
    assert len(kernel.plan.programs[0].circular_buffers) <= 32
    exact = x.double() * sum(2.0**-n for n in range(1, 40))
    assert_within(kernel(x), exact, elementwise_bound(exact, torch.float32, operations=40))


@tt.jit(out_idx=[-1])
def chain(size):
    """Four intermediates of 256 KB each and the streams: 1.8 MB, of which half is in use at a time."""

    @T.prim_func
    def main(X: T.Tensor((size, size), "float32"), Y: T.Tensor((size, size), "float32")):
        with T.Kernel(1, threads=128):
            x = T.alloc_shared((size, size), "float32")
            first = T.alloc_fragment((size, size), "float32")
            second = T.alloc_fragment((size, size), "float32")
            third = T.alloc_fragment((size, size), "float32")
            T.copy(X, x)
            for i, j in T.Parallel(size, size):
                first[i, j] = x[i, j] + 1.0
            for i, j in T.Parallel(size, size):
                second[i, j] = first[i, j] * 2.0
            for i, j in T.Parallel(size, size):
                third[i, j] = second[i, j] - 3.0
            for i, j in T.Parallel(size, size):
                third[i, j] = third[i, j] * 0.5
            for i, j in T.Parallel(size, size):
                second[i, j] = third[i, j] * 4.0
            T.copy(second, Y)

    return main


def test_intermediates_that_do_not_fit_together():
    x = torch.randn(256, 256)
    exact = ((x.double() + 1) * 2 - 3) * 2
    bound = elementwise_bound(exact, torch.float32, operations=5, magnitude=exact.abs() + 8)
    assert_within(chain(256)(x), exact, bound)


@tt.jit(out_idx=[-1])
def long_rows(rows, columns, block):
    """Online softmax over blocks of one long row: three float32 buffers of (1, 8192) would be 3 MB as rows of tiles."""

    @T.prim_func
    def main(X: T.Tensor((rows, columns), "bfloat16"), Y: T.Tensor((rows, columns), "float32")):
        with T.Kernel(rows, threads=128) as row:
            x = T.alloc_fragment((1, block), "float32")
            e = T.alloc_fragment((1, block), "float32")
            y = T.alloc_fragment((1, block), "float32")
            peak = T.alloc_fragment((1,), "float32")
            part = T.alloc_fragment((1,), "float32")
            total = T.alloc_fragment((1,), "float32")
            T.fill(total, -T.infinity("float32"))
            for k in T.Pipelined(columns // block):
                T.copy(X[row, k * block], x)
                T.reduce_max(x, peak, dim=1)
                for i, j in T.Parallel(1, block):
                    e[i, j] = T.exp(x[i, j] - peak[i])
                T.reduce_sum(e, part, dim=1)
                for i in T.Parallel(1):
                    total[i] = peak[i] + T.log(T.exp(total[i] - peak[i]) + part[i])
            for k in T.Pipelined(columns // block):
                T.copy(X[row, k * block], x)
                for i, j in T.Parallel(1, block):
                    y[i, j] = T.exp(x[i, j] - total[i])
                T.copy(y, Y[row, k * block])

    return main


def test_long_rows_fill_their_tiles():
    x = torch.randn(3, 16384).bfloat16()
    kernel = long_rows.compile(3, 16384, 8192)
    pages = {ring.name: ring.pages for ring in kernel.plan.programs[0].circular_buffers}
    assert pages["e"] == 8
    exact = torch.softmax(x.double(), 1)
    bound = elementwise_bound(exact, torch.float32, operations=16384, functions=4) + 2.0**-16 * 12 * exact
    assert_within(kernel(x), exact, bound)
