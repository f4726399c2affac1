"""The doctor names what is missing and what mends it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tt_jit import doctor
from tt_jit.config import config
from tt_jit.runtime import ttnn_environment


@pytest.fixture(autouse=True)
def no_chip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TT_METAL_SIMULATOR", "TT_METAL_MOCK_CLUSTER_DESC_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ttnn_environment, "CARD_FOLDER", tmp_path / "no-cards")


def finding(subject: str) -> doctor.Finding:
    return next(found for found in doctor.examine() if found.subject == subject)


def test_no_chip_is_no_error_and_the_emulator_is_used() -> None:
    assert not finding("chip").good and not finding("chip").needed
    assert finding("kernels run").good
    assert "emulator" in finding("kernels run").state
    assert finding("kernel compiler").good


def test_missing_simulator_is_an_error_with_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TT_METAL_SIMULATOR", str(tmp_path / "libttsim.so"))
    chip = finding("chip")
    assert chip.needed and not chip.good
    assert "TT_METAL_SIMULATOR" in chip.state and "does not exist" in chip.state


def test_simulator_without_its_description(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "libttsim.so").touch()
    monkeypatch.setenv("TT_METAL_SIMULATOR", str(tmp_path / "libttsim.so"))
    assert "soc_descriptor.yaml" in finding("chip").state
    (tmp_path / "soc_descriptor.yaml").touch()
    assert finding("chip").good


def test_stand_in_compiler_is_refused_for_a_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "0").touch()
    compiler = tmp_path / "riscv-tt-elf-g++"
    compiler.write_text("#!/usr/bin/env python3\n")
    monkeypatch.setattr(ttnn_environment, "CARD_FOLDER", tmp_path / "cards")
    monkeypatch.setattr(ttnn_environment, "kernel_compiler", lambda: compiler)
    assert not finding("kernel compiler").good
    compiler.write_bytes(b"\x7fELF")
    assert finding("kernel compiler").good


def test_chip_asked_for_but_absent() -> None:
    with config.scope(device="ttnn"):
        assert not finding("kernels run").good


def test_unwritable_cache(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with config.scope(cache_dir=str(tmp_path / "file" / "below")):
        assert not finding("cache").good
        assert "TT_JIT_CACHE_DIR" in (finding("cache").remedy or "")


def test_command_fits_one_screen(tmp_path: Path) -> None:
    variables = {**os.environ, "TT_JIT_CACHE_DIR": str(tmp_path)}
    answer = subprocess.run([sys.executable, "-m", "tt_jit", "doctor"], capture_output=True, text=True, env=variables)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert 8 <= len(answer.stdout.splitlines()) <= 24
    wrong = subprocess.run([sys.executable, "-m", "tt_jit", "doctor", "--bogus"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "--bogus" in wrong.stderr
