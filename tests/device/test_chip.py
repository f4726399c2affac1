"""The kernels on a chip, or on Tenstorrent's simulator in its place, against the emulator, element by element.

`make test-device` runs this on whatever TT_METAL_SIMULATOR or the PCIe bus offers.
"""

from __future__ import annotations

import os
import types
from pathlib import Path

import pytest
import torch

from tt_jit.runtime.emulator import EmulatorDevice
from tt_jit.target import Target

from . import chips
from .comparison import keep, largest_difference
from .kernels import DeviceKernel, hand_written

pytestmark = pytest.mark.device
KERNELS = hand_written()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chip")


@pytest.fixture(scope="module")
def architecture(outcomes: dict[str, chips.Outcome], folder: Path) -> str:
    """What the process that opened the chip says it is."""
    return (folder / "architecture").read_text()


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict[str, chips.Outcome]:
    runner, chip = chips.device_python(), chips.attached_chip()
    for found in (chip, runner):
        if isinstance(found, str):
            pytest.skip(found)
    assert isinstance(runner, chips.DevicePython) and isinstance(chip, dict)
    os.environ.setdefault("TT_JIT_CACHE_DIR", str(chips.ROOT / "build" / "device-cache"))
    jobs = [
        chips.Job(
            name=kernel.name,
            files={**kernel.files, "tt.plan.json": kernel.plan.to_json()},
            tensors=kernel.tensors(),
            scalars=kernel.scalars,
        )
        for kernel in KERNELS
    ]
    return chips.run(runner, chip, jobs, folder)


def on_chip(outcomes: dict[str, chips.Outcome], kernel: str, architecture: str) -> torch.Tensor:
    outcome = outcomes[kernel]
    if outcome.error and chips.SIMULATOR_STOPS.search(outcome.error):
        keep(architecture, kernel, "emulator", "simulator stops")
        pytest.skip("Tenstorrent's Wormhole simulator stops at ttnn's own dummy unpack after an exact 32-bit unpack")
    assert outcome.error is None, outcome.error
    assert outcome.tensors is not None and outcome.tensors[-1] is not None
    return outcome.tensors[-1]


def on_emulator(kernel: DeviceKernel, architecture: str) -> torch.Tensor:
    artifact = types.SimpleNamespace(name=kernel.name, files=kernel.files, plan=kernel.plan)
    tensors = kernel.tensors()
    EmulatorDevice(Target.named(architecture)).load(artifact, None).launch(tensors, list(kernel.scalars))
    return tensors[-1]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_matches_torch(kernel: DeviceKernel, outcomes: dict[str, chips.Outcome], architecture: str) -> None:
    difference = largest_difference(on_chip(outcomes, kernel.name, architecture), kernel.expected(*kernel.inputs))
    keep(architecture, kernel.name, "torch", difference)
    assert difference <= kernel.tolerance_ulp


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_matches_emulator(kernel: DeviceKernel, outcomes: dict[str, chips.Outcome], architecture: str) -> None:
    chip = on_chip(outcomes, kernel.name, architecture)
    emulated = on_emulator(kernel, architecture)
    difference = largest_difference(chip, emulated)
    keep(architecture, kernel.name, "emulator", difference)
    keep("emulator", kernel.name, "torch", largest_difference(emulated, kernel.expected(*kernel.inputs)))
    assert difference <= kernel.emulator_ulp


def inputs_are_used(kernel: DeviceKernel) -> bool:
    """A kernel whose expected output is all zero would pass without running."""
    return kernel.output.numel() == 0 or bool(
        kernel.expected(*kernel.inputs).to(torch.float64).nan_to_num(1.0).abs().max() > 0
    )


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_expects_something(kernel: DeviceKernel) -> None:
    assert inputs_are_used(kernel)


def test_folder_of_binaries_is_reused(outcomes: dict[str, chips.Outcome], tmp_path: Path) -> None:
    """A second process compiles nothing: no binary is newer than its start."""
    kernel = next(kernel for kernel in KERNELS if kernel.name == "copy_tiles_bf16")
    runner, chip = chips.device_python(), chips.attached_chip()
    assert isinstance(runner, chips.DevicePython) and isinstance(chip, dict)
    folder = Path(os.environ["TT_JIT_CACHE_DIR"]) / "ttnn"
    before = _binaries(folder)
    assert before
    files = {**kernel.files, "tt.plan.json": kernel.plan.to_json()}
    job = chips.Job(name="again", files=files, tensors=kernel.tensors())
    assert chips.run(runner, chip, [job], tmp_path)["again"].error is None
    # Compiling again would replace a binary; other processes may add theirs.
    after = _binaries(folder)
    assert {path: after.get(path) for path in before} == before


def _binaries(folder: Path) -> dict[Path, int]:
    # Loading writes a relocated copy of each binary, *.xip.elf.
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.elf") if ".xip" not in path.name}
