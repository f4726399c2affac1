"""infer_default_tt_schedule: the grid and its division among cores."""

from typing import Any

import pytest
import tilelang.language as T
from tvm import tirx as tir

from tt_jit.errors import UnsupportedError
from tt_jit.target import Target

from .programs import WORMHOLE, after, refusal

PASS = "infer_default_tt_schedule"
NAMES = ("grid_x", "grid_y", "grid_z", "num_tiles", "num_cores", "tiles_per_core")


def kernel_on(*grid: Any) -> tir.PrimFunc:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(*grid):
            tile = T.alloc_fragment((64, 64), "float32")
            T.copy(A, tile)

    return kernel


def schedule(func: tir.PrimFunc, target: Target = WORMHOLE) -> tuple[int, ...]:
    attrs = after(func, PASS, target).attrs
    return tuple(int(attrs[f"tt_{name}"]) for name in NAMES)


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ((8, 16), (8, 16, 1, 128, 64, 2)),
        ((1,), (1, 1, 1, 1, 1, 1)),
        ((2, 3, 5), (2, 3, 5, 30, 30, 1)),
        ((65,), (65, 1, 1, 65, 64, 2)),
        ((7, 11), (7, 11, 1, 77, 64, 2)),
    ],
)
def test_static_grids(grid: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert schedule(kernel_on(*grid)) == expected


def test_the_number_of_cores_is_the_chips() -> None:
    assert schedule(kernel_on(1000), Target.named("blackhole")) == (1000, 1, 1, 1000, 130, 8)
    assert schedule(kernel_on(1000), WORMHOLE.with_grid(4, 2)) == (1000, 1, 1, 1000, 8, 125)


def test_a_grid_that_is_known_at_run_time_only() -> None:
    M = T.dynamic("m")

    @T.prim_func
    def kernel(A: T.Tensor((M, 64), "float32")):
        with T.Kernel(T.ceildiv(M, 32), 4) as (bx, _):
            tile = T.alloc_fragment((32, 64), "float32")
            T.copy(A[bx * 32, 0], tile)

    attrs = after(kernel, PASS).attrs
    assert str(attrs["tt_num_tiles"]) == "(m + 31) // 32 * 4"
    assert int(attrs["tt_num_cores"]) == 64


def test_refuses_an_unknown_policy() -> None:
    error = refusal(kernel_on(8).with_attr("tt_schedule_policy", "snake"), PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "tt_schedule_policy 'snake' is unknown"
    assert error.hint == "use 'contiguous'"
