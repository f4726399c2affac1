"""Row-major tensors: when they are chosen, what becomes of their copies, and copies cut short at run time."""

from typing import Any

import pytest
import tilelang.language as T
from tvm import tirx as tir

from tt_jit.errors import TilingError

from .programs import after, assert_program, line_of, outline, position_of, refusal, run

SHARD, TENSORIZE, STAGE = "infer_default_tt_shard", "tensorize_tt", "stage_global_accesses"


def layout(func: Any, name: str) -> dict[str, Any]:
    (result, *_) = run(func, 0, position_of(SHARD) + 1).functions.values()
    return dict(result.attrs[f"tt_buffer_{name}_layout"].items())


# ---- infer_default_tt_shard ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "offset", "kind"), [(32, 0, "tile"), (16, 0, "tile"), (32, 5, "row_major"), (32, 16, "row_major")]
)
def test_blocks_that_start_inside_a_tile(rows: int, offset: int, kind: str) -> None:
    @T.prim_func
    def kernel(A: T.Tensor((128, 64), "float32"), C: T.Tensor((128, 64), "float32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_shared((rows, 64), "float32")
            T.copy(A[bx * rows + offset, 0], tile)
            T.copy(tile, C[bx * rows, 0])

    assert layout(kernel, "A")["kind"] == kind
    assert layout(kernel, "C")["kind"] == "tile"


def test_accesses_along_different_dims() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((64, 64), "float32")
            row = T.alloc_fragment((64,), "float32")
            T.copy(A, tile)
            T.copy(A[3, 0:64], row)
            for i, j in T.Parallel(64, 64):
                tile[i, j] = tile[i, j] + row[j]
            T.copy(tile, C)

    assert layout(kernel, "A") == {"kind": "row_major", "page_dims": 1}
    assert layout(kernel, "C")["kind"] == "tile"


def test_all_kernels_of_a_function_vote() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_shared((32, 64), "float32")
            T.copy(C[bx * 32, 0], tile)
            T.copy(tile, A[bx * 32, 0])
        with T.Kernel(64) as bx:
            row = T.alloc_shared((64,), "float32")
            T.copy(A[bx, 0:64], row)
            T.copy(row, C[bx, 0:64])

    assert layout(kernel, "A")["kind"] == "row_major"


def test_refuses_sides_that_do_not_match() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            tile = T.alloc_shared((2, 64, 64), "float32")
            T.copy(tile, A[0:64, 0:64])
            T.copy(A[0:64, 0:64], tile)

    error = refusal(kernel, SHARD)
    assert isinstance(error, TilingError)
    assert "3 against 2 dims" in error.message or "2 against 3 dims" in error.message
    assert line_of(error).startswith("T.copy(")


# ---- tensorize_tt --------------------------------------------------------------------------------------------------


def test_sticks_of_a_block() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((128, 64), "bfloat16"), C: T.Tensor((128, 64), "bfloat16")):
        with T.Kernel(2) as bx:
            tile = T.alloc_shared((32, 64), "bfloat16")
            T.copy(A[bx * 32 + 1, 0], tile)
            T.copy(tile, C[bx * 32 + 1, 0])

    result = after(kernel, TENSORIZE)
    names = outline(result)
    assert [n for n in names if not n.startswith("cb_")] == [
        "get_write_ptr", "scratch_base", "read_stick", "noc_async_read_barrier", "scatter_cols",
        "noc_async_read_barrier",
        "get_read_ptr", "scratch_base", "gather_cols", "write_stick", "noc_async_writes_flushed",
        "noc_async_writes_flushed",
    ]  # fmt: skip
    scatter = call_named(result, "scatter_cols")
    element, _, first_byte, skip, _, length = scatter.args[:6]
    assert (str(element.value), int(first_byte), int(skip), int(length)) == ("uint16_t", 0, 0, 64)
    rings = {str(ring["name"]): ring for ring in result.attrs["tt_circular_buffers"]}
    assert int(rings["reader_scratch"]["page_size"]) == 32 * (64 * 2 + 64) + 64
    assert str(rings["writer_scratch"]["producer"]) == str(rings["writer_scratch"]["consumer"]) == "writer"


def test_a_column_goes_down_the_lanes_of_a_tile() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((64, 64), "float32")
            column = T.alloc_fragment((64,), "float32")
            T.copy(A, tile)
            T.copy(A[3, 0:64], column)
            for i, j in T.Parallel(64, 64):
                tile[i, j] = tile[i, j] + column[i]
            T.copy(tile, C)

    result = after(kernel, TENSORIZE)
    assert call_named(result, "scatter_rows") is not None
    assert "fill_zero_tile" in outline(result)


def call_named(func: tir.PrimFunc, name: str) -> tir.Call:
    found: list[tir.Call] = []

    def visit(node: Any) -> None:
        if isinstance(node, tir.Call) and getattr(node.op, "name", "") == f"tt.{name}":
            found.append(node)

    tir.stmt_functor.post_order_visit(func.body, visit)
    assert found, f"no call of {name}"
    return found[0]


# ---- conditions of stores ------------------------------------------------------------------------------------------


def test_a_condition_on_rows_becomes_the_extent_of_the_copy() -> None:
    @T.prim_func
    def before(C: T.Tensor((128, 64), "float32"), start: T.int32, end: T.int32):
        with T.Kernel(1):
            tile = T.alloc_fragment((32, 64), "float32")
            for i, j in T.Parallel(32, 64):
                if start + i < end:
                    C[start + i, j] = tile[i, j]

    result = after(before, STAGE)
    assert "if_then_else" not in result.script()
    (copied,) = [s for s in copies(result) if s.args[1].args[0].buffer.name == "C"]
    extents = [str(extent) for extent in copied.args[1].args[2:]]
    assert extents == ["T.min(32, end - start)", "64"]


def test_a_condition_on_values_stays_a_choice() -> None:
    @T.prim_func
    def before(C: T.Tensor((32, 64), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((32, 64), "float32")
            for i, j in T.Parallel(32, 64):
                if tile[i, j] > T.float32(0.0):
                    C[i, j] = tile[i, j]

    @T.prim_func
    def expected(C: T.Tensor((32, 64), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((32, 64), "float32")
            C_tile = T.alloc_fragment((32, 64), "float32")
            C_tile_1 = T.alloc_fragment((32, 64), "float32")
            T.copy(C, C_tile)
            for i, j in T.Parallel(32, 64):
                C_tile_1[i, j] = T.if_then_else(tile[i, j] > T.float32(0.0), tile[i, j], C_tile[i, j])
            T.copy(C_tile_1, C)

    assert_program(after(before, STAGE), after(expected, STAGE))


def copies(func: tir.PrimFunc) -> list[tir.Call]:
    found: list[tir.Call] = []

    def visit(node: Any) -> None:
        if isinstance(node, tir.Call) and getattr(node.op, "name", "") == "tl.tileop.copy":
            found.append(node)

    tir.stmt_functor.post_order_visit(func.body, visit)
    return found
