"""GEMM in every dtype, layout and blocking that issue-sized kernels use, against float64 torch."""

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tests.kernels.tolerance import assert_within, elementwise_bound, gemm_bound

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


@tt.jit(out_idx=[-1])
def matmul(
    M,
    N,
    K,
    block_M,
    block_N,
    block_K,
    dtype="bfloat16",
    out_dtype=None,
    num_stages=2,
    transpose_A=False,
    transpose_B=False,
):
    a_shape = (K, M) if transpose_A else (M, K)
    b_shape = (N, K) if transpose_B else (K, N)
    a_block = (block_K, block_M) if transpose_A else (block_M, block_K)
    b_block = (block_N, block_K) if transpose_B else (block_K, block_N)

    @T.prim_func
    def main(A: T.Tensor(a_shape, dtype), B: T.Tensor(b_shape, dtype), C: T.Tensor((M, N), out_dtype or dtype)):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=128) as (bx, by):
            A_shared = T.alloc_shared(a_block, dtype)
            B_shared = T.alloc_shared(b_block, dtype)
            C_local = T.alloc_fragment((block_M, block_N), "float32")
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                if transpose_A:
                    T.copy(A[k * block_K, by * block_M], A_shared)
                else:
                    T.copy(A[by * block_M, k * block_K], A_shared)
                if transpose_B:
                    T.copy(B[bx * block_N, k * block_K], B_shared)
                else:
                    T.copy(B[k * block_K, bx * block_N], B_shared)
                T.gemm(A_shared, B_shared, C_local, transpose_A=transpose_A, transpose_B=transpose_B)
            T.copy(C_local, C[by * block_M, bx * block_N])

    return main


def check_matmul(M, N, K, *blocks, dtype="bfloat16", out_dtype=None, transpose_A=False, transpose_B=False, **options):
    kernel = matmul(
        M, N, K, *blocks, dtype=dtype, out_dtype=out_dtype, transpose_A=transpose_A, transpose_B=transpose_B, **options
    )
    a = torch.randn((K, M) if transpose_A else (M, K)).to(DTYPES[dtype])
    b = torch.randn((N, K) if transpose_B else (K, N)).to(DTYPES[dtype])
    result = kernel(a, b)
    left, right = a.T if transpose_A else a, b.T if transpose_B else b
    assert result.dtype == DTYPES[out_dtype or dtype]
    assert_within(result, left.double() @ right.double(), gemm_bound(left, right, result.dtype))


@pytest.mark.parametrize("dtype", list(DTYPES))
def test_square(dtype):
    check_matmul(256, 256, 256, 64, 64, 64, dtype=dtype)


def test_tfloat32():
    """A float32 of which the matrix unit reads 10 bits after the point, as it does of any."""
    a, b = torch.randn(128, 96), torch.randn(96, 64)
    result = matmul(128, 64, 96, 64, 64, 32, dtype=T.tfloat32, out_dtype="float32")(a, b)
    assert result.dtype == torch.float32
    assert_within(result, a.double() @ b.double(), gemm_bound(a, b, torch.float32))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_float32_output(dtype):
    check_matmul(128, 128, 512, 64, 64, 64, dtype=dtype, out_dtype="float32")


@pytest.mark.parametrize(("transpose_A", "transpose_B"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_transposed_operands(dtype, transpose_A, transpose_B):
    check_matmul(96, 160, 128, 32, 32, 64, dtype=dtype, transpose_A=transpose_A, transpose_B=transpose_B)


@pytest.mark.parametrize("blocks", [(32, 32, 32), (128, 128, 32), (256, 128, 64), (64, 256, 128), (32, 256, 32)])
def test_block_sizes(blocks):
    check_matmul(256, 256, 256, *blocks)


@pytest.mark.parametrize("num_stages", [0, 1, 3, 4])
def test_pipeline_depths(num_stages):
    check_matmul(64, 64, 512, 64, 64, 64, num_stages=num_stages)


@pytest.mark.parametrize(
    ("M", "N", "K", "blocks"),
    [
        (100, 70, 50, (64, 64, 32)),  # no size divides its block or a tile
        (1, 64, 64, (32, 32, 32)),
        (33, 65, 97, (32, 64, 32)),
        (200, 200, 200, (128, 128, 64)),
        (17, 31, 5, (32, 32, 32)),  # everything smaller than one tile
    ],
)
def test_ragged_sizes(M, N, K, blocks):
    check_matmul(M, N, K, *blocks)


def test_ragged_float32_with_transposes():
    check_matmul(70, 90, 110, 32, 64, 32, dtype="float32", transpose_A=True, transpose_B=True)


def test_more_blocks_than_cores():
    check_matmul(512, 640, 64, 32, 32, 32)


def test_one_block():
    check_matmul(64, 64, 64, 64, 64, 64)


def test_many_k_steps_accumulate_in_float32():
    """With bf16 accumulation, 4096 equal terms would stop growing at 256."""
    kernel = matmul(32, 32, 4096, 32, 32, 256, out_dtype="float32")
    result = kernel(torch.ones(32, 4096).bfloat16(), torch.ones(4096, 32).bfloat16())
    assert torch.equal(result, torch.full((32, 32), 4096.0))


def test_slice_of_a_large_layer():
    """A slice of 4096 x 11008 (Llama 7B): 128 rows, the whole depth, 512 columns."""
    check_matmul(128, 512, 4096, 128, 128, 64, num_stages=3)


@tt.jit(out_idx=[-1])
def batched_matmul(batch, M, N, K, block, dtype="bfloat16"):
    @T.prim_func
    def main(A: T.Tensor((batch, M, K), dtype), B: T.Tensor((batch, K, N), dtype), C: T.Tensor((batch, M, N), dtype)):
        with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block), batch, threads=128) as (bx, by, bz):
            A_shared = T.alloc_shared((block, block), dtype)
            B_shared = T.alloc_shared((block, block), dtype)
            C_local = T.alloc_fragment((block, block), "float32")
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block), num_stages=2):
                T.copy(A[bz, by * block, k * block], A_shared)
                T.copy(B[bz, k * block, bx * block], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            T.copy(C_local, C[bz, by * block, bx * block])

    return main


@pytest.mark.parametrize("sizes", [(3, 64, 64, 64), (2, 70, 40, 50)])
def test_batched(sizes):
    batch, M, N, K = sizes
    a, b = torch.randn(batch, M, K).bfloat16(), torch.randn(batch, K, N).bfloat16()
    result = batched_matmul(batch, M, N, K, 32)(a, b)
    assert_within(result, a.double() @ b.double(), gemm_bound(a, b, torch.bfloat16))


@tt.jit(out_idx=[-1])
def fragment_operand(M, N, K, block, dtype="bfloat16"):
    """C = (2 A) B: A passes through a fragment, as the probabilities do in attention."""

    @T.prim_func
    def main(A: T.Tensor((M, K), dtype), B: T.Tensor((K, N), dtype), C: T.Tensor((M, N), "float32")):
        with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block), threads=128) as (bx, by):
            A_local = T.alloc_fragment((block, block), dtype)
            B_shared = T.alloc_shared((block, block), dtype)
            C_local = T.alloc_fragment((block, block), "float32")
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block), num_stages=2):
                T.copy(A[by * block, k * block], A_local)
                for i, j in T.Parallel(block, block):
                    A_local[i, j] = A_local[i, j] * 2.0
                T.copy(B[k * block, bx * block], B_shared)
                T.gemm(A_local, B_shared, C_local)
            T.copy(C_local, C[by * block, bx * block])

    return main


def test_fragment_as_operand():
    a, b = torch.randn(128, 128).bfloat16(), torch.randn(128, 128).bfloat16()
    result = fragment_operand(128, 128, 128, 64)(a, b)
    assert_within(result, 2 * (a.double() @ b.double()), gemm_bound(2 * a, b, torch.float32))


@tt.jit(out_idx=[-1])
def two_products(M, K1, K2, N, dtype="bfloat16"):
    """D = (A B) C with the intermediate kept on the chip."""

    @T.prim_func
    def main(
        A: T.Tensor((M, K1), dtype),
        B: T.Tensor((K1, K2), dtype),
        C: T.Tensor((K2, N), dtype),
        D: T.Tensor((M, N), dtype),
    ):
        with T.Kernel(T.ceildiv(M, 64), threads=128) as by:
            A_shared = T.alloc_shared((64, K1), dtype)
            B_shared = T.alloc_shared((K1, K2), dtype)
            C_shared = T.alloc_shared((K2, N), dtype)
            middle = T.alloc_fragment((64, K2), "float32")
            middle_cast = T.alloc_fragment((64, K2), dtype)
            result = T.alloc_fragment((64, N), "float32")
            T.copy(A[by * 64, 0], A_shared)
            T.copy(B, B_shared)
            T.copy(C, C_shared)
            T.clear(middle)
            T.gemm(A_shared, B_shared, middle)
            T.copy(middle, middle_cast)
            T.clear(result)
            T.gemm(middle_cast, C_shared, result)
            T.copy(result, D[by * 64, 0])

    return main


def test_chained_products():
    a, b, c = torch.randn(128, 64).bfloat16(), torch.randn(64, 96).bfloat16(), torch.randn(96, 64).bfloat16()
    result = two_products(128, 64, 96, 64)(a, b, c)
    middle = a.double() @ b.double()
    bound = (
        gemm_bound(middle, c.double(), torch.bfloat16, through=torch.bfloat16)
        + gemm_bound(a, b, torch.float32) @ c.double().abs()
    )
    assert_within(result, middle @ c.double(), bound)


ACTIVATIONS = {
    "none": lambda x: x,
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
    "silu": torch.nn.functional.silu,
}


@tt.jit(out_idx=[-1])
def matmul_with_epilogue(M, N, K, block, activation, dtype="bfloat16"):
    @T.prim_func
    def main(
        A: T.Tensor((M, K), dtype), B: T.Tensor((K, N), dtype), Bias: T.Tensor((N,), dtype), C: T.Tensor((M, N), dtype)
    ):
        with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block), threads=128) as (bx, by):
            A_shared = T.alloc_shared((block, block), dtype)
            B_shared = T.alloc_shared((block, block), dtype)
            bias = T.alloc_fragment((block,), dtype)
            C_local = T.alloc_fragment((block, block), "float32")
            T.copy(Bias[bx * block], bias)
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block), num_stages=2):
                T.copy(A[by * block, k * block], A_shared)
                T.copy(B[k * block, bx * block], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            for i, j in T.Parallel(block, block):
                C_local[i, j] += bias[j]
            if activation == "relu":
                for i, j in T.Parallel(block, block):
                    C_local[i, j] = T.max(C_local[i, j], 0.0)
            if activation == "gelu":
                for i, j in T.Parallel(block, block):
                    C_local[i, j] = C_local[i, j] * 0.5 * (1.0 + T.erf(C_local[i, j] * 0.7071067811865476))
            if activation == "silu":
                for i, j in T.Parallel(block, block):
                    C_local[i, j] = C_local[i, j] * T.sigmoid(C_local[i, j])
            T.copy(C_local, C[by * block, bx * block])

    return main


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_fused_epilogues(activation):
    M, N, K = 100, 128, 96
    a, b, bias = torch.randn(M, K).bfloat16(), torch.randn(K, N).bfloat16(), torch.randn(N).bfloat16()
    result = matmul_with_epilogue(M, N, K, 64, activation)(a, b, bias)
    linear = a.double() @ b.double() + bias.double()
    exact = ACTIVATIONS[activation](linear)
    # No activation here stretches an error by more than 1.13 (GELU's largest slope).
    bound = 1.13 * gemm_bound(a, b, torch.float32) + elementwise_bound(
        exact, torch.bfloat16, operations=3, functions=2, magnitude=linear
    )
    assert_within(result, exact, bound)


def test_eager_style_and_in_place_accumulation():
    @tt.jit
    def accumulate(A, B, C, block: int = 32):
        M, N, K = T.const("M N K")
        A: T.Tensor((M, K), "bfloat16")
        B: T.Tensor((K, N), "bfloat16")
        C: T.Tensor((M, N), "float32")
        with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block), threads=128) as (bx, by):
            A_shared = T.alloc_shared((block, block), "bfloat16")
            B_shared = T.alloc_shared((block, block), "bfloat16")
            C_local = T.alloc_fragment((block, block), "float32")
            T.copy(C[by * block, bx * block], C_local)
            for k in T.Pipelined(T.ceildiv(K, block), num_stages=2):
                T.copy(A[by * block, k * block], A_shared)
                T.copy(B[k * block, bx * block], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            T.copy(C_local, C[by * block, bx * block])

    a, b, c = torch.randn(64, 96).bfloat16(), torch.randn(96, 64).bfloat16(), torch.randn(64, 64)
    exact = c.double() + a.double() @ b.double()
    bound = gemm_bound(a, b, torch.float32) + 4 * 2.0**-11 * c.double().abs()
    assert accumulate(a, b, c) is None
    assert_within(c, exact, bound)


def test_dynamic_sizes_use_one_kernel():
    M, N, K = T.dynamic("m"), T.dynamic("n"), T.dynamic("k")
    kernel = matmul(M, N, K, 64, 64, 32)
    for m, n, k in [(64, 64, 64), (100, 30, 70), (256, 128, 32), (1, 1, 1)]:
        a, b = torch.randn(m, k).bfloat16(), torch.randn(k, n).bfloat16()
        assert_within(kernel(a, b), a.double() @ b.double(), gemm_bound(a, b, torch.bfloat16))
