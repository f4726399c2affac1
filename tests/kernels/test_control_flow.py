"""Run-time scalars, branches, loops with data-dependent bounds, several kernels, atomics, and the scalar path."""

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tests.kernels.tolerance import assert_within, gemm_bound, sum_bound


@tt.jit(out_idx=[-1])
def block_sparse_matmul(M, N, K, block):
    @T.prim_func
    def main(
        A: T.Tensor((M, K), "bfloat16"),
        B: T.Tensor((K, N), "bfloat16"),
        Mask: T.Tensor((M // block, N // block, K // block), "bool"),
        C: T.Tensor((M, N), "float32"),
    ):
        with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block), threads=128) as (bx, by):
            A_shared = T.alloc_shared((block, block), "bfloat16")
            B_shared = T.alloc_shared((block, block), "bfloat16")
            C_local = T.alloc_fragment((block, block), "float32")
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block), num_stages=2):
                if Mask[by, bx, k]:
                    T.copy(A[by * block, k * block], A_shared)
                    T.copy(B[k * block, bx * block], B_shared)
                    T.gemm(A_shared, B_shared, C_local)
            T.copy(C_local, C[by * block, bx * block])

    return main


def test_branch_on_a_value_in_memory():
    block, size = 32, 128
    a, b = torch.randn(size, size).bfloat16(), torch.randn(size, size).bfloat16()
    mask = torch.rand(4, 4, 4) > 0.4
    result = block_sparse_matmul(size, size, size, block)(a, b, mask)
    exact = torch.zeros(size, size, dtype=torch.float64)
    for i in range(4):
        for j in range(4):
            for k in range(4):
                if mask[i, j, k]:
                    rows, columns, depth = (slice(x * block, x * block + block) for x in (i, j, k))
                    exact[rows, columns] += a[rows, depth].double() @ b[depth, columns].double()
    assert_within(result, exact, gemm_bound(a, b, torch.float32))


@tt.jit(out_idx=[-1])
def variable_length_sum(batch, length, dim):
    @T.prim_func
    def main(
        X: T.Tensor((batch, length, dim), "float32"),
        Lengths: T.Tensor((batch,), "int32"),
        Y: T.Tensor((batch, dim), "float32"),
    ):
        with T.Kernel(batch, threads=128) as bx:
            tile = T.alloc_fragment((32, dim), "float32")
            total = T.alloc_fragment((dim,), "float32")
            T.clear(total)
            for k in T.serial(T.ceildiv(Lengths[bx], 32)):
                T.copy(X[bx, k * 32, 0], tile)
                for i, j in T.Parallel(32, dim):
                    tile[i, j] = T.if_then_else(k * 32 + i < Lengths[bx], tile[i, j], 0.0)
                T.reduce_sum(tile, total, dim=0, clear=False)
            T.copy(total, Y[bx, 0])

    return main


def test_loop_bounds_read_from_memory():
    x, lengths = torch.randn(4, 128, 64), torch.tensor([0, 17, 64, 128], dtype=torch.int32)
    result = variable_length_sum(4, 128, 64)(x, lengths)
    for b, length in enumerate(lengths.tolist()):
        assert_within(result[b], x[b, :length].double().sum(0), sum_bound(x[b], 0, torch.float32))


@tt.jit(out_idx=[-1])
def alternating(rows, columns):
    """A block-uniform branch and a variable that lives across iterations."""

    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float32"), Y: T.Tensor((rows, columns), "float32")):
        with T.Kernel(T.ceildiv(rows, 32), threads=128) as by:
            tile = T.alloc_fragment((32, columns), "float32")
            factor = T.alloc_var("float32")
            T.copy(X[by * 32, 0], tile)
            factor = 1.0
            for _ in T.serial(by + 1):
                factor = factor * 2.0
            if by % 2 == 0:
                for i, j in T.Parallel(32, columns):
                    tile[i, j] = tile[i, j] * factor
            else:
                for i, j in T.Parallel(32, columns):
                    tile[i, j] = tile[i, j] - factor
            T.copy(tile, Y[by * 32, 0])

    return main


def test_variables_and_uniform_branches():
    x = torch.randn(128, 64)
    expected = torch.cat([x[:32] * 2, x[32:64] - 4, x[64:96] * 8, x[96:] - 16])
    torch.testing.assert_close(alternating(128, 64)(x), expected, rtol=2.0**-22, atol=2.0**-20)


@tt.jit(out_idx=[-1])
def two_phases(rows, columns):
    """The second kernel reads what all blocks of the first wrote."""

    @T.prim_func
    def main(
        X: T.Tensor((rows, columns), "float32"),
        Partial: T.Tensor((rows // 32, columns), "float32"),
        Y: T.Tensor((columns,), "float32"),
    ):
        with T.Kernel(rows // 32, threads=128) as by:
            tile = T.alloc_fragment((32, columns), "float32")
            column = T.alloc_fragment((columns,), "float32")
            T.copy(X[by * 32, 0], tile)
            T.reduce_sum(tile, column, dim=0)
            T.copy(column, Partial[by, 0])
        with T.Kernel(1, threads=128):
            partial = T.alloc_fragment((rows // 32, columns), "float32")
            column = T.alloc_fragment((columns,), "float32")
            T.copy(Partial, partial)
            T.reduce_sum(partial, column, dim=0)
            T.copy(column, Y)

    return main


def test_several_kernels_run_in_order():
    x = torch.randn(128, 64)
    partial = torch.zeros(4, 64)
    result = two_phases(128, 64)(x, partial)
    assert_within(result, x.double().sum(0), 2 * sum_bound(x, 0, torch.float32))


@tt.jit
def split_k(A, B, C, splits: int = 4, block: int = 32):
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


def test_atomic_add_of_tiles():
    a, b = torch.randn(64, 256).bfloat16(), torch.randn(256, 64).bfloat16()
    c = torch.zeros(64, 64)
    split_k(a, b, c)
    assert_within(c, a.double() @ b.double(), gemm_bound(a, b, torch.float32))


@tt.jit
def histogram(X, Counts):
    N, B = T.const("N B")
    X: T.Tensor((N,), "int32")
    Counts: T.Tensor((B,), "int32")
    with T.Kernel(T.ceildiv(N, 64), threads=64) as bx:
        for i in T.Parallel(64):
            if bx * 64 + i < N:
                T.atomic_add(Counts[X[bx * 64 + i]], 1)


def test_atomic_add_of_elements():
    x, counts = torch.randint(0, 10, (300,), dtype=torch.int32), torch.zeros(10, dtype=torch.int32)
    histogram(x, counts)
    assert torch.equal(counts.long(), torch.bincount(x.long(), minlength=10))


@tt.jit(out_idx=[-1])
def thread_sums(rows, columns, threads):
    """Written for threads: each adds up a stripe, thread 0 finishes."""

    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float32"), Y: T.Tensor((rows,), "float32")):
        with T.Kernel(rows, threads=threads) as bx:
            thread = T.get_thread_binding(0)
            partial = T.alloc_shared((threads,), "float32")
            own = T.alloc_local((1,), "float32")
            own[0] = 0.0
            for k in T.serial(columns // threads):
                own[0] += X[bx, k * threads + thread]
            partial[thread] = own[0]
            T.sync_threads()
            if thread == 0:
                for k in T.serial(1, threads):
                    own[0] += partial[k]
                Y[bx] = own[0]

    return main


def test_threads_sum_what_other_threads_wrote():
    x = torch.randn(8, 128)
    exact = x.double().sum(1)
    assert_within(thread_sums(8, 128, 32)(x), exact, 128 * 2.0**-24 * x.double().abs().sum(1))


@tt.jit(out_idx=[-1])
def persistent_copy(M, N, block, cores):
    @T.prim_func
    def main(X: T.Tensor((M, N), "bfloat16"), Y: T.Tensor((M, N), "bfloat16")):
        with T.Kernel(cores, threads=128) as core:
            tile = T.alloc_shared((block, block), "bfloat16")
            for bx, by in T.Persistent([T.ceildiv(M, block), T.ceildiv(N, block)], cores, core):
                T.copy(X[bx * block, by * block], tile)
                T.copy(tile, Y[bx * block, by * block])

    return main


def test_persistent_blocks():
    x = torch.randn(160, 130).bfloat16()
    assert torch.equal(persistent_copy(160, 130, 32, 7)(x), x)


@pytest.mark.parametrize("dtype", ["int8"])
def test_integer_gemm(dtype):
    @tt.jit(out_idx=[-1])
    def integer_matmul(M, N, K, block):
        @T.prim_func
        def main(A: T.Tensor((M, K), dtype), B: T.Tensor((K, N), dtype), C: T.Tensor((M, N), "int32")):
            with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block), threads=128) as (bx, by):
                A_shared = T.alloc_shared((block, block), dtype)
                B_shared = T.alloc_shared((block, block), dtype)
                C_local = T.alloc_fragment((block, block), "int32")
                T.clear(C_local)
                for k in T.Pipelined(T.ceildiv(K, block), num_stages=2):
                    T.copy(A[by * block, k * block], A_shared)
                    T.copy(B[k * block, bx * block], B_shared)
                    T.gemm(A_shared, B_shared, C_local)
                T.copy(C_local, C[by * block, bx * block])

        return main

    a, b = (torch.randint(-128, 128, (64, 64), dtype=torch.int8) for _ in range(2))
    result = integer_matmul(64, 64, 64, 32)(a, b)
    assert torch.equal(result.long(), a.long() @ b.long())
