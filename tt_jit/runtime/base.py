"""What tt_jit needs of a device: build a kernel's binaries, then launch them on torch tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from ..artifact import Artifact
    from ..plan import Plan
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


def scalars_in_expressions(plan: Plan) -> list[int]:
    """Positions of the scalars whose values decide sizes or loop counts: a launch is prepared for each of them."""
    used: set[str] = set()
    for program in plan.programs:
        used |= program.work.total.names
        for kernel in program.kernels:
            for argument in (*kernel.common_args, *kernel.core_args):
                if argument.value is not None:
                    used |= argument.value.names
    return [position for position, scalar in enumerate(plan.scalars) if scalar.name in used]
