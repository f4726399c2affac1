"""apply_tt_defaults: every default is there, and yields to the user's annotation."""

from typing import Any

import pytest
import tilelang.language as T
import tvm

from tt_jit.errors import UnsupportedError
from tt_jit.lower import PIPELINE
from tt_jit.lower.base import LoweringContext, run_pipeline

from .programs import WORMHOLE, after, line_of, position_of, refusal

PASS = "apply_tt_defaults"


@T.prim_func
def copy(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
    with T.Kernel(2) as bx:
        tile = T.alloc_shared((32, 64), "float32")
        T.copy(A[bx * 32, 0], tile)
        T.copy(tile, C[bx * 32, 0])


def attributes(func: Any) -> dict[str, Any]:
    return {name: value for name, value in func.attrs.items() if name.startswith("tt_")}


def test_defaults() -> None:
    result = after(copy, PASS)
    assert attributes(result) == {
        "tt_schedule_policy": "contiguous",
        "tt_layout_type": "dram_interleaved",
        "tt_tile_height": 32,
        "tt_tile_width": 32,
        "tt_precision": "accurate",
    }
    tvm.ir.assert_structural_equal(result.body, copy.body)


def test_the_precision_is_that_of_the_compilation() -> None:
    context = LoweringContext(target=WORMHOLE, precision="fast")
    module = run_pipeline(tvm.IRModule({"main": copy}), PIPELINE[: position_of(PASS) + 1], context)
    assert module["main"].attrs["tt_precision"] == "fast"


@pytest.mark.parametrize(
    ("name", "value"),
    [("tt_schedule_policy", "mine"), ("tt_layout_type", "mine"), ("tt_tile_height", 32), ("tt_precision", "fast")],
)
def test_an_annotation_of_the_user_stays(name: str, value: Any) -> None:
    assert after(copy.with_attr(name, value), PASS).attrs[name] == value


@pytest.mark.parametrize(
    ("name", "value", "message", "hint"),
    [
        (
            "tt_tile_height",
            16,
            "tiles of 16 x 32 elements (tt_tile_height, tt_tile_width)",
            "leave them out: tiles are 32 x 32",
        ),
        ("tt_precision", "sloppy", "tt_precision 'sloppy' is unknown", "use 'accurate' or 'fast'"),
    ],
)
def test_refuses_values_it_does_not_know(name: str, value: Any, message: str, hint: str) -> None:
    error = refusal(copy.with_attr(name, value), PASS)
    assert isinstance(error, UnsupportedError)
    assert (error.message, error.hint) == (message, hint)
    assert line_of(error).startswith("def copy(A:")
