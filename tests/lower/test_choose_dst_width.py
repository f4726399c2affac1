"""choose_dst_width: 16-bit DST where the policy ``fast`` allows it and no error can grow."""

import pytest
import tilelang.language as T
from tvm import tirx as tir

from .programs import after

PASS = "choose_dst_width"


@T.prim_func
def product(A: T.Tensor((64, 256), "bfloat16"), C: T.Tensor((64, 64), "bfloat16")):
    with T.Kernel(1):
        a = T.alloc_shared((64, 64), "bfloat16")
        c = T.alloc_fragment((64, 64), "float32")
        T.clear(c)
        for k in T.Pipelined(4, num_stages=2):
            T.copy(A[0, k * 64], a)
            T.gemm(a, a, c)
        T.copy(c, C)


@T.prim_func
def scaled(A: T.Tensor((64, 64), "bfloat16"), S: T.Tensor((64,), "float32"), C: T.Tensor((64, 64), "bfloat16")):
    with T.Kernel(1):
        a = T.alloc_shared((64, 64), "bfloat16")
        s = T.alloc_fragment((64,), "float32")
        c = T.alloc_fragment((64, 64), "float32")
        T.copy(A, a)
        T.copy(S, s)
        for i, j in T.Parallel(64, 64):
            c[i, j] = T.exp(a[i, j] - s[i] * 2.0)
        T.copy(c, C)


@T.prim_func
def row_sums(A: T.Tensor((64, 64), "bfloat16"), S: T.Tensor((64,), "float32")):
    with T.Kernel(1):
        a = T.alloc_fragment((64, 64), "float32")
        s = T.alloc_fragment((64,), "float32")
        T.copy(A, a)
        T.reduce_sum(a, s, dim=1)
        T.copy(s, S)


@T.prim_func
def row_maxima(A: T.Tensor((64, 64), "bfloat16"), S: T.Tensor((64,), "float32")):
    with T.Kernel(1):
        a = T.alloc_fragment((64, 64), "float32")
        s = T.alloc_fragment((64,), "float32")
        T.copy(A, a)
        T.reduce_max(a, s, dim=1)
        T.copy(s, S)


@T.prim_func
def carried(A: T.Tensor((64, 256), "bfloat16"), C: T.Tensor((64, 64), "float32")):
    with T.Kernel(1):
        a = T.alloc_shared((64, 64), "bfloat16")
        c = T.alloc_fragment((64, 64), "float32")
        T.clear(c)
        for k in T.serial(4):
            T.copy(A[0, k * 64], a)
            for i, j in T.Parallel(64, 64):
                c[i, j] = c[i, j] * 0.5 + a[i, j]
        T.copy(c, C)


@T.prim_func
def integers(A: T.Tensor((64, 64), "int32"), C: T.Tensor((64, 64), "int32")):
    with T.Kernel(1):
        a = T.alloc_shared((64, 64), "int32")
        T.copy(A, a)
        for i, j in T.Parallel(64, 64):
            a[i, j] = a[i, j] + 1
        T.copy(a, C)


@T.prim_func
def indices(A: T.Tensor((64, 64), "bfloat16"), C: T.Tensor((64, 64), "bfloat16")):
    with T.Kernel(1):
        a = T.alloc_shared((64, 64), "bfloat16")
        T.copy(A, a)
        for i, j in T.Parallel(64, 64):
            a[i, j] = T.if_then_else(i >= j, a[i, j], 0.0)
        T.copy(a, C)


def bits(kernel: tir.PrimFunc, policy: str) -> int:
    return int(after(kernel.with_attr("tt_precision", policy), PASS).attrs["tt_dst_bits"])


@pytest.mark.parametrize("kernel", [product, scaled, row_maxima], ids=["product", "scaled", "row_maxima"])
def test_sixteen_bits_where_errors_do_not_grow(kernel: tir.PrimFunc) -> None:
    assert bits(kernel, "fast") == 16


@pytest.mark.parametrize(
    "kernel", [row_sums, carried, integers, indices], ids=["row_sums", "carried", "integers", "indices"]
)
def test_sums_carried_values_and_integers_need_thirty_two_bits(kernel: tir.PrimFunc) -> None:
    assert bits(kernel, "fast") == 32


def test_the_default_policy_never_narrows() -> None:
    assert [bits(kernel, "accurate") for kernel in (product, scaled, row_maxima)] == [32, 32, 32]
