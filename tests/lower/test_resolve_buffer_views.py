"""resolve_buffer_views: names of one memory become one buffer, or buffers of their own."""

import tilelang.language as T
import tvm
from tvm import tirx as tir

from tt_jit.errors import UnsupportedError
from tt_jit.lower.reshaping import own_indices, reshaping

from .programs import after, assert_program, line_of, refusal

PASS = "resolve_buffer_views"


def test_common_factors_of_two_shapes() -> None:
    shapes = reshaping((64, 4, 32), (64, 128))
    assert shapes is not None
    assert [[factor.size for factor in group] for group in shapes.groups] == [[64], [4, 32]]
    kept = reshaping((64, 1, 32), (64, 32))
    assert kept is not None and [len(group) for group in kept.groups] == [1, 1]
    assert reshaping((6, 4), (4, 6)) is None


def test_an_index_of_a_view_finds_its_element() -> None:
    analyzer = tvm.arith.Analyzer()
    numbers = [tir.IntImm("int32", value) for value in (5, 3)]
    for view, own in (((8, 4), (32,)), ((8, 4), (2, 4, 4)), ((8, 4), (4, 8)), ((6, 4), (4, 6)), ((8, 4), (2, 16))):
        found = [int(index) for index in own_indices(numbers, view, own, analyzer)]
        position = 0
        for index, size in zip(found, own, strict=True):
            assert 0 <= index < size
            position = position * size + index
        assert position == 5 * 4 + 3, (view, own)


def test_a_split_dim() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 4), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((64, 128), "float32")
            w = T.alloc_fragment((4, 32), "float32")
            out = T.alloc_fragment((64, 4), "float32")
            r = T.reshape(s, (64, 4, 32))
            T.clear(s)
            for i, j, k in T.Parallel(64, 4, 32):
                r[i, j, k] = r[i, j, k] * w[j, k]
            T.reduce_sum(r, out, dim=-1)

    @T.prim_func
    def expected(C: T.Tensor((64, 4), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((64, 128), "float32")
            w = T.alloc_fragment((4, 32), "float32")
            out = T.alloc_fragment((64, 4), "float32")
            T.clear(s)
            for i, j, k in T.Parallel(64, 4, 32):
                s[i, j * 32 + k] = s[i, j * 32 + k] * w[j, k]
            for j in T.serial(4):
                T.reduce_sum(s[0:64, j * 32 : j * 32 + 32], out[0:64, j : j + 1], dim=1)

    assert_program(after(before, PASS), expected)


def test_merged_dims_are_looped_over_and_a_product_reads_a_reshaped_copy() -> None:
    @T.prim_func
    def before(B: T.Tensor((128, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_fragment((4, 32, 64), "float32")
            w = T.alloc_fragment((64, 32), "float32")
            out = T.alloc_fragment((128, 32), "float32")
            flat = T.reshape(s, (128, 64))
            T.clear(s)
            for i, k in T.Parallel(128, 64):
                flat[i, k] = flat[i, k] + 1.0
            T.copy(flat, B)
            T.gemm(flat, w, out, clear_accum=True)

    @T.prim_func
    def expected(B: T.Tensor((128, 64), "float32")):
        with T.Kernel(1):
            flat = T.alloc_fragment((128, 64), "float32")
            s = T.alloc_fragment((4, 32, 64), "float32")
            w = T.alloc_fragment((64, 32), "float32")
            out = T.alloc_fragment((128, 32), "float32")
            T.clear(s)
            for p, i, k in T.Parallel(4, 32, 64):
                s[p, i, k] = s[p, i, k] + 1.0
            for p in T.serial(4):
                T.copy(s[p : p + 1, 0:32, 0:64], B[p * 32 : p * 32 + 32, 0:64])
            for p in T.serial(4):
                T.copy(s[p : p + 1, 0:32, 0:64], flat[p * 32 : p * 32 + 32, 0:64])
            T.gemm(flat, w, out, clear_accum=True)

    assert_program(after(before, PASS), expected)


def test_memory_that_is_used_again_is_two_buffers() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "bfloat16"), C: T.Tensor((32, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_shared((64, 64), "bfloat16")
            x = T.alloc_fragment((64, 64), "float32")
            again = T.view(s, (32, 64), dtype="float32")
            for _ in T.serial(2):
                T.copy(A, s)
                T.copy(s, x)
                for i, j in T.Parallel(64, 64):
                    if i < 32:
                        again[i, j] = x[i, j] * 2.0
                T.copy(again, C)

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "bfloat16"), C: T.Tensor((32, 64), "float32")):
        with T.Kernel(1):
            again = T.alloc_shared((32, 64), "float32")
            s = T.alloc_shared((64, 64), "bfloat16")
            x = T.alloc_fragment((64, 64), "float32")
            for _ in T.serial(2):
                T.copy(A, s)
                T.copy(s, x)
                for i, j in T.Parallel(32, 64):
                    again[i, j] = x[i, j] * 2.0
                T.copy(again, C)

    assert_program(after(before, PASS), expected)


def test_refuses_to_read_bits_as_another_dtype() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "bfloat16"), C: T.Tensor((32, 64), "float32")):
        with T.Kernel(1):
            s = T.alloc_shared((64, 64), "bfloat16")
            bits = T.view(s, (32, 64), dtype="float32")
            T.copy(A, s)
            T.copy(bits, C)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "bits reads the bits of s (bfloat16) as float32"
    assert line_of(error) == "T.copy(bits, C)"


def test_refuses_a_block_that_crosses_the_rows_of_the_memory() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((4, 6), "float32"), C: T.Tensor((6, 4), "float32")):
        with T.Kernel(1):
            s = T.alloc_shared((4, 6), "float32")
            turned = T.reshape(s, (6, 4))
            T.copy(A, s)
            T.copy(turned, C)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == (
        "this operation on turned (6, 4) is no block of the memory of s (4, 6), whose contents it shares"
    )
