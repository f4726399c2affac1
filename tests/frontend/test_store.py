"""Entries on disk: whole or absent, verified, healed, and a clear complaint where the folder cannot be used."""

import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from tt_jit.cache.store import MANIFEST, Store, publish, read_verified
from tt_jit.errors import CacheError

FILES = {"reader.cpp": "// reader\n", "ir/01_traced.py": "pass\n"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def test_an_entry_is_read_as_it_was_written(store: Store) -> None:
    assert store.read("key") is None
    folder = store.write("key", FILES)
    assert store.read("key") == FILES
    assert (folder / "ir/01_traced.py").read_text() == "pass\n"
    assert list((store.root / "staging").iterdir()) == []


@pytest.mark.parametrize("damage", ["truncate", "edit", "delete", "no manifest", "manifest is no JSON", "extra"])
def test_a_damaged_entry_is_removed_and_can_be_written_again(store: Store, damage: str) -> None:
    folder = store.write("key", FILES)
    victim = folder / "reader.cpp"
    if damage == "truncate":
        victim.write_text("")
    elif damage == "edit":
        victim.write_text("// READER\n")
    elif damage == "delete":
        victim.unlink()
    elif damage == "no manifest":
        (folder / MANIFEST).unlink()
    elif damage == "manifest is no JSON":
        (folder / MANIFEST).write_text("{")
    elif damage == "extra":
        # What a device built below an entry is no part of it.
        (folder / "emulator").mkdir()
        assert store.read("key") == FILES
        return
    assert store.read("key") is None
    assert not folder.exists()
    store.write("key", FILES)
    assert store.read("key") == FILES


def test_writing_what_is_there_keeps_it(store: Store) -> None:
    folder = store.write("key", FILES)
    (folder / "binaries").mkdir()
    store.write("key", FILES)
    assert (folder / "binaries").is_dir()


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        publish(tmp_path / "entry", fail)
    assert list(tmp_path.iterdir()) == []


def test_records(store: Store) -> None:
    assert store.read_record("ab" * 32) is None
    store.write_record("ab" * 32, {"kernel": "x", "numbers": [1, 2]})
    assert store.read_record("ab" * 32) == {"kernel": "x", "numbers": [1, 2]}
    (path,) = (store.root / "index" / "ab").iterdir()
    document = json.loads(path.read_text())
    document["content"]["kernel"] = "y"
    path.write_text(json.dumps(document))
    assert store.read_record("ab" * 32) is None
    path.write_text(path.read_text()[:20])
    assert store.read_record("ab" * 32) is None


def test_an_unwritable_folder_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "cache")
    assert store.read("key") is None
    for write in (lambda: store.write("key", FILES), lambda: store.write_record("key", {})):
        with pytest.raises(CacheError) as caught:
            write()
        text = str(caught.value)
        assert "the kernel cache cannot be written" in text
        assert str(tmp_path / "file") in text
        assert "TT_JIT_CACHE_DIR" in text
        assert "TT_JIT_DISABLE_CACHE" in text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_a_clear_error(store: Store) -> None:
    store.write("key", FILES)
    store.root.chmod(0o500)
    try:
        assert store.read("key") == FILES
        with pytest.raises(CacheError):
            Store(store.root).write_record("other", {})
    finally:
        store.root.chmod(0o700)


def test_old_left_overs_are_swept(store: Store) -> None:
    staging = store.root / "staging"
    for name, age in (("old", 7200), ("young", 60)):
        (staging / name).mkdir(parents=True)
        os.utime(staging / name, (time.time() - age,) * 2)
    store.write("key", FILES)
    assert [path.name for path in staging.iterdir()] == ["young"]


def _write_many(root: Path, barrier: object, failures: object) -> None:
    store = Store(root)
    barrier.wait()
    for number in range(10):
        store.write(f"key{number}", {**FILES, "number": str(number)})
        if store.read(f"key{number}") != {**FILES, "number": str(number)}:
            failures.put(number)


def test_several_processes_write_the_same_entries(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, failures = context.Barrier(3), context.Queue()
    workers = [context.Process(target=_write_many, args=(tmp_path, barrier, failures)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert failures.empty()
    store = Store(tmp_path)
    assert all(read_verified(store.folder(f"key{number}")) is not None for number in range(10))
