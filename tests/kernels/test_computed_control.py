"""Branches, loops and addresses on values that are computed on chip, on floats, and on variables of the kernels."""

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tt_jit.errors import EmulatorError, UnsupportedError


@tt.jit
def branch_on_computed(X, Weights):
    X: T.Tensor((64, 64), "float32")
    Weights: T.Tensor((8,), "bfloat16")
    Y = T.empty((64, 64), "float32")
    with T.Kernel(2) as bx:
        tile = T.alloc_fragment((32, 64), "float32")
        row_best = T.alloc_fragment((32,), "float32")
        best = T.alloc_fragment((1,), "float32")
        T.copy(X[bx * 32, 0], tile)
        T.reduce_max(tile, row_best, dim=1)
        T.reduce_max(row_best, best, dim=0)
        if best[0] > 3.0:
            for i, j in T.Parallel(32, 64):
                tile[i, j] = tile[i, j] * 2
        if row_best[5] < 2.0 or Weights[bx] >= 0.75:
            for i, j in T.Parallel(32, 64):
                tile[i, j] = tile[i, j] + 1
        if tile[20, 40] < 0.25:
            for i, j in T.Parallel(32, 64):
                tile[i, j] = tile[i, j] - 3
        T.copy(tile, Y[bx * 32, 0])
    return Y


@pytest.mark.parametrize("seed", range(4))
def test_branches_on_maxima_and_elements(seed):
    torch.manual_seed(seed)
    x = torch.randn(64, 64) * (1 if seed % 2 else 4)
    weights = torch.tensor([0.25, 0.75, 0, 0, 0, 0, 0, 0]).bfloat16()
    wanted = []
    for block, weight in zip(x.split(32), weights[:2], strict=True):
        row_best = block.max(1).values
        block = block * 2 if row_best.max() > 3 else block
        block = block + 1 if row_best[5] < 2 or weight >= 0.75 else block
        wanted.append(block - 3 if block[20, 40] < 0.25 else block)
    assert torch.equal(branch_on_computed(x, weights), torch.cat(wanted))


@tt.jit
def compare_floats(Values):
    Values: T.Tensor((8,), "float32")
    Y = T.empty((32, 32), "int32")
    with T.Kernel(1):
        answers = T.alloc_fragment((32, 32), "int32")
        T.clear(answers)
        for i in T.serial(8):
            for k in T.serial(8):
                if Values[i] < Values[k]:
                    for r, c in T.Parallel(32, 32):
                        answers[r, c] = T.if_then_else(r == i, T.if_then_else(c == k, 1, answers[r, c]), answers[r, c])
                if Values[i] >= Values[k]:
                    for r, c in T.Parallel(32, 32):
                        answers[r, c] = T.if_then_else(
                            r == i, T.if_then_else(c == 8 + k, 1, answers[r, c]), answers[r, c]
                        )
                if Values[i] != Values[k]:
                    for r, c in T.Parallel(32, 32):
                        answers[r, c] = T.if_then_else(
                            r == i, T.if_then_else(c == 16 + k, 1, answers[r, c]), answers[r, c]
                        )
        T.copy(answers, Y)
    return Y


def test_comparisons_are_those_of_ieee():
    values = torch.tensor([0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1.5, -1.5, 1e-40])
    answers = compare_floats(values)
    first, second = values[:, None], values[None, :]
    wanted = torch.cat([first < second, first >= second, first != second], dim=1).int()
    assert torch.equal(answers[:8, :24], wanted)


@tt.jit
def halve_until_small(X):
    X: T.Tensor((64, 64), "float32")
    Y = T.empty((64, 64), "float32")
    with T.Kernel(2) as bx:
        tile = T.alloc_fragment((32, 64), "float32")
        best = T.alloc_var("float32")
        T.copy(X[bx * 32, 0], tile)
        best = tile[0, 0]
        while best > 1.0:
            best = best * 0.5
            for i, j in T.Parallel(32, 64):
                tile[i, j] = tile[i, j] + 1
        T.copy(tile, Y[bx * 32, 0])
    return Y


def test_a_while_loop_on_a_float_variable():
    x = torch.randint(-8, 8, (64, 64)).float()
    x[0, 0], x[32, 0] = 37.0, 0.5
    wanted = x.clone()
    wanted[:32] += 6
    assert torch.equal(halve_until_small(x), wanted)


@tt.jit
def follow_links(X, Next):
    X: T.Tensor((256, 64), "float32")
    Next: T.Tensor((8,), "int32")
    Y = T.empty((64, 64), "float32")
    with T.Kernel(2) as bx:
        tile = T.alloc_fragment((32, 64), "float32")
        total = T.alloc_fragment((32, 64), "float32")
        place = T.alloc_local((1,), "int32")
        seen = T.alloc_local((8,), "int32")
        T.clear(total)
        T.clear(seen)
        place[0] = bx
        while Next[place[0]] >= 0:
            seen[place[0]] = seen[place[0]] + 1
            T.copy(X[place[0] * 32, 0], tile)
            for i, j in T.Parallel(32, 64):
                total[i, j] += tile[i, j]
            before = place[0]
            place[0] = Next[place[0]]
            if seen[before] > 1:
                place[0] = 7
        T.copy(total, Y[bx * 32, 0])
    return Y


def test_a_while_loop_on_a_value_in_memory():
    """Links 0 -> 2 -> 4 -> 2 -> ... until a place is met again; 1 -> 3 -> 7, where the walk ends."""
    x = torch.randint(-8, 8, (256, 64)).float()
    blocks = x.split(32)
    links = torch.tensor([2, 3, 4, 7, 2, -1, -1, -1], dtype=torch.int32)
    wanted = torch.cat([blocks[0] + 2 * blocks[2] + blocks[4], blocks[1] + blocks[3]])
    assert torch.equal(follow_links(x, links), wanted)


@tt.jit
def pick_rows(X, Table):
    X: T.Tensor((256, 64), "float32")
    Table: T.Tensor((32,), "int32")
    Y = T.empty((64, 64), "float32")
    with T.Kernel(2) as bx:
        table = T.alloc_fragment((32,), "int32")
        tile = T.alloc_fragment((32, 64), "float32")
        T.copy(Table, table)
        for i in T.Parallel(32):
            table[i] = table[i] * 2 + 1
        T.copy(X[table[bx] * 32, 0], tile)
        T.copy(tile, Y[bx * 32, 0])
    return Y


def test_an_address_that_is_computed_on_chip():
    x = torch.randn(256, 64)
    table = torch.zeros(32, dtype=torch.int32)
    table[0], table[1] = 2, 1
    assert torch.equal(pick_rows(x, table), torch.cat([x.split(32)[5], x.split(32)[3]]))


@tt.jit
def floor_of_negatives(X, Table):
    X: T.Tensor((256, 64), "float32")
    Table: T.Tensor((8,), "int32")
    Y = T.empty((64, 64), "float32")
    with T.Kernel(2) as bx:
        tile = T.alloc_fragment((32, 64), "float32")
        T.clear(tile)
        if Table[bx] >= 0:
            T.copy(X[Table[bx] // 4 * 32, 0], tile)
        if Table[bx] // 4 == 7 or Table[bx] % 4 == 3:
            for i, j in T.Parallel(32, 64):
                tile[i, j] = tile[i, j] + 1
        T.copy(tile, Y[bx * 32, 0])
    return Y


def test_negative_values_from_memory_are_negative():
    x = torch.randn(256, 64)
    result = floor_of_negatives(x, torch.tensor([-1, 13, 0, 0, 0, 0, 0, 0], dtype=torch.int32))
    assert torch.equal(result, torch.cat([torch.ones(32, 64), x[96:128]]))


def test_a_function_in_a_condition_is_refused_by_name():
    @T.prim_func
    def kernel(X: T.Tensor((32, 32), "float32"), Y: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(X, tile)
            if T.exp(tile[0, 0]) > 2.0:
                T.copy(tile, Y)

    with pytest.raises(UnsupportedError, match="the function exp in what steers control flow"):
        tt.compile(kernel)


@tt.jit
def lane_by_lane(A, B):
    A: T.Tensor((64, 64), "float32")
    B: T.Tensor((64, 64), "float32")
    Y = T.empty((64, 64), "float32")
    with T.Kernel(2) as bx:
        a = T.alloc_fragment((32, 64), "float32")
        b = T.alloc_fragment((32, 64), "float32")
        y = T.alloc_fragment((32, 64), "float32")
        T.copy(A[bx * 32, 0], a)
        T.copy(B[bx * 32, 0], b)
        for i, j in T.Parallel(32, 64):
            step = T.alloc_var("float32")
            old = a[i, j]
            a[i, j] = b[i, j]
            b[i, j] = old
            if old > 0:
                step = 1.0
            else:
                step = 0.5
            for _k in T.serial(3):
                step += old * step
            y[i, j] = step
            if a[i, j] > 0:
                a[i, j] = 0.0
                y[i, j] += 1
        T.copy(a, A[bx * 32, 0])
        T.copy(b, B[bx * 32, 0])
        T.copy(y, Y[bx * 32, 0])
    return Y


def test_the_steps_of_a_parallel_body_are_those_of_a_lane():
    a, b = torch.randint(-4, 5, (64, 64)).float(), torch.randint(-4, 5, (64, 64)).float()
    old_a, old_b = a.clone(), b.clone()
    result = lane_by_lane(a, b)
    step = torch.where(old_a > 0, 1.0, 0.5)
    for _ in range(3):
        step = step + old_a * step
    assert torch.equal(b, old_a)
    assert torch.equal(a, old_b.clamp(max=0))
    assert torch.equal(result, step + (old_b > 0))


@tt.jit
def sum_until(X, Last, Skip):
    X: T.Tensor((512, 64), "float32")
    Last: T.Tensor((2,), "int32")
    Skip: T.Tensor((16,), "int32")
    Y = T.empty((64, 64), "float32")
    with T.Kernel(2) as bx:
        tile = T.alloc_fragment((32, 64), "float32")
        total = T.alloc_fragment((32, 64), "float32")
        n = T.alloc_var("int32")
        T.clear(total)
        for k in T.serial(16):
            if k == Last[bx]:
                break
            if Skip[k] > 0:
                continue
            T.copy(X[k * 32, 0], tile)
            for i, j in T.Parallel(32, 64):
                total[i, j] += tile[i, j]
        n = 0
        while n < 10:
            n += 1
            if n == 4:
                continue
            if n > 6:
                break
            for i, j in T.Parallel(32, 64):
                total[i, j] += n
        T.copy(total, Y[bx * 32, 0])
    return Y


def test_break_and_continue():
    x = torch.randint(-9, 9, (512, 64)).float()
    last = torch.tensor([11, 16], dtype=torch.int32)
    skip = (torch.rand(16) > 0.6).int()
    blocks = x.split(32)
    wanted = [
        sum((blocks[k] for k in range(end) if not skip[k]), torch.zeros(32, 64)) + 1 + 2 + 3 + 5 + 6
        for end in last.tolist()
    ]
    assert torch.equal(sum_until(x, last, skip), torch.cat(wanted))


@tt.jit
def copy_with_assertions(X, Counts):
    X: T.Tensor((64, 64), "float32")
    Counts: T.Tensor((2,), "int32")
    Y = T.empty((64, 64), "float32")
    with T.Kernel(2) as bx:
        tile = T.alloc_fragment((32, 64), "float32")
        T.copy(X[bx * 32, 0], tile)
        T.device_assert(Counts[bx] < 5, "too many")
        T.device_assert(tile[0, 0] < 100.0, "too large")
        T.copy(tile, Y[bx * 32, 0])
    return Y


def test_assertions_stop_the_kernel_with_their_message():
    x = torch.randn(64, 64)
    few, many = torch.tensor([1, 4], dtype=torch.int32), torch.tensor([1, 5], dtype=torch.int32)
    assert torch.equal(copy_with_assertions(x, few), x)
    with pytest.raises(EmulatorError, match="too many"):
        copy_with_assertions(x, many)
    x[32, 0] = 1000.0
    with pytest.raises(EmulatorError, match="too large"):
        copy_with_assertions(x, few)


@tt.jit
def sum_as_many_blocks_as_threads_say(X, Mask):
    X: T.Tensor((1024, 64), "float32")
    Mask: T.Tensor((64,), "int32")
    Y = T.empty((64, 64), "float32")
    with T.Kernel(2, threads=32) as bx:
        tx = T.get_thread_binding()
        count = T.alloc_shared((1,), "int32")
        tile = T.alloc_fragment((32, 64), "float32")
        total = T.alloc_fragment((32, 64), "float32")
        if tx == 0:
            count[0] = 0
        T.sync_threads()
        if Mask[bx * 32 + tx] > 0:
            T.atomic_add(count[0], 1)
        T.sync_threads()
        T.clear(total)
        for k in T.serial(count[0]):
            T.copy(X[k * 32, 0], tile)
            for i, j in T.Parallel(32, 64):
                total[i, j] += tile[i, j]
        T.copy(total, Y[bx * 32, 0])
    return Y


def test_a_loop_of_as_many_steps_as_threads_have_counted():
    x, mask = torch.randint(-9, 9, (1024, 64)).float(), (torch.rand(64) > 0.8).int()
    wanted = [sum(x.split(32)[: int(part.sum())], torch.zeros(32, 64)) for part in mask.split(32)]
    assert torch.equal(sum_as_many_blocks_as_threads_say(x, mask), torch.cat(wanted))


@tt.jit
def decide_in_many_ways(A, B, M, limit: T.float32):
    A: T.Tensor((512, 64), "float32")
    B: T.Tensor((64, 64), "bfloat16")
    M: T.Tensor((64, 64), "uint8")
    Y = T.empty((64, 64), "float32")
    with T.Kernel(2) as bx:
        a = T.alloc_fragment((32, 64), "float32")
        b = T.alloc_fragment((32, 64), "bfloat16")
        m = T.alloc_fragment((32, 64), "uint8")
        best = T.alloc_fragment((64,), "float32")
        T.copy(A[bx * 32, 0], a)
        T.copy(B[bx * 32, 0], b)
        T.copy(M[bx * 32, 0], m)
        T.reduce_max(a, best, dim=0)
        for i, j in T.Parallel(32, 64):
            b[i, j] = b[i, j] * T.bfloat16(2)
            m[i, j] = m[i, j] + T.uint8(1)
        if T.max(a[0, 0], b[3, 40]) * 2.0 - best[33] > limit:
            for i, j in T.Parallel(32, 64):
                a[i, j] += 1
        if T.isnan(a[1, 1]):
            for i, j in T.Parallel(32, 64):
                a[i, j] = 5
        for _k in T.serial(m[2, 2]):
            for i, j in T.Parallel(32, 64):
                a[i, j] += 10
        if b[0, 0] > 0 or b[0, 0] < -1.5:
            T.copy(A[T.cast(T.abs(b[0, 0]), "int32") * 32, 0], a)
        T.copy(a, Y[bx * 32, 0])
    return Y


@pytest.mark.parametrize("seed", range(4))
def test_arithmetic_casts_and_tests_of_computed_values(seed):
    torch.manual_seed(seed)
    a, b = torch.randint(-9, 9, (512, 64)).float(), torch.randn(64, 64).bfloat16()
    m, limit = torch.randint(0, 4, (64, 64)).to(torch.uint8), float(seed * 4 - 8)
    if seed == 3:
        a[33, 1] = float("nan")
    wanted = []
    for block, double, count in zip(a[:64].split(32), (b.float() * 2).split(32), m.split(32), strict=True):
        best = block.max(0).values
        result = block + 1 if max(block[0, 0], double[3, 40]) * 2 - best[33] > limit else block
        result = torch.full_like(block, 5.0) if block[1, 1].isnan() else result
        result = result + 10 * (int(count[2, 2]) + 1)
        first = float(double[0, 0])
        wanted.append(a.split(32)[int(abs(first))] if first > 0 or first < -1.5 else result)
    result = decide_in_many_ways(a, b, m, limit)
    assert torch.equal(result.nan_to_num(99.0), torch.cat(wanted).nan_to_num(99.0))
