"""ttnn tensors as arguments: used in place, returned as ttnn tensors, chained without a round trip.

Runs where ttnn and a chip or simulator are: `make test-device` runs it with the Python that has ttnn.
"""

from __future__ import annotations

import pytest
import tilelang.language as T
import torch

import tt_jit
from tt_jit.errors import ArgumentError
from tt_jit.runtime import ttnn_environment

pytestmark = pytest.mark.device
if not ttnn_environment.is_available():
    pytest.skip("needs ttnn and a chip or simulator in this Python", allow_module_level=True)

import ttnn  # noqa: E402  (only after the module was not skipped)


# fmt: off
@tt_jit.jit(out_idx=[-1], device="ttnn")
def scale(M, N, factor):
    @T.prim_func
    def main(A: T.Tensor((M, N), "bfloat16"), B: T.Tensor((M, N), "bfloat16")):
        with T.Kernel(T.ceildiv(M, 32), threads=128) as bx:
            tile = T.alloc_fragment((32, N), "bfloat16")
            T.copy(A[bx * 32, 0], tile)
            for i, j in T.Parallel(32, N):
                tile[i, j] = tile[i, j] * factor
            T.copy(tile, B[bx * 32, 0])
    return main
# fmt: on


def on_chip(value: torch.Tensor, dtype: object = None, layout: object = None) -> object:
    handle = tt_jit.device("ttnn").handle  # type: ignore[attr-defined]
    layout = layout or ttnn.TILE_LAYOUT
    return ttnn.from_torch(value, dtype=dtype or ttnn.bfloat16, layout=layout, device=handle)


def test_chain_stays_on_the_chip() -> None:
    value = torch.randn(64, 96).bfloat16()
    doubled, halved = scale(64, 96, 2.0), scale(64, 96, 0.25)
    first = doubled(on_chip(value))
    assert isinstance(first, ttnn.Tensor)
    second = halved(first)
    assert isinstance(second, ttnn.Tensor)
    assert torch.equal(ttnn.to_torch(second), value * 0.5)
    assert torch.equal(ttnn.to_torch(first), value * 2)


def test_same_kernel_with_torch_and_ttnn_tensors() -> None:
    value = torch.randn(64, 96).bfloat16()
    doubled = scale(64, 96, 2.0)
    assert torch.equal(doubled(value), value * 2)
    assert torch.equal(ttnn.to_torch(doubled(on_chip(value))), value * 2)
    assert torch.equal(doubled(value + 1), (value + 1) * 2)


def test_wrong_layout_and_dtype_say_what_is_needed() -> None:
    value = torch.randn(64, 96).bfloat16()
    doubled = scale(64, 96, 2.0)
    with pytest.raises(ArgumentError, match="TILE_LAYOUT"):
        doubled(on_chip(value, layout=ttnn.ROW_MAJOR_LAYOUT))
    with pytest.raises(ArgumentError, match="bfloat16"):
        doubled(on_chip(value.float(), dtype=ttnn.float32))
