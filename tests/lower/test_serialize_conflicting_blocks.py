"""serialize_conflicting_blocks: grid axes along which blocks update the same elements become loops."""

import tilelang.language as T

from .programs import after, assert_program

PASS = "serialize_conflicting_blocks"
SHAPE = (64, 64)


def test_split_k() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 256), "float32"), C: T.Tensor(SHAPE, "float32")):
        with T.Kernel(2, 1, 4) as (bx, by, bz):
            a = T.alloc_fragment((32, 64), "float32")
            T.copy(A[bx * 32, bz * 64], a)
            for i, j in T.Parallel(32, 64):
                T.atomic_add(C[bx * 32 + i, by * 64 + j], a[i, j])

    result = after(kernel, PASS)
    text = result.script()
    assert 'for bx in T.thread_binding(2, thread="blockIdx.x")' in text
    assert "for bz in range(4)" in text and "blockIdx.z" not in text
    assert [str(name) for name in result.attrs["tt_ordered_tensors"]] == ["C"]


def test_blocks_that_write_different_elements_stay_parallel() -> None:
    @T.prim_func
    def kernel(A: T.Tensor(SHAPE, "float32"), C: T.Tensor(SHAPE, "float32")):
        with T.Kernel(2, 2) as (bx, by):
            a = T.alloc_fragment((32, 32), "float32")
            T.copy(A[bx * 32, by * 32], a)
            T.copy(a, C[bx * 32, by * 32])

    assert_program(after(kernel, PASS), kernel)
