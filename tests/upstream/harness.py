"""Runs TileLang's own examples, unmodified, on the emulator: ``python -m tests.upstream.harness [--mode traced]
[part of a path ...]``.

The checkout is named by the environment variable TT_JIT_TILELANG_CHECKOUT. Each example runs in its own process
with its own time limit; each kernel gives one line: right, wrong, refused, crashed, or unknown where the
interpreter has no answer.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .catalogue import CASES

CHECKOUT_VARIABLE = "TT_JIT_TILELANG_CHECKOUT"
EXPECTED_COMMIT = "a35008a4"
"""The commit whose examples belong to the pinned wheel (its VERSION file lags behind)."""
ROOT = Path(__file__).resolve().parents[2]


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
        status = (
            "gpu-only"
            if problem.startswith("GPU only")
            else "crashed"
            if "died" in problem or "time limit" in problem
            else "no-trace"
        )
        yield status, f"{status:8} {stem} {problem}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="only examples whose path contains one of these")
    parser.add_argument(
        "--mode", choices=["compiled", "lowered", "traced"], default="compiled", help="how far to take each kernel"
    )
    parser.add_argument("--seconds", type=int, default=60, help="time limit of one example")
    parser.add_argument("--dump", type=Path, help="folder for the traced scripts")
    parser.add_argument("--json", type=Path, help="file for all outcomes")
    options = parser.parse_args()
    path, reason = checkout()
    if path is None:
        print(f"skipped: {reason}")
        return 0
    counts: Counter[str] = Counter()
    rows = []
    for number, case in enumerate(CASES):
        if options.parts and not any(part in case.path for part in options.parts):
            continue
        row = run_case(path, number, seconds=options.seconds, mode=options.mode, dump=options.dump)
        rows.append(row)
        for status, text in lines(row):
            counts[status] += 1
            print(text, flush=True)
        if row["kernels"] and row["problem"]:
            print(f"         {row['path']}: {row['problem']}", flush=True)
    print(", ".join(f"{count} {status}" for status, count in counts.most_common()))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
