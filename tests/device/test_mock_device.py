"""Every kernel text of the suite through the real runtime.

ttnn's mock device allocates, compiles for all five RISC-V cores of a Tensix against the real headers, and runs dry.
These tests run last, when the others have generated their kernels.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tt_jit.plan import Plan

from . import chips
from .kernels import hand_written
from .recording import recorded

# Seconds for all boards, which run side by side; kernels that are not begun by then are counted and reported.
BUDGET_VARIABLE = "TT_JIT_MOCK_SECONDS"
DEFAULT_BUDGET = "2400"
BOARDS = {"n150": "wormhole_b0", "p150": "blackhole"}


@pytest.fixture(scope="module")
def runner() -> chips.DevicePython:
    found = chips.device_python()
    if isinstance(found, str):
        pytest.skip(found)
    return found


def _without_comments(files: Mapping[str, str]) -> dict[str, str]:
    """Kernels that differ in comments only are one to ttnn's cache of binaries; lines keep their numbers."""
    return {
        name: text if name == "tt.plan.json" else re.sub(r"//[^\n]*", "", text) for name, text in files.items()
    }  # fmt: skip


def _made_of(plan: Plan, files: Mapping[str, str]) -> str:
    """All that decides about a kernel's binaries: texts, compile-time arguments, formats, modes of the engines."""
    programs = [
        (
            [(kernel.role, files[kernel.file], kernel.compile_time_args) for kernel in program.kernels],
            [(ring.id, ring.format, ring.page_size, ring.unpack_to_dest_fp32) for ring in program.circular_buffers],
            program.compute_config,
        )
        for program in plan.programs
    ]
    return repr(programs)


def _jobs(architecture: str) -> list[chips.Job]:
    """One job for each different kernel: a cold cache compiles nothing twice."""
    jobs: dict[str, chips.Job] = {}
    for kernel in hand_written():
        plan = dataclasses.replace(kernel.plan, target=architecture)
        files = _without_comments({**kernel.files, "tt.plan.json": plan.to_json()})
        jobs[_made_of(plan, files)] = chips.Job(name=kernel.name, files=files, shapes=chips.shapes_for(plan))
    for test, recorded_files in recorded():
        files = _without_comments(recorded_files)
        plan = Plan.from_json(files["tt.plan.json"])
        if plan.target != architecture:
            # Kernel texts name the chip in a comment only; the other chip has to take them too.
            document = json.loads(files["tt.plan.json"])
            document["target"], document["grid"] = architecture, [8, 8]
            files = {**files, "tt.plan.json": json.dumps(document)}
            plan = Plan.from_json(files["tt.plan.json"])
        name = f"{test} {plan.name} {len(jobs)}"
        jobs.setdefault(_made_of(plan, files), chips.Job(name=name, files=files, shapes=chips.shapes_for(plan)))
    return list(jobs.values())


@dataclass(frozen=True, kw_only=True)
class BoardRun:
    """What became of the kernels on one board; those without an outcome were not begun in time."""

    jobs: list[chips.Job]
    outcomes: dict[str, chips.Outcome]


def _budget() -> float:
    return float(os.environ.get(BUDGET_VARIABLE, DEFAULT_BUDGET))


def _run_board(board: str, runner: chips.DevicePython, folder: Path) -> BoardRun:
    jobs = _jobs(BOARDS[board])
    outcomes = chips.run(
        runner, chips.mock_chip(board), jobs, folder / board, timeout=_budget() + 600, budget=_budget()
    )  # fmt: skip
    return BoardRun(jobs=jobs, outcomes=outcomes)


@pytest.fixture(scope="module")
def boards(
    runner: chips.DevicePython, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[BoardRun]]]:
    """Both boards at the same time: by itself, one leaves cores idle between compiling and linking."""
    os.environ.setdefault("TT_JIT_CACHE_DIR", str(chips.ROOT / "build" / "device-cache"))
    folder = tmp_path_factory.mktemp("boards")
    with ThreadPoolExecutor(len(BOARDS)) as threads:
        yield {board: threads.submit(_run_board, board, runner, folder) for board in BOARDS}


@pytest.mark.parametrize("board", BOARDS)
def test_every_kernel_compiles_and_runs_dry(board: str, boards: dict[str, Future[BoardRun]]) -> None:
    done = boards[board].result()
    refused = {name: outcome.error for name, outcome in done.outcomes.items() if outcome.error}
    beyond_stand_in = [name for name, error in refused.items() if chips.STAND_IN_LIMIT.search(error or "")]
    failed = {name: error for name, error in refused.items() if name not in beyond_stand_in}
    assert not failed, "\n\n".join(f"{name}: {error}" for name, error in failed.items())
    compiled = len(done.outcomes) - len(refused)
    assert compiled
    reasons = []
    if beyond_stand_in:
        reasons.append(f"the stand-in compiler runs out of vector registers for: {', '.join(beyond_stand_in)}")
    if len(done.outcomes) < len(done.jobs):
        missing = len(done.jobs) - len(done.outcomes)
        reasons.append(f"{missing} not begun within {_budget():.0f} s ({BUDGET_VARIABLE})")
    if reasons:
        pytest.skip(f"{board}: {compiled} of {len(done.jobs)} kernels compile; {'; '.join(reasons)}")


def test_a_broken_kernel_is_reported_with_its_line(runner: chips.DevicePython, tmp_path: Path) -> None:
    kernel = next(kernel for kernel in hand_written() if "compute.cpp" in kernel.files)
    text = kernel.files["compute.cpp"].replace("tile_regs_wait();", "no_such_function();")
    line = next(number for number, content in enumerate(text.splitlines(), 1) if "no_such_function" in content)
    files = {**kernel.files, "compute.cpp": text, "tt.plan.json": kernel.plan.to_json()}
    job = chips.Job(name="broken", files=files, shapes=chips.shapes_for(kernel.plan))
    error = chips.run(runner, chips.mock_chip("n150"), [job], tmp_path)["broken"].error
    assert error is not None
    assert error.startswith("KernelCompileError")
    assert f"compute.cpp:{line}" in error
    assert "no_such_function" in error
    assert "backtrace" not in error and len(error.splitlines()) < 12
