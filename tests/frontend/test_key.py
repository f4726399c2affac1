"""What is in the keys, and what is not."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
import tilelang.language as T

from tt_jit.cache import key
from tt_jit.cache.key import content_digest, kernel_key
from tt_jit.config import config
from tt_jit.target import Target
from tt_jit.trace import normalized_text

from . import kernels

WORMHOLE = Target.named("wormhole_b0")


def named(name: str, size: int = 8) -> Any:
    @T.prim_func
    def first(A: T.Tensor((size,), "float32")):
        with T.Kernel(1):
            A[0] = 1.0

    return first.with_attr("global_symbol", name)


def test_the_kernel_key_does_not_depend_on_names_and_places() -> None:
    assert normalized_text(named("first")) == normalized_text(named("second"))
    assert normalized_text(named("first")) != normalized_text(named("first", 16))
    text = normalized_text(kernels.lazy_copy(64, 32))
    assert __file__ not in text
    assert "kernels.py" not in text


def test_the_kernel_key_depends_on_all_that_changes_code(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [kernel_key("ir", WORMHOLE), kernel_key("other ir", WORMHOLE), kernel_key("ir", Target.named("blackhole"))]
    keys.append(kernel_key("ir", WORMHOLE.with_grid(7, 8)))
    with config.scope(precision="fast"):
        keys.append(kernel_key("ir", WORMHOLE))
    with config.scope(verbose=True, emulator_threads=2, cxx="clang++"):
        assert kernel_key("ir", WORMHOLE) == keys[0]
    monkeypatch.setattr(key, "source_digest", lambda: "edited")
    keys.append(kernel_key("ir", WORMHOLE))
    monkeypatch.setattr(key, "_tilelang_version", lambda: "0.1.16")
    keys.append(kernel_key("ir", WORMHOLE))
    assert len(set(keys)) == len(keys)


def test_the_content_digest_goes_by_content(tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    file = folder / "a.py"
    file.write_text("one")
    hour_ago = time.time() - 3600

    def digest() -> str:
        return content_digest(folder, [str(file)])

    first = digest()
    os.utime(file, (hour_ago, hour_ago))
    assert digest() == first
    file.write_text("two")
    assert digest() != first
    file.write_text("one")
    assert digest() == first
    file.rename(folder / "b.py")
    assert content_digest(folder, [str(folder / "b.py")]) != first


def test_a_settled_digest_is_remembered_and_a_broken_memory_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_cache: Path
) -> None:
    monkeypatch.setattr(key, "_SETTLED_SECONDS", -1.0)
    file = tmp_path / "a.py"
    file.write_text("one")
    first = content_digest(tmp_path, [str(file)])
    (memo,) = (fresh_cache / "sources").iterdir()
    memo.write_text("0" * 64)
    assert content_digest(tmp_path, [str(file)]) == "0" * 64
    memo.write_text("torn")
    assert content_digest(tmp_path, [str(file)]) == first
    assert memo.read_text() == first
