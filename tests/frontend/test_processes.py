"""A second process neither traces nor compiles what it finds on disk, and never gets a stale kernel."""

import json
import multiprocessing
import os
import subprocess
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

import tt_jit as tt
from tt_jit import build
from tt_jit.cache import key
from tt_jit.config import config

from . import conftest

ROOT = Path(__file__).parents[2]

MODULE = """
import tilelang.language as T
from settings_of_module import BLOCK

FACTOR = {factor}

def helper(value):
    return value * FACTOR

def lazy(M, N):
    @T.prim_func
    def main(A: T.Tensor((M, N), "float32"), B: T.Tensor((M, N), "float32")):
        with T.Kernel(T.ceildiv(M, BLOCK)) as bx:
            for i in T.serial(BLOCK):
                B[bx * BLOCK + i, 0] = A[bx * BLOCK + i, 0] * helper(2)
    return main

def eager(A, B, block: int = 32):
    M, N = T.const("M, N")
    A: T.Tensor[[M, N], T.float32]
    B: T.Tensor[[M, N], T.float32]
    C = T.empty((M, N), T.float32)
    with T.Kernel(T.ceildiv(M, block)) as bx:
        C[bx, 0] = A[bx, 0] * helper(1)
    return C

k = T.dynamic("k")

def dynamic(A):
    A: T.Tensor[[k, 8], T.float32]
    with T.Kernel(1):
        A[0, 0] = helper(3)
"""

CHILD = """
import json, sys
import torch, tt_jit as tt
assert "tilelang" not in sys.modules, "importing tt_jit is cheap"
from tt_jit import build
from tt_jit.cache import key
from tests.frontend import kernels
key.source_digest = lambda: "sources"
a, b = torch.randn(64, 32), torch.randn(64, 32)
added = tt.jit(kernels.eager_add, device="emulator")(a, b)
copied = tt.jit(kernels.lazy_copy, out_idx=-1, device="emulator")(64, 32)(a)
assert torch.equal(added, a + b) and torch.equal(copied, a)
compiler = "tt_jit.trace" in sys.modules or "tt_jit.lower" in sys.modules
print(json.dumps({**vars(build.statistics), "compiler": compiler}))
"""


def use_kernels(rows: int) -> dict[str, Any]:
    """What a process does with the module of kernels; returns what that took."""
    import kernels_of_module as module

    # Somebody may edit tt_jit while the tests run; test_key.py tests that this makes other kernels.
    key.source_digest = lambda: "sources"
    compiler, artifact = ModuleType("tt_jit.compile"), ModuleType("tt_jit.artifact")
    compiler.CompileOptions = conftest.FakeOptions
    compiler.compile_prim_func = lambda func, *, target, options: conftest.fake_artifact(func, target)
    artifact.Artifact = conftest.FakeArtifact
    sys.modules["tt_jit.compile"], sys.modules["tt_jit.artifact"] = compiler, artifact
    build.forget()
    build.statistics.__init__()
    device = conftest.FakeDevice()
    kernel = tt.jit(module.lazy, out_idx=-1, device=device)(64, 32)
    assert kernel(torch.zeros(64, 32)).shape == (64, 32)
    eager = tt.jit(module.eager, device=device)
    assert eager(torch.zeros(32, 32), torch.zeros(32, 32)).shape == (32, 32)
    eager(torch.zeros(64, 32), torch.zeros(64, 32))
    tt.jit(module.dynamic, device=device)(torch.zeros(rows, 8))
    return {
        **vars(build.statistics),
        "factors": kernel.get_kernel_source("reader").count("4.0"),
        "symbol": str(kernel.prim_func.attrs["global_symbol"]),
    }


class Project:
    """A folder with a module of kernels, run in processes of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write(factor=2, block=32)

    def write(self, factor: int, block: int) -> None:
        (self.folder / "kernels_of_module.py").write_text(MODULE.replace("{factor}", str(factor)))
        (self.folder / "settings_of_module.py").write_text(f"BLOCK = {block}\n")

    def run(self, rows: int = 8, **settings: Any) -> dict[str, Any]:
        """In a fork of this process, which has the libraries already; the module of kernels is new to it."""
        receive, send = multiprocessing.get_context("fork").Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(target=self._child, args=(rows, settings, send))
        process.start()
        assert receive.poll(60), "the process gave no answer"
        answer = receive.recv()
        process.join(60)
        assert isinstance(answer, dict), answer
        return answer

    def _child(self, rows: int, settings: dict[str, Any], send: Any) -> None:
        try:
            # Without byte code Python cannot take a file that changed within a second for the old one.
            sys.dont_write_bytecode = True
            sys.path.insert(0, str(self.folder))
            with config.scope(cache_dir=str(self.folder / "cache"), **settings):
                send.send(use_kernels(rows))
        except BaseException:
            send.send(traceback.format_exc())
            raise


def test_a_second_process(tmp_path: Path) -> None:
    project = Project(tmp_path)
    first = project.run()
    assert (first["traces"], first["compilations"]) == (4, 4)
    second = project.run(rows=16)
    assert (second["traces"], second["compilations"], second["disk_hits"]) == (0, 0, 4)
    # A constant in a helper of the kernel: four kernels depend on it.
    project.write(factor=3, block=32)
    third = project.run()
    assert (third["traces"], third["compilations"]) == (4, 4)
    assert third["factors"] != first["factors"]
    # Back again: everything is still there.
    project.write(factor=2, block=32)
    fourth = project.run()
    assert (fourth["traces"], fourth["compilations"], fourth["factors"]) == (0, 0, first["factors"])


def test_what_other_processes_must_trace_but_not_compile(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.run()
    # Kernels that moved in their file are traced again, for the lines in messages; nothing is compiled.
    source = tmp_path / "kernels_of_module.py"
    source.write_text("# A new first line.\n" + source.read_text())
    moved = project.run()
    assert (moved["traces"], moved["compilations"], moved["disk_hits"]) == (4, 0, 4)
    other_target = project.run(precision="fast")
    assert (other_target["traces"], other_target["compilations"]) == (4, 4)


def test_a_damaged_cache_heals(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.run()
    for number, folder in enumerate(sorted((tmp_path / "cache/kernels").iterdir())):
        if number % 2:
            (folder / "tt.plan.json").write_text("{}")
        else:
            (folder / "manifest.json").unlink()
    healed = project.run()
    assert (healed["compilations"], healed["disk_hits"]) == (4, 0)
    assert project.run()["disk_hits"] == 4


def test_without_a_cache_nothing_is_kept(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for _ in range(2):
        assert project.run(disable_cache=True)["compilations"] == 4
    assert not (tmp_path / "cache").exists()


def run_afresh(cache: Path, hash_seed: int) -> dict[str, int]:
    """What a new Python with the real compiler and the emulator does."""
    variables = {
        **os.environ,
        "TT_JIT_CACHE_DIR": str(cache),
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": str(hash_seed),
    }
    done = subprocess.run([sys.executable, "-c", CHILD], env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_new_processes_with_the_emulator(tmp_path: Path, user_cache: Path) -> None:
    # The emulator's own library takes a minute to build and is the same for every cache folder.
    (user_cache / "emulator").mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/emulator").symlink_to(user_cache / "emulator")
    assert run_afresh(tmp_path / "cache", hash_seed=1) == {
        "traces": 2,
        "compilations": 2,
        "disk_hits": 0,
        "compiler": True,
    }
    assert run_afresh(tmp_path / "cache", hash_seed=2) == {
        "traces": 0,
        "compilations": 0,
        "disk_hits": 2,
        "compiler": False,
    }


def test_the_emulators_library_survives_a_cache_that_is_off(tmp_path: Path) -> None:
    with config.scope(cache_dir=str(tmp_path / "cache"), disable_cache=True):
        assert build.shared_folder() == tmp_path / "cache"
    (tmp_path / "file").write_text("")
    with config.scope(cache_dir=str(tmp_path / "file" / "cache"), disable_cache=True):
        assert build.shared_folder() == build.store().root
    with config.scope(cache_dir=str(tmp_path / "file" / "cache")):
        assert build.shared_folder() == tmp_path / "file" / "cache", "the complaint comes when it is written"
