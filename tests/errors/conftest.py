"""Every test starts with an empty cache folder and without kernels in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tt_jit import build
from tt_jit.config import config


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path) -> Iterator[None]:
    build.forget()
    with config.scope(cache_dir=str(tmp_path / "cache"), device="emulator", disable_cache=False):
        yield
    build.forget()
