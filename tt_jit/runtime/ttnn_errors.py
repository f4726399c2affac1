"""ttnn's exceptions, which carry a C++ backtrace, as one short message each; the full text goes to a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import DeviceError, KernelCompileError, L1OverflowError, SourceLocation, TTJitError

_COMPILE_ERROR = re.compile(
    r"^(?P<file>[^\s:]+):(?P<line>\d+):(?:(?P<column>\d+):)? (?:fatal )?error: (?P<text>.*)$", re.M
)
_LINK_ERROR = re.compile(r"tt shim: .*|[^\n]*undefined reference to .*|[^\n]*overflowed by \d+ bytes.*")
_PROCESSOR = re.compile(r"\b(brisc|ncrisc|trisc[012])\b(?: link| build)* fail")
_L1 = re.compile(r"grow to (\d+) B which is beyond max L1 size of (\d+) B")
_INFO = re.compile(r"info:\n(.*?)(?:\nbacktrace:|\Z)", re.S)

_THREADS = {
    "brisc": "data movement core (BRISC)",
    "ncrisc": "data movement core (NCRISC)",
    "trisc0": "compute, unpack thread",
    "trisc1": "compute, math thread",
    "trisc2": "compute, pack thread",
}


def translate(error: Exception, *, kernel: str, files: Sequence[str], directory: Path | None, log: Path) -> TTJitError:
    """The error to raise for `error`, which ttnn raised while it built or ran `kernel`; `files` are its texts."""
    text = str(error)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(text, encoding="utf-8")
    where = f"the full text is in {log}"
    if "build failed" in text or "Failed to generate binaries" in text:
        return _compile_error(text, kernel, files, directory, where)
    overflow = _L1.search(text)
    if overflow is not None:
        return L1OverflowError(
            f"{kernel}: the circular buffers end at byte {overflow.group(1)} of L1, which has {overflow.group(2)}",
            hint=f"use smaller blocks or fewer stages; {where}",
        )
    summary = first_line(text)
    if "timeout" in text.lower():
        return DeviceError(
            f"{kernel}: the chip did not finish in time ({summary})",
            hint=f"the emulator says who waits for what in a deadlock; `tt-smi -r` resets the chip; {where}",
        )
    return DeviceError(f"{kernel}: {summary}", hint=where)


def first_line(text: str) -> str:
    """The first line of ttnn's explanation."""
    info = _INFO.search(text)
    lines = [line.strip() for line in (info.group(1) if info else text).splitlines() if line.strip()]
    return lines[0] if lines else "ttnn failed without a message"


def _compile_error(
    text: str, kernel: str, files: Sequence[str], directory: Path | None, where: str
) -> KernelCompileError:
    processor = _PROCESSOR.search(text)
    thread = f" ({_THREADS[processor.group(1)]})" if processor else ""
    errors = list(_COMPILE_ERROR.finditer(text))
    own = next((found for found in errors if found.group("file") in files), None)
    first = own or (errors[0] if errors else None)
    if first is None:
        link = _LINK_ERROR.search(text)
        problem = link.group(0).strip() if link else first_line(text)
        return KernelCompileError(f"{kernel}: the device compiler failed{thread}: {problem}", hint=where)
    name = first.group("file")
    location = None
    if name in files:
        path = str(directory / name) if directory is not None else name
        location = SourceLocation(file=path, line=int(first.group("line")), column=int(first.group("column") or 0))
    place = f"{name}:{first.group('line')}"
    return KernelCompileError(f"{kernel}: {place}{thread}: {first.group('text')}", hint=where, location=location)
