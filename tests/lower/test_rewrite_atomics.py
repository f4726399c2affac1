"""rewrite_atomics: atomic operations as ordinary updates of tensors that are marked."""

import tilelang.language as T

from tt_jit.errors import UnsupportedError
from tt_jit.lower.rewrite_atomics import atomic_tensors

from .programs import after, assert_program, line_of, refusal

PASS = "rewrite_atomics"
SHAPE = (64, 64)


def test_an_update_of_a_tile() -> None:
    @T.prim_func
    def before(C: T.Tensor(SHAPE, "float32")):
        with T.Kernel(2):
            tile = T.alloc_fragment(SHAPE, "float32")
            T.atomic_add(C, tile)

    @T.prim_func
    def expected(C: T.Tensor(SHAPE, "float32")):
        with T.Kernel(2):
            tile = T.alloc_fragment(SHAPE, "float32")
            for i, j in T.Parallel(64, 64):
                C[i, j] = C[i, j] + tile[i, j]

    result = after(before, PASS)
    assert_program(result, expected)
    assert atomic_tensors(result) == {"C"}


def test_updates_of_elements() -> None:
    @T.prim_func
    def before(C: T.Tensor(SHAPE, "float32"), M: T.Tensor(SHAPE, "float32")):
        with T.Kernel(2):
            tile = T.alloc_fragment(SHAPE, "float32")
            for i, j in T.Parallel(64, 64):
                T.atomic_add(C[i, j], tile[i, j])
            for i, j in T.Parallel(64, 64):
                T.atomic_max(M[i, j], tile[i, j])

    @T.prim_func
    def expected(C: T.Tensor(SHAPE, "float32"), M: T.Tensor(SHAPE, "float32")):
        with T.Kernel(2):
            tile = T.alloc_fragment(SHAPE, "float32")
            for i, j in T.Parallel(64, 64):
                C[i, j] = C[i, j] + tile[i, j]
            for i, j in T.Parallel(64, 64):
                M[i, j] = T.max(M[i, j], tile[i, j])

    result = after(before, PASS)
    assert_program(result, expected)
    assert atomic_tensors(result) == {"C", "M"}


def test_refuses_two_old_values_in_one_statement() -> None:
    @T.prim_func
    def kernel(C: T.Tensor((64,), "int32")):
        with T.Kernel(2):
            old = T.alloc_fragment((64,), "int32")
            for i in T.Parallel(64):
                old[i] = T.atomic_add(C[i], 1, return_prev=True) + T.atomic_add(C[i], 1, return_prev=True)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "T.atomic_add with return_prev"
    assert error.hint == "T.atomic_add, T.atomic_max and T.atomic_min are supported, one of them in a statement"
    assert line_of(error).startswith("old[i] = T.atomic_add(C[i], 1, return_prev=True)")
