"""Copies between all scopes, transposes and permutations: nothing is computed, so results are exact up to casts."""

import pytest
import tilelang.language as T
import torch

import tt_jit as tt


@tt.jit(out_idx=[-1])
def through_scopes(rows, columns, block_rows, block_columns, dtype, middle, target):
    """global -> shared -> fragment (cast) -> shared (cast) -> global."""

    @T.prim_func
    def main(X: T.Tensor((rows, columns), dtype), Y: T.Tensor((rows, columns), target)):
        with T.Kernel(T.ceildiv(columns, block_columns), T.ceildiv(rows, block_rows), threads=128) as (bx, by):
            first = T.alloc_shared((block_rows, block_columns), dtype)
            second = T.alloc_fragment((block_rows, block_columns), middle)
            third = T.alloc_shared((block_rows, block_columns), target)
            T.copy(X[by * block_rows, bx * block_columns], first)
            T.copy(first, second)
            T.copy(second, third)
            T.copy(third, Y[by * block_rows, bx * block_columns])

    return main


@pytest.mark.parametrize(
    ("dtype", "middle", "target"),
    [
        ("bfloat16", "bfloat16", "bfloat16"),
        ("float32", "float32", "float32"),
        ("float16", "float32", "float16"),
        ("float32", "bfloat16", "float32"),
        ("bfloat16", "float32", "float16"),
        ("int32", "int32", "int32"),
        ("float16", "float32", "bfloat16"),
    ],
)
def test_casts_on_the_way(dtype, middle, target):
    x = (100 * torch.randn(70, 100)).to(getattr(torch, dtype))
    between = x.to(getattr(torch, middle))
    expected = between.to(getattr(torch, target))
    result = through_scopes(70, 100, 32, 64, dtype, middle, target)(x)
    assert result.dtype == expected.dtype
    # To nearest; of two equally near numbers the packer takes the larger, torch the even one.
    assert torch.equal((result.double() - between.double()).abs(), (expected.double() - between.double()).abs())


@pytest.mark.parametrize("blocks", [(32, 32), (64, 128), (256, 32), (128, 256)])
def test_block_sizes(blocks):
    x = torch.randn(256, 256).bfloat16()
    assert torch.equal(through_scopes(256, 256, *blocks, "bfloat16", "bfloat16", "bfloat16")(x), x)


@tt.jit(out_idx=[-1])
def transpose(rows, columns, block, dtype="bfloat16"):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), dtype), Y: T.Tensor((columns, rows), dtype)):
        with T.Kernel(T.ceildiv(columns, block), T.ceildiv(rows, block), threads=128) as (bx, by):
            x = T.alloc_shared((block, block), dtype)
            y = T.alloc_shared((block, block), dtype)
            T.copy(X[by * block, bx * block], x)
            T.transpose(x, y)
            T.copy(y, Y[bx * block, by * block])

    return main


@pytest.mark.parametrize(
    ("rows", "columns", "block", "dtype"), [(64, 128, 64, "bfloat16"), (70, 50, 32, "float32"), (64, 64, 32, "float16")]
)
def test_transpose(rows, columns, block, dtype):
    x = torch.randn(rows, columns).to(getattr(torch, dtype))
    assert torch.equal(transpose(rows, columns, block, dtype)(x), x.T)


@tt.jit(out_idx=[-1])
def transpose_by_elements(rows, columns, block):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float32"), Y: T.Tensor((columns, rows), "float32")):
        with T.Kernel(T.ceildiv(columns, block), T.ceildiv(rows, block), threads=128) as (bx, by):
            x = T.alloc_fragment((block, block), "float32")
            y = T.alloc_fragment((block, block), "float32")
            T.copy(X[by * block, bx * block], x)
            for i, j in T.Parallel(block, block):
                y[j, i] = x[i, j]
            T.copy(y, Y[bx * block, by * block])

    return main


def test_transpose_by_swapped_indices():
    x = torch.randn(70, 50)
    assert torch.equal(transpose_by_elements(70, 50, 32)(x), x.T)


@tt.jit(out_idx=[-1])
def heads_first(batch, length, heads, dim):
    """BSHD -> BHSD through a (length, dim) tile of each head."""

    @T.prim_func
    def main(
        X: T.Tensor((batch, length, heads, dim), "bfloat16"), Y: T.Tensor((batch, heads, length, dim), "bfloat16")
    ):
        with T.Kernel(T.ceildiv(length, 32), heads, batch, threads=128) as (bx, by, bz):
            tile = T.alloc_shared((32, dim), "bfloat16")
            T.copy(X[bz, bx * 32 : bx * 32 + 32, by, :], tile)
            T.copy(tile, Y[bz, by, bx * 32 : bx * 32 + 32, :])

    return main


def test_planes_of_a_higher_rank_tensor():
    x = torch.randn(2, 50, 3, 64).bfloat16()
    assert torch.equal(heads_first(2, 50, 3, 64)(x), x.permute(0, 2, 1, 3))


@tt.jit(out_idx=[-1])
def global_to_global(rows, columns):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float32"), Y: T.Tensor((rows, columns), "bfloat16")):
        with T.Kernel(T.ceildiv(rows, 32), threads=128) as by:
            T.copy(X[by * 32 : by * 32 + 32, :], Y[by * 32 : by * 32 + 32, :])

    return main


def test_global_to_global_with_cast():
    x = torch.randn(70, 100)
    assert torch.equal(global_to_global(70, 100)(x), x.bfloat16())


@tt.jit(out_idx=[-1])
def gathered_rows(rows, columns, picked):
    @T.prim_func
    def main(
        X: T.Tensor((rows, columns), "bfloat16"),
        Index: T.Tensor((picked,), "int32"),
        Y: T.Tensor((picked, columns), "bfloat16"),
    ):
        with T.Kernel(T.ceildiv(picked, 32), threads=128) as by:
            tile = T.alloc_shared((32, columns), "bfloat16")
            for i, j in T.Parallel(32, columns):
                if by * 32 + i < picked:
                    tile[i, j] = X[Index[by * 32 + i], j]
            T.copy(tile, Y[by * 32, 0])

    return main


def test_gather_of_rows():
    x, index = torch.randn(100, 64).bfloat16(), torch.randint(0, 100, (40,), dtype=torch.int32)
    assert torch.equal(gathered_rows(100, 64, 40)(x, index), x[index.long()])


@tt.jit(out_idx=[-1])
def paged(pages, page, columns, used):
    @T.prim_func
    def main(
        X: T.Tensor((pages, page, columns), "bfloat16"),
        Table: T.Tensor((used,), "int32"),
        Y: T.Tensor((used * page, columns), "bfloat16"),
    ):
        with T.Kernel(used, threads=128) as bx:
            tile = T.alloc_shared((page, columns), "bfloat16")
            T.copy(X[Table[bx], 0, 0], tile)
            T.copy(tile, Y[bx * page, 0])

    return main


def test_copy_at_an_index_read_from_memory():
    x, table = torch.randn(8, 32, 64).bfloat16(), torch.tensor([5, 0, 7, 3], dtype=torch.int32)
    assert torch.equal(paged(8, 32, 64, 4)(x, table), x[table.long()].reshape(-1, 64))


@tt.jit(out_idx=[-1])
def padded(rows, columns, block_rows, block_columns):
    """Tiles larger than the tensor: reads outside give 0, here made visible by a sum with one."""

    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float32"), Y: T.Tensor((block_rows, block_columns), "float32")):
        with T.Kernel(1, threads=128):
            tile = T.alloc_fragment((block_rows, block_columns), "float32")
            T.copy(X[0:block_rows, 0:block_columns], tile)
            for i, j in T.Parallel(block_rows, block_columns):
                tile[i, j] = tile[i, j] + 1.0
            T.copy(tile, Y)

    return main


def test_reads_outside_give_zero():
    x = torch.randn(40, 50)
    expected = torch.ones(64, 96)
    expected[:40, :50] += x
    assert torch.equal(padded(40, 50, 64, 96)(x), expected)
