"""Bad input, from the decorator to the emulator: one class each, with file, line and caret, and a remedy."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tt_jit.errors import (
    ArgumentError,
    CacheError,
    CompilerNotFoundError,
    L1OverflowError,
    TilingError,
    TraceError,
    TTJitError,
    UnsupportedError,
)


@tt.jit(out_idx=-1, device="emulator")
def copied(M: int, N: int, dtype: str = "float32"):
    @T.prim_func
    def main(A: T.Tensor((M, N), dtype), B: T.Tensor((M, N), dtype)):
        with T.Kernel(1):
            whole = T.alloc_shared((M, N), dtype)
            T.copy(A[0, 0], whole)
            T.copy(whole, B[0, 0])

    return main


@tt.jit(out_idx=-1, device="emulator")
def sliced(start: int):
    @T.prim_func
    def main(A: T.Tensor((64, 64), "bfloat16"), C: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            a = T.alloc_shared((64, 64), "bfloat16")
            c = T.alloc_fragment((32, 32), "float32")
            T.copy(A, a)
            T.clear(c)
            T.gemm(a[start : start + 32, 0:32], a[0:32, 0:32], c)
            T.copy(c, C)

    return main


@tt.jit(out_idx=-1, device="emulator")
def misspelt(M: int):
    @T.prim_func
    def main(A: T.Tensor((M,), "float32")):
        with T.Kernel(1):
            A[0] = not_defined_anywhere

    return main


def caught(call: Callable[[], Any], kind: type[TTJitError], line: str, *parts: str) -> TTJitError:
    """The error of `call`; its text has the place, the line of the kernel with a caret, and `parts`."""
    with pytest.raises(kind) as found:
        call()
    error = found.value
    assert type(error) is kind
    text = str(error)
    assert f"--> {__file__}:" in text
    assert error.location.source_line().strip() == line
    shown = text.splitlines()
    (number,) = [index for index, row in enumerate(shown) if row.endswith(f"| {line}")]
    assert set(shown[number + 1].partition("|")[2].strip()) == {"^"}
    assert "hint: " in text
    for part in parts:
        assert part in text
    return error


def test_what_cannot_be_lowered() -> None:
    error = caught(
        lambda: copied(32, 32, "float64"),
        UnsupportedError,
        "T.copy(A[0, 0], whole)",
        "A has dtype float64",
        "use float32",
    )
    assert error.category == "not_yet"


def test_buffers_that_overflow_l1() -> None:
    line = "whole = T.alloc_shared((M, N), dtype)"
    caught(lambda: copied(1024, 1024), L1OverflowError, line, "need 4,194,304 B of L1 per core", "smaller block sizes")


def test_a_block_that_cannot_be_tiled() -> None:
    assert sliced(32)(torch.eye(64).bfloat16()).shape == (32, 32)
    line = "T.gemm(a[start : start + 32, 0:32], a[0:32, 0:32], c)"
    caught(lambda: sliced(16), TilingError, line, "T.gemm operand a starts at 16, inside a tile", "multiples of 32")


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(TraceError) as found:
        misspelt(8)
    assert found.value.location.source_line().strip() == "A[0] = not_defined_anywhere"
    assert "NameError: name 'not_defined_anywhere' is not defined" in str(found.value)


@tt.jit
def whole_buffers(M: int):
    @T.prim_func
    def main(A: T.Tensor((M, M), "float32")):
        with T.Kernel(1):
            a = T.alloc_shared((M // 2, M), "float32")
            T.copy(A, a)

    return main


def test_a_copy_between_buffers_of_different_shapes() -> None:
    message = "buffers of different shapes, (64, 64) and (32, 64)"
    caught(lambda: whole_buffers(64), TraceError, "T.copy(A, a)", message, "T.copy(A[0, 0], A_shared)")


def test_a_tensor_that_does_not_fit() -> None:
    kernel = copied(32, 32)
    line = 'def copied(M: int, N: int, dtype: str = "float32"):'
    caught(lambda: kernel(torch.zeros(32, 64)), ArgumentError, line, "got: A.shape[1] = 64", "A.shape[1] = 32")
    caught(lambda: kernel(torch.zeros(32, 32).half()), ArgumentError, line, "got: torch.float16", "A.to(torch.float32)")
    caught(lambda: kernel(), ArgumentError, line, "missing argument 'A'", "B is allocated and returned")


def test_a_missing_compiler(tmp_path: Path) -> None:
    line = 'def copied(M: int, N: int, dtype: str = "float32"):'
    with tt.config.scope(cache_dir=str(tmp_path), cxx="no-such-compiler"):
        error = caught(lambda: copied(32, 32, "int32"), CompilerNotFoundError, line, "TT_JIT_CXX", "'no-such-compiler'")
        assert "g++" in error.hint
        # What needs no compiler works.
        assert "kernel_main" in copied.get_kernel_source(32, 32, "int32")


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = 'def copied(M: int, N: int, dtype: str = "float32"):'
    with tt.config.scope(cache_dir=str(tmp_path / "file" / "cache")):
        caught(
            lambda: copied(32, 32, "uint32"), CacheError, line, "cannot be written", "TT_JIT_CACHE_DIR",
            "TT_JIT_DISABLE_CACHE", os.fspath(tmp_path / "file"),
        )  # fmt: skip
