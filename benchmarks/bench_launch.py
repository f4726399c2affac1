"""Microseconds of a warm call, by stage: captured values looked at, bind, key, lookup, launch.

The stages are measured on a device that does nothing, so that they show what the front end costs; the last table shows
whole calls on the emulator. Times are CPU times, best of many: other programs on the machine hardly disturb them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import report
import tilelang.language as T
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tt_jit as tt
from tests.device import chips
from tt_jit.binding import bind_arguments, call_key
from tt_jit.signature import argument_key
from tt_jit.target import Target

TARGET_KEY_AND_LOOKUP = 5.0


class IdleDevice:
    """Builds nothing and launches nothing."""

    target = Target.named("wormhole_b0")

    def load(self, artifact: Any, directory: Path | None) -> IdleDevice:
        return self

    def launch(self, tensors: Sequence[Any], scalars: Sequence[Any]) -> None:
        return None


def add(A, B, block: int = 32):
    M, N = T.const("M, N")
    A: T.Tensor[[M, N], T.float32]
    B: T.Tensor[[M, N], T.float32]
    C = T.empty((M, N), T.float32)
    with T.Kernel(T.ceildiv(M, block), T.ceildiv(N, block)) as (bx, by):
        a = T.alloc_shared((block, block), T.float32)
        b = T.alloc_shared((block, block), T.float32)
        T.copy(A[bx * block, by * block], a)
        T.copy(B[bx * block, by * block], b)
        for i, j in T.Parallel(block, block):
            a[i, j] += b[i, j]
        T.copy(a, C[bx * block, by * block])
    return C


def matmul(M: int, N: int, K: int, block: int = 32, dtype: str = "bfloat16"):
    @T.prim_func
    def main(A: T.Tensor((M, K), dtype), B: T.Tensor((K, N), dtype), C: T.Tensor((M, N), dtype)):
        with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block)) as (bx, by):
            a = T.alloc_shared((block, block), dtype)
            b = T.alloc_shared((block, block), dtype)
            c = T.alloc_fragment((block, block), "float32")
            T.clear(c)
            for k in T.Pipelined(T.ceildiv(K, block), num_stages=2):
                T.copy(A[by * block, k * block], a)
                T.copy(B[k * block, bx * block], b)
                T.gemm(a, b, c)
            T.copy(c, C[by * block, bx * block])

    return main


def microseconds(call: Callable[[], Any], number: int = 2000, repeat: int = 25) -> float:
    return min(timeit.repeat(call, number=number, repeat=repeat, timer=time.process_time)) / number * 1e6


def eager_stages(f: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, float]:
    key = call_key(args, kwargs, f._places, f._names)
    answer, values = f._calls[key], (*args, *kwargs.values())
    return {
        "captured": microseconds(f._watch.unchanged),
        "bind": 0.0,
        "key": microseconds(lambda: call_key(args, kwargs, f._places, f._names)),
        "lookup": microseconds(lambda: f._calls.get(key)),
        "launch": microseconds(lambda: answer(values)),
        "whole call": microseconds(lambda: f(*args, **kwargs)),
    }


def lazy_stages(f: Any, args: tuple[Any, ...]) -> dict[str, float]:
    key = call_key(args, {}, f._places, f._names)
    return {
        "captured": microseconds(f._watch.unchanged),
        "bind": 0.0,
        "key": microseconds(lambda: call_key(args, {}, f._places, f._names)),
        "lookup": microseconds(lambda: f._calls.get(key)),
        "launch": 0.0,
        "whole call": microseconds(lambda: f(*args)),
    }


def kernel_stages(kernel: tt.Kernel, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, float]:
    values = bind_arguments(kernel.signature, args, kwargs)
    key = argument_key(values)
    launcher = kernel._launchers[key]
    return {
        "captured": 0.0,
        "bind": microseconds(lambda: bind_arguments(kernel.signature, args, kwargs)) if kwargs else 0.0,
        "key": microseconds(lambda: argument_key(values)),
        "lookup": microseconds(lambda: kernel._launchers.get(key)),
        "launch": microseconds(lambda: launcher(values)),
        "whole call": microseconds(lambda: kernel(*args, **kwargs)),
    }


def measure_stages() -> dict[str, dict[str, float]]:
    device = IdleDevice()
    a, b = torch.zeros(32, 32), torch.zeros(32, 32)
    eager = tt.jit(add, device=device)
    eager(a, b)
    eager(a, B=b, block=32)
    lazy = tt.jit(matmul, out_idx=-1, device=device)
    kernel = lazy(32, 32, 32)
    x, y = a.bfloat16(), b.bfloat16()
    kernel(x, y)
    return {
        "eager f(A, B)": eager_stages(eager, (a, b), {}),
        "eager f(A, B=B, block=32)": eager_stages(eager, (a,), {"B": b, "block": 32}),
        "lazy f(M, N, K)": lazy_stages(lazy, (32, 32, 32)),
        "kernel(A, B)": kernel_stages(kernel, (x, y), {}),
        "kernel(A, B=B)": kernel_stages(kernel, (x,), {"B": y}),
    }


def measure_emulator() -> dict[str, float]:
    device = tt.device("emulator")
    a, b = torch.randn(32, 32), torch.randn(32, 32)
    eager = tt.jit(add, device=device)
    assert torch.equal(eager(a, b), a + b)
    x, y = a.bfloat16(), b.bfloat16()
    kernel = tt.jit(matmul, out_idx=-1, device=device)(32, 32, 32)
    torch.testing.assert_close(kernel(x, y).float(), x.float() @ y.float(), rtol=2e-2, atol=2e-2)
    return {
        "add 32x32": microseconds(lambda: eager(a, b), number=100, repeat=10),
        "matmul 32x32x32": microseconds(lambda: kernel(x, y), number=100, repeat=10),
        "torch.add 32x32": microseconds(lambda: torch.add(a, b)),
    }


def measure_ttnn() -> dict[str, float] | str:
    """Launches through ttnn, on the chip or simulator that is there, else on ttnn's mock device; or why not."""
    runner = chips.device_python()
    if isinstance(runner, str):
        return runner
    chip = chips.attached_chip()
    artifact = tt.jit(matmul, out_idx=-1, device=tt.device("emulator"))(32, 32, 32).artifact
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "artifact.json"
        path.write_text(json.dumps(dict(artifact.files)))
        child = subprocess.run(
            [runner.python, Path(__file__).with_name("launch_ttnn.py"), path],
            env=runner.environment(chips.mock_chip("n150") if isinstance(chip, str) else chip),
            cwd=folder,
            capture_output=True,
            text=True,
        )
    lines = [line for line in child.stdout.splitlines() if line.startswith("RESULT ")]
    return json.loads(lines[0].removeprefix("RESULT ")) if lines else child.stderr[-500:]


def main() -> None:
    torch.set_num_threads(1)
    stages = measure_stages()
    columns = ["captured", "bind", "key", "lookup", "launch", "whole call"]
    report.show_table(
        "Front end, microseconds per warm call on a device that does nothing",
        ["call", *columns],
        [[name, *(times[column] for column in columns)] for name, times in stages.items()],
    )
    worst = max(times["key"] + times["lookup"] for times in stages.values())
    verdict = "reached" if worst <= TARGET_KEY_AND_LOOKUP else "missed"
    print(f"\nkey + lookup: {worst:.2f} us at most; goal {TARGET_KEY_AND_LOOKUP} us: {verdict}")
    whole = measure_emulator()
    report.show_table(
        "Whole calls on the emulator, microseconds", ["call", "time"], [[name, value] for name, value in whole.items()]
    )
    chip = measure_ttnn()
    if isinstance(chip, str):
        print(f"\nttnn: not measured: {chip}")
    else:
        report.show_table("Launches through ttnn, microseconds", ["step", "time"], [[*row] for row in chip.items()])
    report.write_json(
        "bench_launch",
        {"unit": "microseconds", "stages": stages, "emulator": whole, "key_and_lookup": worst, "ttnn": chip},
    )


if __name__ == "__main__":
    main()
