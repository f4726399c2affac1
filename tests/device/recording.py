"""Keeps the files of every artifact that the test suite compiles, for the mock device to build."""

from __future__ import annotations

import hashlib
import json
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
    """Record every kernel that is compiled in this process from now on."""
    from tt_jit import build

    original = build._compile

    def recording(*args: Any, **kwargs: Any) -> Any:
        compiled = original(*args, **kwargs)
        record(compiled.artifact.files)
        return compiled

    build._compile = recording
