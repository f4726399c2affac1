"""Stores and atomic updates at places that are computed or read from memory, element by element."""

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tests.kernels.tolerance import UNIT_ROUNDOFF, assert_within

# fmt: off


@tt.jit
def embedding_gradient(Gradient, Index, Table, block: int = 32):
    N, D, V = T.const("N D V")
    Gradient: T.Tensor((N, D), "float32")
    Index: T.Tensor((N,), "int32")
    Table: T.Tensor((V, D), "float32")
    with T.Kernel(T.ceildiv(N, block), threads=128) as bx:
        tile = T.alloc_fragment((block, D), "float32")
        T.copy(Gradient[bx * block, 0], tile)
        for i, j in T.Parallel(block, D):
            if bx * block + i < N:
                T.atomic_add(Table[Index[bx * block + i], j], tile[i, j])


def test_rows_added_to_a_table():
    gradient, index = torch.randn(70, 40), torch.randint(0, 20, (70,), dtype=torch.int32)
    table = torch.randn(20, 40)
    expected = table.double().index_add(0, index.long(), gradient.double())
    scale = table.double().abs().index_add(0, index.long(), gradient.double().abs())
    embedding_gradient(gradient, index, table)
    assert_within(table, expected, 2.0**-19 * scale)


@tt.jit
def permuted(X, Index, Y, dtype: str = "float32", block: int = 32):
    M, N = T.const("M N")
    X: T.Tensor((M, N), dtype)
    Index: T.Tensor((M,), "int32")
    Y: T.Tensor((M, N), dtype)
    with T.Kernel(T.ceildiv(M, block), threads=128) as bx:
        tile = T.alloc_shared((block, N), dtype)
        T.copy(X[bx * block, 0], tile)
        for i, j in T.Parallel(block, N):
            Y[Index[bx * block + i], j] = tile[i, j]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int32", "uint8"])
def test_rows_stored_in_another_order(dtype):
    torch_dtype = getattr(torch, dtype)
    x = torch.randint(0, 200, (70, 33)).to(torch_dtype)
    index, y = torch.randperm(70).int(), torch.zeros(70, 33).to(torch_dtype)
    permuted(x, index, y, dtype=dtype)
    assert torch.equal(y[index.long()], x)


@tt.jit
def interleaved(X, Y, block: int = 64):
    N, M = T.const("N M")
    X: T.Tensor((N,), "bfloat16")
    Y: T.Tensor((M,), "bfloat16")
    with T.Kernel(T.ceildiv(N, block), threads=64) as bx:
        for i in T.Parallel(block):
            Y[(bx * block + i) * 2 + 1] = X[bx * block + i] * 2.0


def test_every_other_element():
    x, y = torch.randn(100).bfloat16(), torch.randn(200).bfloat16()
    expected = y.clone()
    expected[1::2] = 2 * x
    interleaved(x, y)
    assert torch.equal(y, expected)


@tt.jit
def selected(X, Index, Y):
    M, N = T.const("M N")
    X: T.Tensor((M, N), "float32")
    Index: T.Tensor((M,), "int32")
    Y: T.Tensor((M, N), "float32")
    with T.Kernel(M // 32, threads=128) as bx:
        tile = T.alloc_fragment((32, N), "float32")
        T.copy(X[bx * 32, 0], tile)
        for i, j in T.Parallel(32, N):
            if tile[i, j] > 0.0:
                Y[Index[bx * 32 + i], j] = tile[i, j]


def test_only_where_a_condition_on_values_holds():
    x, index, y = torch.randn(64, 40), torch.randperm(64).int(), torch.randn(64, 40)
    expected = y.clone()
    expected[index.long()] = torch.where(x > 0, x, y[index.long()])
    selected(x, index, y)
    assert torch.equal(y, expected)


@tt.jit
def segment_maxima(X, Segment, High, Low, Sum, dtype: str = "float32"):
    N, S = T.const("N S")
    X: T.Tensor((N,), dtype)
    Segment: T.Tensor((N,), "int32")
    High: T.Tensor((S,), dtype)
    Low: T.Tensor((S,), dtype)
    Sum: T.Tensor((S,), dtype)
    with T.Kernel(T.ceildiv(N, 32), threads=32) as bx:
        for i in T.Parallel(32):
            T.atomic_max(High[Segment[bx * 32 + i]], X[bx * 32 + i])
            T.atomic_min(Low[Segment[bx * 32 + i]], X[bx * 32 + i])
            T.atomic_add(Sum[Segment[bx * 32 + i]], X[bx * 32 + i])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32"])
def test_updates_of_segments(dtype):
    torch_dtype = getattr(torch, dtype)
    x = (100 * torch.randn(96)).to(torch_dtype)
    segment = torch.randint(0, 7, (96,), dtype=torch.int32)
    high, low, total = (torch.full((7,), value).to(torch_dtype) for value in (-1000, 1000, 0))
    segment_maxima(x, segment, high, low, total, dtype=dtype)
    wide = x.double()
    where = segment.long()
    assert torch.equal(high.double(), torch.full((7,), -1000.0).double().scatter_reduce(0, where, wide, "amax"))
    assert torch.equal(low.double(), torch.full((7,), 1000.0).double().scatter_reduce(0, where, wide, "amin"))
    scale = torch.zeros(7).double().index_add(0, where, wide.abs())
    exact = torch.zeros(7).double().index_add(0, where, wide)
    assert_within(total, exact, 40 * UNIT_ROUNDOFF.get(torch_dtype, 0.0) * scale)


def test_places_that_are_computed_on_chip():
    @tt.jit
    def kernel(X, Y):
        X: T.Tensor((32,), "int32")
        Y: T.Tensor((64,), "int32")
        with T.Kernel(1, threads=32):
            place = T.alloc_fragment((32,), "int32")
            for i in T.Parallel(32):
                place[i] = X[i] * 2
            for i in T.Parallel(32):
                Y[place[i]] = X[i]

    x, y = torch.randperm(32).int(), torch.full((64,), -1, dtype=torch.int32)
    kernel(x, y)
    expected = torch.full((64,), -1, dtype=torch.int32)
    expected[x.long() * 2] = x
    assert torch.equal(y, expected)


def test_elements_at_places_that_are_computed_on_chip():
    @tt.jit
    def kernel(X, Places, Y):
        X: T.Tensor((64,), "float32")
        Places: T.Tensor((32,), "int32")
        Y: T.Tensor((32,), "float32")
        with T.Kernel(1, threads=32):
            place = T.alloc_fragment((32,), "int32")
            for i in T.Parallel(32):
                place[i] = Places[i] * 2
            for i in T.Parallel(32):
                Y[i] = X[place[i]] + 1.0

    x, places, y = torch.randn(64), torch.randint(0, 32, (32,), dtype=torch.int32), torch.zeros(32)
    kernel(x, places, y)
    assert torch.equal(y, x[places.long() * 2] + 1.0)
