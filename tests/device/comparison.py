"""Differences between two runs of a kernel, in units of the last place of the output, and where they are kept."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(os.environ.get("TT_JIT_RESULTS") or ROOT / "build" / "device-results")

_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().view(_INTEGERS[tensor.dtype.itemsize])


def largest_difference(got: torch.Tensor, wanted: torch.Tensor) -> float:
    """0 for equal bits; for floats the distance in ulp (NaN equals NaN, everything else about it is infinitely far)."""
    assert got.shape == wanted.shape and got.dtype == wanted.dtype
    if got.numel() == 0 or torch.equal(bits(got), bits(wanted)):
        return 0.0
    if not got.dtype.is_floating_point:
        return float((got.to(torch.int64) - wanted.to(torch.int64)).abs().max())
    a, b = _ordered(got), _ordered(wanted)
    both_nan = got.isnan() & wanted.isnan()
    distance = (a - b).abs().masked_fill(both_nan, 0).double()
    distance = distance.masked_fill(got.isnan() ^ wanted.isnan(), float("inf"))
    return float(distance.max())


def relative_difference(got: torch.Tensor, wanted: torch.Tensor) -> float:
    """The largest difference as a fraction of the largest finite value; 0 where all non-finite values agree."""
    a, b = got.to(torch.float64).flatten(), wanted.to(torch.float64).flatten()
    if a.numel() == 0:
        return 0.0
    finite = a.isfinite() & b.isfinite()
    if not torch.equal(a[~finite].nan_to_num(1.0), b[~finite].nan_to_num(1.0)):
        return float("inf")
    if not bool(finite.any()):
        return 0.0
    return float((a - b)[finite].abs().max() / b[finite].abs().max().clamp(min=1e-30))


def _ordered(tensor: torch.Tensor) -> torch.Tensor:
    """Integers in the order of the floats, so that neighbours differ by one and both zeros are equal."""
    integers = bits(tensor).to(torch.int64)
    lowest = -(2 ** (8 * tensor.dtype.itemsize - 1))
    return torch.where(integers < 0, lowest - integers, integers)


def keep(architecture: str, kernel: str, against: str, difference: float | str) -> None:
    """Note one difference for the table in docs/device.md."""
    path = RESULTS / f"{architecture}.json"
    RESULTS.mkdir(parents=True, exist_ok=True)
    results = json.loads(path.read_text()) if path.exists() else {}
    results.setdefault(kernel, {})[against] = difference
    path.write_text(json.dumps(results, indent=1, sort_keys=True))
