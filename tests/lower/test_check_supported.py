"""check_supported: what has no lowering is refused at its line, and GPU instructions are called so."""

import tilelang.language as T
import tvm

from tt_jit.errors import UnsupportedError

from .programs import after, before, line_of, refusal

PASS = "check_supported"


def test_a_good_program_is_left_alone() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_shared((32, 64), "float32")
            T.copy(A[bx * 32, 0], tile)
            for i, j in T.Parallel(32, 64):
                tile[i, j] = T.exp(tile[i, j])
            T.copy(tile, C[bx * 32, 0])

    tvm.ir.assert_structural_equal(after(kernel, PASS), before(kernel, PASS))


def test_refuses_a_gpu_instruction() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            tile = T.alloc_shared((32, 32), "float32")
            T.copy(A, tile)
            T.ptx_commit_group()

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError) and error.category == "gpu_only"
    assert error.message.endswith("is a GPU instruction") and "ptx" in error.message
    assert line_of(error) == "T.ptx_commit_group()"


def test_refuses_a_warp_shuffle_in_code_for_threads() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((32,), "float32")):
        with T.Kernel(1, threads=32):
            tx = T.get_thread_binding()
            A[tx] = T.tvm_warp_shuffle(-1, A[tx], 0, 32, 32)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError) and error.category == "gpu_only"
    assert error.message == "tirx.tvm_warp_shuffle is a GPU instruction"
    assert line_of(error) == "A[tx] = T.tvm_warp_shuffle(-1, A[tx], 0, 32, 32)"


def test_refuses_memory_that_only_gpus_have() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            accumulator = T.alloc_tmem((128, 128), "float32")
            T.clear(accumulator)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError) and error.category == "gpu_only"
    assert error.message == "accumulator lives in shared.tmem memory"


def test_refuses_cuda_functions_in_code_for_threads() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((32,), "float32")):
        with T.Kernel(1, threads=32):
            tx = T.get_thread_binding()
            own = T.alloc_local((1,), "float32")
            own[0] = X[tx]
            T.call_extern("handle", "fast_square", T.address_of(own[0]))
            X[tx] = own[0]

    error = refusal(kernel, "check_supported")
    assert isinstance(error, UnsupportedError) and error.category == "gpu_only"
    assert error.message == "the CUDA function fast_square (T.call_extern)"
    assert line_of(error) == 'T.call_extern("handle", "fast_square", T.address_of(own[0]))'


def test_refuses_a_function_that_scalar_code_does_not_have() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((32,), "float32")):
        with T.Kernel(1, threads=32):
            tx = T.get_thread_binding()
            X[tx] = T.sin(X[tx])

    error = refusal(kernel, "check_supported")
    assert isinstance(error, UnsupportedError) and error.category == "not_yet"
    assert error.message == "T.sin in code for single elements"
    assert line_of(error) == "X[tx] = T.sin(X[tx])"
