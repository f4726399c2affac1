"""insert_inits: an init and a format call where the configuration changes, and nowhere else."""

import tilelang.language as T
from tvm import tirx as tir

from .programs import outline, roles_after

PASS = "insert_inits"


def compute(func: tir.PrimFunc) -> list[str]:
    return outline(roles_after(func, PASS)["compute"])


def inits(func: tir.PrimFunc) -> list[str]:
    wanted = ("_init", "reconfig_data_format", "hw_startup")
    return [name for name in compute(func) if any(part in name for part in wanted)]


def gemm(stages: int, dtype: str = "bfloat16") -> tir.PrimFunc:
    @T.prim_func
    def kernel(A: T.Tensor((64, 256), dtype), B: T.Tensor((256, 64), dtype), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), dtype)
            b = T.alloc_shared((64, 64), dtype)
            c = T.alloc_fragment((64, 64), "float32")
            T.clear(c)
            for k in T.Pipelined(4, num_stages=stages):
                T.copy(A[0, k * 64], a)
                T.copy(B[k * 64, 0], b)
                T.gemm(a, b, c)
            for i, j in T.Parallel(64, 64):
                c[i, j] = T.max(c[i, j], 0.0)
            T.copy(c, C)

    return kernel


def test_startup_comes_first_and_once() -> None:
    calls = compute(gemm(2))
    assert calls[0] == "compute_kernel_hw_startup"
    assert calls.count("compute_kernel_hw_startup") == 1


def test_the_gemm_is_initialised_outside_of_its_loop() -> None:
    text = roles_after(gemm(2), PASS)["compute"].script()
    before, inside = text.split("for k in")
    assert "tt.matmul_block_init(" in before
    assert "_init(" not in inside.split("tt.cb_pop_front(b")[0]
    assert 'hw_startup("SrcOrder::Reverse", a' in text, "in0 goes through SrcB"


def test_every_operation_is_prepared() -> None:
    """Walking the compute kernel in order, the init of an operation is the last one of its unit before it."""
    calls = compute(gemm(2))
    assert calls.index("matmul_block_init") < calls.index("matmul_block")
    assert calls.index("copy_init") < calls.index("copy_tile")
    assert calls.index("unary_max_tile_init") < calls.index("unary_max_tile")


def test_one_configuration_needs_one_init() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((256, 64), "float32"), C: T.Tensor((256, 64), "float32")):
        with T.Kernel(8) as bx:
            a = T.alloc_shared((32, 64), "float32")
            c = T.alloc_fragment((32, 64), "float32")
            T.copy(A[bx * 32, 0], a)
            for i, j in T.Parallel(32, 64):
                c[i, j] = T.exp(a[i, j])
            T.copy(c, C[bx * 32, 0])

    text = roles_after(kernel, PASS)["compute"].script()
    assert inits(kernel) == ["compute_kernel_hw_startup", "copy_init", "exp_tile_init"]
    before, _ = text.split("for work in")
    assert "copy_init" in before and "exp_tile_init" in before


def test_two_operations_that_alternate_are_initialised_again() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((256, 64), "float32"), C: T.Tensor((256, 64), "float32")):
        with T.Kernel(8) as bx:
            a = T.alloc_shared((32, 64), "float32")
            c = T.alloc_fragment((32, 64), "float32")
            T.copy(A[bx * 32, 0], a)
            for i, j in T.Parallel(32, 64):
                c[i, j] = T.tanh(T.exp(a[i, j]))
            T.copy(c, C[bx * 32, 0])

    inside = roles_after(kernel, PASS)["compute"].script().split("for work in")[1]
    assert inside.count("exp_tile_init") == 1 and inside.count("tanh_tile_init") == 1
    assert inside.index("exp_tile_init") < inside.index("tt.exp_tile(") < inside.index("tanh_tile_init")


def test_a_change_of_format_reconfigures_the_source_and_the_packer() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "bfloat16"), B: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "bfloat16")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "bfloat16")
            b = T.alloc_shared((64, 64), "float32")
            f = T.alloc_fragment((64, 64), "float32")
            g = T.alloc_fragment((64, 64), "bfloat16")
            T.copy(A, a)
            T.copy(B, b)
            for i, j in T.Parallel(64, 64):
                f[i, j] = T.exp(a[i, j]) + b[i, j]
            for i, j in T.Parallel(64, 64):
                g[i, j] = f[i, j] * f[i, j]
            T.copy(g, C)
            T.copy(f, B)

    calls = compute(kernel)
    assert "reconfig_data_format_srca" in calls and "pack_reconfig_data_format" in calls
    # A new source format voids the matrix engine's init: copy_init follows every change.
    for position, name in enumerate(calls):
        if name == "reconfig_data_format_srca":
            assert calls[position + 1] == "copy_init"


def test_reader_and_writer_are_left_alone() -> None:
    split, finished = roles_after(gemm(2), "split_roles"), roles_after(gemm(2), PASS)
    for role in ("reader", "writer"):
        assert outline(split[role]) == outline(finished[role])


def test_copies_next_to_bytes_configure_both_sources() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((32, 32), "uint8"), B: T.Tensor((32, 32), "bfloat16"), C: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            a = T.alloc_shared((32, 32), "uint8")
            b = T.alloc_shared((32, 32), "bfloat16")
            c = T.alloc_fragment((32, 32), "float32")
            T.copy(A, a)
            T.copy(B, b)
            for i, j in T.Parallel(32, 32):
                c[i, j] = T.exp(T.cast(b[i, j], "float32")) + T.cast(a[i, j], "float32")
            T.copy(c, C)

    found = inits(kernel)
    assert found.count("reconfig_data_format_srca") == found.count("reconfig_data_format_srcb") > 0


def test_a_maximum_of_columns_is_prepared_anew_after_one_of_rows() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 32), "float32"), C: T.Tensor((64,), "float32")):
        with T.Kernel(1):
            a = T.alloc_fragment((32, 32), "float32")
            rows = T.alloc_fragment((32,), "float32")
            best = T.alloc_fragment((1,), "float32")
            c = T.alloc_fragment((32,), "float32")
            for k in T.serial(2):
                T.copy(A[k * 32, 0], a)
                T.reduce_max(a, rows, dim=1)
                T.reduce_max(rows, best, dim=0)
                for i in T.Parallel(32):
                    c[i] = rows[i] - best[0]
                T.copy(c, C[k * 32])

    calls = [name for name in compute(kernel) if name.startswith("sfpu_reduce")]
    assert calls == ["sfpu_reduce_init", "sfpu_reduce", "sfpu_reduce_init", "sfpu_reduce"]
