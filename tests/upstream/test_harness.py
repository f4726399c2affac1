"""The sweep over the upstream examples: what it counts, what it takes over from an earlier run, when it stops."""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.upstream import harness
from tests.upstream.catalogue import Case

CASES = [(number, Case(path=f"{name}.py", code="main()")) for number, name in enumerate(["first", "second", "third"])]


def row(path: str, *statuses: str, problem: str = "", code: str = "main()") -> dict[str, Any]:
    kernels = [
        {"kernel": f"k{n}", "status": status, "detail": "", "compile_seconds": 0.0, "run_seconds": 0.0}
        for n, status in enumerate(statuses)
    ]
    return {"path": path, "problem": problem, "kernels": kernels, "code": code}


@pytest.fixture
def examples_run(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the examples that were run."""
    ran: list[str] = []

    def run_case(path: Path, number: int, **_: Any) -> dict[str, Any]:
        ran.append(CASES[number][1].path)
        return row(CASES[number][1].path, "right")

    monkeypatch.setattr(harness, "run_case", run_case)
    return ran


def options(**given: Any) -> argparse.Namespace:
    return argparse.Namespace(
        **{"resume": None, "total_seconds": None, "seconds": 1, "mode": "m", "dump": None, **given}
    )


def test_a_sweep_continues_where_it_was_interrupted(tmp_path: Path, examples_run: list[str]) -> None:
    file = tmp_path / "rows"
    file.write_text(json.dumps(row("first.py", "refused")) + "\n" + json.dumps(row("third.py", code="old()")) + "\n{")
    rows = list(harness.sweep(tmp_path, CASES, options(resume=file)))
    assert examples_run == ["second.py", "third.py"], "the third one's code has changed since"
    assert [kernel["status"] for found in rows for kernel in found["kernels"]] == ["refused", "right", "right"]
    examples_run.clear()
    list(harness.sweep(tmp_path, CASES, options(resume=file)))
    assert examples_run == []


def test_a_sweep_out_of_time_counts_what_it_left(tmp_path: Path, examples_run: list[str]) -> None:
    rows = list(harness.sweep(tmp_path, CASES, options(total_seconds=-1)))
    assert examples_run == []
    assert [status for found in rows for status, _ in harness.lines(found)] == ["not-run"] * 3


def test_every_outcome_has_its_status() -> None:
    assert [status for status, _ in harness.lines(row("a.py", "right", "wrong"))] == ["right", "wrong"]
    for problem, status in [
        ("GPU only: warp shuffles", "gpu-only"),
        ("process died: signal 11", "crashed"),
        ("no answer within 70 s", "crashed"),
        ("time limit of 10 s", "crashed"),
        ("ImportError: no module", "no-trace"),
    ]:
        assert [found for found, _ in harness.lines(row("a.py", problem=problem))] == [status]


def test_the_table_counts_portable_kernels() -> None:
    text = harness.table(Counter({"right": 3, "wrong": 1, "gpu-only": 6}))
    assert "right        3" in text
    assert "wrong        1" in text
    assert "refused" not in text
    assert "portable     4  of which right: 3 (75%)" in text
