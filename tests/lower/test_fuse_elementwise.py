"""fuse_elementwise: neighbours over the same lanes become one statement."""

import pytest
import tilelang.language as T
from tvm import tirx as tir

from .programs import after, assert_program, before

PASS = "fuse_elementwise"


def test_a_result_that_only_the_next_statement_reads() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "bfloat16"), S: T.Tensor((64,), "bfloat16"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "bfloat16")
            s = T.alloc_shared((64,), "bfloat16")
            x = T.alloc_fragment((64, 64), "float32")
            y = T.alloc_fragment((64, 64), "float32")
            T.copy(A, a)
            T.copy(S, s)
            for i, j in T.Parallel(64, 64):
                x[i, j] = a[i, j] * T.Cast("bfloat16", 2.0)
                y[i, j] = T.exp(x[i, j]) + s[i]
            T.copy(y, C)

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "bfloat16"), S: T.Tensor((64,), "bfloat16"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "bfloat16")
            s = T.alloc_shared((64,), "bfloat16")
            x = T.alloc_fragment((64, 64), "float32")
            y = T.alloc_fragment((64, 64), "float32")
            T.copy(A, a)
            T.copy(S, s)
            for i, j in T.Parallel(64, 64):
                y[i, j] = T.exp(T.Cast("float32", a[i, j] * T.Cast("bfloat16", 2.0))) + T.Cast("float32", s[i])
            T.copy(y, C)

    assert_program(after(kernel, PASS), expected)


def test_an_update_in_place() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((64, 64), "float32")
            T.copy(A, x)
            for i, j in T.Parallel(64, 64):
                x[i, j] = x[i, j] + 1.0
            for i, j in T.Parallel(64, 64):
                x[i, j] = T.max(x[i, j], 0.0)
            T.copy(x, C)

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((64, 64), "float32")
            T.copy(A, x)
            for i, j in T.Parallel(64, 64):
                x[i, j] = T.max(x[i, j] + 1.0, 0.0)
            T.copy(x, C)

    assert_program(after(kernel, PASS), expected)


@T.prim_func
def read_later(A: T.Tensor((64, 64), "float32"), B: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
    with T.Kernel(1):
        x = T.alloc_fragment((64, 64), "float32")
        y = T.alloc_fragment((64, 64), "float32")
        T.copy(A, x)
        for i, j in T.Parallel(64, 64):
            x[i, j] = x[i, j] + 1.0
        for i, j in T.Parallel(64, 64):
            y[i, j] = T.exp(x[i, j])
        T.copy(x, B)
        T.copy(y, C)


@T.prim_func
def read_by_the_next_pass(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
    with T.Kernel(1):
        x = T.alloc_fragment((64, 64), "float32")
        y = T.alloc_fragment((64, 64), "float32")
        T.copy(A, x)
        for _ in T.serial(3):
            for i, j in T.Parallel(64, 64):
                x[i, j] = x[i, j] + 1.0
            for i, j in T.Parallel(64, 64):
                y[i, j] = T.exp(x[i, j])
        T.copy(y, C)


@T.prim_func
def other_lanes(A: T.Tensor((64,), "float32"), C: T.Tensor((64, 64), "float32")):
    with T.Kernel(1):
        x = T.alloc_fragment((64,), "float32")
        y = T.alloc_fragment((64, 64), "float32")
        T.copy(A, x)
        for i in T.Parallel(64):
            x[i] = T.exp(x[i])
        for i, j in T.Parallel(64, 64):
            y[i, j] = x[i] * 2.0
        T.copy(y, C)


@T.prim_func
def too_many_registers(
    A: T.Tensor((64, 64), "float32"),
    B: T.Tensor((64, 64), "float32"),
    C: T.Tensor((64, 64), "float32"),
    D: T.Tensor((64, 64), "float32"),
):
    with T.Kernel(1):
        a = T.alloc_fragment((64, 64), "float32")
        b = T.alloc_fragment((64, 64), "float32")
        c = T.alloc_fragment((64, 64), "float32")
        x = T.alloc_fragment((64, 64), "float32")
        y = T.alloc_fragment((64, 64), "float32")
        T.copy(A, a)
        T.copy(B, b)
        T.copy(C, c)
        for i, j in T.Parallel(64, 64):
            x[i, j] = ((a[i, j] * b[i, j] - c[i, j] * a[i, j]) - (b[i, j] * c[i, j] - a[i, j] * a[i, j])) * (
                (a[i, j] + b[i, j]) * (b[i, j] + c[i, j]) - (c[i, j] + a[i, j]) * (a[i, j] - b[i, j])
            )
        for i, j in T.Parallel(64, 64):
            y[i, j] = ((a[i, j] - b[i, j]) * (a[i, j] - c[i, j]) - (b[i, j] - c[i, j]) * (b[i, j] - a[i, j])) * x[i, j]
        T.copy(y, D)


@T.prim_func
def part_of_a_buffer(A: T.Tensor((64, 64), "float32"), B: T.Tensor((64, 64), "float32")):
    with T.Kernel(1):
        a = T.alloc_fragment((64, 64), "float32")
        T.copy(A, a)
        for i, j in T.Parallel(64, 32):
            a[i, 32 + j] = a[i, 32 + j] * a[i, 32 + j]
        T.copy(a, B)


@pytest.mark.parametrize(
    "kernel",
    [read_later, read_by_the_next_pass, other_lanes, too_many_registers, part_of_a_buffer],
    ids=["read_later", "read_by_the_next_pass", "other_lanes", "too_many_registers", "part_of_a_buffer"],
)
def test_what_stays_apart(kernel: tir.PrimFunc) -> None:
    assert_program(after(kernel, PASS), before(kernel, PASS))
