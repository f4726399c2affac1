"""Stores without a block form: stage_global_accesses makes a scatter of them, tensorize_tt the writer's loops."""

from typing import Any

import tilelang.language as T
from tvm import tirx as tir

from tt_jit.lower.tile_ir import TileScatter, leaves, parse

from .programs import after, outline

STAGE, TENSORIZE = "stage_global_accesses", "tensorize_tt"


def scatter_in(func: tir.PrimFunc) -> TileScatter:
    (found,) = [record for record in map(parse, leaves(func.body)) if isinstance(record, TileScatter)]
    return found


@T.prim_func
def histogram(X: T.Tensor((300,), "int32"), Counts: T.Tensor((10,), "int32")):
    with T.Kernel(5) as bx:
        for i in T.Parallel(64):
            T.atomic_add(Counts[X[bx * 64 + i]], 1)


def test_an_update_at_a_place_read_from_a_tensor() -> None:
    record = scatter_in(after(histogram, STAGE))
    assert record.update == "add" and record.mask is None
    assert record.extents == (64,)
    assert record.target.buffer.name == "Counts"
    assert str(record.source.dtype) == "int32" and [int(extent) for extent in record.source.shape] == [64]


def test_an_index_copied_on_chip_is_read_from_its_tensor() -> None:
    @T.prim_func
    def kernel(Index: T.Tensor((64,), "int32"), Y: T.Tensor((64, 32), "float32")):
        with T.Kernel(2) as bx:
            places = T.alloc_shared((32,), "int32")
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(Index[bx * 32], places)
            for i, j in T.Parallel(32, 32):
                Y[places[i], j] = tile[i, j]

    row, _ = scatter_in(after(kernel, STAGE)).target.indices
    assert isinstance(row, tir.BufferLoad) and row.buffer.name == "Index"


def test_a_condition_on_values_becomes_a_mask() -> None:
    @T.prim_func
    def kernel(Index: T.Tensor((32,), "int32"), Y: T.Tensor((64,), "float32")):
        with T.Kernel(1):
            values = T.alloc_fragment((32,), "float32")
            for i in T.Parallel(32):
                if values[i] > T.float32(1.0):
                    Y[Index[i]] = values[i]

    record = scatter_in(after(kernel, STAGE))
    assert record.update is None
    assert record.mask is not None and str(record.mask.dtype) == "int32"


def test_the_writer_evaluates_the_place_and_updates_one_element() -> None:
    result = after(histogram, TENSORIZE)
    names = [name for name in outline(result) if not name.startswith("cb_")]
    assert names[-6:] == [
        "open_writer_line", "open_writer_line", "fetch_index", "take_lane", "update_element_add_int32",
        "noc_async_writes_flushed",
    ]  # fmt: skip
    layouts = {name: result.attrs[f"tt_buffer_{name}_layout"] for name in ("X", "Counts")}
    assert {str(layout["kind"]) for layout in layouts.values()} == {"row_major"}
    assert conditions(result) == ["-1 < index", "index < 10"]


def conditions(func: tir.PrimFunc) -> list[str]:
    found: list[str] = []

    def visit(node: Any) -> None:
        if isinstance(node, tir.IfThenElse) and isinstance(node.condition, tir.And):
            found.extend([str(node.condition.a), str(node.condition.b)])

    tir.stmt_functor.post_order_visit(func.body, visit)
    return found
