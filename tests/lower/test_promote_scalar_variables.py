"""promote_scalar_variables: small integer buffers that steer control flow or addresses are variables."""

import tilelang.language as T

from .programs import after, allocations, assert_program

PASS = "promote_scalar_variables"
MATRIX = (256, 64)


def scopes(kernel: object) -> dict[str, str]:
    return {name: scope for name, (_, _, scope) in allocations(after(kernel, PASS)).items()}


def test_a_counter_in_a_fragment_is_a_variable() -> None:
    @T.prim_func
    def before(X: T.Tensor(MATRIX, "float32")):
        with T.Kernel(8) as bx:
            first = T.alloc_fragment((1,), "int32")
            tile = T.alloc_fragment((32, 64), "float32")
            first[0] = bx
            while first[0] < 8:
                T.copy(X[first[0] * 32, 0], tile)
                first[0] = first[0] + 3

    @T.prim_func
    def expected(X: T.Tensor(MATRIX, "float32")):
        with T.Kernel(8) as bx:
            first = T.alloc_var("int32")
            tile = T.alloc_fragment((32, 64), "float32")
            first = bx
            while first < 8:
                T.copy(X[first * 32, 0], tile)
                first = first + 3

    assert_program(after(before, PASS), expected)


def test_an_array_that_is_cleared_and_feeds_a_variable() -> None:
    @T.prim_func
    def kernel(X: T.Tensor(MATRIX, "float32"), Mask: T.Tensor((8, 4), "int32")):
        with T.Kernel(8) as bx:
            mask = T.alloc_local((4,), "int32")
            first = T.alloc_local((1,), "int32")
            tile = T.alloc_fragment((32, 64), "float32")
            T.clear(mask)
            for k in T.serial(3):
                mask[k] = Mask[bx, k]
            first[0] = mask[1]
            if first[0] > 0:
                T.copy(X[bx * 32, 0], tile)

    assert scopes(kernel) == {"mask": "local.var", "first": "local.var", "tile": "local.fragment"}
    assert [f"mask[{k}] = 0" in after(kernel, PASS).script() for k in range(4)] == [True] * 4


def test_buffers_that_meet_tile_work_stay() -> None:
    @T.prim_func
    def kernel(X: T.Tensor(MATRIX, "int32"), Mask: T.Tensor((8, 4), "int32")):
        with T.Kernel(8) as bx:
            copied = T.alloc_local((4,), "int32")
            stored = T.alloc_local((4,), "int32")
            value = T.alloc_local((1,), "int32")
            tile = T.alloc_fragment((32, 64), "int32")
            T.copy(Mask[bx, 0], copied)
            value[0] = 4
            for i in T.Parallel(4):
                stored[i] = copied[i]
            if copied[0] + stored[1] > 0:
                for i, j in T.Parallel(32, 64):
                    tile[i, j] = value[0]

    assert set(scopes(kernel).items()) == {
        ("copied", "local"),
        ("stored", "local"),
        ("value", "local"),
        ("tile", "local.fragment"),
    }


def test_large_arrays_stay() -> None:
    @T.prim_func
    def kernel(X: T.Tensor(MATRIX, "float32")):
        with T.Kernel(8) as bx:
            many = T.alloc_local((64,), "int32")
            tile = T.alloc_fragment((32, 64), "float32")
            many[0] = bx
            if many[0] > 0:
                T.copy(X[bx * 32, 0], tile)

    assert scopes(kernel)["many"] == "local"


def test_what_single_threads_change_stays() -> None:
    @T.prim_func
    def kernel(X: T.Tensor(MATRIX, "float32"), Mask: T.Tensor((32,), "int32")):
        with T.Kernel(8, threads=32) as bx:
            tx = T.get_thread_binding()
            count = T.alloc_shared((1,), "int32")
            tile = T.alloc_fragment((32, 64), "float32")
            if Mask[tx] > 0:
                T.atomic_add(count[0], 1)
            T.sync_threads()
            for k in T.serial(count[0]):
                T.copy(X[(bx + k) * 32, 0], tile)

    assert scopes(kernel)["count"] == "shared.dyn"
