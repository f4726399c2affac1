"""Keeps the files of every artifact that the test suite compiles, for the mock device to build."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "build" / "suite-kernels"


def record(files: Mapping[str, str]) -> None:
    """Write what a runtime needs of an artifact's files, under a name made of their contents."""
    kept = {name: text for name, text in files.items() if name == "tt.plan.json" or name.endswith(".cpp")}
    kept.pop("main.cpp", None)
    text = json.dumps(kept, sort_keys=True)
    RECORDED.mkdir(parents=True, exist_ok=True)
    path = RECORDED / f"{hashlib.blake2b(text.encode(), digest_size=10).hexdigest()}.json"
    if not path.exists():
        path.write_text(text)


def recorded() -> list[dict[str, str]]:
    return [json.loads(path.read_text()) for path in sorted(RECORDED.glob("*.json"))]


def install() -> None:
    """Record everything that `compile_prim_func` makes in this process from now on."""
    import tt_jit.compile  # noqa: F401  (the package's attribute of that name is the function)

    module: Any = sys.modules["tt_jit.compile"]
    original = module.compile_prim_func

    def recording(*args: Any, **kwargs: Any) -> Any:
        artifact = original(*args, **kwargs)
        record(artifact.files)
        return artifact

    module.compile_prim_func = recording
