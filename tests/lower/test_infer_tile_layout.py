"""infer_tile_layout: matrices, vectors along rows or columns by unification, dense vectors, scalars."""

import tilelang.language as T
from tvm import tirx as tir

from tt_jit.errors import UnsupportedError
from tt_jit.lower.tile_layout import TileLayout, layouts_of

from .programs import after, refusal

PASS = "infer_tile_layout"


def kinds(func: tir.PrimFunc) -> dict[str, str]:
    return {name: layout.kind for name, layout in layouts_of(after(func, PASS)).items()}


def test_the_attribute() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((4, 100, 64), "float32")):
        with T.Kernel(1):
            S = T.alloc_fragment((2, 100, 64), "float32")
            m = T.alloc_fragment((2048,), "float32")
            T.clear(S)
            T.clear(m)

    assert layouts_of(after(kernel, PASS)) == {
        "S": TileLayout(kind="matrix", outer=(2,), rows=100, cols=64),
        "m": TileLayout(kind="flat", outer=(), rows=1, cols=2048),
    }


def test_vectors_lie_where_their_index_runs() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            S = T.alloc_fragment((64, 96), "float32")
            by_row = T.alloc_fragment((64,), "float32")
            by_column = T.alloc_fragment((96,), "float32")
            for i, j in T.Parallel(64, 96):
                S[i, j] = S[i, j] * by_row[i] + by_column[j]

    assert kinds(kernel) == {"S": "matrix", "by_row": "column", "by_column": "row"}


def test_a_use_anywhere_decides_for_all_vectors_that_meet() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            S = T.alloc_fragment((64, 96), "float32")
            maximum = T.alloc_fragment((64,), "float32")
            previous = T.alloc_fragment((64,), "float32")
            scale = T.alloc_fragment((64,), "float32")
            T.copy(maximum, previous)
            T.reduce_max(S, maximum, dim=1)
            for i in T.Parallel(64):
                scale[i] = T.exp(previous[i] - maximum[i])

    assert kinds(kernel) == {"S": "matrix", "maximum": "column", "previous": "column", "scale": "column"}


def test_vectors_that_no_use_ties_down() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            dense = T.alloc_fragment((3072,), "float32")
            short = T.alloc_fragment((100,), "float32")
            one = T.alloc_fragment((1,), "float32")
            T.clear(dense)
            T.clear(short)
            T.clear(one)

    assert kinds(kernel) == {"dense": "flat", "short": "row", "one": "scalar"}


def test_a_transposed_right_operand_is_stored_column_by_column() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x = T.alloc_shared((64, 64), "bfloat16")
            y = T.alloc_shared((64, 64), "bfloat16")
            z = T.alloc_shared((64, 64), "bfloat16")
            c = T.alloc_fragment((64, 64), "float32")
            T.gemm(x, y, c, transpose_B=True)
            T.gemm(x, z, c, transpose_B=True)
            T.gemm(x, z, c)

    column_major = {name: layout.column_major for name, layout in layouts_of(after(kernel, PASS)).items()}
    assert column_major == {"x": False, "y": True, "z": False, "c": False}


def test_refuses_a_run_time_shape() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), n: T.int32):
        with T.Kernel(1):
            S = T.alloc_fragment((64, n), "float32")
            T.clear(S)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "on-chip buffer S has a run-time shape [64, n]"
    assert error.hint == "allocate on-chip buffers with compile-time sizes"


def test_a_vector_that_is_cut_inside_of_a_dense_tile_lies_in_rows() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((4096,), "float32")):
        with T.Kernel(1):
            dense = T.alloc_fragment((2048,), "float32")
            cut = T.alloc_fragment((2048,), "float32")
            T.copy(X[0:2048], dense)
            for i in T.Parallel(1024):
                cut[i + 512] = 1.0

    layouts = layouts_of(after(kernel, PASS))
    assert (layouts["dense"].kind, layouts["cut"].kind) == ("flat", "row")
