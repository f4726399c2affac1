"""`python -m tt_jit doctor`: what is installed, where kernels run, what is missing and the command that mends it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .config import config
from .errors import TTJitError
from .runtime import ttnn_environment as environment
from .runtime.emulator_build import find_compiler

TILELANG_VERSION = "0.1.15"
_CARD_INFORMATION = Path("/sys/class/tenstorrent")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report. `remedy` is a command or a step; `needed` findings decide the exit code."""

    subject: str
    state: str
    good: bool = True
    needed: bool = False
    remedy: str | None = None


def examine(*, open_chip: bool = False) -> list[Finding]:
    """Everything worth knowing about this machine, without running a kernel."""
    chip = environment.attachment()
    findings = [
        Finding(subject="Python", state=f"{platform.python_version()} ({sys.executable})"),
        _package("tilelang", TILELANG_VERSION, needed=True),
        _package("torch", None, needed=True),
        _emulator(),
        _cache(),
        _ttnn(wanted=chip is not None),
        _chip(chip),
        _device_compiler(wanted=chip is not None, card=chip is not None and chip.connection == "card"),
    ]
    if open_chip:
        findings.append(_opened())
    findings.append(_choice(chip))
    return findings


def report(findings: Sequence[Finding]) -> str:
    width = max(len(finding.subject) for finding in findings)
    lines = []
    for finding in findings:
        mark = "ok" if finding.good else "WRONG" if finding.needed else "-"
        lines.append(f"{mark:<5}  {finding.subject:<{width}}  {finding.state}")
        if finding.remedy and not finding.good:
            lines.append(f"{'':7}{'':<{width}}  -> {finding.remedy}")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """The command; returns the exit code: 0 if kernels can run somewhere."""
    unknown = [argument for argument in arguments if argument != "--open"]
    if unknown:
        sys.stderr.write(f"doctor: unknown argument {unknown[0]}; it knows --open (open the chip and say what it is)\n")
        return 2
    findings = examine(open_chip="--open" in arguments)
    sys.stdout.write(report(findings))
    return 0 if all(finding.good for finding in findings if finding.needed) else 1


def _package(name: str, version: str | None, *, needed: bool) -> Finding:
    wanted = name if version is None else f"{name}=={version}"
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(subject=name, state="not installed", good=False, needed=needed, remedy=f"pip install {wanted}")
    if version is not None and found != version:
        return Finding(
            subject=name,
            state=f"{found}; tt_jit is made for {version}",
            good=False,
            needed=needed,
            remedy=f"pip install {wanted}",
        )
    return Finding(subject=name, state=found, needed=needed)


def _emulator() -> Finding:
    try:
        command = find_compiler().command
    except TTJitError as error:
        return Finding(subject="emulator", state=error.message, good=False, remedy=error.hint)
    answer = subprocess.run([*command, "--version"], capture_output=True, text=True)
    version = (answer.stdout.splitlines() or ["gives no version"])[0]
    return Finding(subject="emulator", state=f"C++ compiler {' '.join(command)}: {version}")


def _cache() -> Finding:
    folder = Path(config.cache_dir)
    if config.disable_cache:
        return Finding(subject="cache", state="switched off (TT_JIT_DISABLE_CACHE)")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding(
            subject="cache",
            state=f"{folder} cannot be written: {error.strerror}",
            good=False,
            needed=True,
            remedy="set TT_JIT_CACHE_DIR to a folder that you may write to",
        )
    kernels = sum(1 for _ in (folder / "kernels").glob("*"))
    free = shutil.disk_usage(folder).free / 2**30
    return Finding(subject="cache", state=f"{folder}: {kernels} kernels, {free:.0f} GiB free on its disk")


def _ttnn(*, wanted: bool) -> Finding:
    version = environment.ttnn_version()
    if version == environment.TTNN_VERSION:
        return Finding(subject="ttnn", state=version, needed=wanted)
    minor = sys.version_info[:2]
    state = "not installed" if version is None else f"{version}; tt_jit is made for {environment.TTNN_VERSION}"
    if minor in ((3, 10), (3, 12)):
        remedy = "pip install 'tt_jit[ttnn]'"
    else:
        state += f"; there is no ttnn for Python {minor[0]}.{minor[1]}"
        remedy = "use Python 3.10 or 3.12, then pip install 'tt_jit[ttnn]'"
    return Finding(subject="ttnn", state=state, good=False, needed=wanted, remedy=remedy)


def _chip(chip: environment.Attachment | None) -> Finding:
    if chip is None:
        return Finding(
            subject="chip",
            state="no card in /dev/tenstorrent, no simulator",
            good=False,
            remedy="install a card and its driver (tt-kmd), or set TT_METAL_SIMULATOR to Tenstorrent's libttsim.so",
        )
    if chip.connection == "card":
        kinds = [path.read_text().strip() for path in sorted(_CARD_INFORMATION.glob("*/tt_card_type"))]
        return Finding(subject="chip", state=f"card {chip.description} {' '.join(kinds)}".strip())
    path = Path(chip.description)
    if not path.exists():
        name = "TT_METAL_SIMULATOR" if chip.connection == "simulator" else "TT_METAL_MOCK_CLUSTER_DESC_PATH"
        return Finding(
            subject="chip", state=f"{name} names {path}, which does not exist", good=False, needed=True,
            remedy=f"correct {name} or unset it",
        )  # fmt: skip
    if chip.connection == "simulator" and not (path.parent / "soc_descriptor.yaml").exists():
        return Finding(
            subject="chip",
            state=f"simulator {path} without soc_descriptor.yaml beside it",
            good=False,
            needed=True,
            remedy=f"copy ttnn's tt_metal/soc_descriptors/<chip>.yaml to {path.parent / 'soc_descriptor.yaml'}",
        )
    return Finding(subject="chip", state=f"{chip.connection} {path}")


def _device_compiler(*, wanted: bool, card: bool) -> Finding:
    compiler = environment.kernel_compiler()
    if compiler is None:
        return Finding(
            subject="kernel compiler",
            state="Tenstorrent's RISC-V compiler (SFPI) is not installed; only chips need it",
            good=not wanted,
            needed=wanted,
            remedy="install SFPI of the version in ttnn's tt_metal/sfpi-version, to /opt/tenstorrent/sfpi",
        )
    if environment.is_stand_in(compiler):
        return Finding(
            subject="kernel compiler",
            state=f"{compiler}: a stand-in for simulators, not for silicon",
            good=not card,
            needed=card,
            remedy="install SFPI to /opt/tenstorrent/sfpi before running on a card",
        )
    return Finding(subject="kernel compiler", state=str(compiler), needed=wanted)


def _opened() -> Finding:
    if environment.ttnn_folder() is None:
        return Finding(subject="opened", state="ttnn is not installed", good=False)
    try:
        from .runtime.ttnn import open_device

        device = open_device(0)
    except TTJitError as error:
        return Finding(subject="opened", state=error.message, good=False, needed=True, remedy=error.hint)
    columns, rows = device.target.grid
    return Finding(subject="opened", state=f"{device.target.arch} with {columns}x{rows} cores")


def _choice(chip: environment.Attachment | None) -> Finding:
    wanted = config.device
    named = "" if wanted == "auto" else f" (TT_JIT_DEVICE={os.environ.get('TT_JIT_DEVICE', wanted)})"
    on_chip = environment.is_available() if wanted == "auto" else wanted.startswith("ttnn")
    where = f"on the chip ({chip.connection})" if on_chip and chip else "on the emulator, as a " + config.target
    if on_chip and chip is None:
        return Finding(
            subject="kernels run", state=f"nowhere: {wanted} is asked for{named}, there is no chip", good=False,
            needed=True, remedy="unset TT_JIT_DEVICE to use the emulator",
        )  # fmt: skip
    return Finding(subject="kernels run", state=where + named, good=on_chip or _emulator().good, needed=True)
