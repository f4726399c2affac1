"""Tensors that the kernel sees under another shape."""

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tt_jit.errors import ArgumentError


@tt.jit
def negate_rows(X, heads: int, block: int):
    N, D = T.const("N D")
    X: T.Tensor((N, heads, D), "float32")
    Y = T.empty((N, heads, D), "float32")
    with T.Kernel(T.ceildiv(N * heads, block)) as bx:
        flat_x = T.Tensor((N * heads, D), "float32", X.data)
        flat_y = T.Tensor((N * heads, D), "float32", Y.data)
        tile = T.alloc_fragment((block, D), "float32")
        T.copy(flat_x[bx * block, 0], tile)
        for i, j in T.Parallel(block, D):
            tile[i, j] = -tile[i, j]
        T.copy(tile, flat_y[bx * block, 0])
    return Y


def test_a_block_may_run_over_dimensions_of_the_argument():
    x = torch.randn(10, 12, 48)
    assert torch.equal(negate_rows(x, 12, 32), -x)


@tt.jit
def halve_rows(X, heads: int, block: int):
    N, D = T.const("N D")
    X: T.Tensor((N, heads, D), "float32")
    with T.Kernel(T.ceildiv(N * heads, block)) as bx:
        flat = T.Tensor((N * heads, D), "float32", X.data)
        for i, j in T.Parallel(block, D):
            flat[bx * block + i, j] = flat[bx * block + i, j] * 0.5


def test_element_accesses_of_a_view():
    x = torch.randn(10, 12, 48)
    wanted = x / 2
    halve_rows(x, 12, 32)
    assert torch.equal(x, wanted)


def test_strides_that_have_no_such_view_are_refused_at_the_call():
    x = torch.randn(12, 10, 48).transpose(0, 1)
    with pytest.raises(ArgumentError, match=r"the kernel sees X as \(120, 48\), which its strides do not allow"):
        negate_rows(x, 12, 32)
