"""Small kernels in TileLang's styles, shared by the tests of the front end."""

from collections.abc import Callable
from typing import Any

import tilelang.language as T


def lazy_copy(M: int, N: int, block: int = 32, dtype: str = "float32") -> Any:
    @T.prim_func
    def copy(A: T.Tensor((M, N), dtype), B: T.Tensor((M, N), dtype)):
        with T.Kernel(T.ceildiv(M, block)) as bx:
            tile = T.alloc_shared((block, N), dtype)
            T.copy(A[bx * block, 0], tile)
            T.copy(tile, B[bx * block, 0])

    return copy


def lazy_two_outputs(M: int) -> Any:
    @T.prim_func
    def split(
        A: T.Tensor((M,), "float32"),
        B: T.Tensor((M,), "float16"),
        C: T.Tensor((M,), "float32"),
        D: T.Tensor((M, 2), "int32"),
    ):
        with T.Kernel(1):
            for i in T.serial(M):
                B[i] = A[i] + C[i]
                D[i, 0] = 1

    return split


def eager_add(A, B, block: int = 32):
    M, N = T.const("M, N")
    A: T.Tensor[[M, N], T.float32]
    B: T.Tensor[[M, N], T.float32]
    C = T.empty((M, N), T.float32)
    with T.Kernel(T.ceildiv(M, block)) as bx:
        tile = T.alloc_shared((block, N), T.float32)
        T.copy(A[bx * block, 0], tile)
        for i, j in T.Parallel(block, N):
            tile[i, j] += B[bx * block + i, j]
        T.copy(tile, C[bx * block, 0])
    return C


def eager_in_place(A, value: T.float32, count: T.int32):
    M = T.dynamic("m")
    A: T.Tensor[[M], T.float32]
    with T.Kernel(1):
        for i in T.serial(count):
            A[i] = value


def make_scaled(scale: float) -> Callable[..., Any]:
    """A factory that reads `scale` from its closure."""

    def scaled(M: int) -> Any:
        @T.prim_func
        def main(A: T.Tensor((M,), "float32")):
            with T.Kernel(1):
                for i in T.serial(M):
                    A[i] = A[i] * scale

        return main

    return scaled
