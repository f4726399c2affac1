"""`make test-device`: the kernel tests with every launch on the emulator and on the chip, and a verdict.

Tenstorrent's simulator ends the process at the first thing it objects to; the run then goes on behind that test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import chips
from .comparison import RESULTS

TESTS = ("tests/kernels",)
# Data movement and integers are the same bit for bit; the matrix unit rounds as modelled; functions of the vector unit
# may differ by this fraction of the largest value: that of the tensor's dtype, or of coarser pages or a coarser DST.
BOUNDS = {"float32": 2e-6, "float16": 1e-3, "bfloat16": 8e-3, "Float16_b": 8e-3}
MAX_RESTARTS = 400


@dataclass(kw_only=True)
class TestRecord:
    launches: int = 0
    compared: int = 0
    outcome: str = "died"
    reason: str = ""
    ulp: float = 0.0
    relative: float = 0.0
    beyond: list[str] = field(default_factory=list)


def read_records(path: Path) -> dict[str, TestRecord]:
    records: dict[str, TestRecord] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        entry: dict[str, Any] = json.loads(line)
        if not entry["test"]:
            continue
        record = records.setdefault(entry["test"], TestRecord())
        if entry["event"] == "launch":
            record.launches += 1
        elif entry["event"] == "difference":
            record.compared += 1
            record.ulp = max(record.ulp, entry["ulp"])
            record.relative = max(record.relative, entry["relative"])
            bound = max(BOUNDS.get(entry.get(name, ""), 0.0) for name in ("dtype", "format"))
            if entry["ulp"] > 1 and entry["relative"] > bound:
                record.beyond.append(f"{entry['kernel']}.{entry['tensor']} ({entry['dtype']}): {entry['relative']:.3g}")
        elif entry["event"] == "end" and (record.outcome == "died" or entry["outcome"] == "failed"):
            record.outcome, record.reason = entry["outcome"], entry["reason"]
    return records


def run(arguments: list[str]) -> Path | str:
    """Run the tests; returns the file of differences, or the reason why it cannot."""
    runner, chip = chips.device_python(), chips.attached_chip()
    for found in (chip, runner):
        if isinstance(found, str):
            return found
    assert isinstance(runner, chips.DevicePython) and isinstance(chip, dict)
    needed = subprocess.run([runner.python, "-c", "import pytest, tilelang, torch"], capture_output=True, text=True)
    if needed.returncode:
        return f"{runner.python} needs pytest, tilelang and torch besides ttnn: {chips.last_words(needed.stderr)}"
    os.environ.setdefault("TT_JIT_CACHE_DIR", str(chips.ROOT / "build" / "device-cache"))
    RESULTS.mkdir(parents=True, exist_ok=True)
    differences = RESULTS / "differences.jsonl"
    differences.unlink(missing_ok=True)
    environment = {**runner.environment(chip), "TT_JIT_DIFFERENCES": str(differences), "PYTHONPATH": str(chips.ROOT)}
    command = [str(runner.python), "-m", "pytest", "-q", "-p", "tests.device.side_by_side", "-p", "no:cacheprovider"]
    # pytest would take what the simulator says last with it.
    command.append("--capture=no")
    for _ in range(MAX_RESTARTS):
        done = [argument for test in read_records(differences) for argument in ("--deselect", test)]
        finished = subprocess.run(
            [*command, *done, *(arguments or TESTS)], env=environment, cwd=chips.ROOT, capture_output=True, text=True
        )
        records = read_records(differences)
        died = next((record for record in reversed(records.values()) if record.outcome == "died"), None)
        if not records:
            return f"pytest did not start: {(finished.stdout + finished.stderr)[-2000:]}"
        if died is None or died.reason:
            break
        died.reason = chips.last_words(finished.stdout + finished.stderr)
        with differences.open("a") as file:
            test = next(name for name, record in records.items() if record is died)
            file.write(json.dumps({"test": test, "event": "end", "outcome": "ended", "reason": died.reason}) + "\n")
    architecture = next((line for line in differences.read_text().splitlines() if '"chip"' in line), None)
    named = json.loads(architecture)["architecture"] if architecture else "unknown"
    return differences.rename(RESULTS / f"{named}.jsonl")


def verdict(records: dict[str, TestRecord]) -> tuple[str, bool]:
    """The summary, and whether all is well."""
    lines = []
    counts: Counter[str] = Counter()
    for name, record in records.items():
        if record.outcome in ("died", "ended"):
            stops = bool(chips.SIMULATOR_STOPS.search(record.reason))
            counts["simulator stops" if stops else "PROCESS ENDED"] += 1
            if not stops:
                lines.append(f"ended   {name}: {record.reason[-300:]}")
        elif chips.STAND_IN_LIMIT.search(record.reason):
            counts["beyond the stand-in compiler"] += 1
        elif record.outcome == "failed" and not record.launches and "DeviceError" not in record.reason:
            # It did not get as far as a chip; `make test` says what is wrong.
            counts["fails without a chip, too"] += 1
        elif record.outcome == "failed":
            counts["FAILED"] += 1
            lines.append(f"failed  {name}: {record.reason.strip().splitlines()[-1] if record.reason.strip() else ''}")
        elif record.beyond:
            counts["DIFFERENT"] += 1
            lines.append(f"differs {name}: {'; '.join(record.beyond)}")
        elif record.launches:
            counts["bit for bit" if record.ulp == 0 else "within bounds"] += 1
        else:
            counts["no launch"] += 1
    bad = counts["PROCESS ENDED"] + counts["FAILED"] + counts["DIFFERENT"]
    summary = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    return "\n".join([*lines, summary]), bad == 0 and bool(records)


def ttnn_tensors() -> bool:
    """The tests with ttnn tensors as arguments, in the Python that has ttnn."""
    runner, chip = chips.device_python(), chips.attached_chip()
    assert isinstance(runner, chips.DevicePython) and isinstance(chip, dict)
    command = [str(runner.python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/device/test_ttnn_tensors.py"]
    environment = {**runner.environment(chip), "PYTHONPATH": str(chips.ROOT)}
    return subprocess.run(command, env=environment, cwd=chips.ROOT).returncode == 0


def main(arguments: list[str]) -> int:
    found = run(arguments)
    if isinstance(found, str):
        sys.stdout.write(f"test-device: nothing done: {found}\n")
        return 1
    text, good = verdict(read_records(found))
    sys.stdout.write(text + "\n")
    return 0 if good and (arguments or ttnn_tensors()) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
