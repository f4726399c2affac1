"""Kernels that the lowering refuses: class, category, and the user's line with carets under the code."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tilelang.language as T

import tt_jit as tt
from tt_jit import errors


def refused(kernel: Callable[[int], object], kind: type[errors.TTJitError], line: str) -> errors.TTJitError:
    """The error of exactly this class, shown at ``line`` of this file."""
    with pytest.raises(errors.TTJitError) as caught:
        kernel(64)
    error, shown = caught.value, str(caught.value)
    assert type(error) is kind, shown
    numbers = [n for n, text in enumerate(Path(__file__).read_text().splitlines(), 1) if text.strip() == line]
    assert error.location is not None and error.location.file == __file__
    assert [error.location.line] == numbers, shown
    rows = shown.splitlines()
    place = rows.index(f"  --> {__file__}:{error.location.line}")
    margin, code, caret = rows[place + 1 : place + 4]
    assert margin.strip() == "|" and code == f" {error.location.line} | {line}"
    assert re.fullmatch(r"\s+\| \^+", caret) and caret.index("^") == code.index(line), "the carets stand under the code"
    assert len(caret) == len(code)
    return error


@tt.jit(out_idx=[-1], device="emulator")
def sine_in_a_loop_for_each_element(M: int) -> Any:
    @T.prim_func
    def main(A: T.Tensor((M, M), "float32"), C: T.Tensor((M, M), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((M, M), "float32")
            T.copy(A, tile)
            for i, j in T.Parallel(M, M):
                while tile[i, j] < 1.0:
                    tile[i, j] = T.sin(tile[i, j]) + 2.0
            T.copy(tile, C)

    return main


def test_a_loop_that_runs_element_by_element_has_few_functions() -> None:
    line = "tile[i, j] = T.sin(tile[i, j]) + 2.0"
    error = refused(sine_in_a_loop_for_each_element, errors.UnsupportedError, line)
    assert error.category == "not_yet" and "note: not supported yet" in str(error)
    assert error.message == "T.sin in code for single elements"
    assert error.hint == "compute it with T.Parallel over a tile, which the vector unit does"


@tt.jit(out_idx=[-1], device="emulator")
def unknown_function(M: int) -> Any:
    @T.prim_func
    def main(A: T.Tensor((M, M), "int32"), C: T.Tensor((M, M), "int32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((M, M), "int32")
            T.copy(A, tile)
            for i, j in T.Parallel(M, M):
                tile[i, j] = T.popcount(tile[i, j])
            T.copy(tile, C)

    return main


def test_a_function_without_a_tile_form() -> None:
    error = refused(unknown_function, errors.UnsupportedError, "tile[i, j] = T.popcount(tile[i, j])")
    assert error.message == "the function popcount has no Tensix tile form"
    assert error.hint == "see docs/language.md for operators"


@tt.jit(out_idx=[-1], device="emulator")
def reduction_of_a_part(M: int) -> Any:
    @T.prim_func
    def main(A: T.Tensor((M, M), "float32"), C: T.Tensor((32,), "float32")):
        with T.Kernel(1):
            tile = T.alloc_fragment((M, M), "float32")
            result = T.alloc_fragment((32,), "float32")
            T.copy(A, tile)
            T.reduce_max(tile[16:48, 0:M], result, dim=1)
            T.copy(result, C)

    return main


def test_inside_of_a_macro_of_tilelang_the_place_is_the_users_call() -> None:
    line = "T.reduce_max(tile[16:48, 0:M], result, dim=1)"
    error = refused(reduction_of_a_part, errors.TilingError, line)
    assert error.message == "a reduction operand tile starts at 16, inside a tile"


@tt.jit(out_idx=[-1], device="emulator")
def gpu_instruction(M: int) -> Any:
    @T.prim_func
    def main(A: T.Tensor((M, M), "float32"), C: T.Tensor((M, M), "float32")):
        with T.Kernel(1, threads=128):
            tile = T.alloc_shared((M, M), "float32")
            T.copy(A, tile)
            T.ptx_wait_group(0)
            T.copy(tile, C)

    return main


def test_an_instruction_that_only_gpus_have() -> None:
    error = refused(gpu_instruction, errors.UnsupportedError, "T.ptx_wait_group(0)")
    assert error.category == "gpu_only" and "note: this construct exists on GPUs only" in str(error)
    assert "ptx" in error.message and error.message.endswith("is a GPU instruction")


@tt.jit(out_idx=[-1], device="emulator")
def operand_inside_a_tile(M: int) -> Any:
    @T.prim_func
    def main(A: T.Tensor((M, M), "bfloat16"), C: T.Tensor((32, M), "float32")):
        with T.Kernel(1):
            a = T.alloc_shared((M, M), "bfloat16")
            c = T.alloc_fragment((32, M), "float32")
            T.copy(A, a)
            T.gemm(a[16:48, 0:M], a, c, clear_accum=True)
            T.copy(c, C)

    return main


def test_a_block_that_cannot_be_tiled() -> None:
    line = "T.gemm(a[16:48, 0:M], a, c, clear_accum=True)"
    error = refused(operand_inside_a_tile, errors.TilingError, line)
    assert error.message == "T.gemm operand a starts at 16, inside a tile"
    assert error.hint == "slice gemm operands at multiples of 32"


def test_every_kind_of_mistake_has_a_class_of_its_own() -> None:
    kinds = ("Unsupported", "Tiling", "L1Overflow", "Argument", "Trace", "CompilerNotFound", "Cache", "Emulator")
    classes = [getattr(errors, f"{kind}Error") for kind in kinds]
    for one in classes:
        assert issubclass(one, errors.TTJitError)
        assert not [other for other in classes if other is not one and issubclass(one, other)]
