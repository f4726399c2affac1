"""Keeps the files of every artifact that the test suite compiles, for the mock device to build."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "build" / "recorded-kernels"


def record(files: Mapping[str, str]) -> None:
    """Write what a runtime needs of an artifact's files, under a name made of their contents."""
    kept = {name: text for name, text in files.items() if name == "tt.plan.json" or name.endswith(".cpp")}
    kept.pop("main.cpp", None)
    text = json.dumps(kept, sort_keys=True)
    test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0].rpartition("/")[2]
    RECORDED.mkdir(parents=True, exist_ok=True)
    path = RECORDED / f"{hashlib.blake2b(text.encode(), digest_size=10).hexdigest()}.json"
    if not path.exists():
        path.write_text(json.dumps({"test": test, "files": kept}))


def recorded() -> list[tuple[str, dict[str, str]]]:
    """The test that compiled it, and its files, for every different artifact."""
    entries = [json.loads(path.read_text()) for path in sorted(RECORDED.glob("*.json"))]
    return [(entry["test"], entry["files"]) for entry in entries]


def install() -> None:
    """Record every kernel that is compiled in this process from now on."""
    from tt_jit import build

    original = build._compile

    def recording(*args: Any, **kwargs: Any) -> Any:
        compiled = original(*args, **kwargs)
        record(compiled.artifact.files)
        return compiled

    build._compile = recording
