"""Child of bench_launch.py, run by a Python with ttnn: `launch_ttnn.py ARTIFACT.json` prints microseconds as JSON.

Needs no torch: the arguments are ttnn tensors, which stay on the chip. On ttnn's mock device Python takes the time
that it takes with a real chip; the kernel itself does nothing there.
"""

from __future__ import annotations

import json
import sys
import time
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# The package's own __init__ needs TileLang and torch; the runtime does not.
_package = types.ModuleType("tt_jit")
_package.__path__ = [str(Path(__file__).resolve().parents[1] / "tt_jit")]
sys.modules["tt_jit"] = _package


def microseconds(call: Callable[[int], Any], number: int = 300, repeat: int = 30) -> float:
    best = float("inf")
    for _ in range(repeat):
        started = time.perf_counter()
        for index in range(number):
            call(index)
        best = min(best, time.perf_counter() - started)
    return best / number * 1e6


def main(path: Path) -> None:
    from tt_jit.plan import Plan
    from tt_jit.runtime import ttnn as backend

    files = json.loads(path.read_text())
    plan = Plan.from_json(files["tt.plan.json"])
    device = backend.open_device(0)
    started = time.perf_counter()
    kernel = device.load(types.SimpleNamespace(name=plan.name, files=files, plan=plan), None)
    shapes = [tensor.sizes({}) for tensor in plan.tensors if tensor.param_index is not None]
    calls: list[Sequence[Any]] = [
        [kernel.allocate(index, shape) for index, shape in enumerate(shapes)] for _ in range(2)
    ]
    kernel.launch(calls[0], [])
    first = (time.perf_counter() - started) * 1e3
    whole = microseconds(lambda index: kernel.launch(calls[0], []))
    backend.ttnn.generic_op = lambda *arguments: None
    result = {
        "first launch, ms": first,
        "warm launch": whole,
        "Python before generic_op, same tensors": microseconds(lambda index: kernel.launch(calls[0], [])),
        "Python before generic_op, other tensors each time": microseconds(
            lambda index: kernel.launch(calls[index & 1], [])
        ),
    }
    sys.stdout.write("RESULT " + json.dumps(result) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
