"""What `make test-device` makes of the differences it finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .suite import read_records, verdict


def judged(folder: Path, outcome: str = "passed", reason: str = "", **difference: Any) -> tuple[str, bool]:
    """The verdict on one test with one launch."""
    entry = {"kernel": "main", "tensor": "Y", "ulp": 0.0, "relative": 0.0, "dtype": "int32", "format": "Int32"}
    events = [
        {"event": "start"},
        {"event": "launch", "kernel": "main"},
        {"event": "difference", **entry, **difference},
        {"event": "end", "outcome": outcome, "reason": reason},
    ]
    path = folder / "differences.jsonl"
    path.write_text("".join(json.dumps({"test": "test_kernel", **event}) + "\n" for event in events))
    return verdict(read_records(path))


def test_equal_bits_are_well(tmp_path: Path) -> None:
    assert judged(tmp_path) == ("1 bit for bit", True)


def test_integers_have_no_tolerance(tmp_path: Path) -> None:
    text, good = judged(tmp_path, ulp=2.0, relative=1e-9)
    assert not good
    assert "differs test_kernel: main.Y (int32): 1e-09" in text


def test_one_unit_in_the_last_place_is_within_bounds(tmp_path: Path) -> None:
    assert judged(tmp_path, ulp=1.0, relative=1.0, dtype="float32", format="Float32") == ("1 within bounds", True)


def test_the_format_of_the_pages_bounds_a_tensor_that_they_round(tmp_path: Path) -> None:
    half = {"ulp": 8.0, "relative": 1.3e-3, "dtype": "float16"}
    assert judged(tmp_path, **half, format="Float16_b") == ("1 within bounds", True)
    assert not judged(tmp_path, **half, format="Float32")[1]


def test_a_limit_of_the_stand_in_compiler_is_no_failure_of_the_kernel(tmp_path: Path) -> None:
    limit = "KernelCompileError: tt shim: function: needs more than 8 vector registers"
    assert judged(tmp_path, outcome="failed", reason=limit) == ("1 beyond the stand-in compiler", True)
    text, good = judged(tmp_path, outcome="failed", reason="DeviceError: no answer")
    assert not good and "failed  test_kernel: DeviceError: no answer" in text
