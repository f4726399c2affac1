"""ttnn tensors as arguments: used in place, returned as ttnn tensors, chained without a round trip.

Runs where ttnn and a chip or simulator are: `make test-device` runs it with the Python that has ttnn.
"""

from __future__ import annotations

import pytest
import tilelang.language as T
import torch

import tt_jit
from tt_jit.errors import ArgumentError
from tt_jit.runtime import ttnn_environment

pytestmark = pytest.mark.device
if not ttnn_environment.is_available():
    pytest.skip("needs ttnn and a chip or simulator in this Python", allow_module_level=True)

import ttnn  # noqa: E402  (only after the module was not skipped)


# fmt: off
@tt_jit.jit(out_idx=[-1], device="ttnn")
def scale(M, N, factor):
    @T.prim_func
    def main(A: T.Tensor((M, N), "bfloat16"), B: T.Tensor((M, N), "bfloat16")):
        with T.Kernel(T.ceildiv(M, 32), threads=128) as bx:
            tile = T.alloc_fragment((32, N), "bfloat16")
            T.copy(A[bx * 32, 0], tile)
            for i, j in T.Parallel(32, N):
                tile[i, j] = tile[i, j] * factor
            T.copy(tile, B[bx * 32, 0])
    return main


@tt_jit.jit(device="ttnn")
def double_in_place(M, N):
    @T.prim_func
    def main(A: T.Tensor((M, N), "bfloat16")):
        with T.Kernel(T.ceildiv(M, 32), threads=128) as bx:
            tile = T.alloc_fragment((32, N), "bfloat16")
            T.copy(A[bx * 32, 0], tile)
            for i, j in T.Parallel(32, N):
                tile[i, j] = tile[i, j] * 2.0
            T.copy(tile, A[bx * 32, 0])
    return main


@tt_jit.jit(out_idx=[-1], device="ttnn")
def copy_rows(N):
    m = T.dynamic("m")

    @T.prim_func
    def main(A: T.Tensor((m, N), "bfloat16"), B: T.Tensor((m, N), "bfloat16")):
        with T.Kernel(T.ceildiv(m, 32), threads=128) as bx:
            tile = T.alloc_shared((32, N), "bfloat16")
            T.copy(A[bx * 32, 0], tile)
            T.copy(tile, B[bx * 32, 0])
    return main


@tt_jit.jit(out_idx=[-1], device="ttnn")
def matmul(M, N, K):
    @T.prim_func
    def main(A: T.Tensor((M, K), "bfloat16"), B: T.Tensor((K, N), "bfloat16"), C: T.Tensor((M, N), "float32")):
        with T.Kernel(T.ceildiv(N, 32), T.ceildiv(M, 32), threads=128) as (bx, by):
            A_shared, B_shared = T.alloc_shared((32, 32), "bfloat16"), T.alloc_shared((32, 32), "bfloat16")
            C_local = T.alloc_fragment((32, 32), "float32")
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, 32), num_stages=2):
                T.copy(A[by * 32, k * 32], A_shared)
                T.copy(B[k * 32, bx * 32], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            T.copy(C_local, C[by * 32, bx * 32])
    return main


@tt_jit.jit(device="ttnn")
def lookup(N, D):
    @T.prim_func
    def main(Index: T.Tensor((N,), "int64"), X: T.Tensor((N, D), "float32"), Y: T.Tensor((N, D), "float32")):
        with T.Kernel(T.ceildiv(N, 32), threads=128) as bx:
            for i, j in T.Parallel(32, D):
                Y[bx * 32 + i, j] = X[Index[bx * 32 + i], j]
    return main


@tt_jit.jit(out_idx=[-1], device="ttnn")
def next_index(N):
    @T.prim_func
    def main(Index: T.Tensor((N, N), "int64"), Next: T.Tensor((N, N), "int64")):
        with T.Kernel(1, threads=128):
            for i, j in T.Parallel(N, N):
                Next[i, j] = Index[i, j] + 1
    return main


@tt_jit.jit(device="ttnn")
def scale_heads(B, S, H, D):
    """Reads (S, D) planes of (B, S, H, D) and a vector along D, writes such planes."""
    @T.prim_func
    def main(
        X: T.Tensor((B, S, H, D), "bfloat16"),
        V: T.Tensor((D,), "bfloat16"),
        Y: T.Tensor((B, S, H, D), "bfloat16"),
    ):
        with T.Kernel(T.ceildiv(S, 32), H, B, threads=128) as (bx, by, bz):
            tile, row = T.alloc_fragment((32, D), "bfloat16"), T.alloc_fragment((D,), "bfloat16")
            T.copy(X[bz, bx * 32 : bx * 32 + 32, by, 0:D], tile)
            T.copy(V, row)
            for i, j in T.Parallel(32, D):
                tile[i, j] = tile[i, j] * row[j]
            T.copy(tile, Y[bz, bx * 32 : bx * 32 + 32, by, 0:D])
    return main
# fmt: on


def on_chip(value: torch.Tensor, dtype: object = None, layout: object = None) -> object:
    handle = tt_jit.device("ttnn").handle  # type: ignore[attr-defined]
    layout = layout or ttnn.TILE_LAYOUT
    return ttnn.from_torch(value, dtype=dtype or ttnn.bfloat16, layout=layout, device=handle)


def test_chain_stays_on_the_chip() -> None:
    value = torch.randn(64, 96).bfloat16()
    doubled, halved = scale(64, 96, 2.0), scale(64, 96, 0.25)
    first = doubled(on_chip(value))
    assert isinstance(first, ttnn.Tensor)
    second = halved(first)
    assert isinstance(second, ttnn.Tensor)
    assert torch.equal(ttnn.to_torch(second), value * 0.5)
    assert torch.equal(ttnn.to_torch(first), value * 2)


def test_same_kernel_with_torch_and_ttnn_tensors() -> None:
    value = torch.randn(64, 96).bfloat16()
    doubled = scale(64, 96, 2.0)
    assert torch.equal(doubled(value), value * 2)
    assert torch.equal(ttnn.to_torch(doubled(on_chip(value))), value * 2)
    assert torch.equal(doubled(value + 1), (value + 1) * 2)


def test_wrong_layout_and_dtype_say_what_is_needed() -> None:
    value = torch.randn(64, 96).bfloat16()
    doubled = scale(64, 96, 2.0)
    with pytest.raises(ArgumentError, match="TILE_LAYOUT"):
        doubled(on_chip(value, layout=ttnn.ROW_MAJOR_LAYOUT))
    with pytest.raises(ArgumentError, match="bfloat16"):
        doubled(on_chip(value.float(), dtype=ttnn.float32))


def test_outputs_in_place() -> None:
    value = torch.randn(64, 96).bfloat16()
    tensor = on_chip(value)
    double_in_place(64, 96)(tensor)
    assert torch.equal(ttnn.to_torch(tensor), value * 2)
    strided = value.t().contiguous().t()
    double_in_place(64, 96)(strided)
    assert torch.equal(strided, value * 2)


def test_tensors_without_elements() -> None:
    copied = copy_rows(96)
    assert copied(torch.zeros(0, 96).bfloat16()).shape == (0, 96)
    assert tuple(copied(on_chip(torch.zeros(0, 96).bfloat16())).shape) == (0, 96)
    value = torch.randn(40, 96).bfloat16()
    assert torch.equal(copied(value), value)


def test_block_floats_are_used_in_place() -> None:
    a, b = torch.randn(64, 96).bfloat16(), torch.randn(96, 64).bfloat16()
    multiply = matmul(64, 64, 96)
    left = on_chip(a)
    for dtype in (ttnn.bfloat8_b, ttnn.bfloat4_b, ttnn.bfloat16):
        right = on_chip(b, dtype=dtype)
        held = ttnn.to_torch(right).double()
        result = ttnn.to_torch(multiply(left, right))
        # The matrix unit keeps 12 bits of each product, relative to the largest of eight.
        bound = 2.0**-11 * (a.double().abs() @ held.abs()) + 1e-6
        assert ((result.double() - a.double() @ held).abs() <= bound).all(), dtype


def test_an_order_of_the_kernels_own_is_refused_or_made_on_the_chip() -> None:
    x, v = torch.randn(2, 64, 3, 32).bfloat16(), torch.randn(32).bfloat16()
    kernel = scale_heads(2, 64, 3, 32)
    expected = torch.zeros_like(x)
    kernel(x, v, expected)
    given, result = on_chip(x), on_chip(torch.zeros_like(x))
    with pytest.raises(ArgumentError, match="convert_layouts"):
        kernel(given, on_chip(v), result)
    with tt_jit.config.scope(convert_layouts=True):
        kernel(given, on_chip(v), result)
        kernel(given, v, result)
    with pytest.raises(ArgumentError, match="convert_layouts"):
        kernel(given, on_chip(v), result)
    assert torch.equal(ttnn.to_torch(result), expected)
    assert torch.equal(ttnn.to_torch(given), x)


def test_rows_become_tiles_on_the_chip() -> None:
    value = torch.randn(64, 96).bfloat16()
    with tt_jit.config.scope(convert_layouts=True):
        result = scale(64, 96, 2.0)(on_chip(value, layout=ttnn.ROW_MAJOR_LAYOUT))
    assert torch.equal(ttnn.to_torch(result), value * 2)


def test_int64_tensors_are_int32_on_the_chip() -> None:
    index, x, y = torch.randperm(64), torch.randn(64, 32), torch.zeros(64, 32)
    kernel = lookup(64, 32)
    kernel(index, x, y)
    assert torch.equal(y, x[index])
    result = on_chip(torch.zeros(64, 32), dtype=ttnn.float32)
    given = on_chip(x, dtype=ttnn.float32, layout=ttnn.ROW_MAJOR_LAYOUT)
    kernel(on_chip(index.int(), dtype=ttnn.int32, layout=ttnn.ROW_MAJOR_LAYOUT), given, result)
    assert torch.equal(ttnn.to_torch(result), x[index])
    with pytest.raises(ArgumentError, match="ttnn tensor of int32"):
        kernel(on_chip(index.int(), dtype=ttnn.uint32, layout=ttnn.ROW_MAJOR_LAYOUT), given, result)


def test_values_that_the_host_has_to_check_stay_there() -> None:
    following, index = next_index(64), torch.randperm(4096).reshape(64, 64)
    assert torch.equal(following(index), index + 1)
    with pytest.raises(ArgumentError, match="whose values nobody can check"):
        following(on_chip(index.int(), dtype=ttnn.int32))
