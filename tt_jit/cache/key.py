"""Keys of the kernel cache.

* The kernel key is the identity of a compiled kernel: its normalised IR and all that changes what is made of it.
* The call key is the identity of a trace: the function with all it captured, and its compile-time arguments. It leads
to a kernel key without tracing. Where a function captured something that means nothing in another process there is no
call key.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..config import config
from ..target import Target

PACKAGE = Path(__file__).resolve().parents[1]
# Changes when the layout of cache entries does.
FORMAT = 1
_SOURCE_SUFFIXES = (".py", ".h", ".hpp", ".inc", ".cpp", ".json")
# A file whose time stamp is this young may still change without its time stamp changing.
_SETTLED_SECONDS = 2.0


def digest(*parts: object) -> str:
    """sha256 over a JSON list of `parts`."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def compiler_identity(target: Target) -> dict[str, Any]:
    """Everything besides the kernel that changes generated code."""
    settings = {name: value for name, value in config.key_items() if name != "target"}
    return {
        "format": FORMAT,
        "sources": source_digest(),
        "tilelang": _tilelang_version(),
        "target": asdict(target),
        "settings": settings,
    }


def kernel_key(normalized_ir: str, target: Target) -> str:
    """The key of a compiled kernel."""
    return digest("kernel", normalized_ir, compiler_identity(target))


def call_key(kind: str, target: Target, *parts: object) -> str:
    """The key of an index record: which function (with all it captured), which arguments, in which Python."""
    return digest(kind, parts, compiler_identity(target), sys.version_info[:3], sys.implementation.name)


@lru_cache(maxsize=1)
def _tilelang_version() -> str:
    module = sys.modules.get("tilelang")
    return str(module.__version__) if module is not None else importlib.metadata.version("tilelang")


@lru_cache(maxsize=1)
def source_digest() -> str:
    """sha256 over the content of every source file of tt_jit, the emulator included."""
    return content_digest(PACKAGE, _source_files(str(PACKAGE)))


def content_digest(root: str | os.PathLike[str], paths: Iterable[str]) -> str:
    """sha256 over the names below `root` and the content of files.

    The digest is remembered in the cache folder under the files' names, sizes and time stamps, as git does for its
    index, because reading every file would be most of the time of a disk hit. Time stamps never enter the digest.
    """
    base = os.path.join(os.fspath(root), "")
    stamps = []
    youngest = 0
    for path in sorted(paths):
        status = os.stat(path)
        youngest = max(youngest, status.st_mtime_ns, status.st_ctime_ns)
        stamps.append((path.removeprefix(base), status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    memo = Path(config.cache_dir) / "sources" / digest(base, stamps)
    settled = time.time_ns() - youngest > _SETTLED_SECONDS * 1e9
    if settled and not config.disable_cache:
        remembered = _read_memo(memo)
        if remembered is not None:
            return remembered
    content = hashlib.sha256()
    for name, *_ in stamps:
        with open(base + name, "rb") as file:
            content.update(name.encode() + b"\0" + hashlib.sha256(file.read()).digest())
    result = content.hexdigest()
    if settled and not config.disable_cache:
        _write_memo(memo, result)
    return result


def _source_files(folder: str) -> Iterable[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != "__pycache__":
                    yield from _source_files(entry.path)
            elif entry.name.endswith(_SOURCE_SUFFIXES):
                yield entry.path


def _read_memo(memo: Path) -> str | None:
    try:
        text = memo.read_text()
    except OSError:
        return None
    return text if len(text) == 64 and all(digit in "0123456789abcdef" for digit in text) else None


def _write_memo(memo: Path, text: str) -> None:
    """A memo that cannot be written only costs time; storing a kernel is what complains of such a cache."""
    temporary = memo.with_name(f"{memo.name}.{os.getpid()}")
    try:
        memo.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text)
        os.replace(temporary, memo)
    except OSError:
        return
