"""Milliseconds from a Python function to a kernel that runs: trace, every pass, code generation, C++ compiler, cache.

Tracing, passes and code generation are CPU times, best of several, which other programs on the machine hardly disturb.
The C++ compiler and the disk hit are wall-clock times, and the disk hit is given in CPU time as well.

The last table is a disk hit: a new process that calls a kernel for the first time, beyond its imports.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import report
import tilelang.language as T

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from flash_attention_backward import backward

import tt_jit as tt
from tt_jit.compile import CompileOptions, compile_prim_func
from tt_jit.lower.base import PassTrace

TARGET_COMPILE = 100.0
TARGET_BACKWARD = 1500.0
TARGET_DISK_HIT = 15.0
REPEAT = 7
SHAPES: dict[str, tuple[int, ...]] = {
    "gemm": (1024, 1024, 1024),
    "softmax": (1024, 1024),
    "attention backward": (1, 8, 1024, 64, True),
}


def gemm(M: int, N: int, K: int, block_M: int = 128, block_N: int = 128, block_K: int = 32, dtype: str = "bfloat16"):
    @T.prim_func
    def main(A: T.Tensor((M, K), dtype), B: T.Tensor((K, N), dtype), C: T.Tensor((M, N), dtype)):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=128) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), dtype)
            B_shared = T.alloc_shared((block_K, block_N), dtype)
            C_local = T.alloc_fragment((block_M, block_N), "float32")
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=2):
                T.copy(A[by * block_M, k * block_K], A_shared)
                T.copy(B[k * block_K, bx * block_N], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            T.copy(C_local, C[by * block_M, bx * block_N])

    return main


def softmax(M: int, N: int, block_M: int = 32, dtype: str = "bfloat16"):
    @T.prim_func
    def main(X: T.Tensor((M, N), dtype), Y: T.Tensor((M, N), dtype)):
        with T.Kernel(T.ceildiv(M, block_M), threads=128) as bx:
            x_shared = T.alloc_shared((block_M, N), dtype)
            x = T.alloc_fragment((block_M, N), "float32")
            largest = T.alloc_fragment((block_M,), "float32")
            total = T.alloc_fragment((block_M,), "float32")
            T.copy(X[bx * block_M, 0], x_shared)
            T.copy(x_shared, x)
            T.reduce_max(x, largest, dim=1)
            for i, j in T.Parallel(block_M, N):
                x[i, j] = T.exp(x[i, j] - largest[i])
            T.reduce_sum(x, total, dim=1)
            for i, j in T.Parallel(block_M, N):
                x[i, j] = x[i, j] / total[i]
            T.copy(x, Y[bx * block_M, 0])

    return main


KERNELS = {"gemm": gemm, "softmax": softmax, "attention backward": backward.function}


def cpu_milliseconds(start: float) -> float:
    return (time.process_time() - start) * 1e3


def measure_stages(name: str, folder: Path) -> dict[str, Any]:
    """One kernel through every stage."""
    device = tt.device("emulator")
    function, shape = KERNELS[name], SHAPES[name]
    traces, totals = [], []
    passes: dict[str, float] = {}
    for _ in range(REPEAT):
        start = time.process_time()
        func = tt.jit(function, device=device).get_tir(*shape)
        traces.append(cpu_milliseconds(start))
        trace = PassTrace()
        start = time.process_time()
        artifact = compile_prim_func(func, target=device.target, options=CompileOptions(), trace=trace)
        totals.append(cpu_milliseconds(start))
        for step, spent in trace.milliseconds.items():
            passes[step] = min(spent, passes.get(step, spent))
    directory = folder / name
    for file, text in artifact.files.items():
        (directory / file).parent.mkdir(parents=True, exist_ok=True)
        (directory / file).write_text(text)
    started = time.perf_counter()
    device.load(artifact, directory)
    host_compiler = (time.perf_counter() - started) * 1e3
    lowering = min(sum(passes.values()), min(totals))
    return {
        "trace": min(traces),
        "passes": passes,
        "lowering": lowering,
        "code generation": min(totals) - lowering,
        "trace to code": min(traces) + min(totals),
        "host compiler": host_compiler,
    }


CHILD = """
import time
import torch, tilelang, tilelang.language
import tt_jit as tt
import bench_compile
from tt_jit import build
f = tt.jit(bench_compile.KERNELS[{name!r}], out_idx=-1, device="emulator")
wall, cpu = time.perf_counter(), time.process_time()
kernel = f(*bench_compile.SHAPES[{name!r}])
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(wall * 1e3, cpu * 1e3, build.statistics.traces, build.statistics.compilations)
"""


def measure_disk_hit(name: str, cache: Path) -> tuple[float, float]:
    """Wall-clock and CPU time of the first call of a kernel in a new process, best of three hits.

    The first process compiles; so does any process after an edit of tt_jit's sources, which does not count.
    """
    times: list[tuple[float, float]] = []
    for _ in range(8):
        done = subprocess.run(
            [sys.executable, "-c", CHILD.format(name=name)],
            cwd=Path(__file__).parent,
            env={**_environment(), "TT_JIT_CACHE_DIR": str(cache)},
            capture_output=True,
            text=True,
            check=True,
        )
        wall, cpu, traces, compilations = done.stdout.split()[-4:]
        if (traces, compilations) == ("0", "0"):
            times.append((float(wall), float(cpu)))
        if len(times) == 3:
            break
    assert times, "no process found the kernel on disk"
    return min(times)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(["..", os.environ.get("PYTHONPATH", "")])}


def main() -> None:
    tt.device("emulator")
    with tempfile.TemporaryDirectory() as folder:
        # The emulator's own library is built before anything is measured.
        tt.jit(gemm, out_idx=-1, device="emulator")(64, 64, 64)
        stages = {name: measure_stages(name, Path(folder)) for name in KERNELS}
        hits = {name: measure_disk_hit(name, Path(folder) / "cache") for name in KERNELS}
    names = list(dict.fromkeys(step for result in stages.values() for step in result["passes"]))
    rows: list[list[Any]] = [["trace", *(result["trace"] for result in stages.values())]]
    rows += [[f"  {step}", *(result["passes"].get(step) for result in stages.values())] for step in names]
    for part in ("lowering", "code generation", "trace to code", "host compiler"):
        rows.append([part, *(result[part] for result in stages.values())])
    rows.append(["disk hit in a new process", *(wall for wall, _ in hits.values())])
    rows.append(["disk hit, CPU time", *(cpu for _, cpu in hits.values())])
    report.show_table("Compilation, milliseconds", ["stage", *stages], rows)
    for what, value, goal in (
        ("trace to code of the GEMM", stages["gemm"]["trace to code"], TARGET_COMPILE),
        ("trace to code of attention backward", stages["attention backward"]["trace to code"], TARGET_BACKWARD),
        ("disk hit", max(wall for wall, _ in hits.values()), TARGET_DISK_HIT),
    ):
        print(f"{what}: {value:.1f} ms; goal {goal:.0f} ms: {'reached' if value <= goal else 'missed'}")
    print(f"load of the machine meanwhile: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    report.write_json("bench_compile", {"unit": "milliseconds", "stages": stages, "disk_hit": hits})


if __name__ == "__main__":
    main()
