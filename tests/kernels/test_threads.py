"""Code for single threads and statements without a tile form: run element by element, right and with a note."""

import math

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tests.kernels.tolerance import assert_within
from tt_jit import build
from tt_jit.errors import UnsupportedError

# fmt: off


@tt.jit(out_idx=[-1])
def gemv(N, K, rows, slices, width, dtype):
    """One row of B for each thread along x; K is cut among the threads along y, which add up in shared memory."""
    @T.prim_func
    def main(A: T.Tensor((K,), dtype), B: T.Tensor((N, K), dtype), C: T.Tensor((N,), "float32")):
        with T.Kernel(T.ceildiv(N, rows), threads=(rows, slices)) as block:
            row, part = T.get_thread_binding(0), T.get_thread_binding(1)
            a = T.alloc_local((width,), dtype)
            b = T.alloc_local((width,), dtype)
            total = T.alloc_local((1,), "float32")
            sums = T.alloc_shared((rows,), "float32")
            if part == 0:
                sums[row] = 0
            T.clear(total)
            for step in T.serial(T.ceildiv(K, slices * width)):
                for k in T.vectorized(width):
                    a[k] = A[(step * slices + part) * width + k]
                    b[k] = B[block * rows + row, (step * slices + part) * width + k]
                for k in T.serial(width):
                    total[0] += T.cast(a[k], "float32") * T.cast(b[k], "float32")
            T.atomic_add(sums[row], total[0])
            C[block * rows + row] = sums[row]
    return main


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("sizes", [(16, 64, 8, 4, 8), (10, 50, 4, 2, 4)])
def test_a_matrix_times_a_vector(dtype, sizes):
    n, k, *blocks = sizes
    a, b = torch.randn(k).to(getattr(torch, dtype)), torch.randn(n, k).to(getattr(torch, dtype))
    products = b.double() * a.double()
    assert_within(gemv(n, k, *blocks, dtype)(a, b), products.sum(1), (k + 1) * 2.0**-24 * products.abs().sum(1))


@tt.jit
def reversed_within_blocks(X, Y, threads: int = 64):
    N = T.const("N")
    X: T.Tensor((N,), "int32")
    Y: T.Tensor((N,), "int32")
    with T.Kernel(T.ceildiv(N, threads), threads=threads) as block:
        tx = T.get_thread_binding()
        shared = T.alloc_shared((threads,), "int32")
        shared[tx] = X[block * threads + tx]
        Y[block * threads + tx] = shared[threads - 1 - tx]


def test_a_shared_buffer_is_complete_before_other_threads_read_it():
    x, y = torch.randint(-1000, 1000, (256,), dtype=torch.int32), torch.zeros(256, dtype=torch.int32)
    reversed_within_blocks(x, y)
    assert torch.equal(y, x.reshape(4, 64).flip(1).reshape(256))


@tt.jit
def compacted(X, Y, Count, threads: int = 32):
    N = T.const("N")
    X: T.Tensor((N,), "float32")
    Y: T.Tensor((N,), "float32")
    Count: T.Tensor((1,), "int32")
    with T.Kernel(1, threads=threads):
        tx = T.get_thread_binding()
        count = T.alloc_shared((1,), "int32")
        place = T.alloc_var("int32")
        if tx == 0:
            count[0] = 0
        T.sync_threads()
        for k in T.serial(T.ceildiv(N, threads)):
            if k * threads + tx < N:
                if X[k * threads + tx] > 0:
                    place = T.atomic_add(count[0], 1, return_prev=True)
                    Y[place] = X[k * threads + tx]
        T.sync_threads()
        Count[0] = count[0]


def test_positive_elements_at_places_that_are_counted():
    x, y, count = torch.randn(100), torch.zeros(100), torch.zeros(1, dtype=torch.int32)
    compacted(x, y, count)
    kept = x[x > 0]
    assert count.item() == kept.numel() and torch.equal(y[: kept.numel()].sort().values, kept.sort().values)
    assert torch.count_nonzero(y[kept.numel():]) == 0


@tt.jit
def first_above(X, Limit, Y, threads: int = 32):
    M, N = T.const("M N")
    X: T.Tensor((M, N), "float32")
    Limit: T.Tensor((M,), "float32")
    Y: T.Tensor((M,), "int32")
    with T.Kernel(T.ceildiv(M, threads), threads=threads) as block:
        tx = T.get_thread_binding()
        found = T.alloc_var("int32")
        found = -1
        for k in T.serial(N):
            if X[block * threads + tx, k] > Limit[block * threads + tx]:
                found = k
                break
        Y[block * threads + tx] = found


def test_each_thread_leaves_its_loop_when_it_likes():
    x, limit, y = torch.randn(64, 20), torch.randn(64) + 1, torch.zeros(64, dtype=torch.int32)
    first_above(x, limit, y)
    above = x > limit[:, None]
    expected = torch.where(above.any(1), above.int().argmax(1), torch.tensor(-1))
    assert torch.equal(y, expected.int())


@tt.jit
def scaled_diagonal(X, Y, size: int = 64):
    X: T.Tensor((64, 64), "bfloat16")
    Y: T.Tensor((64, 64), "float32")
    with T.Kernel(1, threads=64):
        tx = T.get_thread_binding()
        a = T.alloc_shared((size, size), "bfloat16")
        product = T.alloc_fragment((size, size), "float32")
        T.copy(X, a)
        T.gemm(a, a, product, transpose_B=True, clear_accum=True)
        product[tx, tx] = product[tx, tx] * 2.0 + 1.0
        for i, j in T.Parallel(size, size):
            product[i, j] = product[i, j] - 0.5
        T.copy(product, Y)


def test_threads_change_elements_between_tile_operations():
    x, y = torch.randn(64, 64).bfloat16(), torch.zeros(64, 64)
    scaled_diagonal(x, y)
    products = x.double() @ x.double().T
    exact = products + torch.diag(products.diagonal() + 1) - 0.5
    assert_within(y, exact, 64 * 2.0**-22 * (x.double().abs() @ x.double().abs().T + 1))


_FUNCTIONS = {
    "exp": (T.exp, torch.exp, (-80, 80)),
    "exp2": (T.exp2, torch.exp2, (-120, 120)),
    "log": (T.log, torch.log, (1e-6, 1e6)),
    "log2": (T.log2, torch.log2, (1e-6, 1e6)),
    "sqrt": (T.sqrt, torch.sqrt, (0, 1e6)),
    "rsqrt": (T.rsqrt, torch.rsqrt, (1e-6, 1e6)),
    "tanh": (T.tanh, torch.tanh, (-10, 10)),
    "sigmoid": (T.sigmoid, torch.sigmoid, (-20, 20)),
    "floor": (T.floor, torch.floor, (-100, 100)),
    "ceil": (T.ceil, torch.ceil, (-100, 100)),
    "abs": (T.abs, torch.abs, (-100, 100)),
}


@tt.jit
def function_of(X, Y, name: str = "exp"):
    N = T.const("N")
    X: T.Tensor((N,), "float32")
    Y: T.Tensor((N,), "float32")
    with T.Kernel(T.ceildiv(N, 32), threads=32) as block:
        tx = T.get_thread_binding()
        Y[block * 32 + tx] = _FUNCTIONS[name][0](X[block * 32 + tx])


@pytest.mark.parametrize("name", sorted(_FUNCTIONS))
def test_mathematical_functions(name):
    _, function, (low, high) = _FUNCTIONS[name]
    x, y = torch.rand(1024) * (high - low) + low, torch.zeros(1024)
    function_of(x, y, name=name)
    exact = function(x.double())
    # Four units in the last place of float32; a logarithm near 1 has the error of its argument's distance to 1.
    bound = 4 * 2.0**-23 * exact.abs() + (2.0**-23 if name.startswith("log") else 2.0**-149)
    assert_within(y, exact, bound)


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "tanh"])
def test_the_ends_of_functions(name):
    x = torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, -1.0, 1.0, 200.0] * 4)
    y = torch.zeros(32)
    function_of(x, y, name=name)
    torch.testing.assert_close(y, _FUNCTIONS[name][1](x), rtol=1e-6, atol=0, equal_nan=True)


@tt.jit
def quotients(A, B, C):
    N = T.const("N")
    A: T.Tensor((N,), "float32")
    B: T.Tensor((N,), "float32")
    C: T.Tensor((N,), "float32")
    with T.Kernel(T.ceildiv(N, 32), threads=32) as block:
        tx = T.get_thread_binding()
        C[block * 32 + tx] = A[block * 32 + tx] / B[block * 32 + tx]


def test_a_division_is_rounded_to_nearest():
    special = torch.tensor([0.0, -0.0, 1.0, -3.0, math.inf, -math.inf, math.nan, 1e-40, 3e38, 1e-38])
    a = torch.cat([special.repeat_interleave(10), torch.randn(4000) * 2.0 ** torch.randint(-140, 120, (4000,))])
    b = torch.cat([special.repeat(10), torch.randn(4000) * 2.0 ** torch.randint(-140, 120, (4000,))])
    c = torch.zeros(4100)
    quotients(a, b, c)
    torch.testing.assert_close(c, a / b, rtol=0, atol=0, equal_nan=True)


@tt.jit
def converted(X, Y, source: str = "float32", target: str = "float16"):
    N = T.const("N")
    X: T.Tensor((N,), source)
    Y: T.Tensor((N,), target)
    with T.Kernel(1, threads=32):
        tx = T.get_thread_binding()
        kept = T.alloc_local((1,), target)
        for k in T.serial(T.ceildiv(N, 32)):
            kept[0] = T.cast(X[k * 32 + tx], target)
            Y[k * 32 + tx] = kept[0]


@pytest.mark.parametrize("target", ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int32", "int8", "uint8"])
def test_conversions_round_to_nearest(target):
    limit = {"int8": 127, "uint8": 255, "float8_e4m3fn": 440}.get(target, 1000)
    small = torch.randn(256) * 2.0 ** torch.randint(-20, 2, (256,))
    x = torch.cat([torch.rand(256) * limit, small.abs() if target == "uint8" else small])
    y = torch.zeros(512, dtype=getattr(torch, target))
    converted(x, y, target=target)
    assert torch.equal(y.float(), x.to(y.dtype).float())


@tt.jit
def bits(X, Y):
    X: T.Tensor((128,), "float32")
    Y: T.Tensor((128,), "uint32")
    with T.Kernel(1, threads=128):
        tx = T.get_thread_binding()
        raw = T.reinterpret(X[tx], "uint32")
        Y[tx] = T.if_then_else(X[tx] < 0, ~raw, raw | T.cast(0x80000000, "uint32"))


def test_bits_of_floats():
    x, y = torch.randn(128), torch.zeros(128, dtype=torch.uint32)
    bits(x, y)
    raw = x.view(torch.int32).long() & 0xFFFFFFFF
    expected = torch.where(x < 0, ~raw & 0xFFFFFFFF, raw | 0x80000000)
    assert torch.equal(y.view(torch.int32).long() & 0xFFFFFFFF, expected)


@T.prim_func
def diagonals_added(X: T.Tensor((64, 64), "float32"), Y: T.Tensor((64, 64), "float32")):
    with T.Kernel(1, threads=128):
        tile = T.alloc_shared((64, 64), "float32")
        row = T.alloc_fragment((64,), "float32")
        T.copy(X, tile)
        for i, j in T.Parallel(64, 64):
            tile[i, j] = tile[i, j] * 2.0
        for k in T.serial(3):
            for j in T.Parallel(64):
                row[j] = tile[j, (j * 5 + k) % 64]
            for i, j in T.Parallel(64, 64):
                tile[i, j] = tile[i, j] + row[j]
        T.copy(tile, Y)


def test_elements_that_are_no_row_and_no_column():
    x, y = torch.randn(64, 64), torch.zeros(64, 64)
    tt.compile(diagonals_added)(x, y)
    expected, j = x * 2.0, torch.arange(64)
    for k in range(3):
        expected = expected + expected[j, (j * 5 + k) % 64]
    assert torch.equal(y, expected)


@tt.jit
def histogram(X, Y, bins: int = 40):
    M, N = T.const("M N")
    X: T.Tensor((M, N), "int32")
    Y: T.Tensor((M, bins), "int32")
    with T.Kernel(M, threads=128) as row:
        x = T.alloc_shared((N,), "int32")
        counts = T.alloc_shared((bins,), "int32")
        T.copy(X[row, 0], x)
        T.clear(counts)
        for i in T.Parallel(N):
            T.atomic_add(counts[(x[i] * 3 + 1) % bins], 1)
        T.copy(counts, Y[row, 0])


def test_counts_at_computed_places():
    x, y = torch.randint(0, 1000, (3, 70), dtype=torch.int32), torch.zeros(3, 40, dtype=torch.int32)
    histogram(x, y)
    assert torch.equal(y, torch.stack([torch.bincount((row * 3 + 1) % 40, minlength=40) for row in x.long()]).int())


def test_a_note_names_the_line_and_survives_the_cache(tmp_path):
    with tt.config.scope(cache_dir=str(tmp_path)):
        for _ in range(2):
            build.forget()
            kernel = tt.compile(diagonals_added)
            (note,) = [note for note in kernel.performance_notes if "element by element" in note.what]
            assert note.file == __file__ and "stride 1" in note.why
            text = str(note)
            assert text.startswith("performance note: ") and "hint: " in text
            assert "row[j] = tile[j, (j * 5 + k) % 64]" in text


def test_verbose_prints_the_notes(capsys, tmp_path):
    with tt.config.scope(cache_dir=str(tmp_path), verbose=True):
        build.forget()
        tt.compile(diagonals_added)
    assert capsys.readouterr().err.count("element by element on a data-movement core") == 1


def test_a_kernel_in_tiles_has_no_notes():
    @tt.jit
    def doubled(X, Y):
        X: T.Tensor((64, 64), "float32")
        Y: T.Tensor((64, 64), "float32")
        with T.Kernel(1, threads=128):
            for i, j in T.Parallel(64, 64):
                Y[i, j] = X[i, j] * 2.0

    assert doubled.compile().performance_notes == ()


def test_a_function_without_scalar_form_is_refused():
    @tt.jit
    def sines(X, Y):
        X: T.Tensor((32,), "float32")
        Y: T.Tensor((32,), "float32")
        with T.Kernel(1, threads=32):
            tx = T.get_thread_binding()
            Y[tx] = T.sin(X[tx])

    with pytest.raises(UnsupportedError, match=r"T\.sin in code for single elements") as caught:
        sines(torch.zeros(32), torch.zeros(32))
    assert caught.value.location.source_line().strip() == "Y[tx] = T.sin(X[tx])"


@tt.jit
def doubled_then_reversed(X, Y, Z):
    X: T.Tensor((128, 64), "float32")
    Y: T.Tensor((128, 64), "float32")
    Z: T.Tensor((128, 64), "float32")
    with T.Kernel(2, threads=64) as block:
        tx = T.get_thread_binding()
        tile = T.alloc_shared((64, 64), "float32")
        for _ in T.serial(2):
            T.copy(X[block * 64, 0], tile)
            for i, j in T.Parallel(64, 64):
                tile[i, j] = tile[i, j] * 2.0
            T.copy(tile, Y[block * 64, 0])
            T.sync_threads()
            for j in T.serial(64):
                Z[block * 64 + tx, j] = Y[block * 64 + tx, 63 - j] + Z[block * 64 + tx, j]


def test_threads_read_what_tile_operations_stored():
    x, y, z = torch.randn(128, 64), torch.zeros(128, 64), torch.zeros(128, 64)
    doubled_then_reversed(x, y, z)
    assert torch.equal(y, x * 2.0) and torch.equal(z, x.flip(1) * 4.0)


@tt.jit
def prefix_doubled(X, Y, count: T.int32):
    X: T.Tensor((64,), "float32")
    Y: T.Tensor((64,), "float32")
    with T.Kernel(1, threads=64):
        for i in T.Parallel(count):
            Y[i] = X[i] * 2.0


@pytest.mark.parametrize("count", [0, 1, 40, 64])
def test_a_parallel_loop_whose_extent_is_known_at_run_time(count):
    x, y = torch.randn(64), torch.zeros(64)
    prefix_doubled(x, y, count)
    assert torch.equal(y, torch.where(torch.arange(64) < count, x * 2.0, 0.0))


@tt.jit
def scaled(X, Y, factor: T.float32):
    X: T.Tensor((64,), "bfloat16")
    Y: T.Tensor((64,), "float16")
    with T.Kernel(1, threads=64):
        tx = T.get_thread_binding()
        Y[tx] = T.cast(T.cast(X[tx], "float32") * factor, "float16")


def test_a_float_parameter():
    x, y = torch.randn(64).bfloat16(), torch.zeros(64).half()
    scaled(x, y, 0.3)
    assert torch.equal(y, (x.float() * 0.3).half())


def test_slow_paths_of_tile_code_have_notes():
    @tt.jit
    def kernel(Index, X, Counts, Y):
        Index: T.Tensor((64,), "int32")
        X: T.Tensor((128,), "float32")
        Counts: T.Tensor((10,), "int32")
        Y: T.Tensor((64,), "float32")
        with T.Kernel(2, threads=32) as block:
            for i in T.Parallel(32):
                Y[block * 32 + i] = X[Index[block * 32 + i]] + 1.0
            for i in T.Parallel(32):
                T.atomic_add(Counts[Index[block * 32 + i] % 10], 1)

    notes = kernel.compile().performance_notes
    lines = {note.what: note.line for note in notes}
    assert "X is read one element after another" in lines and "Counts is written one element after another" in lines
    assert lines["X is read one element after another"] + 2 == lines["Counts is written one element after another"]
    (serial,) = [note for note in notes if "run one after another on one core" in note.what]
    assert serial.why == "they update the same elements atomically"
