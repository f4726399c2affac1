"""int64 tensors: indices, block tables, lengths and labels, in 32 bits on the chip and checked at every call."""

from itertools import pairwise

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tt_jit.errors import ArgumentError, UnsupportedError

# fmt: off

LOW, HIGH = -(2**31), 2**31 - 1


def random_int64(*shape: int, low: int = LOW, high: int = HIGH) -> torch.Tensor:
    values = torch.randint(low, high + 1, shape)
    values.view(-1)[:2] = torch.tensor([low, high])[: values.numel()]
    return values


@tt.jit
def copied(A, B, block: int = 32):
    M, N = T.const("M N")
    A: T.Tensor((M, N), "int64")
    B: T.Tensor((M, N), "int64")
    with T.Kernel(T.ceildiv(M, block)) as bx:
        tile = T.alloc_shared((block, N), "int64")
        T.copy(A[bx * block, 0], tile)
        T.copy(tile, B[bx * block, 0])


@pytest.mark.parametrize("shape", [(64, 32), (70, 33), (1, 100)])
def test_all_of_int32_comes_back(shape):
    a, b = random_int64(*shape), torch.zeros(shape, dtype=torch.int64)
    copied(a, b)
    assert torch.equal(a, b)


def test_other_strides():
    a, b = random_int64(96, 128).T[::2, 1:65], torch.zeros(64, 64, dtype=torch.int64).T
    copied(a, b)
    assert torch.equal(a, b)


@pytest.mark.parametrize("value", [HIGH + 1, LOW - 1, 2**40, -(2**63)])
def test_a_value_beyond_32_bits_is_refused(value):
    a, b = random_int64(64, 32), torch.zeros(64, 32, dtype=torch.int64)
    a[3, 7] = a[40, 0] = value
    with pytest.raises(ArgumentError) as caught:
        copied(a, b)
    assert caught.value.message == f"copied: A[3, 7] is {value}, which does not fit"
    assert f"integers from {LOW} to {HIGH}" in str(caught.value)
    assert not b.any(), "nothing ran"


def test_an_output_may_hold_anything_before():
    a = random_int64(64, 32)
    b = torch.full((64, 32), 2**40)
    copied(a, b)
    assert torch.equal(a, b)


def test_another_dtype_is_refused():
    with pytest.raises(ArgumentError, match="wrong dtype"):
        copied(torch.zeros(32, 32, dtype=torch.int32), torch.zeros(32, 32, dtype=torch.int64))


@tt.jit
def embedding(Tokens, Table, block: int = 32):
    N, V, D = T.const("N V D")
    Tokens: T.Tensor((N,), "int64")
    Table: T.Tensor((V, D), "float32")
    Out = T.empty((N, D), "float32")
    Kept = T.empty((N,), "int64")
    with T.Kernel(T.ceildiv(N, block)) as bx:
        for i, j in T.Parallel(block, D):
            Out[bx * block + i, j] = Table[Tokens[bx * block + i], j]
        for i in T.Parallel(block):
            Kept[bx * block + i] = T.max(Tokens[bx * block + i], 5)
    return Out, Kept


def test_embedding_lookup():
    tokens, table = torch.randint(0, 50, (70,)), torch.randn(50, 40)
    out, kept = embedding(tokens, table)
    assert torch.equal(out, table[tokens])
    assert kept.dtype is torch.int64 and torch.equal(kept, tokens.clamp(min=5))


@tt.jit
def scattered(Index, X, Y, block: int = 32):
    N, D, M = T.const("N D M")
    Index: T.Tensor((N,), "int64")
    X: T.Tensor((N, D), "int64")
    Y: T.Tensor((M, D), "int64")
    with T.Kernel(T.ceildiv(N, block)) as bx:
        for i, j in T.Parallel(block, D):
            if bx * block + i < N:
                Y[Index[bx * block + i], j] = X[bx * block + i, j]


def test_what_is_not_written_stays():
    index, x = torch.randperm(200)[:70], random_int64(70, 33)
    y = torch.full((200, 33), -(2**50))
    expected = y.clone()
    expected[index] = x
    scattered(index, x, y)
    assert torch.equal(y, expected)


@tt.jit
def paged_sum(Table, Lengths, Pages):
    B, S, P, D = T.const("B S P D")
    Table: T.Tensor((B, S), "int64")
    Lengths: T.Tensor((B,), "int64")
    Pages: T.Tensor((P, 32, D), "float32")
    Out = T.empty((B, D), "float32")
    with T.Kernel(B) as b:
        page = T.alloc_shared((32, D), "float32")
        part = T.alloc_fragment((D,), "float32")
        total = T.alloc_fragment((D,), "float32")
        T.clear(total)
        for p in T.serial(T.ceildiv(Lengths[b], 32)):
            T.copy(Pages[Table[b, p], 0, 0], page)
            for i, j in T.Parallel(32, D):
                page[i, j] = T.if_then_else(p * 32 + i < Lengths[b], page[i, j], 0.0)
            T.reduce_sum(page, part, dim=0)
            for j in T.Parallel(D):
                total[j] = total[j] + part[j]
        T.copy(total, Out[b, 0])
    return Out


def test_block_table_and_lengths():
    """Loop bounds, addresses and masks from int64 memory. Integers, so that sums are exact."""
    table, lengths = torch.randperm(16)[:12].reshape(3, 4), torch.tensor([0, 45, 128])
    pages = torch.randint(-50, 50, (16, 32, 40)).float()
    rows = [pages[table[b]].reshape(-1, 40)[: lengths[b]].sum(0) for b in range(3)]
    assert torch.equal(paged_sum(table, lengths, pages), torch.stack(rows))


@tt.jit
def padded(Start, X, width: int = 64):
    B, N, D = T.const("B N D")
    Start: T.Tensor((B,), "int64")
    X: T.Tensor((N, D), "float32")
    Y = T.empty((B - 1, width, D), "float32")
    with T.Kernel(B - 1) as b:
        begin = Start[b]
        for i, j in T.Parallel(width, D):
            Y[b, i, j] = T.if_then_else(begin + i < Start[b + 1], X[begin + i, j], 0.0)
    return Y


def test_sequences_of_many_lengths():
    start, x = torch.tensor([0, 10, 74, 74, 100]), torch.randn(100, 32)
    y = padded(start, x)
    for b, (begin, end) in enumerate(pairwise(start)):
        assert torch.equal(y[b, : end - begin], x[begin:end]) and not y[b, end - begin :].any()


@pytest.mark.parametrize("value", [2**30, -(2**30) - 1])
def test_sums_leave_room_for_fewer_bits(value):
    """The sum of a value of 30 bits and an index is sure to fit; the host refuses what is not."""
    kernel = padded.compile(B=5, N=100, D=32)
    assert [tensor.value_bits for tensor in kernel.plan.tensors] == [30, None, None]
    with pytest.raises(ArgumentError) as caught:
        padded(torch.tensor([0, 10, 20, value, 30]), torch.randn(100, 32))
    assert caught.value.message == f"padded: Start[3] is {value}, which does not fit"
    assert f"integers from {-(2**30)} to {2**30 - 1}" in str(caught.value)


@tt.jit
def first_maximum(X, block: int = 32):
    M, N = T.const("M N")
    X: T.Tensor((M, N), "float32")
    Index = T.empty((M,), "int64")
    with T.Kernel(T.ceildiv(M, block)) as b:
        x = T.alloc_shared((block, N), "float32")
        largest = T.alloc_fragment((block,), "float32")
        place = T.alloc_fragment((block, N), "int64")
        first = T.alloc_fragment((block,), "int64")
        T.copy(X[b * block, 0], x)
        T.reduce_max(x, largest, dim=1)
        for i, j in T.Parallel(block, N):
            place[i, j] = T.if_then_else(x[i, j] == largest[i], j, N)
        T.reduce_min(place, first, dim=1)
        T.copy(first, Index[b * block])
    return Index


def test_index_of_the_maximum():
    x = torch.randn(64, 128)
    index = first_maximum(x)
    assert index.dtype is torch.int64 and torch.equal(index, x.argmax(1))


@tt.jit
def computed(A, size: int = 64):
    A: T.Tensor((size, size), "int64")
    F = T.empty((size, size), "float32")
    W = T.empty((size, size), "int32")
    S = T.empty((size, size), "int64")
    N = T.empty((size,), "int64")
    with T.Kernel(1):
        a = T.alloc_fragment((size, size), "int64")
        small = T.alloc_fragment((size, size), "int64")
        total = T.alloc_fragment((size,), "int64")
        T.copy(A, a)
        for i, j in T.Parallel(size, size):
            F[i, j] = T.cast(a[i, j], "float32")
        for i, j in T.Parallel(size, size):
            W[i, j] = T.cast(a[i, j] * 3 + 1, "int32")
        for i, j in T.Parallel(size, size):
            S[i, j] = (a[i, j] >> 4) * 3 + (a[i, j] & 7) - i
        for i, j in T.Parallel(size, size):
            small[i, j] = a[i, j] & 1023
        T.reduce_sum(small, total, dim=1)
        T.copy(total, N)
    return F, W, S, N


def test_arithmetic_whose_range_is_known():
    a = random_int64(64, 64)
    f, w, s, n = computed(a)
    assert torch.equal(f, a.float())
    assert torch.equal(w, (a * 3 + 1).int()), "a cast to int32 keeps the low bits"
    assert torch.equal(s, (a >> 4) * 3 + (a & 7) - torch.arange(64)[:, None])
    assert torch.equal(n, (a & 1023).sum(1))


@tt.jit(out_idx=[1, 2])
def passed_on(size: int):
    @T.prim_func
    def main(
        A: T.Tensor((size, size), "int64"), B: T.Tensor((size, size), "int64"), C: T.Tensor((size, size), "int64"),
    ):
        W = T.alloc_global((size, size), "int64")
        with T.Kernel(size // 32) as b:
            for i, j in T.Parallel(32, size):
                W[b * 32 + i, j] = A[b * 32 + i, j] & 255
        with T.Kernel(1):
            w = T.alloc_shared((size, size), "int64")
            sums = T.alloc_shared((size, size), "int64")
            T.copy(W, w)
            T.cumsum(w, sums, dim=1)
            for i, j in T.Parallel(size, size):
                B[i, j] = w[i, j] * w[i, j] - 5
            T.copy(sums, C)

    return main


def test_ranges_go_through_workspaces_and_scans():
    a = random_int64(64, 64)
    b, c = passed_on(64)(a)
    assert torch.equal(b, (a & 255) ** 2 - 5)
    assert torch.equal(c, (a & 255).cumsum(1))


@tt.jit
def by_threads(A, size: int = 64):
    A: T.Tensor((size,), "int64")
    Mean = T.empty((1,), "int32")
    Larger = T.empty((size,), "int64")
    with T.Kernel(1, threads=size):
        tx = T.get_thread_binding()
        a = T.alloc_shared((size,), "int64")
        total = T.alloc_local((1,), "int64")
        a[tx] = A[tx]
        T.sync_threads()
        total[0] = 0
        for k in T.serial(size):
            total[0] = total[0] + a[k]
        Larger[tx] = T.max(a[size - 1 - tx], A[tx])
        if tx == 0:
            Mean[0] = T.cast(total[0] // size, "int32")
    return Mean, Larger


def test_code_for_single_elements_has_64_bits():
    a = random_int64(64, low=2**30)
    mean, larger = by_threads(a)
    assert mean.item() == a.sum().item() // 64
    assert torch.equal(larger, torch.maximum(a, a.flip(0)))


def test_dynamic_sizes():
    n = T.dynamic("n")

    @tt.jit
    def kernel(block: int):
        @T.prim_func
        def main(A: T.Tensor((n,), "int64"), B: T.Tensor((n,), "int64")):
            with T.Kernel(T.ceildiv(n, block)) as b:
                for i in T.Parallel(block):
                    B[b * block + i] = A[b * block + i] // 2

        return main

    halves = kernel(32)
    for size in (1, 32, 70):
        a, b = random_int64(size), torch.zeros(size, dtype=torch.int64)
        halves(a, b)
        assert torch.equal(b, a // 2)


@tt.jit
def largest(A, Y, tiles: bool = False):
    A: T.Tensor((64,), "int64")
    Y: T.Tensor((64,), "int64")
    with T.Kernel(2):
        if tiles:
            a = T.alloc_shared((64,), "int64")
            T.copy(A, a)
            T.atomic_max(Y, a)
        else:
            for i in T.Parallel(64):
                T.atomic_max(Y[i], A[i])


@pytest.mark.parametrize("tiles", [False, True])
def test_updates_in_place_are_checked(tiles):
    a, y = random_int64(64), random_int64(64)
    expected = torch.maximum(a, y)
    largest(a, y, tiles=tiles)
    assert torch.equal(y, expected)
    y[9] = 2**33
    with pytest.raises(ArgumentError, match=r"Y\[9\] is 8589934592, which does not fit"):
        largest(a, y, tiles=tiles)


@tt.jit
def cubed(A):
    A: T.Tensor((64,), "int64")
    B = T.empty((64,), "int64")
    with T.Kernel(1):
        for i in T.Parallel(64):
            B[i] = A[i] * A[i] * A[i]
    return B


def test_results_of_any_size_are_refused():
    with pytest.raises(UnsupportedError) as caught:
        cubed(torch.zeros(64, dtype=torch.int64))
    assert caught.value.message.startswith("the int64 value that is stored to B may need more than 32 bits")
    assert caught.value.hint == 'where you know that 32 bits hold it, say so: T.cast(value, "int32")'


@tt.jit
def scaled(A, factor: T.int64):
    A: T.Tensor((64,), "float32")
    B = T.empty((64,), "float32")
    with T.Kernel(1):
        for i in T.Parallel(64):
            B[i] = T.if_then_else(i < factor, A[i], 0.0)
    return B


def test_an_int64_scalar_has_32_bits():
    with pytest.raises(ArgumentError, match="an integer from -2147483648 to 2147483647"):
        scaled(torch.zeros(64), 2**31)
