"""Writes the tables of docs/device.md from the results of the latest runs: `python -m tests.device.table`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from . import chips
from .comparison import RESULTS
from .suite import TestRecord, read_records

PAGE = chips.ROOT / "docs" / "device.md"
BEGIN, END = "<!-- tables: written by python -m tests.device.table -->", "<!-- end of tables -->"
CHIPS = {"wormhole_b0": "Wormhole", "blackhole": "Blackhole"}


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows)]


def small_kernels() -> list[str]:
    """The kernels of tests/device/kernels.py."""
    results = {}
    for name in ("emulator", *CHIPS):
        path = RESULTS / f"{name}.json"
        results[name] = json.loads(path.read_text()) if path.exists() else {}

    def cell(chip: str, kernel: str, against: str) -> str:
        value = results[chip].get(kernel, {}).get(against, "not run")
        return f"{value:g}" if isinstance(value, float) else value

    rows = []
    for kernel in sorted(set().union(*results.values())):
        rows.append([f"`{kernel}`", cell("emulator", kernel, "torch")])
        rows[-1] += [cell(chip, kernel, against) for chip in CHIPS for against in ("torch", "emulator")]
    columns = [f"{name} - {against}" for name in CHIPS.values() for against in ("torch", "emulator")]
    return table(["kernel", "emulator - torch", *columns], rows)


def suite_groups() -> list[str]:
    """The kernel tests, those that differ in parameters only together."""
    records = {chip: read_records(RESULTS / f"{chip}.jsonl") for chip in CHIPS}
    groups: dict[str, dict[str, list[TestRecord]]] = {}
    for chip, found in records.items():
        for test, record in found.items():
            if record.outcome == "passed" and not record.launches:
                continue  # a refusal or a text: there is nothing to compare
            file, _, function = test.partition("::")
            name = f"{Path(file).stem.removeprefix('test_')}: {function.partition('[')[0].removeprefix('test_')}"
            groups.setdefault(name, {}).setdefault(chip, []).append(record)
    rows = [
        [name.replace("_", " "), *(summary(group.get(chip, [])) for chip in CHIPS)]
        for name, group in sorted(groups.items())
    ]
    return table(["kernel tests", *(f"{name} - emulator" for name in CHIPS.values())], rows)


def summary(records: list[TestRecord]) -> str:
    """The worst difference of the tests that compared something, and how many did not, and why."""
    compared = [record for record in records if record.compared]
    stopped = sum(bool(chips.SIMULATOR_STOPS.search(record.reason)) for record in records)
    limited = sum(bool(chips.STAND_IN_LIMIT.search(record.reason)) for record in records)
    parts = []
    if compared:
        worst = max(compared, key=lambda record: record.relative)
        parts.append("0" if worst.ulp == 0 else f"{worst.relative:.1e}")
        parts[-1] += f" ({len(compared)})"
    if stopped:
        parts.append(f"simulator stops ({stopped})")
    if limited:
        parts.append(f"stand-in compiler ({limited})")
    others = len(records) - len(compared) - stopped - limited
    if others:
        parts.append(f"not run ({others})")
    return ", ".join(parts) or "not run"


def main() -> int:
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = [BEGIN, "", *small_kernels(), "", *suite_groups(), "", END]
    PAGE.write_text(before + "\n".join(lines) + after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
