"""serialize_reductions: reductions and scans without an engine as loops over elements."""

import tilelang.language as T
from tvm import tirx as tir

from tt_jit.lower.tile_ir import SCALAR_CODE, is_scalar_code, leaves

from .programs import after, assert_program

PASS = "serialize_reductions"


def scalar_code() -> object:
    return T.attr(tir.StringImm("reader"), SCALAR_CODE, 1)


def test_a_running_maximum() -> None:
    @T.prim_func
    def before(A: T.Tensor((40, 50), "float32")):
        with T.Kernel(1):
            x = T.alloc_shared((40, 50), "float32")
            y = T.alloc_shared((40, 50), "float32")
            T.cummax(x, y, dim=1)

    @T.prim_func
    def expected(A: T.Tensor((40, 50), "float32")):
        with T.Kernel(1):
            x = T.alloc_shared((40, 50), "float32")
            y = T.alloc_shared((40, 50), "float32")
            with scalar_code():
                for i0 in T.serial(40):
                    y[i0, 0] = x[i0, 0]
                    for step in T.serial(49):
                        y[i0, step + 1] = T.max(y[i0, step], x[i0, step + 1])

    assert_program(after(before, PASS), expected)


def test_reversed_it_runs_from_the_end() -> None:
    @T.prim_func
    def before(A: T.Tensor((40,), "int32")):
        with T.Kernel(1):
            x = T.alloc_shared((40,), "int32")
            T.cumsum(x, x, dim=0, reverse=True)

    @T.prim_func
    def expected(A: T.Tensor((40,), "int32")):
        with T.Kernel(1):
            x = T.alloc_shared((40,), "int32")
            with scalar_code():
                x[39] = x[39]
                for step in T.serial(39):
                    x[38 - step] = x[39 - step] + x[38 - step]

    assert_program(after(before, PASS), expected)


def test_a_bitwise_reduction_that_keeps_the_old_value() -> None:
    @T.prim_func
    def before(A: T.Tensor((8, 16), "int32")):
        with T.Kernel(1):
            x = T.alloc_fragment((8, 16), "int32")
            y = T.alloc_fragment((8,), "int32")
            T.reduce_bitor(x, y, dim=1, clear=False)

    @T.prim_func
    def expected(A: T.Tensor((8, 16), "int32")):
        with T.Kernel(1):
            x = T.alloc_fragment((8, 16), "int32")
            y = T.alloc_fragment((8,), "int32")
            with scalar_code():
                for i0 in T.serial(8):
                    for i1 in T.serial(16):
                        y[i0] = y[i0] | x[i0, i1]

    assert_program(after(before, PASS), expected)


def test_what_the_vector_engine_has_stays() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((4, 64, 64), "float32")
            rows = T.alloc_fragment((4, 64), "float32")
            planes = T.alloc_fragment((64, 64), "float32")
            T.reduce_sum(x, rows, dim=2)
            T.reduce_sum(x, planes, dim=0)
            T.cumsum(planes, planes, dim=0)

    statements = list(leaves(after(kernel, PASS).body))
    assert not any(is_scalar_code(stmt) for stmt in statements)
