"""A pytest plugin: every kernel of the run goes through the emulator and through ttnn, and the results are compared.

`pytest -p tests.device.side_by_side tests/kernels`, in a Python with ttnn and with a chip or simulator. Tests get the
emulator's results; the differences go to the file that TT_JIT_DIFFERENCES names, one line of JSON per launch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tt_jit.config import config
from tt_jit.runtime import select
from tt_jit.runtime.emulator import EmulatorDevice
from tt_jit.runtime.ttnn import open_device

from .comparison import largest_difference, relative_difference

DIFFERENCES = Path(os.environ["TT_JIT_DIFFERENCES"])
_current = {"test": ""}


def _write(**fields: Any) -> None:
    with DIFFERENCES.open("a") as file:
        file.write(json.dumps({"test": _current["test"], **fields}) + "\n")


class SideBySideDevice:
    """The emulator of the chip that is there, and the chip."""

    def __init__(self) -> None:
        self.chip = open_device(0)
        self.target = self.chip.target
        self.emulator = EmulatorDevice(self.target)

    def load(self, artifact: Any, directory: Path | None) -> SideBySideKernel:
        return SideBySideKernel(
            artifact.plan, self.emulator.load(artifact, directory), self.chip.load(artifact, directory)
        )


class SideBySideKernel:
    def __init__(self, plan: Any, emulated: Any, on_chip: Any) -> None:
        self.plan, self.emulated, self.on_chip = plan, emulated, on_chip

    def launch(self, tensors: Sequence[torch.Tensor | None], scalars: Sequence[int | float]) -> None:
        exact, copies = ([None if tensor is None else tensor.clone() for tensor in tensors] for _ in range(2))
        with config.scope(emulator_exact=True):
            self.emulated.launch(exact, scalars)
        self.emulated.launch(tensors, scalars)
        _write(event="launch", kernel=self.plan.name)
        self.on_chip.launch(copies, scalars)
        is_narrow = not all(program.compute_config.fp32_dest_acc_en for program in self.plan.programs)
        parameters = [tensor for tensor in self.plan.tensors if tensor.param_index is not None]
        for parameter, emulated, chip in zip(parameters, exact, copies, strict=True):
            if parameter.is_written and emulated is not None and chip is not None:
                _write(
                    event="difference", kernel=self.plan.name, tensor=parameter.name, dtype=parameter.dtype,
                    format="Float16_b" if is_narrow else parameter.format, ulp=largest_difference(chip, emulated),
                    relative=relative_difference(chip, emulated),
                )  # fmt: skip

    def profile(self) -> Any:
        return self.emulated.profile()


_device: list[SideBySideDevice] = []


def pytest_sessionstart() -> None:
    _device.append(SideBySideDevice())
    _write(event="chip", architecture=_device[0].target.arch)
    select._emulator = select._chip = lambda which: _device[0]  # type: ignore[assignment]


def pytest_runtest_logstart(nodeid: str) -> None:
    _current["test"] = nodeid
    _write(event="start")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.failed or report.skipped:
        reason = str(report.longrepr)[-600:] if report.failed else ""
        _write(event="end", outcome=report.outcome, reason=reason)
