"""Tensors in block floats (storage=): weights, activations and outputs, against torch on the values that pages hold.

What the host packs is known exactly (tests/emulator/block_floats.py), so a kernel that reads such tensors is held to
the usual bounds for these values. The packer rounds twice, to the format's significant bits and to the block's
exponent, and at the largest magnitude it saturates: with e the exponent of the largest element of 16 and s = 2^(e-6)
the spacing, an error of at most 1.5 s; a Bfp4_b element then loses its lower bits, less than 2^(e-2).
"""

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tests.emulator import block_floats
from tests.kernels.test_gemm import DTYPES, matmul
from tests.kernels.tolerance import assert_within, elementwise_bound, gemm_bound
from tt_jit.errors import ArgumentError, UnsupportedError

FORMATS = {"bfp8_b": "Bfp8_b", "bfp4_b": "Bfp4_b"}
PACKER_ERROR = {"bfp8_b": 1.5 * 2.0**-6, "bfp4_b": 1.5 * 2.0**-6 + 2.0**-2}


def stored(value: torch.Tensor, storage: str) -> torch.Tensor:
    """What the pages of `value` hold; rows are a multiple of 16 long, or end in padding."""
    padded = torch.nn.functional.pad(value.float(), (0, -value.shape[-1] % 16))
    return block_floats.rounded(padded, FORMATS[storage])[..., : value.shape[-1]]


def packer_bound(exact: torch.Tensor, storage: str) -> torch.Tensor:
    size = exact.shape[-1]
    padded = torch.nn.functional.pad(exact.double(), (0, -size % 16))
    largest = padded.abs().reshape(*padded.shape[:-1], -1, 16).amax(-1)
    exponents = torch.floor(torch.log2(largest.clamp(min=2.0**-120) * (1 + 2.0**-7)))
    return (PACKER_ERROR[storage] * 2.0**exponents).repeat_interleave(16, -1)[..., :size]


def with_storage(storage, **options):
    return tt.jit(matmul, storage=storage).compile(**options)


@pytest.mark.parametrize("transpose_B", [False, True])
@pytest.mark.parametrize("dtype", list(DTYPES))
@pytest.mark.parametrize("storage", list(FORMATS))
def test_weights(storage, dtype, transpose_B):
    kernel = with_storage({"B": storage}, M=96, N=128, K=160, block_M=32, block_N=64, block_K=32, dtype=dtype,
                          out_dtype="float32", transpose_B=transpose_B)  # fmt: skip
    assert kernel.storage == {"B": FORMATS[storage]}
    a, b = torch.randn(96, 160).to(DTYPES[dtype]), torch.randn((128, 160) if transpose_B else (160, 128))
    held = stored(b.to(DTYPES[dtype]), storage).bfloat16()
    right = held.T if transpose_B else held
    result = kernel(a, b.to(DTYPES[dtype]))
    assert_within(result, a.double() @ right.double(), gemm_bound(a, right, torch.float32))


def test_both_operands_and_ragged_sizes():
    kernel = with_storage({"A": "bfp8_b", "B": "bfp4_b"}, M=70, N=90, K=100, block_M=32, block_N=32, block_K=32,
                          out_dtype="float32")  # fmt: skip
    a, b = torch.randn(70, 100).bfloat16(), torch.randn(100, 90).bfloat16()
    left, right = stored(a, "bfp8_b").bfloat16(), stored(b, "bfp4_b").bfloat16()
    assert_within(kernel(a, b), left.double() @ right.double(), gemm_bound(left, right, torch.float32))


@pytest.mark.parametrize("storage", list(FORMATS))
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_output(dtype, storage):
    kernel = with_storage({"C": storage}, M=64, N=100, K=64, block_M=32, block_N=32, block_K=32, dtype=dtype)
    a, b = torch.randn(64, 64).to(DTYPES[dtype]), torch.randn(64, 100).to(DTYPES[dtype])
    exact = a.double() @ b.double()
    result = kernel(a, b)
    assert result.dtype == DTYPES[dtype]
    assert_within(result, exact, gemm_bound(a, b, result.dtype) * 2 + packer_bound(exact, storage))


@tt.jit(storage={"A": "bfp8_b", "C": "bfp8_b"})
def scaled_sum(M, N, dtype="bfloat16"):
    @T.prim_func
    def main(A: T.Tensor((M, N), dtype), B: T.Tensor((M, N), dtype), C: T.Tensor((M, N), dtype), S: T.Tensor((M,), "float32")):  # noqa: E501  # fmt: skip
        with T.Kernel(T.ceildiv(M, 32), threads=128) as bx:
            a, b = T.alloc_fragment((32, N), dtype), T.alloc_fragment((32, N), dtype)
            wide, sums = T.alloc_fragment((32, N), "float32"), T.alloc_fragment((32,), "float32")
            T.copy(A[bx * 32, 0], a)
            T.copy(B[bx * 32, 0], b)
            for i, j in T.Parallel(32, N):
                wide[i, j] = T.cast(a[i, j], "float32") * 2.0 + T.cast(b[i, j], "float32")
            T.reduce_sum(wide, sums, dim=1)
            T.copy(sums, S[bx * 32])
            T.copy(wide, C[bx * 32, 0])

    return main


def test_elementwise_work_and_sums_of_blocks():
    kernel = scaled_sum(64, 96)
    a, b = torch.randn(64, 96).bfloat16(), torch.randn(64, 96).bfloat16()
    c, sums = torch.zeros(64, 96).bfloat16(), torch.zeros(64)
    kernel(a, b, c, sums)
    exact = 2 * stored(a, "bfp8_b").double() + b.double()
    magnitude = 2 * a.abs().double() + b.abs().double()
    assert_within(
        c, exact, elementwise_bound(exact, torch.bfloat16, magnitude=magnitude) + packer_bound(exact, "bfp8_b")
    )
    assert_within(sums, exact.sum(1), 100 * 2.0**-23 * magnitude.sum(1))


def test_a_tensor_that_is_read_and_written():
    @tt.jit(storage={"A": "bfp8_b"})
    def double(M, N):
        @T.prim_func
        def main(A: T.Tensor((M, N), "float32")):
            with T.Kernel(T.ceildiv(M, 32), threads=128) as bx:
                tile = T.alloc_fragment((32, N), "float32")
                T.copy(A[bx * 32, 0], tile)
                for i, j in T.Parallel(32, N):
                    tile[i, j] = tile[i, j] * 2.0
                T.copy(tile, A[bx * 32, 0])

        return main

    value = torch.randn(64, 64)
    expected = 2 * stored(value, "bfp8_b")
    double(64, 64)(value)
    # Powers of two change the exponents only.
    assert torch.equal(value, expected)


def test_blocks_into_rows():
    @tt.jit(out_idx=[-1], storage={"A": "bfp8_b"})
    def shifted(M, N):
        @T.prim_func
        def main(A: T.Tensor((M, N), "bfloat16"), C: T.Tensor((M + 5, N), "bfloat16")):
            with T.Kernel(1, threads=128) as bx:
                tile = T.alloc_shared((M, N), "bfloat16")
                T.copy(A, tile)
                T.copy(tile, C[5, 0])
                T.copy(tile[0:5, 0:N], C[0, 0])

        return main

    value = torch.randn(32, 64).bfloat16()
    held = stored(value, "bfp8_b").bfloat16()
    assert torch.equal(shifted(32, 64)(value), torch.cat([held[:5], held]))


def test_single_elements_of_a_buffer_that_was_filled_from_blocks():
    @tt.jit(out_idx=[-1], storage={"A": "bfp8_b"})
    def sheared():
        @T.prim_func
        def main(A: T.Tensor((32, 32), "bfloat16"), C: T.Tensor((32, 32), "bfloat16")):
            with T.Kernel(1, threads=128) as _:
                tile, moved = T.alloc_shared((32, 32), "bfloat16"), T.alloc_shared((32, 32), "bfloat16")
                T.copy(A, tile)
                for i, j in T.Parallel(32, 32):
                    tile[i, j] = tile[i, j] * 2.0
                for i, j in T.Parallel(32, 32):
                    moved[i, j] = tile[(i * 7 + j) % 32, (i + j) // 2]
                T.copy(moved, C)

        return main

    value = torch.randn(32, 32).bfloat16()
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    expected = 2 * stored(value, "bfp8_b")[(rows * 7 + columns) % 32, (rows + columns) // 2]
    assert torch.equal(sheared()(value).float(), expected)


def test_storage_belongs_to_the_key_of_a_kernel():
    sizes = {"M": 32, "N": 32, "K": 32, "block_M": 32, "block_N": 32, "block_K": 32}
    plain, blocks = with_storage(None, **sizes), with_storage({"B": "bfp8_b"}, **sizes)
    assert plain.artifact_dir != blocks.artifact_dir
    assert plain.storage == {} and blocks.storage == {"B": "Bfp8_b"}
    assert tt.compile(plain.prim_func, storage={"B": "bfloat8_b"}).artifact_dir == blocks.artifact_dir


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ({"X": "bfp8_b"}, "storage= names 'X', which is no tensor parameter"),
        ({"B": "bfp9"}, "unknown format 'bfp9'"),
        (["B"], "storage= takes a dict"),
    ],
)
def test_refuses_names_and_formats_that_do_not_exist(storage, message):
    with pytest.raises(ArgumentError, match=message):
        with_storage(storage, M=32, N=32, K=32, block_M=32, block_N=32, block_K=32)


def test_refuses_integers():
    @tt.jit(storage={"A": "bfp8_b"})
    def kernel():
        @T.prim_func
        def main(A: T.Tensor((32, 32), "int32")):
            with T.Kernel(1) as _:
                tile = T.alloc_fragment((32, 32), "int32")
                T.clear(tile)
                T.copy(tile, A)

        return main

    with pytest.raises(ArgumentError, match="'A' cannot be kept in block floats"):
        kernel()


def test_refuses_tensors_of_rows():
    @tt.jit(storage={"A": "bfp8_b"})
    def kernel():
        @T.prim_func
        def main(A: T.Tensor((64, 32), "bfloat16"), B: T.Tensor((32, 32), "bfloat16")):
            with T.Kernel(1) as _:
                tile = T.alloc_shared((32, 32), "bfloat16")
                T.copy(A[7, 0], tile)
                T.copy(tile, B)

        return main

    with pytest.raises(UnsupportedError, match="A cannot be stored as Bfp8_b: it is accessed by rows") as raised:
        kernel()
    assert raised.value.hint == "leave A out of storage=, or pass a ttnn tensor of another dtype"
