"""order_tensor_accesses: a core reads a tensor only after its own earlier write."""

import tilelang.language as T

from .programs import after, outline

PASS = "order_tensor_accesses"
TOKEN_TAKEN, TOKEN_GIVEN = ["cb_wait_front", "cb_pop_front"], ["cb_reserve_back", "cb_push_back"]


def test_reads_and_writes_in_turn() -> None:
    @T.prim_func
    def kernel(C: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            for _ in T.serial(3):
                T.copy(C[bx * 32, 0], tile)
                for i, j in T.Parallel(32, 64):
                    tile[i, j] = tile[i, j] * 2.0
                T.copy(tile, C[bx * 32, 0])

    result = after(kernel, PASS)
    assert [str(name) for name in result.attrs["tt_ordered_tensors"]] == ["C"]
    # One token to begin with, taken before each read, given behind each write, and taken back at the end.
    assert outline(result) == [*TOKEN_GIVEN, *TOKEN_TAKEN, "noc_async_write_barrier", *TOKEN_GIVEN, *TOKEN_TAKEN]
    text = result.script()
    assert text.index("tt.cb_pop_front(order_C") < text.index("T.copy(T.region(C[")
    assert text.index("T.region(C[bx * 32, 0], 2") < text.index("tt.noc_async_write_barrier")


def test_a_tensor_that_is_only_read_or_only_written_needs_no_order() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            T.copy(A[bx * 32, 0], tile)
            T.copy(tile, C[bx * 32, 0])

    assert not outline(after(kernel, PASS))
