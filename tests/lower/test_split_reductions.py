"""split_reductions: every reduction is one of rows or columns of a matrix into a whole vector."""

import tilelang.language as T
from tvm import tirx as tir

from tt_jit.errors import UnsupportedError
from tt_jit.lower.tile_ir import Region, reduce, whole

from .programs import after, assert_program, refusal

PASS = "split_reductions"


def plane(buffer: tir.Buffer, number: tir.Var, target: tir.Buffer, kind: str, dim: int) -> tir.Call:
    """The reduction of one plane of ``buffer`` into ``target``, which TileLang would want to have a leading dim."""
    mins = (number, tir.IntImm("int32", 0), tir.IntImm("int32", 0))
    source = Region(buffer=buffer, mins=mins, extents=(tir.IntImm("int32", 1), *buffer.shape[1:]))
    return reduce(source, whole(target), kind, dim, True).value


def test_rows_of_every_plane_go_into_rows_of_the_result() -> None:
    @T.prim_func
    def before(C: T.Tensor((4, 32), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((4, 32, 64), "float32")
            y = T.alloc_fragment((4, 64), "float32")
            T.reduce_max(x, y, dim=1)

    @T.prim_func
    def expected(C: T.Tensor((4, 32), "float32")):
        with T.Kernel(1):
            y_part = T.alloc_fragment((64,), "float32")
            x = T.alloc_fragment((4, 32, 64), "float32")
            y = T.alloc_fragment((4, 64), "float32")
            for p in T.serial(4):
                plane(x, p, y_part, "max", 1)
                for j in T.Parallel(64):
                    y[p, j] = y_part[j]

    assert_program(after(before, PASS), expected)


def test_results_that_lie_across_are_reduced_from_the_transpose() -> None:
    @T.prim_func
    def before(C: T.Tensor((4, 32), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((4, 32, 64), "float32")
            y = T.alloc_fragment((4, 32), "float32")
            T.reduce_sum(x, y, dim=2, clear=False)

    @T.prim_func
    def expected(C: T.Tensor((4, 32), "float32")):
        with T.Kernel(1):
            x_t = T.alloc_fragment((64, 32), "float32")
            y_part = T.alloc_fragment((32,), "float32")
            x = T.alloc_fragment((4, 32, 64), "float32")
            y = T.alloc_fragment((4, 32), "float32")
            for p in T.serial(4):
                T.transpose(x[p : p + 1, 0:32, 0:64], x_t)
                T.reduce_sum(x_t, y_part, dim=0)
                for j in T.Parallel(32):
                    y[p, j] = y[p, j] + y_part[j]

    assert_program(after(before, PASS), expected)


def test_planes_are_combined_element_by_element() -> None:
    @T.prim_func
    def before(C: T.Tensor((32, 64), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((4, 32, 64), "float32")
            y = T.alloc_fragment((32, 64), "float32")
            T.reduce_absmax(x, y, dim=0)

    @T.prim_func
    def expected(C: T.Tensor((32, 64), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((4, 32, 64), "float32")
            y = T.alloc_fragment((32, 64), "float32")
            for i, j in T.Parallel(32, 64):
                y[i, j] = T.abs(x[0, i, j])
            for p in T.serial(3):
                for i, j in T.Parallel(32, 64):
                    y[i, j] = T.max(y[i, j], T.abs(x[p + 1, i, j]))

    assert_program(after(before, PASS), expected)


def test_what_has_a_tile_form_stays() -> None:
    @T.prim_func
    def kernel(C: T.Tensor((32, 64), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((64, 128), "float32")
            rows = T.alloc_fragment((64,), "float32")
            column = T.alloc_fragment((64, 1), "float32")
            total = T.alloc_fragment((1,), "float32")
            T.reduce_sum(x, rows, dim=1)
            T.reduce_sum(x, column, dim=1)
            T.reduce_sum(rows, total, dim=0)

    assert_program(after(kernel, PASS), kernel)


def test_refuses_a_run_time_number_of_planes() -> None:
    n = T.dynamic("n")

    @T.prim_func
    def kernel(C: T.Tensor((n, 64), "float32")):
        with T.Kernel(4):
            x = T.alloc_fragment((4, 32, 64), "float32")
            y = T.alloc_fragment((4, 32), "float32")
            T.reduce_max(x[0:n, 0:32, 0:64], y[0:n, 0:32], dim=2)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "a reduction over a part of x of run-time size n"
