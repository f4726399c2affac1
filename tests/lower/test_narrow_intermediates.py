"""narrow_intermediates: under the policy ``fast``, floats that no loop carries are stored as bfloat16."""

import tilelang.language as T
from tvm import tirx as tir

from tt_jit.lower.tile_ir import is_gather, leaves, parse

from .programs import after, assert_program, before

PASS = "narrow_intermediates"


def fast(kernel: tir.PrimFunc) -> tir.PrimFunc:
    return kernel.with_attr("tt_precision", "fast")


def dtypes(func: tir.PrimFunc) -> dict[str, str]:
    """The dtype of every on-chip buffer."""
    return {leaf.buffer.name: str(leaf.buffer.dtype) for leaf in leaves(func.body) if isinstance(leaf, tir.AllocBuffer)}


def test_intermediates_are_stored_as_bfloat16() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "bfloat16"), B: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((64, 64), "float32")
            y = T.alloc_fragment((64, 64), "float32")
            T.copy(A, x)
            for i, j in T.Parallel(64, 64):
                y[i, j] = T.exp(x[i, j]) * 2.0
            T.copy(y, B)

    @T.prim_func
    def expected(A: T.Tensor((64, 64), "bfloat16"), B: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((64, 64), "bfloat16")
            y = T.alloc_fragment((64, 64), "bfloat16")
            T.copy(A, x)
            for i, j in T.Parallel(64, 64):
                y[i, j] = T.Cast("bfloat16", T.exp(T.Cast("float32", x[i, j])) * T.float32(2.0))
            T.copy(y, B)

    assert_program(after(fast(kernel), PASS), expected)


def test_the_default_policy_changes_nothing() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float16"), B: T.Tensor((64, 64), "float16")):
        with T.Kernel(1):
            x = T.alloc_fragment((64, 64), "float32")
            T.copy(A, x)
            T.copy(x, B)

    assert_program(after(kernel, PASS), before(kernel, PASS))


def test_what_a_loop_carries_its_copies_and_its_factors_keep_their_dtype() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 256), "bfloat16"), B: T.Tensor((64,), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((64, 64), "float32")
            peak = T.alloc_fragment((64,), "float32")
            old = T.alloc_fragment((64,), "float32")
            scale = T.alloc_fragment((64,), "float32")
            weights = T.alloc_fragment((64, 64), "float32")
            total = T.alloc_fragment((64,), "float32")
            T.fill(peak, -T.infinity("float32"))
            T.clear(total)
            for k in T.serial(4):
                T.copy(A[0, k * 64], x)
                T.copy(peak, old)
                T.reduce_max(x, peak, dim=1, clear=False)
                for i in T.Parallel(64):
                    scale[i] = T.exp(old[i] - peak[i])
                for i, j in T.Parallel(64, 64):
                    weights[i, j] = T.exp(x[i, j] - peak[i])
                for i in T.Parallel(64):
                    total[i] = total[i] * scale[i]
                T.reduce_sum(weights, total, dim=1, clear=False)
            T.copy(total, B)

    assert dtypes(after(fast(kernel), PASS)) == {
        "x": "bfloat16",
        "peak": "float32",
        "old": "float32",
        "scale": "float32",
        "weights": "bfloat16",
        "total": "float32",
    }


def test_what_is_only_loaded_from_a_float32_tensor_needs_no_conversion() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), B: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            loaded = T.alloc_fragment((64, 64), "float32")
            changed = T.alloc_fragment((64, 64), "float32")
            T.copy(A, loaded)
            T.copy(A, changed)
            for i, j in T.Parallel(64, 64):
                changed[i, j] = changed[i, j] + loaded[i, j]
            T.copy(changed, B)

    assert dtypes(after(fast(kernel), PASS)) == {"loaded": "float32", "changed": "bfloat16"}


def test_elements_that_are_picked_one_by_one_keep_their_dtype() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float16"), I: T.Tensor((64,), "int32"), B: T.Tensor((64, 64), "float16")):
        with T.Kernel(1):
            x = T.alloc_fragment((64, 64), "float16")
            y = T.alloc_fragment((64, 64), "float16")
            for i, j in T.Parallel(64, 64):
                x[i, j] = A[I[i], I[j]]
            for i, j in T.Parallel(64, 64):
                y[i, j] = T.exp(x[i, j])
            T.copy(y, B)

    func = after(fast(kernel), PASS)
    picks = [record for record in map(parse, leaves(func.body)) if is_gather(record)]
    assert [str(record.store.buffer.dtype) for record in picks] == ["float16"]
    assert dtypes(func)["y"] == "bfloat16"
    assert {b.name: str(b.dtype) for b in func.buffer_map.values()} == {"A": "float16", "I": "int32", "B": "bfloat16"}


def test_sums_of_products_keep_their_dtype_and_float16_tensors_travel_as_bfloat16() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 256), "float16"), B: T.Tensor((64, 64), "float16")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "float16")
            c = T.alloc_fragment((64, 64), "float32")
            T.clear(c)
            for k in T.Pipelined(4, num_stages=2):
                T.copy(A[0, k * 64], a)
                T.gemm(a, a, c, transpose_B=True)
            T.copy(c, B)

    func = after(fast(kernel), PASS)
    assert dtypes(func) == {"a": "bfloat16", "c": "float32"}
    assert {b.name: str(b.dtype) for b in func.buffer_map.values()} == {"A": "bfloat16", "B": "bfloat16"}
    assert {str(k): str(v) for k, v in func.attrs["tt_tensor_dtypes"].items()} == {"A": "float16", "B": "float16"}
