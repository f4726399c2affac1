"""Tables on the screen and JSON files, for the benchmarks beside this file."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table: the first column to the left, numbers to the right with two digits."""
    cells = [[value if isinstance(value, str) else _number(value) for value in row] for row in rows]
    widths = [max(len(row[index]) for row in [list(columns), *cells]) for index in range(len(columns))]
    print(f"\n{title}")
    for row in [list(columns), ["-" * width for width in widths], *cells]:
        first, *others = (cell for cell in row)
        line = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        print("  ".join(line).rstrip())


def _number(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.2f}"


def write_json(name: str, results: Mapping[str, Any]) -> Path:
    """Write `results` with the machine and the date to benchmarks/results/<name>.json."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    machine = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
    }
    document = {"date": time.strftime("%Y-%m-%d %H:%M:%S"), "machine": machine, **results}
    path.write_text(json.dumps(document, indent=2) + "\n")
    print(f"\nwritten: {path}")
    return path


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
