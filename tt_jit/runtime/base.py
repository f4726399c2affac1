"""What tt_jit needs of a device: build a kernel's binaries, then launch them on torch tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from ..artifact import Artifact
    from ..target import Target


@dataclass(frozen=True, kw_only=True)
class LaunchProfile:
    """The latest launch: host microseconds per phase, and what the cores did. `counters` sums over the cores."""

    to_device_us: float
    kernels_us: float
    from_device_us: float
    counters: Mapping[str, int]
    core_counters: tuple[Mapping[str, int], ...]


class LoadedKernel(Protocol):
    """A kernel whose binaries exist."""

    def launch(self, tensors: Sequence[torch.Tensor | None], scalars: Sequence[int | float]) -> None:
        """Run the kernel's programs in order.

        `tensors` has one entry per tensor parameter of the PrimFunc, `scalars` one per scalar parameter, both in order,
        checked and allocated by the caller. Outputs are written in place.
        """


class Device(Protocol):
    @property
    def target(self) -> Target: ...

    def load(self, artifact: Artifact, directory: Path | None) -> LoadedKernel:
        """Build the binaries of `artifact`, or find them in `directory`, its cache entry."""
