"""lower_scans: every cumulative sum as scans along the rows of tiles."""

import tilelang.language as T

from tt_jit.errors import UnsupportedError
from tt_jit.lower.tile_ir import region_call, whole

from .programs import after, assert_program, line_of, refusal, tt

PASS = "lower_scans"


def test_along_columns_it_is_the_scan_of_the_transpose() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x = T.alloc_shared((64, 64), "float32")
            y = T.alloc_shared((64, 64), "float32")
            T.cumsum(x, y, dim=1)

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x_t = T.alloc_fragment((64, 64), "float32")
            x_scan = T.alloc_fragment((64, 64), "float32")
            x = T.alloc_shared((64, 64), "float32")
            y = T.alloc_shared((64, 64), "float32")
            T.transpose(x, x_t)
            tt.scan(region_call(whole(x_t), 1), region_call(whole(x_scan), 2))
            T.transpose(x_scan, y)

    assert_program(after(before, PASS), expected)


def test_along_rows_it_is_the_scan_itself() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x = T.alloc_shared((64, 64), "float32")
            y = T.alloc_shared((64, 64), "float32")
            T.cumsum(x, y, dim=0)

    text = after(kernel, PASS).script()
    assert "T.tt.scan(T.region(x[0, 0]" in text and "T.transpose" not in text and "cumsum" not in text


def test_refuses_a_scan_of_a_part() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x = T.alloc_shared((64, 64), "float32")
            y = T.alloc_shared((32, 64), "float32")
            T.cumsum(x[0:32, 0:64], y, dim=1)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "T.cumsum over part of x, or of rank 2"
    assert line_of(error) == "T.cumsum(x[0:32, 0:64], y, dim=1)"
