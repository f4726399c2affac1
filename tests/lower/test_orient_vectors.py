"""orient_vectors: a vector that is used along rows and columns has a turned copy."""

import tilelang.language as T
from tvm import tirx as tir

from tt_jit.errors import UnsupportedError
from tt_jit.lower.tile_ir import transpose, whole

from .programs import after, assert_program, line_of, refusal

PASS = "orient_vectors"


def turn(source: tir.Buffer, destination: tir.Buffer) -> tir.PrimExpr:
    """The transpose of a vector, which TileLang has no word for."""
    return transpose(whole(source), whole(destination)).value


def test_one_statement_that_needs_both() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            D = T.alloc_fragment((64, 64), "float32")
            G = T.alloc_fragment((64,), "float32")
            for i, j in T.Parallel(64, 64):
                D[i, j] = (G[i] - G[j]) * G[j]

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            G_t = T.alloc_fragment((64,), "float32")
            D = T.alloc_fragment((64, 64), "float32")
            G = T.alloc_fragment((64,), "float32")
            T.evaluate(turn(G, G_t))
            for i, j in T.Parallel(64, 64):
                D[i, j] = (G[i] - G_t[j]) * G_t[j]

    assert_program(after(before, PASS), expected)


def test_the_first_use_decides() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            D = T.alloc_fragment((64, 64), "float32")
            column = T.alloc_fragment((64,), "float32")
            row = T.alloc_fragment((64,), "float32")
            T.reduce_max(D, column, dim=1)
            T.reduce_max(D, row, dim=0)
            for i in T.Parallel(64):
                column[i] = column[i] * row[i]

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            row_t = T.alloc_fragment((64,), "float32")
            D = T.alloc_fragment((64, 64), "float32")
            column = T.alloc_fragment((64,), "float32")
            row = T.alloc_fragment((64,), "float32")
            T.reduce_max(D, column, dim=1)
            T.reduce_max(D, row, dim=0)
            T.evaluate(turn(row, row_t))
            for i in T.Parallel(64):
                column[i] = column[i] * row_t[i]

    assert_program(after(before, PASS), expected)


def test_results_are_turned_back() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            D = T.alloc_fragment((64, 64), "float32")
            v = T.alloc_fragment((64,), "float32")
            T.reduce_sum(D, v, dim=1)
            T.reduce_sum(D, v, dim=0, clear=False)
            for j in T.Parallel(64):
                v[j] = D[0, j]

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            v_t = T.alloc_fragment((64,), "float32")
            v_t_1 = T.alloc_fragment((64,), "float32")
            D = T.alloc_fragment((64, 64), "float32")
            v = T.alloc_fragment((64,), "float32")
            T.reduce_sum(D, v, dim=1)
            T.evaluate(turn(v, v_t))
            T.reduce_sum(D, v_t, dim=0, clear=False)
            T.evaluate(turn(v_t, v))
            for j in T.Parallel(64):
                v_t_1[j] = D[0, j]
            T.evaluate(turn(v_t_1, v))

    assert_program(after(before, PASS), expected)


def test_copies_between_vectors_are_transposes() -> None:
    @T.prim_func
    def before(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            D = T.alloc_fragment((64, 64), "float32")
            column = T.alloc_fragment((64,), "float32")
            row = T.alloc_fragment((64,), "float32")
            for i, j in T.Parallel(64, 64):
                D[i, j] = column[i] * row[j]
            T.copy(row, column)

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            D = T.alloc_fragment((64, 64), "float32")
            column = T.alloc_fragment((64,), "float32")
            row = T.alloc_fragment((64,), "float32")
            for i, j in T.Parallel(64, 64):
                D[i, j] = column[i] * row[j]
            T.evaluate(turn(row, column))

    assert_program(after(before, PASS), expected)


def test_vectors_that_lie_one_way_are_left_alone() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            D = T.alloc_fragment((64, 64), "float32")
            column = T.alloc_fragment((64,), "float32")
            row = T.alloc_fragment((64,), "float32")
            one = T.alloc_fragment((1,), "float32")
            T.reduce_sum(D, column, dim=1)
            T.reduce_sum(D, row, dim=0)
            for i, j in T.Parallel(64, 64):
                D[i, j] = D[i, j] - column[i] - row[j] - one[0]

    assert_program(after(kernel, PASS), kernel)


def test_refuses_to_write_part_of_a_vector_the_other_way() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            D = T.alloc_fragment((64, 64), "float32")
            v = T.alloc_fragment((64,), "float32")
            T.reduce_sum(D, v, dim=1)
            for j in T.Parallel(32):
                v[j] = D[0, j]

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "the 1-D buffer v is used along the columns of one tile and along the rows of another"
    assert error.hint == "use two buffers for v, one along the rows and one along the columns"
    assert line_of(error) == "v[j] = D[0, j]"
