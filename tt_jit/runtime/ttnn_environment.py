"""What must be settled before ttnn is imported: folders, log, kernel compiler, and whether there is a chip at all.

Nothing here imports ttnn, so that `device="auto"` and the doctor stay quick and work without it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..config import config

TTNN_VERSION = "0.81.1"
CARD_FOLDER = Path("/dev/tenstorrent")
# Where the vendor's installer and ttnn's own download put the kernel compiler.
_COMPILER = Path("runtime/sfpi/compiler/bin/riscv-tt-elf-g++")
_SYSTEM_COMPILER = Path("/opt/tenstorrent/sfpi/compiler/bin/riscv-tt-elf-g++")
# A card that has not finished by then hangs; simulators are slow and get no limit.
_CARD_TIMEOUT_SECONDS = "60"

Connection = Literal["card", "simulator", "mock"]


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """How ttnn would reach a chip in this process."""

    connection: Connection
    description: str


def ttnn_folder() -> Path | None:
    """The installed ttnn package, without importing it."""
    spec = importlib.util.find_spec("ttnn")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def ttnn_version() -> str | None:
    try:
        return importlib.metadata.version("ttnn")
    except importlib.metadata.PackageNotFoundError:
        return None


def attachment() -> Attachment | None:
    """The chip that this process would get: a simulator or mock device named by ttnn's variables, else a card."""
    simulator = os.environ.get("TT_METAL_SIMULATOR")
    if simulator:
        return Attachment(connection="simulator", description=simulator)
    mock = os.environ.get("TT_METAL_MOCK_CLUSTER_DESC_PATH")
    if mock:
        return Attachment(connection="mock", description=mock)
    cards = sorted(CARD_FOLDER.iterdir()) if CARD_FOLDER.is_dir() else []
    if cards:
        return Attachment(connection="card", description=", ".join(map(str, cards)))
    return None


def is_available() -> bool:
    """Whether `device="auto"` means the chip. A mock device computes nothing, so it has to be asked for by name."""
    chip = attachment()
    return chip is not None and chip.connection != "mock" and ttnn_folder() is not None


def kernel_compiler() -> Path | None:
    """The RISC-V compiler that ttnn will use."""
    folder = ttnn_folder()
    for candidate in (_SYSTEM_COMPILER, *([folder / _COMPILER] if folder else [])):
        if candidate.exists():
            return candidate
    return None


def is_stand_in(compiler: Path) -> bool:
    """Whether `compiler` is a script in place of the vendor's binary; such code must not run on a card."""
    with compiler.open("rb") as file:
        return file.read(2) == b"#!"


def binaries_folder() -> Path:
    """Where ttnn keeps compiled kernels: beside ours, a folder per compiler, as ttnn does not tell them apart."""
    compiler = kernel_compiler()
    identity = "none"
    if compiler is not None:
        real = compiler.resolve()
        state = real.stat()
        text = f"{real}:{state.st_size}:{state.st_mtime_ns}"
        identity = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    return Path(config.cache_dir) / "ttnn" / identity


def log_file() -> Path:
    """Where ttnn's own log of this process goes."""
    named = os.environ.get("TT_METAL_LOGGER_FILE")
    return Path(named) if named else Path(config.cache_dir) / "ttnn" / "logs" / f"{os.getpid()}.log"


def prepare() -> None:
    """Give ttnn its folders and a quiet console; whatever the user has set stays."""
    folder = binaries_folder()
    folder.mkdir(parents=True, exist_ok=True)
    log = log_file()
    log.parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("TT_METAL_CACHE", str(folder))
    os.environ.setdefault("TT_METAL_LOGS_PATH", str(log.parent))
    os.environ.setdefault("TT_METAL_LOGGER_FILE", str(log))
    os.environ.setdefault("TT_METAL_LOGGER_LEVEL", "ERROR")
    chip = attachment()
    if chip is not None and chip.connection != "card":
        # Neither the simulators nor the mock device run the dispatch firmware.
        os.environ.setdefault("TT_METAL_SLOW_DISPATCH_MODE", "1")
    else:
        os.environ.setdefault("TT_METAL_OPERATION_TIMEOUT_SECONDS", _CARD_TIMEOUT_SECONDS)
    if "ttnn" not in sys.modules and importlib.util.find_spec("loguru") is not None:
        importlib.import_module("loguru").logger.disable("ttnn")
