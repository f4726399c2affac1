"""Atomic updates: every block's contribution arrives exactly once, in the same order in every run."""

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tests.kernels.tolerance import assert_within, gemm_bound, sum_bound
from tt_jit.errors import UnsupportedError

# fmt: off


@tt.jit
def split_matmul(A, B, C, splits: int = 4, block: int = 32):
    M, N, K = T.const("M N K")
    A: T.Tensor((M, K), "bfloat16")
    B: T.Tensor((K, N), "bfloat16")
    C: T.Tensor((M, N), "float32")
    with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block), splits, threads=128) as (bx, by, bz):
        A_shared = T.alloc_shared((block, block), "bfloat16")
        B_shared = T.alloc_shared((block, block), "bfloat16")
        C_local = T.alloc_fragment((block, block), "float32")
        T.clear(C_local)
        for k in T.Pipelined(K // splits // block, num_stages=2):
            T.copy(A[by * block, bz * (K // splits) + k * block], A_shared)
            T.copy(B[bz * (K // splits) + k * block, bx * block], B_shared)
            T.gemm(A_shared, B_shared, C_local)
        T.atomic_add(C[by * block, bx * block], C_local)


@pytest.mark.parametrize("size", [(64, 64), (70, 100)])
def test_split_k_adds_to_what_is_there(size):
    a, b = torch.randn(size[0], 256).bfloat16(), torch.randn(256, size[1]).bfloat16()
    c = torch.randn(size)
    expected = c.double() + a.double() @ b.double()
    results = []
    for _ in range(2):
        result = c.clone()
        split_matmul(a, b, result)
        results.append(result)
    bound = gemm_bound(a, b, torch.float32) + 2.0**-20 * (c.double().abs() + expected.abs())
    assert_within(results[0], expected, bound)
    assert torch.equal(*results)


@tt.jit
def gradient(X, dQ, dK, block: int = 32):
    """As in attention backward: each block walks along the rows that all blocks of its head update."""
    H, S, D = T.const("H S D")
    X: T.Tensor((H, S, D), "float32")
    dQ: T.Tensor((H, S, D), "float32")
    dK: T.Tensor((H, S, D), "float32")
    with T.Kernel(H, S // block, threads=128) as (bx, by):
        k = T.alloc_shared((block, D), "float32")
        q = T.alloc_shared((block, D), "float32")
        dk = T.alloc_fragment((block, D), "float32")
        dq = T.alloc_fragment((block, D), "float32")
        T.copy(X[bx, by * block, 0], k)
        T.clear(dk)
        for step in T.serial(S // block):
            T.copy(X[bx, step * block, 0], q)
            for i, j in T.Parallel(block, D):
                dq[i, j] = q[i, j] * k[i, j]
            for i, j in T.Parallel(block, D):
                dk[i, j] = dk[i, j] + q[i, j]
            for i, j in T.Parallel(block, D):
                T.atomic_add(dQ[bx, step * block + i, j], dq[i, j])
        T.copy(dk, dK[bx, by * block, 0])


def test_blocks_that_walk_over_the_same_rows():
    x = torch.randn(2, 128, 64)
    dq, dk = torch.zeros_like(x), torch.zeros_like(x)
    gradient(x, dq, dk)
    blocks = x.double().reshape(2, 4, 32, 64)
    total = blocks.sum(1, keepdim=True)
    scale = blocks.abs().sum(1, keepdim=True)
    assert_within(dk.reshape(blocks.shape), total.expand_as(blocks), 2.0**-21 * scale.expand_as(blocks))
    assert_within(dq.reshape(blocks.shape), blocks * total, 2.0**-20 * blocks.abs() * scale)


@tt.jit
def extremes(X, High, Low, Sum, block: int = 32):
    M, N = T.const("M N")
    X: T.Tensor((M, N), "float32")
    High: T.Tensor((N,), "float32")
    Low: T.Tensor((block, N), "float32")
    Sum: T.Tensor((N,), "float32")
    with T.Kernel(T.ceildiv(M, block), T.ceildiv(N, 64), threads=128) as (by, bx):
        tile = T.alloc_fragment((block, 64), "float32")
        high = T.alloc_fragment((64,), "float32")
        T.copy(X[by * block, bx * 64], tile)
        T.reduce_max(tile, high, dim=0)
        for j in T.Parallel(64):
            T.atomic_max(High[bx * 64 + j], high[j])
        T.atomic_min(Low[0, bx * 64], tile)
        for i, j in T.Parallel(block, 64):
            T.atomic_add(Sum[bx * 64 + j], tile[i, j])


def test_maxima_minima_and_lanes_that_meet():
    x = torch.randn(128, 128)
    high, low, total = torch.full((128,), -1e9), torch.full((32, 128), 1e9), torch.zeros(128)
    extremes(x, high, low, total)
    assert torch.equal(high, x.amax(0))
    assert torch.equal(low, x.reshape(4, 32, 128).amin(0))
    assert_within(total, x.double().sum(0), 2 * sum_bound(x, 0, torch.float32))


@tt.jit
def four_at_a_time(X, Y):
    M, N = T.const("M N")
    X: T.Tensor((M, N), "float32")
    Y: T.Tensor((32, N), "float32")
    with T.Kernel(M // 32, threads=128) as by:
        tile = T.alloc_fragment((32, N), "float32")
        T.copy(X[by * 32, 0], tile)
        for i, j in T.Parallel(32, N // 4):
            T.atomic_addx4(Y[i, j * 4], tile[i, j * 4])


def test_vectors_of_elements():
    x, y = torch.randn(96, 64), torch.zeros(32, 64)
    four_at_a_time(x, y)
    assert_within(y, x.double().reshape(3, 32, 64).sum(0), 2.0**-21 * x.double().abs().reshape(3, 32, 64).sum(0))


@tt.jit
def counted(X, Count, limit: T.float32):
    M, N = T.const("M N")
    X: T.Tensor((M, N), "float32")
    Count: T.Tensor((1,), "int32")
    with T.Kernel(M // 32, threads=128) as by:
        tile = T.alloc_fragment((32, N), "float32")
        T.copy(X[by * 32, 0], tile)
        for i, j in T.Parallel(32, N):
            if tile[i, j] > limit:
                T.atomic_add(Count[0], 1)


def test_one_counter_for_all_lanes():
    x, count = torch.randn(96, 64), torch.tensor([5], dtype=torch.int32)
    counted(x, count, 0.5)
    assert count.item() == 5 + (x > 0.5).sum().item()


@tt.jit(out_idx=[-1])
def running_state(rows, columns):
    """A state in DRAM that every step reads, changes and writes back."""
    @T.prim_func
    def main(
        X: T.Tensor((rows, columns), "float32"),
        State: T.Tensor((2, 32, columns), "float32"),
        Y: T.Tensor((rows, columns), "float32"),
    ):
        with T.Kernel(1, threads=128):
            x = T.alloc_fragment((32, columns), "float32")
            state = T.alloc_fragment((32, columns), "float32")
            for k in T.serial(rows // 32):
                T.copy(X[k * 32, 0], x)
                T.copy(State[k % 2, 0, 0], state)
                for i, j in T.Parallel(32, columns):
                    state[i, j] = state[i, j] + x[i, j]
                T.copy(state, Y[k * 32, 0])
                T.copy(state, State[(k + 1) % 2, 0, 0])
    return main


def test_a_state_that_is_written_and_read_back():
    x, state = torch.randn(160, 64), torch.zeros(2, 32, 64)
    result = running_state(160, 64)(x, state)
    expected = x.double().reshape(5, 32, 64).cumsum(0).reshape(160, 64)
    assert_within(result, expected, 2.0**-20 * x.double().abs().reshape(5, 32, 64).cumsum(0).reshape(160, 64))


def test_the_old_value_is_that_of_the_moment():
    @tt.jit
    def tickets(Counter, Y):
        Counter: T.Tensor((1,), "int32")
        Y: T.Tensor((32,), "int32")
        with T.Kernel(1, threads=32):
            for i in T.Parallel(32):
                Y[i] = T.atomic_add(Counter[0], 3, return_prev=True)

    counter, y = torch.tensor([5], dtype=torch.int32), torch.zeros(32, dtype=torch.int32)
    tickets(counter, y)
    assert torch.equal(y.sort().values, 5 + 3 * torch.arange(32, dtype=torch.int32))
    assert counter.item() == 5 + 3 * 32


def test_two_old_values_in_one_statement_are_refused_by_their_line():
    @tt.jit
    def twice(Counter, Y):
        Counter: T.Tensor((1,), "int32")
        Y: T.Tensor((32,), "int32")
        with T.Kernel(1, threads=32):
            for i in T.Parallel(32):
                Y[i] = T.atomic_add(Counter[0], 1, return_prev=True) + T.atomic_add(Counter[0], 1, return_prev=True)

    with pytest.raises(UnsupportedError, match="atomic_add with return_prev") as caught:
        twice(torch.zeros(1, dtype=torch.int32), torch.zeros(32, dtype=torch.int32))
    assert "return_prev=True" in caught.value.location.source_line()
