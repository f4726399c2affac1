"""Finds what the device tests need (Python with ttnn, kernel compiler, chip); runs kernels in child processes."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from tt_jit.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("worker.py")
CLUSTERS = Path(__file__).with_name("clusters")
# The wheel's own compiler is used where it is installed; this folder stands in for it elsewhere.
TOOLCHAIN_VARIABLE = "TT_JIT_TOOLCHAIN"
PYTHON_VARIABLE = "TT_JIT_DEVICE_PYTHON"
DEFAULT_PYTHON = ROOT / ".venv-device" / "bin" / "python"
CROSS_COMPILER = "riscv64-unknown-elf-g++"
# Tenstorrent's Wormhole simulator takes ttnn's own dummy unpack after an exact 32-bit unpack for undefined behaviour.
SIMULATOR_STOPS = re.compile(r"UndefinedBehavior: tensix_unpacr: unpack_to_dst=0 in_data_format=\d+")
# The stand-in's GCC 12 moves stores out of loops and then issues volatile ones behind the loop once more: instructions
# that a Tensix gets twice. (ZEROACC was one of them, and cleared what the next section had written.)
STAND_IN_FLAGS = "-fno-move-loop-stores"
STAND_IN_LIMIT = re.compile(r"tt shim: .*(needs more than \d+ vector registers|vector register allocation)")


@dataclass(frozen=True, kw_only=True)
class Job:
    """An artifact's files, and either tensors to run it on or only their shapes."""

    name: str
    files: Mapping[str, str]
    tensors: Sequence[torch.Tensor | None] | None = None
    shapes: Sequence[tuple[int, ...] | None] = ()
    scalars: Sequence[int | float] = ()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    name: str
    tensors: list[torch.Tensor | None] | None
    error: str | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class DevicePython:
    """A Python with ttnn and a kernel compiler for it."""

    python: Path
    stand_in: Path | None

    def environment(self, chip: Mapping[str, str]) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("TT_METAL_SIMULATOR", "TT_METAL_MOCK_CLUSTER_DESC_PATH", "PYTHONPATH")
        }
        if self.stand_in is not None:
            # The stand-in does not know the instruction that this switches off.
            kept["TT_METAL_DISABLE_SFPLOADMACRO"] = "1"
        return {**kept, **chip}


def find_python() -> Path | str:
    """The Python with ttnn, or why there is none."""
    named = os.environ.get(PYTHON_VARIABLE)
    python = Path(named) if named else DEFAULT_PYTHON
    if not python.exists():
        reason = ROOT / ".venv-device.reason"
        why = reason.read_text().strip() if reason.exists() and not named else f"{python} does not exist"
        return f"no Python with ttnn: {why} (make device-environment builds one; {PYTHON_VARIABLE} names another)"
    return python


@cache
def device_python() -> DevicePython | str:
    """What the device tests run with, or the reason why they cannot."""
    python = find_python()
    if isinstance(python, str):
        return python
    found = subprocess.run(
        [python, "-c", "import importlib.util as u; print(u.find_spec('ttnn').submodule_search_locations[0])"],
        capture_output=True,
        text=True,
    )
    if found.returncode:
        return f"{python} has no ttnn"
    installed = Path(found.stdout.strip()) / "runtime" / "sfpi"
    toolchain = Path(os.environ.get(TOOLCHAIN_VARIABLE) or ROOT.parent / "shared" / "toolchain")
    if installed.exists() and not installed.is_symlink():
        return DevicePython(python=python, stand_in=None)
    if not (toolchain / "sfpi").is_dir():
        return f"no kernel compiler: neither {installed} nor a stand-in in {toolchain} ({TOOLCHAIN_VARIABLE} names it)"
    if shutil.which(CROSS_COMPILER) is None:
        return f"the stand-in compiler {toolchain} needs {CROSS_COMPILER} (its README names the Debian packages)"
    sfpi = _with_flags(toolchain.resolve() / "sfpi", ROOT / "build" / "stand-in")
    if installed.resolve() != sfpi:
        installed.unlink(missing_ok=True)
        installed.symlink_to(sfpi)
    return DevicePython(python=python, stand_in=toolchain)


def _with_flags(sfpi: Path, folder: Path) -> Path:
    """`sfpi` with a compiler that adds STAND_IN_FLAGS. Written once: binaries belong to a compiler's file."""
    compiler = Path("compiler") / "bin" / "riscv-tt-elf-g++"
    flags = f'case "$1" in --version) ;; *) set -- "$@" {STAND_IN_FLAGS} ;; esac'
    text = f'#!/bin/sh\n{flags}\nexec "{sfpi / compiler}" "$@"\n'
    script = folder / compiler
    if not script.exists() or script.read_text() != text:
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(text)
        script.chmod(0o755)
        (folder / "include").unlink(missing_ok=True)
        (folder / "include").symlink_to(sfpi / "include")
    return folder


def mock_chip(board: str) -> dict[str, str]:
    """ttnn's mock device: allocates, compiles and runs dry."""
    return {"TT_METAL_MOCK_CLUSTER_DESC_PATH": str(CLUSTERS / f"{board}.yaml"), "TT_METAL_SLOW_DISPATCH_MODE": "1"}


def attached_chip() -> dict[str, str] | str:
    """The simulator that TT_METAL_SIMULATOR names or the card of this machine, or the reason why there is none."""
    simulator = os.environ.get("TT_METAL_SIMULATOR")
    if simulator:
        if not Path(simulator).exists():
            return f"TT_METAL_SIMULATOR names {simulator}, which does not exist"
        return {"TT_METAL_SIMULATOR": simulator, "TT_METAL_SLOW_DISPATCH_MODE": "1"}
    if not any(Path("/dev/tenstorrent").glob("*")):
        return "no chip: TT_METAL_SIMULATOR is not set, and there is no card in /dev/tenstorrent"
    return {}


def run(
    runner: DevicePython,
    chip: Mapping[str, str],
    jobs: Sequence[Job],
    folder: Path,
    timeout: float = 900,
    budget: float | None = None,
) -> dict[str, Outcome]:
    """Run all jobs. Where the simulator ends the process, that job gets the error; a new process does the others.

    Jobs that were not begun within `budget` seconds have no outcome.
    """
    variables = {**runner.environment(chip), **({} if budget is None else {"TT_JIT_WORKER_SECONDS": str(budget)})}
    pending = {job.name: job for job in jobs}
    outcomes: dict[str, Outcome] = {}
    folder.mkdir(parents=True, exist_ok=True)
    while pending:
        (folder / "jobs.pickle").write_bytes(pickle.dumps([_message(job) for job in pending.values()]))
        for name in ("current", "results.pickle"):
            (folder / name).unlink(missing_ok=True)
        try:
            finished = subprocess.run(
                [runner.python, WORKER, folder], env=variables, capture_output=True, text=True,
                timeout=timeout, cwd=folder,
            )  # fmt: skip
            text = finished.stdout + finished.stderr
        except subprocess.TimeoutExpired:
            text = f"no end after {timeout:.0f} s"
        for result in _results(folder / "results.pickle"):
            job = pending.pop(result["name"])
            outcomes[job.name] = _outcome(job, result)
        if (folder / "out-of-time").exists():
            break
        if pending:
            current = folder / "current"
            name = current.read_text() if current.exists() else next(iter(pending))
            name = name if name in pending else next(iter(pending))
            outcomes[name] = Outcome(name=name, tensors=None, error=last_words(text), seconds=0.0)
            del pending[name]
            if not current.exists():
                # The device did not even open: it will not for the others either.
                for rest in pending:
                    outcomes[rest] = Outcome(name=rest, tensors=None, error=last_words(text), seconds=0.0)
                break
    return outcomes


def shapes_for(plan: Plan, size: int = 64) -> list[tuple[int, ...]]:
    """Argument shapes for a dry run; run-time sizes are `size`."""
    symbols = {symbol.name: size for symbol in plan.symbols}
    tensors = [tensor for tensor in plan.tensors if tensor.param_index is not None]
    return [tensor.sizes(symbols) for tensor in tensors]


def _message(job: Job) -> dict[str, Any]:
    tensors = None
    if job.tensors is not None:
        tensors = [
            None
            if value is None
            else (
                tuple(value.shape),
                str(value.dtype).removeprefix("torch."),
                value.contiguous().flatten().view(torch.uint8).numpy().tobytes(),
            )
            for value in job.tensors
        ]
    return {
        "name": job.name, "files": dict(job.files), "tensors": tensors, "shapes": list(job.shapes),
        "scalars": list(job.scalars),
    }  # fmt: skip


def _results(path: Path) -> list[dict[str, Any]]:
    results = []
    if path.exists():
        with path.open("rb") as file:
            while True:
                try:
                    results.append(pickle.load(file))
                except EOFError:
                    break
    return results


def _outcome(job: Job, result: dict[str, Any]) -> Outcome:
    tensors: list[torch.Tensor | None] | None = None
    if result["outputs"] is not None and job.tensors is not None:
        tensors = [
            None
            if given is None or data is None
            else torch.frombuffer(bytearray(data), dtype=given.dtype).reshape(given.shape)
            if data
            else given
            for given, data in zip(job.tensors, result["outputs"], strict=True)
        ]
    return Outcome(name=job.name, tensors=tensors, error=result["error"], seconds=result["seconds"])


def last_words(text: str) -> str:
    lines = [line for line in text.splitlines() if re.search(r"ERROR|[Ee]rror:|no end after", line)]
    return (lines or text.strip().splitlines() or ["the process ended without a word"])[-1]
