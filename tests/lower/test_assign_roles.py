"""assign_roles: one producer and one consumer per buffer; page formats."""

import pytest
import tilelang.language as T
from tvm import tirx as tir

from tt_jit.errors import UnsupportedError
from tt_jit.lower.assign_roles import BufferRoles, buffer_formats, buffer_roles
from tt_jit.lower.ops import call
from tt_jit.lower.tile_layout import layouts_of

from .programs import WORK_COUNT, WORK_START, after, assert_program, line_of, refusal

PASS = "assign_roles"


def roles(func: tir.PrimFunc) -> dict[str, tuple[str, str]]:
    return {name: (pair.producer, pair.consumer) for name, pair in buffer_roles(after(func, PASS)).items()}


def test_a_buffer_that_is_loaded_changed_and_stored() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "bfloat16"), C: T.Tensor((64, 64), "bfloat16")):
        with T.Kernel(2, 2) as (bx, by):
            S = T.alloc_shared((32, 32), "bfloat16")
            T.copy(A[bx * 32, by * 32], S)
            for i, j in T.Parallel(32, 32):
                S[i, j] = S[i, j] * T.bfloat16(2.0)
            T.copy(S, C[bx * 32, by * 32])

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "bfloat16"), C: T.Tensor((64, 64), "bfloat16")):
        S = T.alloc_shared((32, 32), "bfloat16")
        S_in = T.alloc_shared((32, 32), "bfloat16")
        S_out = T.alloc_shared((32, 32), "bfloat16")
        for work in T.serial(WORK_START, WORK_START + WORK_COUNT):
            bx = work % 2
            by = work // 2
            T.copy(A[bx * 32, by * 32], S_in)
            T.copy(S_in, S)
            for i, j in T.Parallel(32, 32):
                S[i, j] = S[i, j] * T.bfloat16(2.0)
            T.copy(S, S_out)
            T.copy(S_out, C[bx * 32, by * 32])

    result = after(before, PASS)
    assert_program(result, expected)
    assert buffer_roles(result) == {
        "S_in": BufferRoles(producer="reader", consumer="compute"),
        "S": BufferRoles(producer="compute", consumer="compute"),
        "S_out": BufferRoles(producer="compute", consumer="writer"),
    }
    assert layouts_of(result)["S_in"] == layouts_of(result)["S_out"] == layouts_of(result)["S"]


def test_buffers_with_one_use_need_no_stream() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "bfloat16"), C: T.Tensor((64, 64), "bfloat16")):
        with T.Kernel(2) as bx:
            S = T.alloc_shared((32, 64), "bfloat16")
            R = T.alloc_shared((32, 64), "bfloat16")
            T.copy(A[bx * 32, 0], S)
            for i, j in T.Parallel(32, 64):
                R[i, j] = S[i, j] * T.bfloat16(2.0)
            T.copy(R, C[bx * 32, 0])

    assert roles(kernel) == {"S": ("reader", "compute"), "R": ("compute", "writer")}


def test_a_copy_through_the_chip_needs_no_compute() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "bfloat16"), C: T.Tensor((64, 64), "bfloat16")):
        with T.Kernel(2) as bx:
            S = T.alloc_shared((32, 64), "bfloat16")
            T.copy(A[bx * 32, 0], S)
            T.copy(S, C[bx * 32, 0])

    assert roles(kernel) == {"S": ("reader", "writer")}


@pytest.mark.parametrize(
    ("tensor", "buffer", "formats"),
    [
        # A buffer that is only loaded takes its tensor's pages where they hold every value it would hold.
        ("bfloat16", "float32", {"S": "Float16_b", "R": "Float32"}),
        ("float16", "float32", {"S": "Float32", "R": "Float32"}),
        ("float32", "float32", {"S": "Float32", "R": "Float32"}),
        # Rounding to bfloat16 is an operation of its own.
        ("float32", "bfloat16", {"S_in": "Float32", "S": "Float16_b", "R": "Float16_b"}),
        ("int8", "int32", {"S_in": "Int32", "S": "Int32", "R": "Int32"}),
    ],
)
def test_formats(tensor: str, buffer: str, formats: dict[str, str]) -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), tensor), C: T.Tensor((64, 64), buffer)):
        with T.Kernel(1):
            S = T.alloc_shared((64, 64), buffer)
            R = T.alloc_shared((64, 64), buffer)
            T.copy(A, S)
            for i, j in T.Parallel(64, 64):
                R[i, j] = S[i, j] + S[i, j]
            T.copy(R, C)

    assert buffer_formats(after(kernel, PASS)) == formats


def test_a_load_that_nobody_reads_goes() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            S = T.alloc_shared((64, 64), "float32")
            T.copy(A, S)

    assert "T.copy" not in after(kernel, PASS).script()


def test_refuses_a_dtype_without_a_format() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float64"), C: T.Tensor((64, 64), "float64")):
        with T.Kernel(1):
            S = T.alloc_shared((64, 64), "float64")
            T.copy(A, S)
            T.copy(S, C)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "A has dtype float64, which no Tensix data format carries"
    assert error.hint == "use float32, float16, bfloat16, fp8, or 8 to 32-bit integers"
    assert line_of(error) == "T.copy(A, S)"


@pytest.mark.parametrize(
    ("storage", "dtype", "formats"),
    [
        # Compute reads block floats, and the packer writes them.
        ({"A": "Bfp8_b"}, "bfloat16", {"S": "Bfp8_b", "R": "Float16_b"}),
        ({"C": "Bfp8_b"}, "bfloat16", {"S": "Float16_b", "R": "Bfp8_b"}),
        ({"A": "Bfp8_b", "C": "Bfp4_b"}, "float32", {"S": "Bfp8_b", "R": "Bfp4_b"}),
    ],
)
def test_formats_of_tensors_in_block_floats(storage: dict[str, str], dtype: str, formats: dict[str, str]) -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), dtype), C: T.Tensor((64, 64), dtype)):
        with T.Kernel(1):
            S = T.alloc_shared((64, 64), dtype)
            R = T.alloc_shared((64, 64), dtype)
            T.copy(A, S)
            for i, j in T.Parallel(64, 64):
                R[i, j] = S[i, j] + S[i, j]
            T.copy(R, C)

    assert buffer_formats(after(kernel.with_attr("tt_storage", storage), PASS)) == formats


def test_compute_hands_the_reader_the_tile_of_an_element_that_steers_control_flow() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 256), "float32"), C: T.Tensor((64, 256), "float32")):
        with T.Kernel(2, 2) as (bx, by):
            S = T.alloc_shared((32, 128), "float32")
            T.copy(A[bx * 32, by * 128], S)
            for i, j in T.Parallel(32, 128):
                S[i, j] = S[i, j] * 2.0
            if S[5, 70] > 1.0 and S[6, 71] > 1.0:
                T.copy(S, C[bx * 32, by * 128])

    @T.prim_func
    def expected(A: T.Tensor((64, 256), "float32"), C: T.Tensor((64, 256), "float32")):
        S = T.alloc_shared((32, 128), "float32")
        S_in = T.alloc_shared((32, 128), "float32")
        S_scalar = T.alloc_shared((32, 32), "float32")
        S_out = T.alloc_shared((32, 128), "float32")
        for work in T.serial(WORK_START, WORK_START + WORK_COUNT):
            bx = work % 2
            by = work // 2
            T.copy(A[bx * 32, by * 128], S_in)
            T.copy(S_in, S)
            for i, j in T.Parallel(32, 128):
                S[i, j] = S[i, j] * 2.0
            T.copy(S[0:32, 64:96], S_scalar)
            first = call("read_scalar", S_scalar[5, 6], dtype="float32")
            one = call("decide", T.Cast("int32", first > 1.0), dtype="int32")
            T.copy(S[0:32, 64:96], S_scalar)
            second = call("read_scalar", S_scalar[6, 7], dtype="float32")
            other = call("decide", T.Cast("int32", second > 1.0), dtype="int32")
            if one != 0 and other != 0:
                T.copy(S, S_out)
                T.copy(S_out, C[bx * 32, by * 128])

    result = after(before, PASS)
    assert_program(result, expected)
    assert buffer_roles(result)["S_scalar"] == BufferRoles(producer="compute", consumer="reader")
