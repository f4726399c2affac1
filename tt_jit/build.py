"""PrimFunc -> compiled kernel: from memory, disk or the compiler; and the index that avoids tracing."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cache.key import kernel_key
from .cache.store import Store
from .config import config
from .notes import notes_in
from .plan import Plan

if TYPE_CHECKING:
    from tvm import tirx

    from .artifact import Artifact
    from .runtime.base import Device, LoadedKernel

# Files of an entry that are no part of the artifact: the PrimFunc as TVM writes it, and as people read it.
PRIM_FUNC_FILE = "prim_func.json"
SCRIPT_FILE = "ir/00_traced.py"


@dataclass
class Compiled:
    """A compiled kernel for one device. Kernels that differ in name or `out_idx` only share it."""

    key: str
    artifact: Artifact
    device: Device
    directory: Path
    prim_func_json: str
    _loaded: LoadedKernel | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def load(self) -> LoadedKernel:
        """The kernel ready to run; builds the device's binaries where the entry has none."""
        if self._loaded is None:
            with self._lock:
                if self._loaded is None:
                    self._loaded = self.device.load(self.artifact, self.directory)
        return self._loaded


@dataclass
class Statistics:
    """How often each step ran in this process; tests and benchmarks read it."""

    traces: int = 0
    compilations: int = 0
    disk_hits: int = 0


statistics = Statistics()
_memory: dict[tuple[str, int], Compiled] = {}
_locks: defaultdict[tuple[str, int], threading.Lock] = defaultdict(threading.Lock)
_stores: dict[str, Store] = {}


def store() -> Store:
    """The cache folder in use; a temporary one where the cache is switched off."""
    root = _temporary_folder() if config.disable_cache else str(config.cache_dir)
    if root not in _stores:
        _stores[root] = Store(root)
    return _stores[root]


_temporary: list[str] = []


def _temporary_folder() -> str:
    if not _temporary:
        _temporary.append(tempfile.mkdtemp(prefix="tt_jit."))
        atexit.register(shutil.rmtree, _temporary[0], ignore_errors=True)
    return _temporary[0]


def shared_folder() -> Path:
    """Where the emulator's own library is kept, which takes long to build: the cache folder, also where no kernels are
    kept on disk. Only if the cache is off and its folder cannot be written, it is a temporary one.
    """
    root = Path(config.cache_dir)
    if config.disable_cache:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError:
            return Path(_temporary_folder())
        if not os.access(root, os.W_OK):
            return Path(_temporary_folder())
    return root


def build(func: tirx.PrimFunc, device: Device, verbose: bool = False) -> Compiled:
    """The compiled kernel of a PrimFunc."""
    from .trace import normalized_text

    key = kernel_key(normalized_text(func), device.target)
    place = (key, id(device))
    with _locks[place]:
        if config.dump_dir is not None:
            # Whoever asks for dumps wants the passes to run.
            return _memory.setdefault(place, _compile(func, key, device, verbose))
        compiled = _memory.get(place) or _from_disk(key, device, verbose)
        if compiled is None:
            compiled = _compile(func, key, device, verbose)
        _memory[place] = compiled
        return compiled


def find(key: str, device: Device, verbose: bool = False) -> Compiled | None:
    """The compiled kernel of a key, if it is in memory or on disk."""
    place = (key, id(device))
    with _locks[place]:
        compiled = _memory.get(place) or _from_disk(key, device, verbose)
        if compiled is not None:
            _memory[place] = compiled
        return compiled


def _compile(func: tirx.PrimFunc, key: str, device: Device, verbose: bool) -> Compiled:
    from .compile import CompileOptions, compile_prim_func
    from .trace import symbol_of, to_json

    tell(verbose, f"compiling {symbol_of(func)} for {device.target.arch}")
    artifact = compile_prim_func(func, target=device.target, options=CompileOptions(precision=config.precision))
    statistics.compilations += 1
    prim_func_json = to_json(func)
    entry = {**artifact.files, PRIM_FUNC_FILE: prim_func_json, SCRIPT_FILE: func.script()}
    directory = store().write(key, entry)
    tell(verbose, f"compiled {artifact.name} into {directory}")
    for note in notes_in(artifact.files):
        tell(verbose, str(note))
    return Compiled(key=key, artifact=artifact, device=device, directory=directory, prim_func_json=prim_func_json)


def _from_disk(key: str, device: Device, verbose: bool) -> Compiled | None:
    from .artifact import Artifact

    files = store().read(key)
    if files is None or PRIM_FUNC_FILE not in files:
        return None
    prim_func_json = files.pop(PRIM_FUNC_FILE)
    files.pop(SCRIPT_FILE, None)
    plan = Plan.from_json(files["tt.plan.json"])
    artifact = Artifact(name=plan.name, files=files, plan=plan)
    statistics.disk_hits += 1
    directory = store().folder(key)
    tell(verbose, f"found {plan.name} in {directory}")
    for note in notes_in(files):
        tell(verbose, str(note))
    return Compiled(key=key, artifact=artifact, device=device, directory=directory, prim_func_json=prim_func_json)


def read_index(key: str) -> dict[str, Any] | None:
    """An index record, unless dumps are wanted (then everything is done anew)."""
    return None if config.dump_dir is not None else store().read_record(key)


def write_index(key: str, content: Mapping[str, Any]) -> None:
    store().write_record(key, content)


def forget() -> None:
    """Drop all compiled kernels from memory; those on disk stay."""
    _memory.clear()
    _locks.clear()


def tell(verbose: bool, message: str) -> None:
    """Progress on standard error, where it was asked for."""
    if verbose or config.verbose:
        sys.stderr.write(f"tt_jit: {message}\n")
