"""The kernel cache on disk.

    <cache_dir>/kernels/<key>/      one compiled kernel: kernels, plan, IR per pass, and below it what a device built
    from them <cache_dir>/index/<ab>/<key>    a small record that leads from a call to a kernel without tracing
    <cache_dir>/staging/            entries being written

An entry is written whole into staging, every file is synced, the manifest (size and sha256 of each file) goes last,
and one rename makes the entry visible. A reader checks the manifest; an entry that fails it is removed and made
again. Any number of processes may do this at once: whoever renames first wins, and the entries are equal.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import CacheError

MANIFEST = "manifest.json"
_STALE_SECONDS = 3600.0


class Store:
    """One cache folder."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self._swept = False

    # Folders of files.

    def folder(self, key: str) -> Path:
        """Where the kernel of `key` is, or will be."""
        return self.root / "kernels" / key

    def read(self, key: str) -> dict[str, str] | None:
        """The files of an entry, or None where there is none. A damaged entry is removed."""
        folder = self.folder(key)
        with _explained(folder, "read"):
            if not folder.is_dir():
                return None
            files = read_verified(folder)
            if files is None:
                self._discard(folder)
                return None
            return {name: content.decode() for name, content in files.items()}

    def write(self, key: str, files: Mapping[str, str]) -> Path:
        """Store an entry; returns its folder."""

        def fill(folder: Path) -> None:
            for name, text in files.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())

        folder = self.folder(key)
        with _explained(folder, "written"):
            self._sweep()
            return publish(folder, fill, staging=self.root / "staging")

    def _discard(self, folder: Path) -> None:
        """Take a damaged entry out of the way in one step, then delete it."""
        grave = self.root / "staging" / f"{folder.name}.damaged.{uuid.uuid4().hex[:8]}"
        grave.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(folder, grave)
        except FileNotFoundError:
            # Another process was faster.
            return
        if read_verified(grave) is not None:
            # Another process had already put a good entry there between our look and our rename.
            try:
                os.rename(grave, folder)
                return
            except OSError:
                pass
        shutil.rmtree(grave, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what processes that died left in staging, once per process."""
        if self._swept:
            return
        self._swept = True
        staging = self.root / "staging"
        if not staging.is_dir():
            return
        oldest = time.time() - _STALE_SECONDS
        for path in staging.iterdir():
            try:
                if path.stat().st_mtime < oldest:
                    shutil.rmtree(path, ignore_errors=True)
            except FileNotFoundError:
                continue

    # Records.

    def _record(self, key: str) -> Path:
        return self.root / "index" / key[:2] / f"{key}.json"

    def read_record(self, key: str) -> dict[str, Any] | None:
        """An index record, or None where there is none or it is damaged."""
        path = self._record(key)
        try:
            text = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _cache_error(path, "read", error) from error
        try:
            document = json.loads(text)
            content = document["content"]
            if document["sha256"] == _record_digest(content) and isinstance(content, dict):
                return content
        except (ValueError, TypeError, KeyError):
            # Truncated or edited: the kernel is traced again, and the record written anew.
            return None
        return None

    def write_record(self, key: str, content: Mapping[str, Any]) -> None:
        path = self._record(key)
        with _explained(path, "written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"sha256": _record_digest(content), "content": content}, indent=1)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{key[:8]}.")
            with os.fdopen(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)

    def clear(self) -> None:
        """Delete every kernel and record."""
        for name in ("kernels", "index", "staging", "sources"):
            shutil.rmtree(self.root / name, ignore_errors=True)


def publish(folder: Path, fill: Callable[[Path], None], staging: Path | None = None) -> Path:
    """Make `folder`, whole or not at all: `fill` writes into a staging folder that is synced, sealed by a manifest
    and renamed.

    Where another process has made the folder meanwhile, that one stays. `staging` is on the same file system as
    `folder`.
    """
    temporary = (staging or folder.parent) / f".{folder.name[:32]}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
    temporary.mkdir(parents=True)
    try:
        fill(temporary)
        manifest = {}
        for path in sorted(_files(temporary)):
            _sync(path)
            content = path.read_bytes()
            name = path.relative_to(temporary).as_posix()
            manifest[name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        seal = temporary / MANIFEST
        seal.write_text(json.dumps({"files": manifest}, indent=1))
        _sync(seal)
        _sync(temporary)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(temporary, folder)
        except OSError:
            if not (folder / MANIFEST).is_file():
                raise
        else:
            _sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def read_verified(folder: Path) -> dict[str, bytes] | None:
    """The files of a published folder, or None where it is missing or differs from its manifest."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())["files"]
        files = {}
        for name, facts in manifest.items():
            content = (folder / name).read_bytes()
            if len(content) != facts["size"] or hashlib.sha256(content).hexdigest() != facts["sha256"]:
                return None
            files[name] = content
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return files


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _record_digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@contextmanager
def _explained(path: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _cache_error(path, verb, error) from error


def _cache_error(path: Path, verb: str, error: OSError) -> CacheError:
    return CacheError(
        f"the kernel cache cannot be {verb}: {error.strerror or error} ({error.filename or path})",
        hint="set TT_JIT_CACHE_DIR (config.cache_dir) to a folder that you may write, or TT_JIT_DISABLE_CACHE=1"
        " (config.disable_cache) to keep no kernels on disk",
    )
