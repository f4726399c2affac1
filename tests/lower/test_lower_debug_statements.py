"""lower_debug_statements: assertions are branches, prints are refused by name."""

import pytest
import tilelang.language as T

from tt_jit.errors import UnsupportedError

from .programs import after, refusal

PASS = "lower_debug_statements"


def test_an_assertion_is_a_branch() -> None:
    @T.prim_func
    def kernel(Counts: T.Tensor((8,), "int32")):
        with T.Kernel(8) as bx:
            T.device_assert(Counts[bx] < 5, "too many")

    text = after(kernel, PASS).script()
    assert "if not condition:" in text and 'fail_assertion("too many")' in text
    assert "device_assert" not in text.replace("fail_assertion", "")


def test_a_program_without_either_is_left_alone() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(X, tile)

    assert after(kernel, PASS).body.same_as(after(kernel, "apply_tt_defaults").body)


@pytest.mark.parametrize("printed", ["tile", "count[0]"])
def test_refuses_a_print_by_its_name(printed: str) -> None:
    @T.prim_func
    def tiles(X: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(X, tile)
            T.print(tile)

    @T.prim_func
    def variables(X: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            count = T.alloc_var("int32")
            count = 3
            T.print(count)

    error = refusal(tiles if printed == "tile" else variables, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == f"T.print of {printed}: the chip has no place to print to"


def test_refuses_an_assertion_about_lanes() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((32, 32), "float32")
            for i, j in T.Parallel(32, 32):
                T.device_assert(tile[i, j] > 0.0)
                tile[i, j] = 1.0

    error = refusal(kernel, PASS)
    assert error.message == "T.device_assert about single lanes of T.Parallel"
