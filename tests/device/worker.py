"""Runs kernels through ttnn in a process of its own: `python tests/device/worker.py FOLDER`, under a Python with ttnn.

Jobs are read from FOLDER/jobs.pickle; every result goes to FOLDER/results.pickle at once, because Tenstorrent's
simulator ends the process at the first thing it objects to. Torch is needed only for jobs that carry tensors: the mock
device, which computes nothing, does without.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
import types
from pathlib import Path
from typing import Any

# The package's own __init__ needs TileLang and torch; the runtime does not.
_ROOT = Path(__file__).resolve().parents[2]
_package = types.ModuleType("tt_jit")
_package.__path__ = [str(_ROOT / "tt_jit")]
sys.modules["tt_jit"] = _package


def run_job(device: Any, job: dict[str, Any]) -> dict[str, Any]:
    from tt_jit.errors import TTJitError
    from tt_jit.plan import Plan

    plan = Plan.from_json(job["files"]["tt.plan.json"])
    artifact = types.SimpleNamespace(name=plan.name, files=job["files"], plan=plan)
    result: dict[str, Any] = {"name": job["name"], "error": None, "outputs": None}
    started = time.perf_counter()
    try:
        kernel = device.load(artifact, None)
        if job["tensors"] is None:
            kernel.dry_run(job["shapes"])
        else:
            import torch

            tensors = []
            for value in job["tensors"]:
                tensor = None if value is None else torch.empty(value[0], dtype=getattr(torch, value[1]))
                if tensor is not None and tensor.numel():
                    tensor = torch.frombuffer(bytearray(value[2]), dtype=tensor.dtype).reshape(tensor.shape)
                tensors.append(tensor)
            kernel.launch(tensors, job["scalars"])
            result["outputs"] = [
                None if value is None else value.contiguous().flatten().view(torch.uint8).numpy().tobytes()
                for value in tensors
            ]
    except TTJitError as error:
        result["error"] = f"{type(error).__name__}: {error}"
    result["seconds"] = time.perf_counter() - started
    return result


def main(folder: Path) -> None:
    from tt_jit.runtime import ttnn

    with (folder / "jobs.pickle").open("rb") as file:
        jobs = pickle.load(file)
    device = ttnn.open_device(0)
    (folder / "architecture").write_text(device.target.arch)
    deadline = time.monotonic() + float(os.environ.get("TT_JIT_WORKER_SECONDS", "inf"))
    with (folder / "results.pickle").open("ab") as results:
        for job in jobs:
            if time.monotonic() > deadline:
                (folder / "out-of-time").touch()
                break
            (folder / "current").write_text(job["name"])
            pickle.dump(run_job(device, job), results)
            results.flush()
    ttnn.close_devices()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
