"""Element-wise statements in a row: one pass over the tiles, the same numbers."""

import tilelang.language as T
import torch

import tt_jit
from tests.kernels.tolerance import assert_within, elementwise_bound


@tt_jit.jit
def gated(A, B, S):
    M, N = T.const("M, N")
    A: T.Tensor[[M, N], T.float32]
    B: T.Tensor[[M, N], T.float32]
    S: T.Tensor[[M], T.float32]
    C = T.empty((M, N), T.float32)
    with T.Kernel(T.ceildiv(N, 64), T.ceildiv(M, 64)) as (bx, by):
        a = T.alloc_fragment((64, 64), T.float32)
        b = T.alloc_fragment((64, 64), T.float32)
        s = T.alloc_fragment((64,), T.float32)
        gate = T.alloc_fragment((64, 64), T.float32)
        scaled = T.alloc_fragment((64, 64), T.float32)
        c = T.alloc_fragment((64, 64), T.float32)
        T.copy(A[by * 64, bx * 64], a)
        T.copy(B[by * 64, bx * 64], b)
        T.copy(S[by * 64], s)
        for i, j in T.Parallel(64, 64):
            gate[i, j] = T.sigmoid(a[i, j])
            scaled[i, j] = gate[i, j] * b[i, j]
            c[i, j] = scaled[i, j] * s[i]
        T.copy(c, C[by * 64, bx * 64])
    return C


def test_three_statements_pack_every_tile_once() -> None:
    torch.manual_seed(0)
    a, b, s = torch.randn(128, 96), torch.randn(128, 96), torch.randn(128)
    kernel = gated.compile(a, b, s)
    result = kernel(a, b, s)
    exact = torch.sigmoid(a.double()) * b.double() * s.double()[:, None]
    assert_within(result, exact, elementwise_bound(exact, torch.float32, operations=2, functions=1))
    counters = kernel.last_launch.counters
    tiles = 4 * 4  # the last column of blocks computes a tile of padding for each of its own
    assert (counters["pack_tiles"], counters["copy_tiles"]) == (tiles, 3 * tiles)
