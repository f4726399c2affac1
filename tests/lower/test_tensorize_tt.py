"""tensorize_tt: gemms, transposes, reductions, element-wise loops and transfers as device calls."""

from collections.abc import Callable

import pytest
import tilelang.language as T
from tvm import tirx as tir

from tt_jit.errors import TilingError
from tt_jit.lower import PIPELINE
from tt_jit.lower.base import LoweringContext, run_pipeline

from .programs import WORMHOLE, after, line_of, outline, position_of, refusal, run, tt
from .programs import assert_body as same

PASS = "tensorize_tt"
SECTION = ["tile_regs_acquire", "tile_regs_commit", "tile_regs_wait", "tile_regs_release"]


def between(func: tir.PrimFunc, first: str, last: str) -> str:
    """The text of the program from ``first`` up to ``last``."""
    text = after(func, PASS).script()
    assert first in text, text
    return text[text.index(first) :].split(last)[0]


# ---- gemm ----------------------------------------------------------------------------------------------------------


def gemm(m: int, n: int, k: int, *, transpose_b: bool = False, out: str = "float32") -> tir.PrimFunc:
    b_shape = (n, k) if transpose_b else (k, n)

    @T.prim_func
    def kernel(A: T.Tensor((m, k), "bfloat16"), B: T.Tensor(b_shape, "bfloat16"), C: T.Tensor((m, n), "float32")):
        with T.Kernel(1):
            a = T.alloc_shared((m, k), "bfloat16")
            b = T.alloc_shared(b_shape, "bfloat16")
            c = T.alloc_fragment((m, n), out)
            T.copy(A, a)
            T.copy(B, b)
            T.gemm(a, b, c, transpose_B=transpose_b, clear_accum=True)
            T.copy(c, C)

    return kernel


def matmul_arguments(func: tir.PrimFunc) -> list[str]:
    text = after(func, PASS).script()
    return text[text.index("matmul_block(") + len("matmul_block(") :].split(")\n")[0].split(", ")


@pytest.mark.parametrize(
    ("m", "n", "k", "transpose_b", "expected"),
    [
        # (A, B, tile of A, tile of B, DST, transpose, columns, rows of the subblock, tiles of A per row)
        (32, 32, 32, False, ["0", "0", "0", "0", "1", "1", "1"]),
        (64, 64, 64, False, ["kk", "kk * 2", "0", "0", "2", "2", "2"]),
        (32, 128, 32, False, ["0", "0", "0", "0", "4", "1", "1"]),
        (128, 128, 32, False, ["m * 2", "n * 2", "0", "0", "2", "2", "1"]),
        (96, 32, 64, False, ["kk", "kk", "0", "0", "1", "3", "2"]),
        (64, 64, 64, True, ["kk", "kk * 2", "0", "1", "2", "2", "2"]),
    ],
)
def test_subblocks_fill_dst(m: int, n: int, k: int, transpose_b: bool, expected: list[str]) -> None:
    assert matmul_arguments(gemm(m, n, k, transpose_b=transpose_b))[2:] == expected


def test_a_gemm() -> None:
    @T.prim_func
    def expected(C: T.Tensor((1,), "float32")):
        a = T.alloc_shared((64, 64), "bfloat16")
        b = T.alloc_shared((64, 64), "bfloat16")
        c = T.alloc_fragment((64, 64), "float32")
        tt.tile_regs_acquire()
        for kk in T.serial(2):
            tt.matmul_block(a, b, kk, kk * 2, 0, 0, 2, 2, 2)
        tt.tile_regs_commit()
        tt.tile_regs_wait()
        tt.pack_tile("true", 0, c, 0)
        tt.pack_tile("true", 1, c, 1)
        tt.pack_tile("true", 2, c, 2)
        tt.pack_tile("true", 3, c, 3)
        tt.tile_regs_release()

    result = after(gemm(64, 64, 64), PASS)
    body = _section(result, "matmul_block")
    same(result.with_body(body), expected)
    assert int(result.attrs["tt_num_matmuls"]) == 1 and bool(result.attrs["tt_has_tensorize"])


def test_partial_sums_in_float32_are_added_by_the_packer() -> None:
    text = after(accumulating("float32"), PASS).script()
    assert text.count("tt.pack_reconfig_l1_acc(") == 2
    assert 'tt.pack_reconfig_l1_acc(T.Cast("uint32"' in text and "tt.pack_reconfig_l1_acc(0)" in text
    assert "copy_tile(c" not in text.split("matmul_block")[0]


def test_narrower_partial_sums_are_reloaded_and_rotated() -> None:
    calls = between(accumulating("bfloat16"), "for k in", "tt.cb_pop_front(a")
    assert "l1_acc" not in calls
    assert calls.index("tt.copy_tile(c") < calls.index("tt.matmul_block") < calls.index("tt.cb_pop_front(c.data")
    assert calls.index("tt.cb_reserve_back(c.data") < calls.index("tt.pack_tile(0, c.data")
    assert calls.index("tt.pack_tile(3, c.data") < calls.index("tt.cb_push_back(c.data")


def accumulating(dtype: str) -> tir.PrimFunc:
    @T.prim_func
    def kernel(A: T.Tensor((64, 256), "bfloat16"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "bfloat16")
            c = T.alloc_fragment((64, 64), dtype)
            T.clear(c)
            for k in T.serial(4):
                T.copy(A[0, k * 64], a)
                T.gemm(a, a, c)
            T.copy(c, C)

    return kernel


def test_refuses_a_gemm_operand_that_starts_inside_a_tile() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "bfloat16"), C: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "bfloat16")
            c = T.alloc_fragment((32, 32), "float32")
            T.copy(A, a)
            T.gemm(a[16:48, 0:32], a[0:32, 0:32], c, clear_accum=True)
            T.copy(c, C)

    error = refusal(kernel, PASS)
    assert isinstance(error, TilingError)
    assert (error.message, error.hint) == (
        "T.gemm operand a starts at 16, inside a tile",
        "slice gemm operands at multiples of 32",
    )
    assert line_of(error) == "T.gemm(a[16:48, 0:32], a[0:32, 0:32], c, clear_accum=True)"


# ---- transpose -----------------------------------------------------------------------------------------------------


def test_a_transpose() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 96), "bfloat16"), C: T.Tensor((96, 64), "bfloat16")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 96), "bfloat16")
            t = T.alloc_fragment((96, 64), "bfloat16")
            T.copy(A, a)
            T.transpose(a, t)
            T.copy(t, C)

    @T.prim_func
    def expected(C: T.Tensor((1,), "float32")):
        a = T.alloc_shared((64, 96), "bfloat16")
        t = T.alloc_fragment((96, 64), "bfloat16")
        for r in T.serial(3):
            for c in T.serial(2):
                tt.tile_regs_acquire()
                tt.transpose_tile(a, c * 3 + r, 0)
                tt.tile_regs_commit()
                tt.tile_regs_wait()
                tt.pack_tile("true", 0, t, r * 2 + c)
                tt.tile_regs_release()

    result = after(kernel, PASS)
    same(result.with_body(_section(result, "transpose_tile")), expected)


# ---- reductions ----------------------------------------------------------------------------------------------------


def reduction(
    function: Callable[..., None], shape: tuple[int, int], dim: int, dtype: str = "float32", **options: bool
) -> tir.PrimFunc:
    @T.prim_func
    def kernel(A: T.Tensor(shape, dtype), C: T.Tensor((shape[1 - dim],), dtype)):
        with T.Kernel(1):
            a = T.alloc_fragment(shape, dtype)
            r = T.alloc_fragment((shape[1 - dim],), dtype)
            T.copy(A, a)
            T.fill(r, 1)
            function(a, r, dim=dim, **options)
            T.copy(r, C)

    return kernel


def test_a_reduction_along_rows() -> None:
    @T.prim_func
    def expected(C: T.Tensor((1,), "float32")):
        a = T.alloc_fragment((64, 128), "float32")
        m = T.alloc_fragment((64,), "float32")
        for r in T.serial(2):
            tt.tile_regs_acquire()
            tt.copy_tile(a, r * 4, 0)
            for s in T.serial(3):
                tt.copy_tile(a, r * 4 + s + 1, 1)
                tt.binary_max_tile(0, 1, 0)
            tt.sfpu_reduce("PoolType::MAX", "DataFormat::Float32", "ReduceDim::REDUCE_ROW", 0)
            tt.tile_regs_commit()
            tt.tile_regs_wait()
            tt.pack_tile(0, m)
            tt.tile_regs_release()

    result = after(reduction(T.reduce_max, (64, 128), 1), PASS)
    same(result.with_body(_section(result, "sfpu_reduce")), expected)


@pytest.mark.parametrize(
    ("function", "dtype", "calls"),
    [
        (T.reduce_sum, "float32", ["copy_tile", "copy_tile", "add_binary_tile", "sfpu_reduce"]),
        (T.reduce_min, "float32", ["copy_tile", "copy_tile", "binary_min_tile", "sfpu_reduce"]),
        (T.reduce_max, "int32", ["copy_tile", "copy_tile", "binary_max_int32_tile", "sfpu_reduce"]),
        (
            T.reduce_absmax,
            "float32",
            ["copy_tile", "abs_tile", "copy_tile", "abs_tile", "binary_max_tile", "sfpu_reduce"],
        ),
        (
            T.reduce_abssum,
            "float32",
            ["copy_tile", "abs_tile", "copy_tile", "abs_tile", "add_binary_tile", "sfpu_reduce"],
        ),
    ],
)
def test_each_reduction_along_columns(function: Callable[..., None], dtype: str, calls: list[str]) -> None:
    result = after(reduction(function, (64, 32), 0, dtype=dtype), PASS)
    section = [name for name in outline(result.with_body(_section(result, "sfpu_reduce"))) if name not in SECTION]
    assert section == [*calls, "pack_tile"]
    assert "ReduceDim::REDUCE_COL" in result.script()


def test_clear_false_folds_the_old_value_in() -> None:
    result = after(reduction(T.reduce_max, (32, 64), 1, clear=False), PASS)
    calls = outline(result)
    calls = calls[calls.index("sfpu_reduce") :][:10]
    assert [name for name in calls if name not in SECTION] == [
        "sfpu_reduce",
        "copy_tile",
        "binary_max_tile",
        "cb_pop_front",
        "cb_reserve_back",
        "pack_tile",
        "cb_push_back",
    ]


def test_refuses_a_reduction_that_starts_inside_a_tile() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), C: T.Tensor((32,), "float32")):
        with T.Kernel(1):
            a = T.alloc_fragment((64, 64), "float32")
            r = T.alloc_fragment((32,), "float32")
            T.copy(A, a)
            T.reduce_max(a[16:48, 0:64], r, dim=1)
            T.copy(r, C)

    error = refusal(kernel, PASS)
    assert isinstance(error, TilingError)
    assert error.message == "a reduction operand a starts at 16, inside a tile"
    # T.reduce_max is a macro of TileLang; only tt_jit's own tracing knows where it was called (tests/errors).
    assert line_of(error).startswith("def kernel(A:")


def test_a_reduction_over_part_of_a_buffer_reads_its_tiles_only() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 96), "float32"), C: T.Tensor((32,), "float32")):
        with T.Kernel(1):
            a = T.alloc_fragment((64, 96), "float32")
            r = T.alloc_fragment((32,), "float32")
            T.copy(A, a)
            T.reduce_max(a[32:64, 32:96], r, dim=1)
            T.copy(r, C)

    text = between(kernel, "T.tt.copy_tile(", "T.tt.sfpu_reduce")
    assert "copy_tile(a.data, 4, 0)" in text and "copy_tile(a.data, 5, 1)" in text and text.count("copy_tile") == 2


# ---- element-wise loops --------------------------------------------------------------------------------------------


def test_an_expression_is_computed_for_as_many_tiles_as_dst_holds() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 128), "float32"), C: T.Tensor((64, 128), "float32")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 128), "float32")
            c = T.alloc_fragment((64, 128), "float32")
            T.copy(A, a)
            for i, j in T.Parallel(64, 128):
                c[i, j] = T.exp(a[i, j] * 2.0)
            T.copy(c, C)

    @T.prim_func
    def expected(C: T.Tensor((1,), "float32")):
        a = T.alloc_shared((64, 128), "float32")
        c = T.alloc_fragment((64, 128), "float32")
        for tile in T.serial(2):
            tt.tile_regs_acquire()
            for t in T.serial(4):
                tt.copy_tile(a, tile * 4 + t, t)
            for t in T.serial(4):
                tt.mul_unary_tile(t, T.uint32(0x40000000))
            for t in T.serial(4):
                tt.exp_tile(t)
            tt.tile_regs_commit()
            tt.tile_regs_wait()
            for t in T.serial(4):
                tt.pack_tile(t, c)
            tt.tile_regs_release()

    result = after(kernel, PASS)
    same(result.with_body(_section(result, "exp_tile")), expected)


def test_a_column_vector_is_applied_with_a_broadcast() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((32, 64), "float32"), M: T.Tensor((32,), "float32"), C: T.Tensor((32, 64), "float32")):
        with T.Kernel(1):
            a = T.alloc_shared((32, 64), "float32")
            m = T.alloc_shared((32,), "float32")
            c = T.alloc_fragment((32, 64), "float32")
            T.copy(A, a)
            T.copy(M, m)
            for i, j in T.Parallel(32, 64):
                c[i, j] = a[i, j] - m[i]
            T.copy(c, C)

    calls = outline(after(kernel, PASS))
    assert "sfpu_sub_bcast_col" in calls and "sub_binary_tile" not in calls


def test_bfloat16_products_are_taken_straight_from_the_rings() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((32, 64), "bfloat16"), C: T.Tensor((32, 64), "bfloat16")):
        with T.Kernel(1):
            a = T.alloc_shared((32, 64), "bfloat16")
            b = T.alloc_shared((32, 64), "bfloat16")
            c = T.alloc_fragment((32, 64), "bfloat16")
            T.copy(A, a)
            T.copy(A, b)
            for i, j in T.Parallel(32, 64):
                c[i, j] = a[i, j] * b[i, j]
            T.copy(c, C)

    result = after(kernel, PASS)
    calls = [name for name in outline(result.with_body(_section(result, "mul_tiles"))) if name not in SECTION]
    assert calls == ["mul_tiles", "pack_tile"]


@pytest.mark.parametrize(("dtype", "operation"), [("float32", "sub_binary_tile"), ("bfloat16", "sub_tiles")])
def test_the_matrix_engine_subtracts_in_bfloat16_only(dtype: str, operation: str) -> None:
    """Its sums are rounded to 11 bits: less than float32 has, more than bfloat16."""

    @T.prim_func
    def kernel(A: T.Tensor((32, 64), "bfloat16"), C: T.Tensor((32, 64), dtype)):
        with T.Kernel(1):
            a = T.alloc_shared((32, 64), dtype)
            b = T.alloc_shared((32, 64), dtype)
            c = T.alloc_fragment((32, 64), dtype)
            T.copy(A, a)
            T.copy(A, b)
            for i, j in T.Parallel(32, 64):
                c[i, j] = a[i, j] - b[i, j]
            T.copy(c, C)

    assert operation in outline(after(kernel, PASS))


def test_uint16_is_brought_to_the_half_of_dst_that_the_packer_reads() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((32, 32), "int32"), B: T.Tensor((32, 32), "uint16"), C: T.Tensor((32, 32), "int32")):
        with T.Kernel(1):
            a = T.alloc_fragment((32, 32), "int32")
            b = T.alloc_fragment((32, 32), "uint16")
            c = T.alloc_fragment((32, 32), "int32")
            T.copy(A, a)
            for i, j in T.Parallel(32, 32):
                b[i, j] = T.Cast("uint16", a[i, j])
            for i, j in T.Parallel(32, 32):
                c[i, j] = a[i, j] + 1
            T.copy(b, B)
            T.copy(c, C)

    text = after(kernel, PASS).script()
    assert text.count("typecast_tile") == 1
    assert text.index("typecast_tile") > text.index("bitwise_and_tile")


def test_refuses_a_store_to_part_of_a_tile() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            a = T.alloc_fragment((64, 64), "float32")
            T.copy(A, a)
            for i, j in T.Parallel(16, 64):
                a[i, j] = 0.0
            T.copy(a, C)

    # Left out are the passes that find such stores and compute whole tiles, or run them element by element.
    aligns, moves = position_of("align_partial_accesses"), position_of("move_to_scalar_code")
    splits = position_of("split_expressions")
    rest = (*PIPELINE[aligns + 1 : moves], *PIPELINE[moves + 1 : splits + 1])
    with pytest.raises(TilingError) as caught:
        run_pipeline(run(kernel, 0, aligns), rest, LoweringContext(target=WORMHOLE))
    error = caught.value
    assert error.message == "a is written in blocks of 16 of its 64 elements, less than whole tiles"
    assert error.hint == "write whole rows and columns, or blocks that are multiples of 32"
    assert line_of(error) == "for i, j in T.Parallel(16, 64):" or line_of(error) == "a[i, j] = 0.0"


# ---- transfers -----------------------------------------------------------------------------------------------------


def test_a_load_inside_its_tensor_needs_no_check() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((256, 128), "bfloat16"), C: T.Tensor((256, 128), "bfloat16")):
        with T.Kernel(2, 4) as (bx, by):
            a = T.alloc_shared((64, 64), "bfloat16")
            T.copy(A[by * 64, bx * 64], a)
            T.copy(a, C[by * 64, bx * 64])

    text = after(kernel, PASS).script()
    assert "T.tt.noc_async_read_page(by * 8 + r * 4 + bx * 2 + c, A.data, r * 4096 + c * 2048 + a_l1)" in text
    assert "fill_zero_tile" not in text and "if " not in text


def test_a_load_past_the_end_reads_zeros_and_a_store_is_dropped() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((200, 128), "bfloat16"), C: T.Tensor((200, 128), "bfloat16")):
        with T.Kernel(2, 4) as (bx, by):
            a = T.alloc_shared((64, 64), "bfloat16")
            T.copy(A[by * 64, bx * 64], a)
            T.copy(a, C[by * 64, bx * 64])

    text = after(kernel, PASS).script()
    assert text.count("if by * 2 + r < 7:") == 2, "columns are inside, rows are not"
    assert text.count("fill_zero_tile") == 1
    assert text.index("noc_async_read_page") < text.index("else:") < text.index("fill_zero_tile")


def _section(func: tir.PrimFunc, name: str) -> tir.Stmt:
    """The outermost statement (or neighbours from acquire to release) that holds the call ``name`` in straight line."""
    found: list[list[tir.Stmt]] = []

    def holds(stmt: tir.Stmt) -> bool:
        return name in outline(func.with_body(stmt))

    def search(statements: list[tir.Stmt]) -> None:
        names = [outline(func.with_body(stmt)) for stmt in statements]
        for position, stmt in enumerate(statements):
            own = names[position]
            if not holds(stmt):
                continue
            if isinstance(stmt, tir.For) and "tile_regs_acquire" in own and "cb_wait_front" not in own:
                found.append([stmt])
            elif "tile_regs_acquire" in own:
                search(_children(stmt))
            else:
                first = max(n for n in range(position) if names[n] == ["tile_regs_acquire"])
                last = min(n for n in range(position, len(statements)) if names[n] == ["tile_regs_release"])
                found.append(statements[first : last + 1])
                return

    search(_children(func.body))
    assert found, f"no {name}"
    return tir.SeqStmt(found[0]) if len(found[0]) > 1 else found[0][0]


def _children(stmt: tir.Stmt) -> list[tir.Stmt]:
    if isinstance(stmt, tir.For):
        return _children(stmt.body)
    return [part for child in stmt.seq for part in _flat(child)] if isinstance(stmt, tir.SeqStmt) else [stmt]


def _flat(stmt: tir.Stmt) -> list[tir.Stmt]:
    return [part for child in stmt.seq for part in _flat(child)] if isinstance(stmt, tir.SeqStmt) else [stmt]
