"""The documentation is true: its example runs, its C++ is what the compiler prints, its links and commands exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tt_jit.lower import PIPELINE

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)


def test_readme_example_runs_and_prints_the_shown_kernel(tmp_path: Path) -> None:
    (example,), (excerpt,) = code_blocks("python"), code_blocks("cpp")
    script = tmp_path / "example.py"
    script.write_text(example)
    result = subprocess.run([sys.executable, script], cwd=ROOT, capture_output=True, text=True, env=environment())
    assert result.returncode == 0, result.stderr
    assert excerpt in result.stdout, "README shows another kernel than the compiler prints:\n" + result.stdout


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TT_JIT_DEVICE": "emulator"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    local = [target for target in targets if "://" not in target]
    assert not [target for target in local if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_commands_exist(page: Path) -> None:
    commands = set(re.findall(r"(?:^ {4}|`)make ([a-z]+)", page.read_text(), re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert commands <= targets


def test_architecture_names_the_passes_in_order() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert rows == [step.name for step in PIPELINE]
