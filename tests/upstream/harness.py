"""Runs TileLang's own examples, unmodified, on the emulator: ``python -m tests.upstream.harness [--mode traced]
[part of a path ...]``.

The checkout is named by the environment variable TT_JIT_TILELANG_CHECKOUT. Each example runs in its own process
with its own time limit; each kernel gives one line: right, wrong, refused, crashed, or unknown where the
interpreter has no answer. A table of all of them ends the run.

``--resume FILE`` keeps every example's outcome in FILE as soon as it is known, and takes those of FILE over.
``--total-seconds`` ends a long sweep early; what was not reached is counted.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .catalogue import CASES, Case

CHECKOUT_VARIABLE = "TT_JIT_TILELANG_CHECKOUT"
EXPECTED_COMMIT = "a35008a4"
"""The commit whose examples belong to the pinned wheel (its VERSION file lags behind)."""
ROOT = Path(__file__).resolve().parents[2]
NOT_REACHED = "not reached in time"


def checkout() -> tuple[Path | None, str]:
    """The checkout, or None and why it cannot be used."""
    named = os.environ.get(CHECKOUT_VARIABLE)
    if not named:
        return None, f"{CHECKOUT_VARIABLE} names no TileLang checkout"
    path = Path(named)
    if not (path / "examples").is_dir():
        return None, f"{CHECKOUT_VARIABLE}={named} has no examples/"
    done = subprocess.run(["git", "-C", str(path), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    commit = done.stdout.strip()
    if commit and not commit.startswith(EXPECTED_COMMIT):
        return None, f"{CHECKOUT_VARIABLE} is at commit {commit[:8]}, the catalogue is for {EXPECTED_COMMIT}"
    return path, ""


def run_case(path: Path, number: int, *, seconds: int, mode: str, dump: Path | None = None) -> dict[str, Any]:
    """One example in its own process."""
    case = CASES[number]
    if case.gpu_only:
        return {"path": case.path, "problem": f"GPU only: {case.gpu_only}", "kernels": [], "code": case.code}
    command = [sys.executable, "-m", "tests.upstream.child", str(path), str(number), str(seconds), mode]
    if dump is not None:
        command.append(str(dump))
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 60, check=False)
    except subprocess.TimeoutExpired:
        return {"path": case.path, "problem": f"no answer within {seconds + 60} s", "kernels": [], "code": case.code}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            row: dict[str, Any] = json.loads(line)
            return row
    reason = (
        f"signal {-done.returncode}" if done.returncode < 0 else (done.stderr.strip().splitlines() or ["no output"])[-1]
    )
    return {"path": case.path, "problem": f"process died: {reason[:200]}", "kernels": [], "code": case.code}


def lines(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(status, text) for each kernel of one example."""
    stem = row["path"].removesuffix(".py")
    problem = row["problem"]
    for kernel in row["kernels"]:
        times = f"{kernel['compile_seconds']:.1f}s+{kernel['run_seconds']:.1f}s"
        detail = kernel["detail"] or (problem if kernel["status"] in ("traced", "unknown") else "")
        yield kernel["status"], f"{kernel['status']:8} {stem}:{kernel['kernel']} ({times}) {detail}".rstrip()
    if not row["kernels"]:
        yield (status := _status_without_kernels(problem)), f"{status:8} {stem} {problem}"


def _status_without_kernels(problem: str) -> str:
    if problem.startswith("GPU only"):
        return "gpu-only"
    if problem == NOT_REACHED:
        return "not-run"
    return "crashed" if "died" in problem or "time limit" in problem or "no answer" in problem else "no-trace"


STATUSES = {
    "right": "as exact as the formats allow",
    "wrong": "other numbers than the oracle's",
    "refused": "by an error that names the construct",
    "crashed": "any other exception, or the time limit",
    "unknown": "no oracle: the interpreter lacks something",
    "lowered": "compiled, not run",
    "traced": "traced, never called",
    "no-trace": "the example compiles no kernel here",
    "not-run": "not reached in time",
    "gpu-only": "made of one GPU's own instructions, or no program of the pinned wheel",
}
"""What the first word of a line means, in the order of the table."""


def table(counts: Counter[str]) -> str:
    """Kernels by status; examples count as one kernel where no kernel was traced."""
    rows = [f"{status:9}{counts[status]:5}  {meaning}" for status, meaning in STATUSES.items() if counts[status]]
    portable = counts.total() - counts["gpu-only"]
    share = f"{counts['right'] / portable:.0%}" if portable else "none"
    return "\n".join([*rows, f"portable {portable:5}  of which right: {counts['right']} ({share})"])


def known_outcomes(path: Path | None) -> dict[str, dict[str, Any]]:
    """The rows of an earlier run, by example. A line cut short by an interruption is left out."""
    rows: dict[str, dict[str, Any]] = {}
    if path is not None and path.exists():
        for line in path.read_text().splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            rows[row["path"]] = row
    return rows


def sweep(path: Path, cases: Iterable[tuple[int, Case]], options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The row of every case, from an earlier run where ``--resume`` has it for the same code."""
    known = known_outcomes(options.resume)
    if options.resume is not None:
        options.resume.write_text("".join(json.dumps(row) + "\n" for row in known.values()))
    deadline = time.monotonic() + options.total_seconds if options.total_seconds else None
    for number, case in cases:
        row = known.get(case.path)
        if row is not None and row["code"] == case.code:
            yield row
            continue
        if deadline is not None and time.monotonic() > deadline:
            yield {"path": case.path, "problem": NOT_REACHED, "kernels": [], "code": case.code}
            continue
        row = run_case(path, number, seconds=options.seconds, mode=options.mode, dump=options.dump)
        if options.resume is not None:
            with options.resume.open("a") as file:
                file.write(json.dumps(row) + "\n")
        yield row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="only examples whose path contains one of these")
    parser.add_argument(
        "--mode", choices=["compiled", "lowered", "traced"], default="compiled", help="how far to take each kernel"
    )
    parser.add_argument("--seconds", type=int, default=60, help="time limit of one example")
    parser.add_argument("--total-seconds", type=int, help="start no further example after this time")
    parser.add_argument("--dump", type=Path, help="folder for the traced scripts")
    parser.add_argument("--json", type=Path, help="file for all outcomes")
    parser.add_argument("--resume", type=Path, help="file of outcomes to continue from and to add to")
    options = parser.parse_args()
    path, reason = checkout()
    if path is None:
        print(f"skipped: {reason}")
        return 0
    parts = options.parts or [""]
    cases = [(number, case) for number, case in enumerate(CASES) if any(part in case.path for part in parts)]
    counts: Counter[str] = Counter()
    rows = []
    for row in sweep(path, cases, options):
        rows.append(row)
        for status, text in lines(row):
            counts[status] += 1
            print(text, flush=True)
        if row["kernels"] and row["problem"]:
            print(f"         {row['path']}: {row['problem']}", flush=True)
    print(table(counts))
    if options.json:
        options.json.write_text(json.dumps({"counts": counts, "examples": rows}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
