"""Accesses that no tile layout serves: along different dims, inside a tile, at run-time offsets. Copies are exact."""

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tests.kernels.tolerance import assert_within, gemm_bound


@tt.jit(out_idx=[-1])
def shifted(rows, columns, block_rows, block_columns, row_shift, column_shift, dtype):
    """Y[i, j] = X[i + row_shift, j + column_shift], 0 outside of X."""

    @T.prim_func
    def main(X: T.Tensor((rows, columns), dtype), Y: T.Tensor((rows, columns), dtype)):
        with T.Kernel(T.ceildiv(columns, block_columns), T.ceildiv(rows, block_rows), threads=128) as (bx, by):
            tile = T.alloc_shared((block_rows, block_columns), dtype)
            T.copy(X[by * block_rows + row_shift, bx * block_columns + column_shift], tile)
            T.copy(tile, Y[by * block_rows, bx * block_columns])

    return main


def shift(x, rows, columns):
    result = torch.zeros_like(x)
    height, width = x.shape
    source = x[max(rows, 0) : height + min(rows, 0), max(columns, 0) : width + min(columns, 0)]
    result[max(-rows, 0) : height - max(rows, 0), max(-columns, 0) : width - max(columns, 0)] = source
    return result


@pytest.mark.parametrize(
    ("dtype", "size", "block", "offset"),
    [
        ("bfloat16", (70, 100), (32, 64), (3, 5)),
        ("float32", (70, 100), (32, 32), (0, 1)),
        ("float16", (40, 70), (32, 32), (-2, -3)),
        ("int32", (64, 64), (16, 48), (1, -7)),
        ("bool", (40, 90), (32, 32), (5, 9)),
        ("bfloat16", (64, 2048), (64, 1024), (-1, 33)),
    ],
)
def test_blocks_inside_a_tile(dtype, size, block, offset):
    x = (100 * torch.randn(size)).to(getattr(torch, dtype))
    assert torch.equal(shifted(*size, *block, *offset, dtype)(x), shift(x, *offset))


@tt.jit
def into_the_middle(X, Y, row: T.int32, column: T.int32, dtype: str = "bfloat16"):
    M, N, P, Q = T.const("M N P Q")
    X: T.Tensor((M, N), dtype)
    Y: T.Tensor((P, Q), dtype)
    with T.Kernel(T.ceildiv(N, 32), T.ceildiv(M, 32), threads=128) as (bx, by):
        tile = T.alloc_shared((32, 32), dtype)
        T.copy(X[by * 32, bx * 32], tile)
        T.copy(tile, Y[row + by * 32, column + bx * 32])


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("place", [(0, 0), (3, 7), (17, 40), (50, 90)])
def test_writes_at_a_run_time_place_leave_the_neighbours_alone(dtype, place):
    x = torch.randn(64, 96).to(getattr(torch, dtype))
    y = torch.randn(100, 150).to(getattr(torch, dtype))
    expected = y.clone()
    height, width = min(64, 100 - place[0]), min(96, 150 - place[1])
    expected[place[0] : place[0] + height, place[1] : place[1] + width] = x[:height, :width]
    into_the_middle(x, y, *place, dtype=dtype)
    assert torch.equal(y, expected)


@tt.jit(out_idx=[-1])
def rows_then_columns(size, dtype):
    """Reads a matrix along its rows, its columns, and as a block."""

    @T.prim_func
    def main(X: T.Tensor((3, size, size), dtype), Y: T.Tensor((3, size, size), dtype)):
        with T.Kernel(size // 32, 3, threads=128) as (bx, by):
            row = T.alloc_fragment((size,), dtype)
            column = T.alloc_fragment((size,), dtype)
            block = T.alloc_fragment((32, size), dtype)
            other = T.alloc_fragment((32, size), dtype)
            T.copy(X[by, 5, 0:size], row)
            T.copy(X[by, bx * 32 : bx * 32 + 32, 7], column[0:32])
            T.copy(X[by, bx * 32, 0], block)
            for i, j in T.Parallel(32, size):
                other[i, j] = T.max(T.max(block[i, j], row[j]), column[i])
            T.copy(other, Y[by, bx * 32, 0])

    return main


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_row_a_column_and_a_block_of_one_tensor(dtype):
    x = torch.randn(3, 64, 64).to(getattr(torch, dtype))
    expected = torch.maximum(torch.maximum(x, x[:, 5:6, :]), x[:, :, 7:8])
    assert torch.equal(rows_then_columns(64, dtype)(x), expected)


@tt.jit(out_idx=[-1])
def planes(batch, rows, columns, dtype):
    """A rank-3 tile whose planes are rows, then columns, of the tensor."""

    @T.prim_func
    def main(X: T.Tensor((batch, rows, columns), dtype), Y: T.Tensor((rows, batch, columns), dtype)):
        with T.Kernel(T.ceildiv(columns, 32), threads=128) as bx:
            tile = T.alloc_shared((batch, rows, 32), dtype)
            vector = T.alloc_shared((32,), dtype)
            T.copy(X[0, 0, bx * 32 + 1], tile)
            for b in T.serial(batch):
                T.copy(tile[b, 0:rows, 0:32], Y[0:rows, b, bx * 32 + 1 : bx * 32 + 33])
            T.copy(X[0, 0, bx * 32 + 1], vector)
            T.copy(vector, Y[0, 0, bx * 32 + 1])

    return main


def test_rank_three_tiles():
    x = torch.randn(3, 32, 64)
    assert torch.equal(planes(3, 32, 64, "float32")(x)[:, :, 1:], x.permute(1, 0, 2)[:, :, 1:])


@tt.jit
def variable_length(X, Offsets, Y, block: int = 32):
    """Sequences packed one behind the other, each processed in blocks from its own start."""
    L, D, B1 = T.const("L D B1")
    X: T.Tensor((L, D), "bfloat16")
    Offsets: T.Tensor((B1,), "int32")
    Y: T.Tensor((L, D), "bfloat16")
    with T.Kernel(B1 - 1, threads=128) as b:
        tile = T.alloc_shared((block, D), "bfloat16")
        start = Offsets[b]
        for k in T.serial(T.ceildiv(Offsets[b + 1] - start, block)):
            T.copy(X[start + k * block, 0], tile)
            for i, j in T.Parallel(block, D):
                tile[i, j] = tile[i, j] * 2
            for i, j in T.Parallel(block, D):
                if start + k * block + i < Offsets[b + 1]:
                    Y[start + k * block + i, j] = tile[i, j]


def test_packed_sequences():
    x, offsets = torch.randn(150, 64).bfloat16(), torch.tensor([0, 13, 13, 90, 150], dtype=torch.int32)
    y = torch.zeros(150, 64).bfloat16()
    variable_length(x, offsets, y)
    assert torch.equal(y, 2 * x)


@tt.jit
def claimed_rows(X, Ends, Y, block: int = 32):
    """Blocks overlap; each writes only the rows up to its end (and only where its condition on values holds)."""
    M, N, G = T.const("M N G")
    X: T.Tensor((M, N), "float32")
    Ends: T.Tensor((G,), "int32")
    Y: T.Tensor((M, N), "float32")
    with T.Kernel(G - 1, threads=128) as g:
        tile = T.alloc_fragment((block, N), "float32")
        start = Ends[g]
        T.copy(X[start, 0], tile)
        for i, j in T.Parallel(block, N):
            if start + i < Ends[g + 1]:
                if j >= 5:
                    Y[start + i, j] = tile[i, j] + g


def test_conditions_that_cut_a_block_short():
    x, y = torch.randn(100, 40), torch.randn(100, 40)
    ends = torch.tensor([0, 3, 20, 21, 50, 77], dtype=torch.int32)
    expected = y.clone()
    for g, (start, end) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)):
        expected[start : min(end, start + 32), 5:] = x[start : min(end, start + 32), 5:] + g
    claimed_rows(x, ends, y)
    assert torch.equal(y, expected)


@tt.jit
def rows_of_a_length_known_at_run_time(X, Y):
    M, N = T.dynamic("M, N")
    X: T.Tensor((M, N), "bfloat16")
    Y: T.Tensor((M, N), "bfloat16")
    with T.Kernel(T.ceildiv(N, 32), T.ceildiv(M, 32), threads=128) as (bx, by):
        tile = T.alloc_shared((32, 32), "bfloat16")
        T.copy(X[by * 32 + 1, bx * 32 + 1], tile)
        T.copy(tile, Y[by * 32 + 1, bx * 32 + 1])


@pytest.mark.parametrize("size", [(40, 70), (33, 100)])
def test_rows_whose_length_is_a_symbol(size):
    x, y = torch.randn(size).bfloat16(), torch.zeros(size).bfloat16()
    rows_of_a_length_known_at_run_time(x, y)
    assert torch.equal(y[1:, 1:], x[1:, 1:])
    assert not y[0].any() and not y[:, 0].any()


@tt.jit
def grouped_product(A, B, sizes, offsets, padded, C):
    M, K, G, N = T.const("M K G N")
    A: T.Tensor((M, K), "bfloat16")
    B: T.Tensor((G, K, N), "bfloat16")
    sizes: T.Tensor((G,), "int32")
    offsets: T.Tensor((G,), "int32")
    padded: T.Tensor((G,), "int32")
    C: T.Tensor((M, N), "float32")
    with T.Kernel(3, N // 64, threads=128) as (bx, by):
        a = T.alloc_shared((64, 64), "bfloat16")
        b = T.alloc_shared((64, 64), "bfloat16")
        c = T.alloc_fragment((64, 64), "float32")
        cur = T.alloc_var("int32")
        size = T.alloc_var("int32")
        start = bx * 64
        cur = 0
        for i in range(G):
            inside = start >= padded[i]
            cur = T.if_then_else(inside, i, cur)
        size = sizes[cur]
        m_start = start - padded[cur] + offsets[cur]
        rows = T.max(0, T.min(64, size + padded[cur] - start))
        T.clear(c)
        for k in T.Pipelined(K // 64, num_stages=2):
            T.copy(A[m_start, k * 64], a)
            T.copy(B[cur, k * 64, by * 64], b)
            T.gemm(a, b, c)
        for i, j in T.Parallel(64, 64):
            if i < rows:
                C[m_start + i, by * 64 + j] = c[i, j]


def test_groups_of_rows_each_with_its_own_matrix():
    sizes, offsets, padded = (torch.tensor(values, dtype=torch.int32) for values in ([100, 40], [0, 100], [0, 128]))
    a, b = torch.randn(140, 256).bfloat16(), torch.randn(2, 256, 128).bfloat16()
    c = torch.zeros(140, 128)
    grouped_product(a, b, sizes, offsets, padded, c)
    for part, matrix in ((slice(0, 100), b[0]), (slice(100, 140), b[1])):
        assert_within(c[part], a[part].double() @ matrix.double(), gemm_bound(a[part], matrix, torch.float32))


@tt.jit(out_idx=[1])
def successors():
    n = T.dynamic("n")

    @T.prim_func
    def main(A: T.Tensor((n,), "int32"), B: T.Tensor((n,), "int32")):
        with T.Kernel(1):
            for i in T.serial(n):
                B[i] = A[i] + 1

    return main


@pytest.mark.parametrize("size", [5, 0])
def test_single_elements_of_a_tensor_that_may_be_empty(size):
    x = torch.arange(size, dtype=torch.int32)
    assert torch.equal(successors()(x), x + 1)
