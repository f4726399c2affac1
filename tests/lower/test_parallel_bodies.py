"""normalize_tile_program: the body of T.Parallel becomes loops of one store each, as if lane by lane."""

import tilelang.language as T

from .programs import after, allocations, assert_program

PASS = "normalize_tile_program"
SHAPE = (32, 64)


def test_a_serial_loop_moves_outside() -> None:
    @T.prim_func
    def before():
        with T.Kernel(1):
            total = T.alloc_fragment(SHAPE, "float32")
            part = T.alloc_fragment((4, *SHAPE), "float32")
            for i, j in T.Parallel(32, 64):
                total[i, j] = 0.0
                for k in T.serial(4):
                    if part[k, i, j] > 0.0:
                        total[i, j] = total[i, j] + part[k, i, j]
                total[i, j] = total[i, j] * 2.0

    @T.prim_func
    def expected():
        with T.Kernel(1):
            total = T.alloc_fragment(SHAPE, "float32")
            part = T.alloc_fragment((4, *SHAPE), "float32")
            for i, j in T.Parallel(32, 64):
                total[i, j] = 0.0
            for k in T.serial(4):
                for i, j in T.Parallel(32, 64):
                    total[i, j] = T.if_then_else(part[k, i, j] > 0.0, total[i, j] + part[k, i, j], total[i, j])
            for i, j in T.Parallel(32, 64):
                total[i, j] = total[i, j] * 2.0

    assert_program(after(before, PASS), expected)


def test_a_name_keeps_its_value_when_its_source_changes() -> None:
    @T.prim_func
    def before():
        with T.Kernel(1):
            a = T.alloc_fragment(SHAPE, "float32")
            b = T.alloc_fragment(SHAPE, "float32")
            for i, j in T.Parallel(32, 64):
                old = a[i, j]
                a[i, j] = b[i, j]
                b[i, j] = old

    @T.prim_func
    def expected():
        with T.Kernel(1):
            a = T.alloc_fragment(SHAPE, "float32")
            b = T.alloc_fragment(SHAPE, "float32")
            old = T.alloc_fragment(SHAPE, "float32")
            for i, j in T.Parallel(32, 64):
                old[i, j] = a[i, j]
            for i, j in T.Parallel(32, 64):
                a[i, j] = b[i, j]
            for i, j in T.Parallel(32, 64):
                b[i, j] = old[i, j]

    assert_program(after(before, PASS), expected)


def test_a_name_outside_keeps_its_value_too() -> None:
    @T.prim_func
    def before(X: T.Tensor((256, 64), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment(SHAPE, "float32")
            first = T.alloc_var("int32")
            weight = T.alloc_var("float32")
            first = 1
            old = first
            kept = weight
            first = first + 3
            weight = 2.0
            T.copy(X[old * 32, 0], tile)
            T.fill(tile, kept)

    text = after(before, PASS).script()
    assert "old: T.int32 = first[0]" in text and "X[old * 32, 0]" in text
    assert "kept[0] = weight[0]" in text and "T.fill(T.region(tile[0, 0], 2, 32, 64), kept[0])" in text


def test_a_condition_keeps_its_value_for_the_whole_branch() -> None:
    @T.prim_func
    def before():
        with T.Kernel(1):
            a = T.alloc_fragment(SHAPE, "float32")
            b = T.alloc_fragment(SHAPE, "float32")
            for i, j in T.Parallel(32, 64):
                if a[i, j] > 0.0:
                    a[i, j] = -1.0
                    b[i, j] = 1.0

    @T.prim_func
    def expected():
        with T.Kernel(1):
            a = T.alloc_fragment(SHAPE, "float32")
            b = T.alloc_fragment(SHAPE, "float32")
            condition = T.alloc_fragment(SHAPE, "float32")
            for i, j in T.Parallel(32, 64):
                condition[i, j] = T.if_then_else(a[i, j] > 0.0, 1.0, 0.0)
            for i, j in T.Parallel(32, 64):
                a[i, j] = T.if_then_else(condition[i, j] != 0.0, -1.0, a[i, j])
            for i, j in T.Parallel(32, 64):
                b[i, j] = T.if_then_else(condition[i, j] != 0.0, 1.0, b[i, j])

    assert_program(after(before, PASS), expected)


def test_a_variable_of_the_lane_that_is_assigned_once_is_its_value() -> None:
    @T.prim_func
    def before():
        with T.Kernel(1):
            a = T.alloc_fragment(SHAPE, "float32")
            b = T.alloc_fragment(SHAPE, "float32")
            for i, j in T.Parallel(32, 64):
                step = T.alloc_var("float32")
                if a[i, j] > 0.0:
                    step = 1.0
                else:
                    step = 0.5
                b[i, j] = step * a[i, j]

    @T.prim_func
    def expected():
        with T.Kernel(1):
            a = T.alloc_fragment(SHAPE, "float32")
            b = T.alloc_fragment(SHAPE, "float32")
            for i, j in T.Parallel(32, 64):
                b[i, j] = T.if_then_else(a[i, j] > 0.0, 1.0, 0.5) * a[i, j]

    assert_program(after(before, PASS), expected)


def test_a_variable_of_the_lane_that_changes_gets_a_buffer() -> None:
    @T.prim_func
    def before():
        with T.Kernel(1):
            a = T.alloc_fragment(SHAPE, "float32")
            b = T.alloc_fragment(SHAPE, "float32")
            for i, j in T.Parallel(32, 64):
                power = T.alloc_var("float32")
                power = 1.0
                for _k in T.serial(3):
                    power = power * a[i, j]
                b[i, j] = power

    @T.prim_func
    def expected():
        with T.Kernel(1):
            a = T.alloc_fragment(SHAPE, "float32")
            b = T.alloc_fragment(SHAPE, "float32")
            power = T.alloc_fragment(SHAPE, "float32")
            for i, j in T.Parallel(32, 64):
                power[i, j] = 1.0
            for _k in T.serial(3):
                for i, j in T.Parallel(32, 64):
                    power[i, j] = power[i, j] * a[i, j]
            for i, j in T.Parallel(32, 64):
                b[i, j] = power[i, j]

    result = after(before, PASS)
    assert_program(result, expected)
    assert list(allocations(result)) == ["a", "b", "power"]
