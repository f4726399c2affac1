"""Tensors of 4-bit elements, two to a byte."""

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tt_jit.packed import pack, unpack

FLOATS = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])


@pytest.mark.parametrize("dtype", ["int4", "uint4", "float4_e2m1fn"])
def test_packing_keeps_every_code(dtype):
    packed = torch.arange(256, dtype=torch.uint8).reshape(2, 128)
    assert torch.equal(pack(unpack(packed, dtype), dtype), packed)


def test_what_the_codes_mean():
    packed = torch.tensor([[0x10, 0x98, 0xF7]], dtype=torch.uint8)
    assert unpack(packed, "uint4").tolist() == [[0, 1, 8, 9, 7, 15]]
    assert unpack(packed, "int4").tolist() == [[0, 1, -8, -7, 7, -1]]
    assert unpack(packed, "float4_e2m1fn").tolist() == [[0.0, 0.5, -0.0, -0.5, 6.0, -6.0]]


def test_floats_go_to_the_nearest_number_and_ties_to_the_even_code():
    x = torch.tensor([0.25, 0.26, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0, 5.1, 100.0, -2.5, -0.2])
    rounded = torch.tensor([0.0, 0.5, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0, 6.0, 6.0, -2.0, -0.0])
    assert torch.equal(unpack(pack(x, "float4_e2m1fn"), "float4_e2m1fn").float(), rounded)


@tt.jit(out_idx=[2])
def int4_matmul(M, N, K, dtype):
    @T.prim_func
    def main(A: T.Tensor((M, K), dtype), B: T.Tensor((N, K), dtype), C: T.Tensor((M, N), "int32")):
        with T.Kernel(T.ceildiv(N, 64), T.ceildiv(M, 64)) as (bx, by):
            a = T.alloc_shared((64, 32), dtype)
            b = T.alloc_shared((64, 32), dtype)
            c = T.alloc_fragment((64, 64), "int32")
            T.clear(c)
            for k in T.Pipelined(T.ceildiv(K, 32), num_stages=2):
                T.copy(A[by * 64, k * 32], a)
                T.copy(B[bx * 64, k * 32], b)
                T.gemm(a, b, c, transpose_B=True)
            T.copy(c, C[by * 64, bx * 64])

    return main


@pytest.mark.parametrize("dtype", ["int4", "uint4"])
@pytest.mark.parametrize("sizes", [(128, 64, 96), (70, 90, 50)])
def test_products_are_exact(dtype, sizes):
    M, N, K = sizes
    generator = torch.Generator().manual_seed(0)
    low = -8 if dtype == "int4" else 0
    a, b = (torch.randint(low, low + 16, shape, generator=generator) for shape in ((M, K), (N, K)))
    storage = torch.int8 if dtype == "int4" else torch.uint8
    stored = [pack(values.to(storage), dtype).view(storage) for values in (a, b)]
    assert torch.equal(int4_matmul(M, N, K, dtype)(*stored).long(), a @ b.T)


@tt.jit(out_idx=[1])
def quantised(rows, columns):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), "bfloat16"), Y: T.Tensor((rows, columns), "float4_e2m1fn")):
        with T.Kernel(T.ceildiv(rows, 32)) as bx:
            x = T.alloc_fragment((32, columns), "bfloat16")
            y = T.alloc_fragment((32, columns), "float4_e2m1fn")
            T.copy(X[bx * 32, 0], x)
            for i, j in T.Parallel(32, columns):
                y[i, j] = x[i, j] * 2.0
            T.copy(y, Y[bx * 32, 0])

    return main


def test_four_bit_floats_as_output():
    x = (torch.randn(50, 64, generator=torch.Generator().manual_seed(0)) * 2).bfloat16()
    y = quantised(50, 64)(x)
    assert y.shape == (50, 32)
    assert y.dtype == torch.float4_e2m1fn_x2
    found = unpack(y, "float4_e2m1fn").float()
    exact = (x.float() * 2).clamp(-6, 6)
    distance = (exact.abs()[..., None] - FLOATS).abs().amin(-1)
    assert torch.equal((found - exact).abs(), distance)


@tt.jit
def negated(rows, columns):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), "int4")):
        with T.Kernel(1):
            x = T.alloc_fragment((rows, columns), "int4")
            T.copy(X, x)
            for i, j in T.Parallel(rows, columns):
                x[i, j] = T.cast(0 - x[i, j], "int4")
            T.copy(x, X)

    return main


def test_a_packed_tensor_is_changed_in_place():
    """-(-8) is -8 again in four bits."""
    values = torch.randint(-8, 8, (32, 64), generator=torch.Generator().manual_seed(0), dtype=torch.int8)
    stored = pack(values, "int4").view(torch.int8)
    negated(32, 64)(stored)
    assert torch.equal(unpack(stored, "int4"), torch.where(values == -8, -8, -values).to(torch.int8))
