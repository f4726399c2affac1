"""serialize_threads: code for single threads becomes loops over all threads, cut where they wait for each other."""

import tilelang.language as T
from tvm import tirx as tir

from tt_jit.errors import UnsupportedError
from tt_jit.lower.tile_ir import SCALAR_CODE

from .programs import after, assert_program, before, line_of, refusal

PASS = "serialize_threads"


def scalar_code() -> object:
    return T.attr(tir.StringImm("reader"), SCALAR_CODE, 1)


def test_what_a_thread_keeps_across_a_cut_becomes_an_array() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((256,), "float32"), Y: T.Tensor((64,), "float32")):
        with T.Kernel(1, threads=64):
            tx = T.get_thread_binding()
            x_shared = T.alloc_shared((64,), "float32")
            total = T.alloc_local((1,), "float32")
            fresh = T.alloc_local((1,), "float32")
            total[0] = 0.0
            for k in T.serial(4):
                fresh[0] = X[k * 64 + tx]
                x_shared[tx] = fresh[0]
                T.sync_threads()
                total[0] = total[0] + x_shared[63 - tx]
            Y[tx] = total[0]

    @T.prim_func
    def expected(X: T.Tensor((256,), "float32"), Y: T.Tensor((64,), "float32")):
        with T.Kernel(1, threads=64):
            x_shared = T.alloc_shared((64,), "float32")
            total = T.alloc_local((64, 1), "float32")
            fresh = T.alloc_local((1,), "float32")
            with scalar_code():
                for tx in T.serial(64):
                    total[tx, 0] = 0.0
            for k in T.serial(4):
                with scalar_code():
                    for tx in T.serial(64):
                        fresh[0] = X[k * 64 + tx]
                        x_shared[tx] = fresh[0]
                with scalar_code():
                    for tx in T.serial(64):
                        total[tx, 0] = total[tx, 0] + x_shared[63 - tx]
            with scalar_code():
                for tx in T.serial(64):
                    Y[tx] = total[tx, 0]

    assert_program(after(kernel, PASS), expected)


def test_a_value_that_all_threads_share_is_kept_once_and_steers_loops() -> None:
    @T.prim_func
    def kernel(N: T.Tensor((1,), "int32"), Y: T.Tensor((64,), "int32")):
        with T.Kernel(1, threads=(32, 2)):
            tx, ty = T.get_thread_binding(0), T.get_thread_binding(1)
            counts = T.alloc_shared((64,), "int32")
            passes = T.alloc_local((1,), "int32")
            passes[0] = N[0]
            for _ in T.serial(passes[0]):
                T.sync_threads()
                counts[ty * 32 + tx] = counts[ty * 32 + tx] + 1
            Y[ty * 32 + tx] = counts[ty * 32 + tx]

    @T.prim_func
    def expected(N: T.Tensor((1,), "int32"), Y: T.Tensor((64,), "int32")):
        with T.Kernel(1, threads=(32, 2)):
            counts = T.alloc_shared((64,), "int32")
            passes = T.alloc_local((1,), "int32")
            with scalar_code():
                passes[0] = N[0]
            for _ in T.serial(passes[0]):
                with scalar_code():
                    for ty in T.serial(2):
                        for tx in T.serial(32):
                            counts[ty * 32 + tx] = counts[ty * 32 + tx] + 1
            with scalar_code():
                for ty in T.serial(2):
                    for tx in T.serial(32):
                        Y[ty * 32 + tx] = counts[ty * 32 + tx]

    assert_program(after(kernel, PASS), expected)


def test_a_barrier_in_a_branch_of_some_threads() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((64,), "int32")):
        with T.Kernel(1, threads=64):
            tx = T.get_thread_binding()
            shared = T.alloc_shared((64,), "int32")
            if tx < 32:
                shared[tx] = X[tx]
                T.sync_threads(3, 32)
                X[tx] = shared[31 - tx]

    @T.prim_func
    def expected(X: T.Tensor((64,), "int32")):
        with T.Kernel(1, threads=64):
            shared = T.alloc_shared((64,), "int32")
            with scalar_code():
                for tx in T.serial(64):
                    if tx < 32:
                        shared[tx] = X[tx]
            with scalar_code():
                for tx in T.serial(64):
                    if tx < 32:
                        X[tx] = shared[31 - tx]

    assert_program(after(kernel, PASS), expected)


def test_no_other_thread_comes_between_an_atomic_operation_and_its_old_value() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((64,), "int32")):
        with T.Kernel(1, threads=64):
            tx = T.get_thread_binding()
            count = T.alloc_shared((1,), "int32")
            place = T.alloc_local((1,), "int32")
            place[0] = T.atomic_add(count[0], 1, return_prev=True)
            X[place[0]] = tx

    @T.prim_func
    def expected(X: T.Tensor((64,), "int32")):
        with T.Kernel(1, threads=64):
            count = T.alloc_shared((1,), "int32")
            place = T.alloc_local((1,), "int32")
            old = T.alloc_local((1,), "int32")
            with scalar_code():
                for tx in T.serial(64):
                    old[0] = count[0]
                    count[0] = count[0] + 1
                    place[0] = old[0]
                    X[place[0]] = tx

    assert_program(after(kernel, PASS), expected)


def test_a_reduction_over_one_axis_of_the_threads() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((4, 32), "float32"), Y: T.Tensor((4,), "float32")):
        with T.Kernel(1, threads=(4, 32)):
            row, col = T.get_thread_binding(0), T.get_thread_binding(1)
            own = T.alloc_local((1,), "float32")
            total = T.alloc_local((1,), "float32")
            own[0] = X[row, col]
            with T.attr(
                T.comm_reducer(lambda x, y: x + y, [T.cast(0, "float32")]),
                "reduce_scope",
                T.reinterpret(T.uint64(0), dtype="handle"),
            ):
                T.evaluate(T.tvm_thread_allreduce(T.uint32(1), own[0], True, total[0], col, dtype="handle"))
            Y[row] = total[0]

    @T.prim_func
    def expected(X: T.Tensor((4, 32), "float32"), Y: T.Tensor((4,), "float32")):
        with T.Kernel(1, threads=(4, 32)):
            own = T.alloc_local((128, 1), "float32")
            total = T.alloc_local((128, 1), "float32")
            reduced_0 = T.alloc_local((1,), "float32")
            with scalar_code():
                for col in T.serial(32):
                    for row in T.serial(4):
                        own[col * 4 + row, 0] = X[row, col]
            with scalar_code():
                for row in T.serial(4):
                    reduced_0[0] = 0.0
                    for col in T.serial(32):
                        reduced_0[0] = reduced_0[0] + own[col * 4 + row, 0]
                    for col in T.serial(32):
                        total[col * 4 + row, 0] = reduced_0[0]
            with scalar_code():
                for col in T.serial(32):
                    for row in T.serial(4):
                        Y[row] = total[col * 4 + row, 0]

    assert_program(after(kernel, PASS), expected)


def test_fragments_belong_to_all_threads_and_tile_operations_to_some() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((64, 64), "float32")):
        with T.Kernel(1, threads=64):
            tx = T.get_thread_binding()
            tile = T.alloc_fragment((64, 64), "float32")
            scale = T.alloc_fragment((1,), "float32")
            T.copy(X, tile)
            scale[0] = scale[0] + 2.0
            if tx < 32:
                factor = scale[0]
                for i, j in T.Parallel(64, 64):
                    tile[i, j] = tile[i, j] * factor
            T.copy(tile, X)

    @T.prim_func
    def expected(X: T.Tensor((64, 64), "float32")):
        with T.Kernel(1, threads=64):
            tile = T.alloc_fragment((64, 64), "float32")
            scale = T.alloc_fragment((1,), "float32")
            factor = T.alloc_local((1,), "float32")
            T.copy(X, tile)
            scale[0] = scale[0] + 2.0
            with scalar_code():
                for tx in T.serial(64):
                    if tx < 32:
                        factor[0] = scale[0]
            for i, j in T.Parallel(64, 64):
                tile[i, j] = tile[i, j] * factor[0]
            T.copy(tile, X)

    assert_program(after(kernel, PASS), expected)


def test_a_kernel_without_thread_numbers_stays() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((64, 64), "float32")):
        with T.Kernel(1, threads=64):
            tile = T.alloc_shared((64, 64), "float32")
            T.copy(X, tile)
            T.copy(tile, X)

    assert_program(after(kernel, PASS), before(kernel, PASS))


def test_refuses_a_barrier_in_a_loop_that_threads_repeat_differently() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((64,), "int32")):
        with T.Kernel(1, threads=64):
            tx = T.get_thread_binding()
            for _ in T.serial(tx):
                T.sync_threads()
                X[tx] = X[tx] + 1

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message.startswith("a loop in which threads wait for each other")
    assert line_of(error) == "for _ in T.serial(tx):"
