"""The reference interpreter against torch: it must be right where torch has the formula, before it judges anything
else."""

import pytest
import tilelang.language as T
import torch

from tests.reference.formats import Formats, UnsupportedByInterpreter, unpacked_floats
from tests.reference.interpreter import run


def _gemm(m, n, k, block, dtype="float16", transpose_a=False, transpose_b=False):
    @T.prim_func
    def main(
        A: T.Tensor((k, m) if transpose_a else (m, k), dtype),
        B: T.Tensor((n, k) if transpose_b else (k, n), dtype),
        C: T.Tensor((m, n), "float32"),
    ):
        with T.Kernel(T.ceildiv(n, block), T.ceildiv(m, block), threads=128) as (bx, by):
            A_shared = T.alloc_shared((block, block), dtype)
            B_shared = T.alloc_shared((block, block), dtype)
            C_local = T.alloc_fragment((block, block), "float32")
            T.clear(C_local)
            for ko in T.Pipelined(T.ceildiv(k, block), num_stages=2):
                if transpose_a:
                    T.copy(A[ko * block, by * block], A_shared)
                else:
                    T.copy(A[by * block, ko * block], A_shared)
                if transpose_b:
                    T.copy(B[bx * block, ko * block], B_shared)
                else:
                    T.copy(B[ko * block, bx * block], B_shared)
                T.gemm(A_shared, B_shared, C_local, transpose_A=transpose_a, transpose_B=transpose_b)
            T.copy(C_local, C[by * block, bx * block])

    return main


@pytest.mark.parametrize(("transpose_a", "transpose_b"), [(False, False), (True, False), (False, True), (True, True)])
def test_gemm_with_ragged_sizes_matches_torch(transpose_a, transpose_b):
    m, n, k = 70, 90, 50
    a = torch.randn((k, m) if transpose_a else (m, k)).half()
    b = torch.randn((n, k) if transpose_b else (k, n)).half()
    func = _gemm(m, n, k, 32, transpose_a=transpose_a, transpose_b=transpose_b)
    expected = (a.T if transpose_a else a).double() @ (b.T if transpose_b else b).double()
    (exact,) = run(func, [a, b], out_idx=[2], precision="float64")
    torch.testing.assert_close(exact, expected, rtol=1e-12, atol=1e-12)
    (declared,) = run(func, [a, b], out_idx=[2])
    torch.testing.assert_close(declared, expected.float(), rtol=1e-5, atol=1e-4)


def test_softmax_with_reductions_and_masked_rows():
    rows, columns = 48, 100

    @T.prim_func
    def softmax(X: T.Tensor((rows, columns), "float32"), Y: T.Tensor((rows, columns), "float32")):
        with T.Kernel(T.ceildiv(rows, 16), threads=64) as bx:
            tile = T.alloc_fragment((16, 128), "float32")
            peak = T.alloc_fragment((16,), "float32")
            total = T.alloc_fragment((16,), "float32")
            T.copy(X[bx * 16, 0], tile)
            for i, j in T.Parallel(16, 128):
                tile[i, j] = T.if_then_else(j < columns, tile[i, j], -T.infinity("float32"))
            T.reduce_max(tile, peak, dim=1)
            for i, j in T.Parallel(16, 128):
                tile[i, j] = T.exp(tile[i, j] - peak[i])
            T.fill(total, 1.0)
            T.reduce_sum(tile, total, dim=1, clear=False)
            for i, j in T.Parallel(16, 128):
                tile[i, j] /= total[i] - 1.0
            T.copy(tile, Y[bx * 16, 0])

    x = torch.randn(rows, columns)
    (y,) = run(softmax, [x], out_idx=[1])
    torch.testing.assert_close(y, torch.softmax(x, 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_casts_round_to_nearest_even_as_torch_does(dtype):
    values = torch.randn(4096) * 10.0 ** torch.randint(-4, 3, (4096,))
    expected = values.clamp(-448, 448).to(getattr(torch, dtype)).float()
    if dtype in ("float16", "bfloat16"):
        expected = values.to(getattr(torch, dtype)).float()
    result = torch.from_numpy(
        Formats().round_to(dtype, values.clamp(-448, 448).numpy() if "8" in dtype else values.numpy())
    )
    assert torch.equal(result, expected)


def test_half_arithmetic_rounds_after_every_operation():
    n = 256

    @T.prim_func
    def main(A: T.Tensor((n,), "float16"), B: T.Tensor((n,), "float16"), C: T.Tensor((n,), "float16")):
        with T.Kernel(1, threads=64):
            for i in T.Parallel(n):
                C[i] = A[i] * B[i] + A[i]

    a, b = torch.randn(n).half(), torch.randn(n).half()
    (c,) = run(main, [a, b], out_idx=[2])
    assert torch.equal(c, ((a * b) + a))


def test_reductions_over_both_axes_and_kinds():
    @T.prim_func
    def main(X: T.Tensor((32, 64), "float32"), R: T.Tensor((5, 32), "float32"), S: T.Tensor((64,), "float32")):
        with T.Kernel(1, threads=64):
            x = T.alloc_fragment((32, 64), "float32")
            row = T.alloc_fragment((32,), "float32")
            column = T.alloc_fragment((64,), "float32")
            T.copy(X, x)
            T.reduce_sum(x, row, dim=1)
            T.copy(row, R[0, 0])
            T.reduce_max(x, row, dim=1)
            T.copy(row, R[1, 0])
            T.reduce_min(x, row, dim=1)
            T.copy(row, R[2, 0])
            T.reduce_absmax(x, row, dim=1)
            T.copy(row, R[3, 0])
            T.reduce_abssum(x, row, dim=1)
            T.copy(row, R[4, 0])
            T.reduce_sum(x, column, dim=0)
            T.copy(column, S)

    x = torch.randn(32, 64)
    rows, columns = run(main, [x], out_idx=[1, 2])
    expected = torch.stack([x.sum(1), x.amax(1), x.amin(1), x.abs().amax(1), x.abs().sum(1)])
    torch.testing.assert_close(rows, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(columns, x.sum(0), rtol=1e-5, atol=1e-5)


def test_variables_branches_and_loops_on_values_in_memory():
    blocks = 4

    @T.prim_func
    def main(
        Lengths: T.Tensor((blocks,), "int32"), X: T.Tensor((blocks, 64), "float32"), Y: T.Tensor((blocks,), "float32")
    ):
        with T.Kernel(blocks, threads=32) as bx:
            total = T.alloc_var("float32")
            steps = T.alloc_var("int32")
            total = 0.0
            steps = 0
            for i in T.serial(Lengths[bx]):
                if i % 2 == 0:
                    total += X[bx, i]
                else:
                    total -= X[bx, i]
            while steps < bx:
                steps += 1
                total += 1.0
            Y[bx] = total

    lengths = torch.tensor([0, 7, 64, 30], dtype=torch.int32)
    x = torch.randn(blocks, 64)
    (y,) = run(main, [lengths, x], out_idx=[2])
    sign = torch.tensor([1.0, -1.0]).repeat(32)
    expected = torch.stack([(x[b, : lengths[b]] * sign[: lengths[b]]).sum() + b for b in range(blocks)])
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)


def test_several_kernels_workspaces_and_atomics():
    @T.prim_func
    def main(X: T.Tensor((128, 64), "float32"), Y: T.Tensor((64,), "float32"), Count: T.Tensor((1,), "int32")):
        with T.Kernel(4, threads=64) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            column = T.alloc_fragment((64,), "float32")
            T.copy(X[bx * 32, 0], tile)
            T.reduce_sum(tile, column, dim=0)
            T.atomic_add(Y[0:64], column)
            for _ in T.Parallel(32):
                T.atomic_add(Count[0], 1)
        with T.Kernel(1, threads=64):
            for i in T.Parallel(64):
                Y[i] = Y[i] * 2.0

    x = torch.randn(128, 64)
    _, y, count = run(main, [x, torch.zeros(64), torch.zeros(1, dtype=torch.int32)])
    torch.testing.assert_close(y, 2 * x.sum(0), rtol=1e-5, atol=1e-4)
    assert count.item() == 128


def test_persistent_blocks_whose_indices_are_bound_before_their_loop():
    m = n = 96

    @T.prim_func
    def main(X: T.Tensor((m, n), "float32"), Y: T.Tensor((m, n), "float32")):
        with T.Kernel(5, threads=64) as block:
            tile = T.alloc_fragment((32, 32), "float32")
            for bx, by in T.Persistent([T.ceildiv(m, 32), T.ceildiv(n, 32)], 5, block):
                T.copy(X[bx * 32, by * 32], tile)
                for i, j in T.Parallel(32, 32):
                    tile[i, j] = tile[i, j] + 1.0
                T.copy(tile, Y[bx * 32, by * 32])

    x = torch.randn(m, n)
    (y,) = run(main, [x], out_idx=[1])
    torch.testing.assert_close(y, x + 1)


def test_aliasing_views_share_memory():
    @T.prim_func
    def main(X: T.Tensor((64, 32), "float32"), Y: T.Tensor((32, 64), "float32")):
        with T.Kernel(1, threads=64):
            shared = T.alloc_shared((64, 32), "float32")
            T.copy(X, shared)
            again = T.reshape(shared, (32, 64))
            T.copy(again, Y)

    x = torch.randn(64, 32)
    (y,) = run(main, [x], out_idx=[1])
    assert torch.equal(y, x.reshape(32, 64))


def test_dynamic_shapes_and_scalars():
    m = T.dynamic("m")

    @T.prim_func
    def main(X: T.Tensor((m, 64), "float32"), alpha: T.float32, Y: T.Tensor((m, 64), "float32")):
        with T.Kernel(T.ceildiv(m, 32), threads=64) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            T.copy(X[bx * 32, 0], tile)
            for i, j in T.Parallel(32, 64):
                tile[i, j] = tile[i, j] * alpha
            T.copy(tile, Y[bx * 32, 0])

    for rows in (1, 33, 128):
        x = torch.randn(rows, 64)
        (y,) = run(main, [x, 2.5], out_idx=[2])
        torch.testing.assert_close(y, x * 2.5)


def test_cumulative_sums_transposes_and_element_gathers():
    @T.prim_func
    def main(
        X: T.Tensor((32, 64), "float32"),
        Index: T.Tensor((32,), "int32"),
        Y: T.Tensor((64, 32), "float32"),
        Z: T.Tensor((32, 64), "float32"),
    ):
        with T.Kernel(1, threads=64):
            tile = T.alloc_shared((32, 64), "float32")
            flipped = T.alloc_shared((64, 32), "float32")
            T.copy(X, tile)
            T.cumsum(tile, dim=1, reverse=True)
            T.transpose(tile, flipped)
            T.copy(flipped, Y)
            for i, j in T.Parallel(32, 64):
                Z[Index[i], j] = X[i, j]

    x, order = torch.randn(32, 64), torch.randperm(32).int()
    y, z = run(main, [x, order], out_idx=[2, 3])
    torch.testing.assert_close(y, x.flip(1).cumsum(1).flip(1).T, rtol=1e-5, atol=1e-5)
    assert torch.equal(z[order.long()], x)


def test_im2col_convolution_matches_torch():
    batch, size, channels, filters = 2, 8, 32, 32
    kernel, padding = 3, 1

    @T.prim_func
    def main(
        X: T.Tensor((batch, size, size, channels), "float16"),
        W: T.Tensor((kernel * kernel * channels, filters), "float16"),
        Y: T.Tensor((batch * size * size, filters), "float32"),
    ):
        with T.Kernel(T.ceildiv(batch * size * size, 32), threads=64) as by:
            X_shared = T.alloc_shared((32, 32), "float16")
            W_shared = T.alloc_shared((32, filters), "float16")
            accumulator = T.alloc_fragment((32, filters), "float32")
            T.clear(accumulator)
            for k in T.Pipelined(kernel * kernel * channels // 32, num_stages=2):
                T.im2col(X, X_shared, by, k, kernel, 1, 1, padding)
                T.copy(W[k * 32, 0], W_shared)
                T.gemm(X_shared, W_shared, accumulator)
            T.copy(accumulator, Y[by * 32, 0])

    x = torch.randn(batch, size, size, channels).half()
    w = torch.randn(kernel, kernel, channels, filters).half()
    (y,) = run(main, [x, w.reshape(-1, filters)], out_idx=[2], precision="float64")
    expected = torch.nn.functional.conv2d(
        x.double().permute(0, 3, 1, 2), w.double().permute(3, 2, 0, 1), padding=padding
    )
    torch.testing.assert_close(y, expected.permute(0, 2, 3, 1).reshape(-1, filters), rtol=1e-10, atol=1e-10)


def test_reducers_count_every_iteration_once():
    @T.prim_func
    def main(X: T.Tensor((32, 64), "float32"), Y: T.Tensor((32,), "float32")):
        with T.Kernel(1, threads=64):
            accumulator = T.alloc_reducer((32,), "float32", op="sum", replication="all")
            T.clear(accumulator)
            for i, j in T.Parallel(32, 64):
                accumulator[i] += X[i, j]
            T.finalize_reducer(accumulator)
            T.copy(accumulator, Y)

    x = torch.randn(32, 64)
    (y,) = run(main, [x], out_idx=[1])
    torch.testing.assert_close(y, x.sum(1), rtol=1e-5, atol=1e-5)


def test_thread_level_code_runs_as_lanes():
    n, k, threads = 16, 128, 32

    @T.prim_func
    def main(A: T.Tensor((n, k), "float32"), X: T.Tensor((k,), "float32"), Y: T.Tensor((n,), "float32")):
        with T.Kernel(n, threads=threads) as bn:
            thread = T.get_thread_binding(0)
            partial = T.alloc_local((1,), "float32")
            shared = T.alloc_shared((1,), "float32")
            if thread == 0:
                shared[0] = 0.0
            T.clear(partial)
            for step in T.serial(k // threads):
                partial[0] += A[bn, step * threads + thread] * X[step * threads + thread]
            T.atomic_add(shared[0], partial[0])
            if thread == 0:
                Y[bn] = shared[0]

    a, x = torch.randn(n, k), torch.randn(k)
    (y,) = run(main, [a, x], out_idx=[2])
    torch.testing.assert_close(y, a @ x, rtol=1e-4, atol=1e-4)


def test_uninitialised_memory_shows_in_the_result():
    @T.prim_func
    def main(Y: T.Tensor((32, 32), "float32")):
        with T.Kernel(1, threads=64):
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(tile, Y)

    (y,) = run(main, [], out_idx=[0])
    assert torch.isnan(y).all()


def test_gpu_instructions_are_refused_by_name():
    @T.prim_func
    def main(X: T.Tensor((32,), "float32"), Y: T.Tensor((32,), "float32")):
        with T.Kernel(1, threads=32):
            thread = T.get_thread_binding(0)
            Y[thread] = T.shfl_xor(X[thread], 1)

    with pytest.raises(UnsupportedByInterpreter, match="shfl"):
        run(main, [torch.randn(32)], out_idx=[1])


def test_vector_lanes_share_their_threads_memory():
    @T.prim_func
    def main(X: T.Tensor((32, 8), "float32"), Y: T.Tensor((32,), "float32")):
        with T.Kernel(1, threads=32):
            thread = T.get_thread_binding(0)
            part = T.alloc_local((8,), "float32")
            total = T.alloc_local((1,), "float32")
            T.clear(total)
            for k in T.vectorized(8):
                part[k] = X[thread, k]
            for k in T.serial(8):
                total[0] += part[k]
            Y[thread] = total[0]

    x = torch.randn(32, 8)
    (y,) = run(main, [x], out_idx=[1])
    torch.testing.assert_close(y, x.sum(1), rtol=1e-5, atol=1e-5)


def test_blocks_wait_for_each_other_at_a_grid_sync():
    n = 8

    @T.prim_func
    def main(X: T.Tensor((n, 32), "float32"), W: T.Tensor((n, 32), "float32"), Y: T.Tensor((n, 32), "float32")):
        with T.Kernel(n, threads=32) as bx:
            other = n - 1 - bx
            row = T.alloc_fragment((32,), "float32")
            T.copy(X[bx, 0], row)
            T.copy(row, W[bx, 0])
            T.sync_grid()
            T.copy(W[other, 0], row)
            T.copy(row, Y[bx, 0])

    x = torch.randn(n, 32)
    (y,) = run(main, [x, torch.empty(n, 32)], out_idx=[2])
    assert torch.equal(y, x.flip(0))


def test_on_chip_memory_does_not_outlive_a_grid_sync_unnoticed():
    @T.prim_func
    def main(X: T.Tensor((4, 32), "float32"), Y: T.Tensor((4, 32), "float32")):
        with T.Kernel(4, threads=32) as bx:
            row = T.alloc_fragment((32,), "float32")
            T.copy(X[bx, 0], row)
            T.sync_grid()
            T.copy(row, Y[bx, 0])

    (y,) = run(main, [torch.randn(4, 32)], out_idx=[1])
    assert torch.isnan(y).all()


def test_threads_reduce_among_themselves():
    @T.prim_func
    def main(X: T.Tensor((4, 2, 16), "float32"), Y: T.Tensor((4, 2), "float32")):
        with T.Kernel(4, threads=(2, 16)) as bx:
            tn = T.get_thread_binding(0)
            tk = T.get_thread_binding(1)
            own = T.alloc_local((1,), "float32")
            total = T.alloc_local((1,), "float32")
            own[0] = X[bx, tn, tk]
            with T.attr(
                T.comm_reducer(lambda x, y: x + y, [T.cast(0, "float32")]),
                "reduce_scope",
                T.reinterpret(T.uint64(0), dtype="handle"),
            ):
                T.evaluate(T.tvm_thread_allreduce(T.uint32(1), own[0], True, total[0], tk, dtype="handle"))
            Y[bx, tn] = total[0]

    x = torch.randn(4, 2, 16)
    (y,) = run(main, [x], out_idx=[1])
    torch.testing.assert_close(y, x.sum(-1), rtol=1e-5, atol=1e-5)


def test_a_value_that_all_threads_share_counts_once_per_thread():
    @T.prim_func
    def main(Y: T.Tensor((2,), "float32")):
        with T.Kernel(1, threads=(2, 16)):
            tn = T.get_thread_binding(0)
            tk = T.get_thread_binding(1)
            total = T.alloc_local((1,), "float32")
            with T.attr(
                T.comm_reducer(lambda x, y: x + y, [T.cast(0, "float32")]),
                "reduce_scope",
                T.reinterpret(T.uint64(0), dtype="handle"),
            ):
                T.evaluate(T.tvm_thread_allreduce(T.uint32(1), T.float32(3), True, total[0], tk, dtype="handle"))
            Y[tn] = total[0]

    (y,) = run(main, [], out_idx=[0])
    assert y.tolist() == [48.0, 48.0]


@pytest.mark.parametrize(("dtype", "low", "high"), [("int4", -8, 8), ("uint4", 0, 16)])
def test_four_bit_integers_come_two_to_a_byte(dtype, low, high):
    @T.prim_func
    def main(X: T.Tensor((32, 64), dtype), Y: T.Tensor((32, 64), "int32"), Z: T.Tensor((32, 64), dtype)):
        with T.Kernel(1, threads=32):
            tile = T.alloc_fragment((32, 64), dtype)
            wide = T.alloc_fragment((32, 64), "int32")
            T.copy(X, tile)
            for i, j in T.Parallel(32, 64):
                wide[i, j] = tile[i, j] * 3
            T.copy(wide, Y)
            for i, j in T.Parallel(32, 64):
                tile[i, j] = T.cast(wide[i, j], dtype)
            T.copy(tile, Z)

    values = torch.randint(low, high, (32, 64), dtype=torch.int32)
    nibbles = values & 15
    packed = (nibbles[:, ::2] | nibbles[:, 1::2] << 4).to(torch.uint8)
    stored = packed.view(torch.int8) if dtype == "int4" else packed
    y, z = run(main, [stored], out_idx=[1, 2])
    assert torch.equal(y, values * 3)
    tripled = (values * 3) & 15
    assert z.dtype == stored.dtype
    assert torch.equal(z.view(torch.uint8), (tripled[:, ::2] | tripled[:, 1::2] << 4).to(torch.uint8))


def test_four_bit_floats_come_two_to_a_byte():
    @T.prim_func
    def main(X: T.Tensor((32, 64), "float32"), Y: T.Tensor((32, 64), "float4_e2m1fn")):
        with T.Kernel(1, threads=32):
            tile = T.alloc_fragment((32, 64), "float32")
            T.copy(X, tile)
            T.copy(tile, Y)

    grid = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.5, -1, -1.5, -2, -3, -4, -6])
    x = grid[torch.randint(0, len(grid), (32, 64))]
    (y,) = run(main, [x], out_idx=[1])
    assert y.shape == (32, 32)
    assert torch.equal(unpacked_floats(y), x)


def test_a_bound_value_does_not_follow_its_buffer():
    @T.prim_func
    def main(X: T.Tensor((8,), "float32"), Y: T.Tensor((8,), "float32")):
        with T.Kernel(1, threads=32):
            x = T.alloc_shared((8,), "float32")
            T.copy(X, x)
            for i in T.Parallel(8):
                other = i ^ 1
                if i < other:
                    value = x[i]
                    x[i] = x[other]
                    x[other] = value
            T.copy(x, Y)

    x = torch.arange(8.0)
    (swapped,) = run(main, [x], out_idx=[1])
    assert torch.equal(swapped, x.reshape(4, 2).flip(1).reshape(8))
