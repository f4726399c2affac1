"""Atomic updates: rewrite_atomics, reduce_colliding_updates, serialize_conflicting_blocks, order_tensor_accesses."""

from typing import Any

import tilelang.language as T
import tvm
from tvm import tirx as tir

from tt_jit.lower.tile_ir import statements_of

from .programs import after, allocations, assert_program, outline


def grid_axes(func: tir.PrimFunc) -> list[str]:
    """Extents of the parallel (``blockIdx``) and serial loops around the block's statements, outermost first."""
    (body,) = [part for part in statements_of(func.body) if not isinstance(part, tir.AllocBuffer)]
    loops = []
    while isinstance(body, tir.For) and body.kind != tir.ForKind.PARALLEL:
        loops.append(f"{'grid' if body.kind == tir.ForKind.THREAD_BINDING else 'serial'} {body.extent}")
        body = body.body
    return loops


def ordered(func: tir.PrimFunc) -> list[str]:
    return [str(name) for name in func.attrs["tt_ordered_tensors"]] if "tt_ordered_tensors" in func.attrs else []


# ---- rewrite_atomics -----------------------------------------------------------------------------------------------


def test_tiles_elements_and_vectors_become_stores() -> None:
    @T.prim_func
    def before(C: T.Tensor((64, 64), "float32"), D: T.Tensor((64,), "int32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_fragment((32, 64), "bfloat16")
            vector = T.alloc_fragment((64,), "int32")
            T.atomic_add(C[bx * 32, 0], tile)
            for i in T.Parallel(64):
                T.atomic_max(D[i], vector[i])
            for i in T.Parallel(16):
                T.atomic_addx4(D[i * 4], vector[i * 4])

    @T.prim_func
    def expected(C: T.Tensor((64, 64), "float32"), D: T.Tensor((64,), "int32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_fragment((32, 64), "bfloat16")
            vector = T.alloc_fragment((64,), "int32")
            for i, j in T.Parallel(32, 64):
                C[bx * 32 + i, j] = C[bx * 32 + i, j] + T.cast(tile[i, j], "float32")
            for i in T.Parallel(64):
                D[i] = T.max(D[i], vector[i])
            for i in T.Parallel(64):
                D[i] = D[i] + vector[i]

    result = after(before, "normalize_tile_program")
    assert_program(result, after(expected, "normalize_tile_program"))
    assert list(result.attrs["tt_atomic_tensors"]) == ["C", "D"]


# ---- reduce_colliding_updates --------------------------------------------------------------------------------------


def test_lanes_that_meet_are_reduced_first() -> None:
    @T.prim_func
    def before(C: T.Tensor((64,), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((32, 64), "float32")
            for i, j in T.Parallel(32, 64):
                if i < 20:
                    T.atomic_add(C[j], tile[i, j])

    @T.prim_func
    def expected(C: T.Tensor((64,), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((32, 64), "float32")
            C_sum = T.alloc_fragment((32, 64), "float32")
            C_sum_1 = T.alloc_fragment((64,), "float32")
            for i, j in T.Parallel(32, 64):
                C_sum[i, j] = T.if_then_else(i < 20, tile[i, j], T.float32(0.0))
            T.reduce_sum(C_sum, C_sum_1, dim=0)
            for j in T.Parallel(64):
                C[j] = C[j] + C_sum_1[j]

    assert_program(after(before, "reduce_colliding_updates"), after(expected, "reduce_colliding_updates"))


def test_updates_of_different_elements_are_left_alone() -> None:
    @T.prim_func
    def kernel(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            T.atomic_add(C[bx * 32, 0], tile)

    result = after(kernel, "reduce_colliding_updates")
    assert set(allocations(result)) == {"tile"}


# ---- serialize_conflicting_blocks ----------------------------------------------------------------------------------


def serialized(func: Any) -> tir.PrimFunc:
    return after(func, "serialize_conflicting_blocks")


def test_axes_that_lead_to_the_same_tile_become_loops() -> None:
    @T.prim_func
    def split_k(A: T.Tensor((64, 256), "float32"), C: T.Tensor((64, 96), "float32")):
        with T.Kernel(3, 2, 4) as (bx, by, bz):
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(A[by * 32, bz * 32], tile)
            T.atomic_add(C[by * 32, bx * 32], tile)

    result = serialized(split_k)
    assert grid_axes(result) == ["grid 3", "grid 2", "serial 4"]
    assert ordered(result) == ["C"]


def test_a_data_dependent_place_takes_the_whole_grid() -> None:
    @T.prim_func
    def kernel(Place: T.Tensor((8,), "int32"), A: T.Tensor((256, 32), "float32"), C: T.Tensor((64, 32), "float32")):
        with T.Kernel(8) as bx:
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(A[bx * 32, 0], tile)
            T.atomic_add(C[Place[bx] * 32, 0], tile)

    assert grid_axes(serialized(kernel)) == ["serial 8"]


def test_blocks_that_never_meet_stay_parallel_and_unordered() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((4, 64, 32), "float32"), C: T.Tensor((4, 64, 32), "float32")):
        with T.Kernel(2, 4) as (bx, by):
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(A[by, bx * 32, 0], tile)
            T.atomic_add(C[by, bx * 32, 0], tile)

    result = serialized(kernel)
    assert grid_axes(result) == ["grid 2", "grid 4"]
    assert ordered(result) == []


def test_an_overlap_of_one_row_is_a_conflict() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 32), "float32"), C: T.Tensor((64, 32), "float32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(A[bx * 32, 0], tile)
            T.atomic_add(C[bx * 31, 0], tile)

    assert grid_axes(serialized(kernel)) == ["serial 2"]


def test_plain_stores_are_never_serialized() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 32), "float32"), C: T.Tensor((64, 32), "float32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(A[bx * 32, 0], tile)
            T.copy(tile, C[0, 0])

    result = serialized(kernel)
    assert grid_axes(result) == ["grid 2"]
    assert ordered(result) == []


# ---- order_tensor_accesses -----------------------------------------------------------------------------------------


def test_a_token_before_each_read() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((128, 32), "float32"), C: T.Tensor((32, 32), "float32")):
        with T.Kernel(4) as bx:
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(A[bx * 32, 0], tile)
            T.atomic_add(C, tile)

    calls = outline(after(kernel, "order_tensor_accesses"))
    assert calls == [
        "cb_reserve_back", "cb_push_back",
        "cb_wait_front", "cb_pop_front",
        "noc_async_write_barrier", "cb_reserve_back", "cb_push_back",
        "cb_wait_front", "cb_pop_front",
    ]  # fmt: skip


def test_a_wait_behind_each_write_when_reads_and_writes_mix() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((128, 32), "float32"), C: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((32, 32), "float32")
            for k in T.serial(4):
                T.copy(A[k * 32, 0], tile)
                T.copy(tile, C)
                T.copy(C, tile)
                T.copy(tile, A[k * 32, 0])

    result = after(kernel, "order_tensor_accesses")
    assert ordered(result) == ["A", "C"]
    rings = [str(call.args[0].name) for call in device_calls(result) if call.op.name == "tt.cb_wait_front"]
    assert rings == ["order_tensors", "order_tensors"]


def device_calls(func: tir.PrimFunc) -> list[tir.Call]:
    found: list[tir.Call] = []

    def visit(node: Any) -> None:
        if isinstance(node, tir.Call) and isinstance(node.op, tvm.ir.Op) and node.op.name.startswith("tt."):
            found.append(node)

    tir.stmt_functor.post_order_visit(func.body, visit)
    return found
