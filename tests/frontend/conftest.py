"""A compiler and a device that only note what they are asked, so that the front end is tested by itself and fast."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tt_jit import build
from tt_jit.config import config
from tt_jit.plan import Plan
from tt_jit.target import Target


@dataclass(frozen=True, kw_only=True)
class FakeOptions:
    precision: str


@dataclass(frozen=True, kw_only=True)
class FakeArtifact:
    name: str
    files: dict[str, str]
    plan: Plan


class FakeLoaded:
    def __init__(self, device: FakeDevice, artifact: FakeArtifact) -> None:
        self.device = device
        self.artifact = artifact

    def launch(self, tensors: Sequence[torch.Tensor | None], scalars: Sequence[int | float]) -> None:
        self.device.launches.append((self.artifact, list(tensors), list(scalars)))
        if self.device.compute is not None:
            self.device.compute(list(tensors), list(scalars))


@dataclass
class FakeDevice:
    target: Target = field(default_factory=lambda: Target.named("wormhole_b0"))
    compute: Callable[[list[Any], list[Any]], None] | None = None
    launches: list[tuple[FakeArtifact, list[Any], list[Any]]] = field(default_factory=list)
    loads: list[tuple[str, Path]] = field(default_factory=list)

    def load(self, artifact: FakeArtifact, directory: Path) -> FakeLoaded:
        self.loads.append((artifact.name, directory))
        return FakeLoaded(self, artifact)


def fake_artifact(func: Any, target: Target) -> FakeArtifact:
    from tt_jit.trace import symbol_of

    name = symbol_of(func)
    plan = Plan(name=name, target=target.arch, grid=target.grid, tensors=(), programs=())
    text = func.script()
    files = {
        "reader.cpp": f"// reader\n/*\n{text}\n*/\n",
        "compute.cpp": "// compute\n",
        "writer.cpp": "// writer\n",
        "main.cpp": "int main() {}\n",
        "ir/01_traced.py": text,
        "tt.plan.json": plan.to_json(),
    }
    return FakeArtifact(name=name, files=files, plan=plan)


@pytest.fixture(scope="session")
def user_cache() -> Path:
    """The cache folder that is in use outside of tests."""
    return Path(config.cache_dir)


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, user_cache: Path) -> Iterator[Path]:
    """Every test has its own empty cache folder and forgets compiled kernels."""
    build.forget()
    build.statistics.__init__()
    with config.scope(cache_dir=str(tmp_path / "cache")):
        yield tmp_path / "cache"
    build.forget()


@pytest.fixture(autouse=True)
def fake_compiler(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces the compiler; returns the names of the kernels it was asked to compile."""
    compiled: list[str] = []

    def compile_prim_func(func: Any, *, target: Target, options: FakeOptions) -> FakeArtifact:
        artifact = fake_artifact(func, target)
        compiled.append(artifact.name)
        return artifact

    compiler = ModuleType("tt_jit.compile")
    compiler.CompileOptions = FakeOptions
    compiler.compile_prim_func = compile_prim_func
    artifact = ModuleType("tt_jit.artifact")
    artifact.Artifact = FakeArtifact
    monkeypatch.setitem(sys.modules, "tt_jit.compile", compiler)
    monkeypatch.setitem(sys.modules, "tt_jit.artifact", artifact)
    return compiled


@pytest.fixture
def device() -> FakeDevice:
    return FakeDevice()
