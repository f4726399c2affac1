"""infer_default_tt_shard: layouts of tensors by vote of all copies, and blocks that cannot be tiled."""

import pytest
import tilelang.language as T
from tvm import tirx as tir

from tt_jit.errors import TilingError, UnsupportedError
from tt_jit.lower.tensor_layout import ROW_MAJOR, TensorLayout

from .programs import after, line_of, refusal

PASS = "infer_default_tt_shard"


def layout(func: tir.PrimFunc, name: str) -> TensorLayout:
    return TensorLayout.from_attribute(after(func, PASS).attrs[f"tt_buffer_{name}_layout"])


def needs_padding(func: tir.PrimFunc, name: str) -> bool:
    return bool(after(func, PASS).attrs[f"tt_buffer_{name}_needs_padding"])


def test_the_dims_that_copies_move_become_rows_and_columns() -> None:
    @T.prim_func
    def attention(Q: T.Tensor((2, 128, 4, 64), "bfloat16")):
        with T.Kernel(2, 4, 2) as (bx, by, bz):
            Q_shared = T.alloc_shared((64, 64), "bfloat16")
            T.copy(Q[bz, bx * 64 : bx * 64 + 64, by, 0:64], Q_shared)

    assert layout(attention, "Q") == TensorLayout(kind="tile", outer=(0, 2), row=1, col=3)
    assert not needs_padding(attention, "Q")


def test_vectors() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), R: T.Tensor((64,), "float32"), D: T.Tensor((4096,), "float32")):
        with T.Kernel(1) as bx:
            S = T.alloc_fragment((64, 64), "float32")
            r = T.alloc_fragment((64,), "float32")
            d = T.alloc_fragment((1024,), "float32")
            T.copy(A, S)
            T.reduce_sum(S, r, dim=1)
            T.copy(r, R)
            T.copy(D[bx * 1024], d)

    assert layout(kernel, "R") == TensorLayout(kind="tile", outer=(), row=0, col=None)
    assert layout(kernel, "D") == TensorLayout(kind="flat", outer=(), col=0)


@pytest.mark.parametrize(
    ("size", "block", "row_block", "padding"),
    [(128, 64, 32, False), (100, 64, 32, True), (100, 50, 50, True), (50, 50, 32, True), (120, 24, 24, True)],
)
def test_blocks_that_are_no_multiples_of_a_tile_are_padded_one_by_one(
    size: int, block: int, row_block: int, padding: bool
) -> None:
    @T.prim_func
    def kernel(A: T.Tensor((size, 64), "float32")):
        with T.Kernel(T.ceildiv(size, block)) as bx:
            tile = T.alloc_fragment((block, 64), "float32")
            T.copy(A[bx * block, 0], tile)

    assert layout(kernel, "A").row_block == row_block
    assert needs_padding(kernel, "A") == padding


def test_an_unknown_size_needs_padding() -> None:
    M = T.dynamic("m")

    @T.prim_func
    def kernel(A: T.Tensor((M, 64), "float32")):
        with T.Kernel(T.ceildiv(M, 32)) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            T.copy(A[bx * 32, 0], tile)

    assert needs_padding(kernel, "A")


def test_blocks_of_several_sizes_need_rows() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((120, 64), "float32")):
        with T.Kernel(1):
            large = T.alloc_fragment((40, 64), "float32")
            small = T.alloc_fragment((24, 64), "float32")
            T.copy(A[40, 0], large)
            T.copy(A[24, 0], small)

    assert layout(kernel, "A") == ROW_MAJOR
    assert not needs_padding(kernel, "A")


def test_copies_along_different_dims_need_rows() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64, 64), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((64, 64), "float32")
            T.copy(A[0, 0:64, 0:64], tile)
            T.copy(A[0:64, 0, 0:64], tile)

    assert layout(kernel, "A") == ROW_MAJOR


def test_a_dense_block_that_starts_inside_a_tile_needs_rows() -> None:
    @T.prim_func
    def kernel(D: T.Tensor((4096,), "float32")):
        with T.Kernel(2) as bx:
            d = T.alloc_fragment((1024,), "float32")
            T.copy(D[bx * 1024 + 512], d)

    assert layout(kernel, "D") == ROW_MAJOR


def test_a_tensor_that_is_read_element_by_element_needs_rows() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((256, 64), "float32"), Table: T.Tensor((8,), "int32"), C: T.Tensor((256, 64), "float32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            T.copy(A[Table[bx] * 32, 0], tile)
            T.copy(tile, C[bx * 32, 0])

    assert layout(kernel, "Table") == ROW_MAJOR
    assert layout(kernel, "A") == TensorLayout(kind="tile", outer=(), row=0, col=1)


def test_refuses_a_copy_whose_sides_have_different_ranks() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((4, 64, 64), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((64, 64), "float32")
            T.copy(A[0:4, 0:64, 0:64], tile)

    error = refusal(kernel, PASS)
    assert isinstance(error, TilingError)
    assert error.message == (
        "T.copy between A[4, 64, 64] and tile[64, 64]: 3 against 2 dims of more than one element"
    )
    assert error.hint == "give both sides the same extents"
    assert line_of(error) == "T.copy(A[0:4, 0:64, 0:64], tile)"


def test_refuses_a_layout_type_it_does_not_know() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((64, 64), "float32")
            T.copy(A, tile)

    error = refusal(kernel.with_attr("tt_layout_type", "sharded"), PASS)
    assert isinstance(error, UnsupportedError)
    assert (error.message, error.hint) == ("tt_layout_type 'sharded' is unknown", "use 'dram_interleaved'")


def test_refuses_rows_of_block_floats() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((32, 64), "float32")
            T.copy(A[7, 0], tile)

    error = refusal(kernel.with_attr("tt_storage", {"A": "Bfp8_b"}), PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == (
        "A cannot be stored as Bfp8_b: it is accessed by rows or elements, not in whole tiles along the same dimensions"
    )
    assert line_of(error) == "T.copy(A[7, 0], tile)"


def test_refuses_to_read_back_ragged_block_floats() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((50, 64), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((50, 64), "float32")
            T.copy(A, tile)
            T.copy(tile, A)

    error = refusal(kernel.with_attr("tt_storage", {"A": "Bfp4_b"}), PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == (
        "A cannot be stored as Bfp4_b: its sizes are no multiples of 32, and kernels read again what they wrote to it"
    )
    assert error.hint == "leave A out of storage=, or pass a ttnn tensor of another dtype"
