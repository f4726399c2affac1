"""Builds the emulator's library, once per content and machine, and an artifact's kernels, once per cache entry."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..build import shared_folder
from ..cache.key import content_digest
from ..cache.store import publish, read_verified
from ..config import config
from ..errors import CacheError, CompilerNotFoundError, KernelCompileError, SourceLocation
from ..plan import TensorAccessor

if TYPE_CHECKING:
    from ..artifact import Artifact
    from ..plan import KernelSpec, Plan, Program
    from ..target import Target

EMULATOR = Path(__file__).resolve().parent.parent / "emulator"
INCLUDE = EMULATOR / "include"
SOURCES = EMULATOR / "src"

# Contraction is off so that results do not depend on the host's instruction set.
COMMON_FLAGS = ("-std=c++20", "-march=native", "-ffp-contract=off", "-fPIC", "-pthread", f"-I{INCLUDE}")
# Nobody looks at floating-point exceptions; allowing for them would keep selects out of vector loops.
LIBRARY_FLAGS = (*COMMON_FLAGS, "-O3", "-fno-math-errno", "-fno-trapping-math", f"-I{SOURCES}")
KERNEL_FLAGS = (*COMMON_FLAGS, "-O2", "-fvisibility=hidden")
ARCH_DEFINES = {"wormhole_b0": "ARCH_WORMHOLE", "blackhole": "ARCH_BLACKHOLE"}
LOG = "build.log"

# Interleaved in DRAM: the configuration word of TensorAccessorArgs.
_ACCESSOR_IN_DRAM = 2
_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
_FIRST_ERROR = re.compile(
    r"^(?P<file>[^\s:][^:\n]*):(?P<line>\d+):(?:(?P<column>\d+):)?\s*(?:fatal )?error: (?P<text>.*)$", re.MULTILINE
)
_UNDEFINED = re.compile(r"(?P<text>undefined (?:reference|symbol).*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Compiler:
    command: tuple[str, ...]

    def run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )


def find_compiler() -> Compiler:
    """config.cxx, else g++, clang++ or the ziglang wheel."""
    if config.cxx is not None:
        command = shlex.split(config.cxx)
        if shutil.which(command[0]) is None:
            raise CompilerNotFoundError(
                f"config.cxx (TT_JIT_CXX) names {command[0]!r}, which is not to be found",
                hint="name an installed C++20 compiler, or unset it to use g++, clang++ or the ziglang wheel",
            )
        return Compiler(command=tuple(command))
    for name in ("g++", "clang++"):
        path = shutil.which(name)
        if path is not None:
            return Compiler(command=(path,))
    if importlib.util.find_spec("ziglang") is not None:
        return Compiler(command=(sys.executable, "-m", "ziglang", "c++", "-fno-sanitize=undefined"))
    raise CompilerNotFoundError(
        "the emulator needs a C++20 compiler, and there is neither g++ nor clang++ nor the ziglang wheel",
        hint="install one: `apt-get install g++`, or `pip install ziglang`",
    )


@cache
def machine() -> str:
    """What -march=native depends on."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            head = file.read(8192)
    except OSError:
        head = platform.processor()
    facts = [
        line
        for line in head.split("\n\n")[0].splitlines()
        if line.startswith(("model name", "flags", "Features", "CPU part"))
    ]
    return "\n".join([platform.machine(), *facts])


@cache
def fingerprint() -> str:
    """Identifies the library: its sources, headers, flags and the machine."""
    sources = content_digest(EMULATOR, [str(path) for path in [*SOURCES.iterdir(), *_headers(INCLUDE)]])
    flags = "\0".join([machine(), *LIBRARY_FLAGS, *KERNEL_FLAGS]).replace(str(EMULATOR), "")
    return hashlib.sha256(f"{flags}\0{sources}".encode()).hexdigest()


def _headers(folder: Path) -> Iterator[Path]:
    """The headers that kernels see; those of the host API are no part of the library."""
    for path in folder.iterdir():
        if path.is_dir():
            if path.name != "tt-metalium":
                yield from _headers(path)
        elif path.suffix in (".h", ".inc"):
            yield path


def library_soname() -> str:
    return f"libtt_emulator.{fingerprint()[:16]}.so"


@cache
def library() -> Path:
    """The emulator's shared library; builds it where the cache has none."""
    folder = shared_folder() / "emulator" / fingerprint()[:32]
    path = folder / library_soname()
    if path.is_file():
        return path
    compiler = find_compiler()
    if config.verbose:
        print("tt_jit: building the emulator, once for this machine", file=sys.stderr)
    try:
        publish(folder, lambda staging: _build_library(compiler, staging / library_soname()))
    except OSError as error:
        raise CacheError(
            f"the emulator's library cannot be written to {folder}: {error.strerror or error}",
            hint="set TT_JIT_CACHE_DIR (config.cache_dir) to a folder that can be written",
        ) from error
    return path


def _build_library(compiler: Compiler, target: Path) -> None:
    sources = sorted(SOURCES.glob("*.cpp"))
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        objects = list(pool.map(lambda source: _object(compiler, source), sources))
    result = compiler.run(
        ["-shared", "-pthread", f"-Wl,-soname,{library_soname()}", "-o", str(target), *map(str, objects), "-ldl"]
    )
    _require(result, "linking the emulator")


def _object(compiler: Compiler, source: Path) -> Path:
    """The object file of one source, kept under the content of all that it includes."""
    key = hashlib.sha256("\0".join([machine(), *compiler.command, *LIBRARY_FLAGS]).encode())
    for path in [source, *sorted(_included(source))]:
        key.update(path.read_bytes())
    target = shared_folder() / "emulator" / "objects" / f"{source.stem}.{key.hexdigest()[:32]}.o"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as staging:
            made = Path(staging) / target.name
            _require(compiler.run([*LIBRARY_FLAGS, "-c", str(source), "-o", str(made)]), f"compiling {source.name}")
            os.replace(made, target)
    return target


def _included(source: Path) -> set[Path]:
    """All files of the emulator that `source` includes, directly or not."""
    found: set[Path] = set()
    pending = [source]
    while pending:
        path = pending.pop()
        for name in _INCLUDE.findall(path.read_text(encoding="utf-8")):
            for candidate in (path.parent / name, SOURCES / name, INCLUDE / name):
                if candidate.is_file():
                    if candidate not in found:
                        found.add(candidate)
                        pending.append(candidate)
                    break
    return found


def _require(result: subprocess.CompletedProcess[str], what: str) -> None:
    if result.returncode != 0:
        raise KernelCompileError(
            f"{what} failed: {_first_error(result.stdout)}",
            compiler_output=result.stdout,
            hint="the emulator needs a compiler with C++20, such as g++ 11 or clang++ 14",
        )


def _first_error(output: str) -> str:
    match = _FIRST_ERROR.search(output) or _UNDEFINED.search(output)
    return match["text"] if match else (output.strip().splitlines() or ["the compiler said nothing"])[0]


def kernel_symbol(program_index: int, role: str) -> str:
    """The name under which a kernel's kernel_main is found in its library, as C++ mangles it."""
    name = _entry_name(program_index, role)
    return f"_Z{len(name)}{name}v"


def _entry_name(program_index: int, role: str) -> str:
    return f"tt_kernel_{program_index}_{role}"


def kernel_file(program_index: int, role: str) -> str:
    """The file of a kernel's library, in the folder that `kernel_libraries` returns."""
    return f"{program_index}.{role}.so"


def kernel_libraries(artifact: Artifact, directory: Path | None, target: Target) -> Path:
    """The folder with one shared library per kernel of `artifact`; builds them where `directory` has none.

    Kernels do not share a library, because helper functions of the same name may differ between roles.
    """
    if directory is None:
        directory = _temporary_entry(artifact)
    folder = directory / f"emulator.{fingerprint()[:16]}"
    if folder.is_dir():
        if read_verified(folder) is not None:
            return folder
        shutil.rmtree(folder, ignore_errors=True)
    compiler = find_compiler()
    library_path = library()
    try:
        publish(folder, lambda staging: _build_kernels(compiler, artifact, directory, target, library_path, staging))
    except OSError as error:
        raise CacheError(
            f"the kernels of {artifact.name} cannot be written to {folder}: {error.strerror or error}",
            hint="set TT_JIT_CACHE_DIR (config.cache_dir) to a folder that can be written",
        ) from error
    return folder


def _temporary_entry(artifact: Artifact) -> Path:
    directory = Path(tempfile.mkdtemp(prefix="tt_jit."))
    for name, text in artifact.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return directory


def _build_kernels(
    compiler: Compiler, artifact: Artifact, directory: Path, target: Target, library_path: Path, staging: Path
) -> None:
    jobs = [
        (index, program, kernel) for index, program in enumerate(artifact.plan.programs) for kernel in program.kernels
    ]

    def build(job: tuple[int, Program, KernelSpec]) -> None:
        index, program, kernel = job
        flags = kernel_flags(artifact.plan, index, program, kernel, target)
        source = directory / kernel.file
        made = staging / kernel_file(index, kernel.role)
        # Linked against the library's soname only, so that the cache may be moved.
        result = compiler.run(
            [*flags, "-shared", str(source), str(library_path), "-Wl,--no-undefined", "-o", str(made)]
        )
        if result.returncode != 0:
            raise _kernel_error(kernel, source, result.stdout, directory)

    with ThreadPoolExecutor(max_workers=min(len(jobs), os.cpu_count() or 1) or 1) as pool:
        list(pool.map(build, jobs))


def kernel_flags(plan: Plan, index: int, program: Program, kernel: KernelSpec, target: Target) -> list[str]:
    """The command-line flags with which a kernel's text is compiled, without -o."""
    words = ",".join(f"{word}u" for word in compile_time_words(plan, kernel))
    accumulate = "true" if program.compute_config.fp32_dest_acc_en else "false"
    return [
        *KERNEL_FLAGS,
        f"-D{ARCH_DEFINES[target.arch]}",
        f"-DKERNEL_COMPILE_TIME_ARGS={words}",
        f'-Dkernel_main=__attribute__((visibility("default"))) {_entry_name(index, kernel.role)}',
        f"-DNOC_INDEX={1 if kernel.role == 'writer' else 0}",
        f"-DDST_ACCUM_MODE={accumulate}",
    ]


def compile_time_words(plan: Plan, kernel: KernelSpec) -> Iterator[int]:
    """The compile-time arguments; a tensor accessor is its configuration word and padded page size.

    A page size that is known only at run time is 0 here: such a kernel passes the size to TensorAccessor itself.
    """
    for argument in kernel.compile_time_args:
        if not isinstance(argument, TensorAccessor):
            yield argument
            continue
        tensor = plan.tensor_by_name[argument.tensor]
        sizes = [dimension.constant for dimension in tensor.shape]
        known = [size if size is not None else 0 for size in sizes]
        is_static = tensor.layout.to_json()["kind"] != "row_major" or None not in sizes
        yield _ACCESSOR_IN_DRAM
        yield tensor.layout.page_bytes(known, tensor.format) if is_static else 0


def _kernel_error(kernel: KernelSpec, source: Path, output: str, directory: Path) -> KernelCompileError:
    log: Path | None = directory / f"{kernel.role}.{LOG}"
    try:
        (directory / f"{kernel.role}.{LOG}").write_text(output, encoding="utf-8")
    except OSError:
        log = None
    match = _FIRST_ERROR.search(output)
    location = None
    if match is not None:
        location = SourceLocation(file=match["file"], line=int(match["line"]), column=int(match["column"] or 0))
    return KernelCompileError(
        f"the {kernel.role} kernel does not compile: {_first_error(output)}",
        compiler_output=output,
        location=location or SourceLocation(file=str(source), line=1),
        hint=f"the compiler's output is in {log}" if log is not None else "the compiler's output is above",
    )
