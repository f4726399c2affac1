"""materialize_index_tiles: indices that are values come from constant tiles."""

import tilelang.language as T

from tt_jit.lower.tile_ir import region_call, whole

from .programs import after, allocations, assert_program, tt

PASS = "materialize_index_tiles"


def test_a_causal_mask() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            S = T.alloc_fragment((64, 64), "float32")
            for i, j in T.Parallel(64, 64):
                S[i, j] = T.if_then_else(i >= j, S[i, j], T.float32(0))

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "float32")):
        tile_index_col = T.alloc_shared((32, 32), "float32", scope="shared")
        tile_index_row = T.alloc_shared((32, 32), "float32", scope="shared")
        tt.index_tile(region_call(whole(tile_index_col), 2), "col")
        tt.index_tile(region_call(whole(tile_index_row), 2), "row")
        with T.Kernel(1):
            S = T.alloc_fragment((64, 64), "float32")
            for i, j in T.Parallel(64, 64):
                S[i, j] = T.if_then_else(
                    i // 32 * 32 + T.Cast("int32", tile_index_row[i % 32, j % 32])
                    >= j // 32 * 32 + T.Cast("int32", tile_index_col[i % 32, j % 32]),
                    S[i, j],
                    T.float32(0),
                )

    assert_program(after(before, PASS), expected)


def test_only_the_tile_that_is_needed() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            S = T.alloc_fragment((64, 64), "float32")
            for i, j in T.Parallel(64, 64):
                S[i, j] = T.if_then_else(j < 50, S[i, j], T.float32(0))

    assert list(allocations(after(kernel, PASS))) == ["tile_index_col", "S"]


def test_indices_of_accesses_are_no_values() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            S = T.alloc_fragment((64, 64), "float32")
            v = T.alloc_fragment((64,), "float32")
            for i, j in T.Parallel(64, 64):
                S[i, j] = S[i, j] + v[i]

    assert_program(after(kernel, PASS), kernel)
