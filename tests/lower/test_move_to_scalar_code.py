"""move_to_scalar_code: what has no tile form runs element by element, with what only serves it."""

import tilelang.language as T
from tvm import tirx as tir

from tt_jit.errors import UnsupportedError
from tt_jit.lower.ops import do
from tt_jit.lower.tile_ir import ARRAY_SCOPE, SCALAR_CODE

from .programs import after, assert_program, before, line_of, refusal

PASS = "move_to_scalar_code"


def scalar_code() -> object:
    return T.attr(tir.StringImm("reader"), SCALAR_CODE, 1)


def test_buffers_of_scalar_code_alone_become_arrays_and_their_copies_loops() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((64,), "int32"), Y: T.Tensor((64,), "int32")):
        with T.Kernel(1, threads=64):
            tx = T.get_thread_binding()
            x_shared = T.alloc_shared((64,), "int32")
            T.copy(X, x_shared)
            for _ in T.serial(3):
                T.fill(x_shared, 1)
                Y[tx] = x_shared[63 - tx]

    @T.prim_func
    def expected(X: T.Tensor((64,), "int32"), Y: T.Tensor((64,), "int32")):
        with T.Kernel(1, threads=64):
            x_shared = T.alloc_buffer((64,), "int32", scope=ARRAY_SCOPE)
            with scalar_code():
                for i in T.serial(64):
                    x_shared[i] = X[i]
                for _ in T.serial(3):
                    for i in T.serial(64):
                        x_shared[i] = 1
                    for tx in T.serial(64):
                        Y[tx] = x_shared[63 - tx]

    assert_program(after(kernel, PASS), expected)


def test_buffers_of_both_are_copied_to_the_reader_and_back() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((64, 64), "float32")):
        with T.Kernel(1, threads=64):
            tx = T.get_thread_binding()
            tile = T.alloc_shared((64, 64), "float32")
            sums = T.alloc_shared((64,), "float32")
            T.copy(X, tile)
            for i, j in T.Parallel(64, 64):
                tile[i, j] = tile[i, j] * 2.0
            sums[tx] = tile[tx, tx]
            tile[tx, 0] = sums[63 - tx]
            T.copy(tile, X)

    # The store to X is scalar code because X is read and written element by element nowhere else: it stays a copy.
    @T.prim_func
    def expected(X: T.Tensor((64, 64), "float32")):
        with T.Kernel(1, threads=64):
            tile = T.alloc_shared((64, 64), "float32")
            sums = T.alloc_buffer((64,), "float32", scope=ARRAY_SCOPE)
            tile_read = T.alloc_fragment((64, 64), "float32")
            tile_written = T.alloc_fragment((64, 64), "float32")
            T.copy(X, tile)
            for i, j in T.Parallel(64, 64):
                tile[i, j] = tile[i, j] * 2.0
            T.copy(tile, tile_read)
            with scalar_code():
                T.evaluate(do("copy_tiles", tile_read[0, 0], tile_written[0, 0]).value)
                for tx in T.serial(64):
                    sums[tx] = tile_written[tx, tx]
                for tx in T.serial(64):
                    tile_written[tx, 0] = sums[63 - tx]
            T.copy(tile_written, tile)
            T.copy(tile, X)

    assert_program(after(kernel, PASS), expected)


def test_a_serial_loop_whose_length_depends_on_the_lane() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((32,), "float32"), Y: T.Tensor((32,), "float32")):
        with T.Kernel(1):
            for i in T.Parallel(32):
                for _ in T.serial(i):
                    Y[i] = Y[i] + X[i]

    @T.prim_func
    def expected(X: T.Tensor((32,), "float32"), Y: T.Tensor((32,), "float32")):
        with T.Kernel(1), scalar_code():
            for i in T.serial(32):
                for _ in T.serial(i):
                    Y[i] = Y[i] + X[i]

    assert_program(after(kernel, PASS), expected)


def test_all_stores_of_a_tensor_go_with_its_scalar_ones() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((64, 64), "float32")):
        with T.Kernel(1, threads=64):
            tx = T.get_thread_binding()
            tile = T.alloc_shared((64, 64), "float32")
            other = T.alloc_shared((64, 64), "float32")
            T.transpose(other, tile)
            T.copy(tile, X)
            X[tx, 0] = 1.0

    @T.prim_func
    def expected(X: T.Tensor((64, 64), "float32")):
        with T.Kernel(1, threads=64):
            tile = T.alloc_shared((64, 64), "float32")
            other = T.alloc_shared((64, 64), "float32")
            tile_read = T.alloc_fragment((64, 64), "float32")
            T.transpose(other, tile)
            T.copy(tile, tile_read)
            with scalar_code():
                for i, j in T.grid(64, 64):
                    X[i, j] = tile_read[i, j]
                for tx in T.serial(64):
                    X[tx, 0] = 1.0

    assert_program(after(kernel, PASS), expected)


def test_a_kernel_in_tiles_stays() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            tile = T.alloc_shared((64, 64), "float32")
            T.copy(X, tile)
            T.copy(tile, X)

    assert_program(after(kernel, PASS), before(kernel, PASS))


def test_refuses_a_loop_over_tiles_that_scalar_code_steers() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((64, 64), "float32"), N: T.Tensor((64,), "int32")):
        with T.Kernel(1, threads=64):
            tx = T.get_thread_binding()
            counts = T.alloc_shared((64,), "int32")
            passes = T.alloc_var("int32")
            tile = T.alloc_fragment((64, 64), "float32")
            counts[tx] = N[63 - tx]
            passes = counts[0]
            for _ in T.serial(passes):
                for i, j in T.Parallel(64, 64):
                    tile[i, j] = tile[i, j] * 2.0
            T.copy(tile, X)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "passes is computed element by element, and steers tile operations"
    assert line_of(error) == "passes = counts[0]"
