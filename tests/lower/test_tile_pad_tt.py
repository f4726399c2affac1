"""tile_pad_tt: what a reduction or a gemm would mix in holds the identity."""

import pytest
import tilelang.language as T

from tt_jit.lower.tile_layout import layouts_of
from tt_jit.lower.tile_pad_tt import PADDING_ATTRIBUTE

from .programs import after, assert_program

PASS = "tile_pad_tt"


def test_a_reduction_along_a_ragged_row() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            S = T.alloc_fragment((64, 100), "float32")
            m = T.alloc_fragment((64,), "float32")
            T.reduce_max(S, m, dim=1)

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            S_padded = T.alloc_fragment((64, 128), "float32")
            S = T.alloc_fragment((64, 100), "float32")
            m = T.alloc_fragment((64,), "float32")
            for i, j in T.Parallel(64, 128):
                S_padded[i, j] = T.if_then_else(j < 100, S[i, j], T.float32(-float("inf")))
            T.reduce_max(S_padded, m, dim=1)

    result = after(before, PASS)
    assert_program(result, expected)
    assert layouts_of(result)["S_padded"].cols == 128
    assert {name: dict(info) for name, info in result.attrs[PADDING_ATTRIBUTE].items()} == {
        "S": {"rows": 64, "cols": 100, "padded_rows": 64, "padded_cols": 128, "value": "-inf"}
    }


@pytest.mark.parametrize(
    ("reduce", "value"),
    [(T.reduce_sum, "0.0"), (T.reduce_max, "-inf"), (T.reduce_min, "inf"), (T.reduce_absmax, "0.0")],
)
def test_each_reduction_has_its_identity(reduce: object, value: str) -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            S = T.alloc_fragment((50, 64), "float32")
            m = T.alloc_fragment((64,), "float32")
            reduce(S, m, dim=0)

    info = after(kernel, PASS).attrs[PADDING_ATTRIBUTE]
    assert (int(info["S"]["padded_rows"]), str(info["S"]["value"])) == (64, value)


def test_a_reduction_along_whole_tiles_and_across_ragged_ones_is_left_alone() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            S = T.alloc_fragment((50, 64), "float32")
            m = T.alloc_fragment((50,), "float32")
            T.reduce_max(S, m, dim=1)

    result = after(kernel, PASS)
    assert_program(result, kernel)
    assert not result.attrs[PADDING_ATTRIBUTE]


def test_the_inner_dimension_of_a_gemm_is_padded_where_compute_wrote_it() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 50), "bfloat16"), B: T.Tensor((50, 64), "bfloat16")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 50), "bfloat16")
            b = T.alloc_shared((50, 64), "bfloat16")
            c = T.alloc_fragment((64, 64), "float32")
            T.copy(A, a)
            T.copy(B, b)
            for i, j in T.Parallel(64, 50):
                a[i, j] = T.exp(a[i, j])
            T.gemm(a, b, c)

    result = after(before, PASS)
    # TileLang itself would not accept a gemm whose operands differ in K, so the result is compared as text.
    assert list(result.attrs[PADDING_ATTRIBUTE]) == ["a"]
    assert "a_padded[i0, i1] = T.if_then_else(i1 < 50, a[i0, i1], T.bfloat16(0.0))" in result.script()
    assert "T.gemm(T.region(a_padded[0, 0], 1, 64, 64), T.region(b[0, 0], 1, 50, 64)" in result.script()
