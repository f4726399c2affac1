"""For the whole suite: keep every kernel that a test compiles for the mock device, whose tests run last."""

from __future__ import annotations

from pathlib import Path

import pytest

from .device import recording

DEVICE_TESTS = Path(__file__).parent / "device"


def pytest_sessionstart() -> None:
    recording.install()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: DEVICE_TESTS in item.path.parents)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden kernel texts of tests/codegen anew")
