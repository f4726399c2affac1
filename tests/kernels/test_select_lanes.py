"""Elements read at other places of their row or column: exact for 8-bit integers, whatever the function."""

import pytest
import tilelang.language as T
import torch

import tt_jit as tt


@tt.jit(out_idx=[1])
def unpacked(rows, columns):
    """4-bit numbers, two to a byte, the low one first."""

    @T.prim_func
    def main(X: T.Tensor((rows, columns // 2), "uint8"), Y: T.Tensor((rows, columns), "int8")):
        with T.Kernel(T.ceildiv(rows, 32), T.ceildiv(columns, 64)) as (bx, by):
            x = T.alloc_shared((32, 32), "uint8")
            y = T.alloc_fragment((32, 64), "int8")
            T.copy(X[bx * 32, by * 32], x)
            for i, j in T.Parallel(32, 64):
                nibble = (x[i, j // 2] >> T.cast(j % 2 * 4, "uint8")) & T.uint8(15)
                y[i, j] = T.reinterpret(nibble << T.uint8(4), "int8") >> T.int8(4)
            T.copy(y, Y[bx * 32, by * 64])

    return main


@pytest.mark.parametrize(("rows", "columns"), [(64, 128), (50, 100)])
def test_unpacking_four_bit_numbers(rows, columns):
    values = torch.randint(-8, 8, (rows, columns), generator=torch.Generator().manual_seed(0), dtype=torch.int8)
    packed = (values[:, ::2] & 15 | values[:, 1::2] << 4).view(torch.uint8)
    assert torch.equal(unpacked(rows, columns)(packed), values)


@tt.jit(out_idx=[1])
def moved(place, by_row, dtype):
    @T.prim_func
    def main(X: T.Tensor((96, 48), dtype), Y: T.Tensor((96, 48), dtype)):
        with T.Kernel(1):
            x = T.alloc_shared((96, 48), dtype)
            y = T.alloc_fragment((96, 48), dtype)
            T.copy(X, x)
            for _ in T.serial(2):
                for i, j in T.Parallel(96, 48):
                    if by_row:
                        y[i, j] = x[place(i), j]
                    else:
                        y[i, j] = x[i, place(j)]
            T.copy(y, Y)

    return main


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("by_row", [True, False])
@pytest.mark.parametrize("place", [lambda k: 47 - k % 48, lambda k: k // 3, lambda k: (k * 5 + 7) % 48])
def test_rows_and_columns_in_another_order(place, by_row, dtype):
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (96, 48), generator=generator, dtype=torch.uint8).view(getattr(torch, dtype))
    places = place(torch.arange(96 if by_row else 48))
    expected = x[places] if by_row else x[:, places]
    assert torch.equal(moved(place, by_row, dtype)(x), expected)
