"""Whole programs on the emulator: copies, orders of pages, many cores, run-time sizes, pointers, several threads."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tt_jit.config import config
from tt_jit.errors import EmulatorError
from tt_jit.plan import Scalar, Symbol
from tt_jit.target import BLACKHOLE

from .programs import (
    COPY_FILES,
    PAGES,
    PROLOGUE,
    READER,
    WRITER,
    address,
    circular_buffer,
    copy_plan,
    expression,
    kernel,
    load,
    plan,
    scalar,
    tensor,
)


def matrix(rows: int, columns: int) -> torch.Tensor:
    return torch.arange(rows * columns).reshape(rows, columns).remainder(251).to(torch.bfloat16)


def test_copy_on_one_core_per_tile(tmp_path: Path) -> None:
    made = copy_plan(
        tensor("A", 0, (96, 128), access="read"), tensor("B", 1, (96, 128), access="write"), 2048, pages=12
    )
    loaded = load(made, COPY_FILES, tmp_path)
    a, b = matrix(96, 128), torch.zeros(96, 128, dtype=torch.bfloat16)
    loaded.launch([a, b], [])
    assert torch.equal(a, b)
    profile = loaded.profile()
    assert profile is not None
    assert profile.counters["noc_reads"] == profile.counters["noc_writes"] == 12
    assert profile.counters["noc_read_bytes"] == 12 * 2048
    assert [core["noc_reads"] for core in profile.core_counters] == [1] * 12 + [0] * 52


def test_more_tiles_than_cores_and_threads_make_no_difference(tmp_path: Path) -> None:
    made = copy_plan(
        tensor("A", 0, (1000, 1300), access="read"), tensor("B", 1, (1000, 1300), access="write"), 2048, pages=32 * 41
    )
    loaded = load(made, COPY_FILES, tmp_path)
    a = matrix(1000, 1300)
    for threads in (1, 2, 5):
        b = torch.zeros_like(a)
        with config.scope(emulator_threads=threads):
            loaded.launch([a, b], [])
        assert torch.equal(a, b)


def test_tile_order_is_the_kernels(tmp_path: Path) -> None:
    transposing = WRITER.replace("noc_async_write_page(page,", "noc_async_write_page(page % 3 * 4 + page / 3,")
    made = copy_plan(
        tensor("A", 0, (128, 96), access="read"), tensor("B", 1, (96, 128), access="write"), 2048, pages=12
    )
    loaded = load(made, {"reader.cpp": READER, "writer.cpp": transposing}, tmp_path)
    a, b = matrix(128, 96), torch.zeros(96, 128, dtype=torch.bfloat16)
    loaded.launch([a, b], [])
    tiles = a.reshape(4, 32, 3, 32)
    assert torch.equal(b.reshape(3, 32, 4, 32), tiles.permute(2, 1, 0, 3))


def test_one_kernel_serves_all_sizes(tmp_path: Path) -> None:
    made = plan(
        [tensor("A", 0, ("m", "n"), access="read"), tensor("B", 1, ("m", "n"), access="write")],
        [
            kernel("reader", ["A"], [address("A"), expression("page_size", 2048)]),
            kernel("writer", ["B"], [address("B"), expression("page_size", 2048)]),
        ],
        [circular_buffer(0, "stream", 4)],
        work="(m + 31) / 32 * ((n + 31) / 32)",
        symbols=[Symbol(name="m", param="A", dim=0), Symbol(name="n", param="A", dim=1)],
    )
    loaded = load(made, COPY_FILES, tmp_path)
    for rows, columns in [(32, 32), (1, 1), (100, 300), (7, 2000), (32, 32)]:
        a, b = matrix(rows, columns), torch.zeros(rows, columns, dtype=torch.bfloat16)
        loaded.launch([a, b], [])
        assert torch.equal(a, b)


FILL = (
    PROLOGUE
    + """
void kernel_main() {
    const uint32_t bits = get_common_arg_val<uint32_t>(0);
    const int32_t step = get_common_arg_val<int32_t>(1);
    cb_reserve_back(0, 1);
    const uint32_t l1 = get_write_ptr(0);
    volatile tt_l1_ptr uint32_t* words = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(l1);
    auto* signed_words = (tt_l1_ptr int32_t*)(l1 + 512);
    for (int32_t index = 0; index < 128; ++index) {
        words[index] = bits;
        signed_words[index] = index * step;
    }
    cb_push_back(0, 1);
}
"""
)


def test_pointers_into_l1_and_scalars_that_change(tmp_path: Path) -> None:
    made = plan(
        [tensor("B", 0, (2, 128), access="write", dtype="float32", data_format="Float32", layout=PAGES)],
        [
            kernel("reader", [], [scalar("fill"), scalar("step")]),
            kernel("writer", ["B"], [address("B"), expression("page_size", 512)]),
        ],
        [circular_buffer(0, "stream", 1, 1024, "Float32")],
        scalars=[
            Scalar(name="fill", param_index=1, dtype="float32"),
            Scalar(name="step", param_index=2, dtype="int32"),
        ],
    )
    halves = (
        PROLOGUE
        + """
void kernel_main() {
    constexpr auto args = TensorAccessorArgs<0>();
    const auto b = TensorAccessor(args, get_common_arg_val<uint32_t>(0));
    cb_wait_front(0, 1);
    noc_async_write_page(0, b, get_read_ptr(0));
    noc_async_write(get_read_ptr(0) + 512, b.get_noc_addr(1), 512);
    noc_async_write_barrier();
    cb_pop_front(0, 1);
}
"""
    )
    loaded = load(made, {"reader.cpp": FILL, "writer.cpp": halves}, tmp_path)
    for fill, step in [(1.5, 3), (-0.1, -7)]:
        b = torch.zeros(2, 128)
        loaded.launch([b], [fill, step])
        assert torch.equal(b[0], torch.full((128,), fill))
        assert torch.equal(b[1].view(torch.int32), torch.arange(128, dtype=torch.int32) * step)


def test_blackhole_has_other_alignment_and_more_cores(tmp_path: Path) -> None:
    made = copy_plan(
        tensor("A", 0, (352, 320), access="read"),
        tensor("B", 1, (352, 320), access="write"),
        2048,
        pages=110,
    )
    made = replace(made, programs=(replace(made.programs[0], work=replace(made.programs[0].work, max_cores=130)),))
    loaded = load(made, COPY_FILES, tmp_path, BLACKHOLE)
    a, b = matrix(352, 320), torch.zeros(352, 320, dtype=torch.bfloat16)
    loaded.launch([a, b], [])
    assert torch.equal(a, b)
    profile = loaded.profile()
    assert profile is not None
    assert [core["noc_reads"] for core in profile.core_counters] == [1] * 110 + [0] * 20

    half_a_line = COPY_FILES["reader.cpp"].replace(
        "noc_async_read_page(page, a, get_write_ptr(cb_stream));",
        "noc_async_read(a.get_noc_addr(page, 32), get_write_ptr(cb_stream), 64);",
    )
    (tmp_path / "misaligned").mkdir()
    wrong = load(made, {**COPY_FILES, "reader.cpp": half_a_line}, tmp_path / "misaligned", BLACKHOLE)
    with pytest.raises(EmulatorError, match="must be equal modulo 64"):
        wrong.launch([a, b], [])


def test_control_c_ends_a_launch(tmp_path: Path) -> None:
    """Two kernels that hand a page round for ever, in a process of its own."""
    endless = COPY_FILES["reader.cpp"].replace("page < start + count; ++page", "true; page = 0")
    echo = COPY_FILES["writer.cpp"].replace("page < start + count; ++page", "true; page = 0")
    (tmp_path / "reader.cpp").write_text(endless)
    (tmp_path / "writer.cpp").write_text(echo)
    script = """
import sys, threading, signal, os, time
from pathlib import Path
import torch
from tests.emulator.programs import copy_plan, load, tensor
made = copy_plan(tensor("A", 0, (32, 32), access="read"), tensor("B", 1, (32, 32), access="write"), 2048, pages=1)
folder = Path(sys.argv[1])
loaded = load(made, {name: (folder / name).read_text() for name in ("reader.cpp", "writer.cpp")}, folder)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
a = torch.zeros(32, 32, dtype=torch.bfloat16)
try:
    loaded.launch([a, a.clone()], [])
except KeyboardInterrupt:
    print("interrupted")
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.stdout == "interrupted\n", result.stderr


def test_a_kernel_may_poll(tmp_path: Path) -> None:
    polling = WRITER.replace(
        "cb_wait_front(cb_stream, 1);",
        "while (!cb_pages_available_at_front(cb_stream, 1)) {}\n        cb_wait_front(cb_stream, 1);",
    )
    made = copy_plan(tensor("A", 0, (64, 64), access="read"), tensor("B", 1, (64, 64), access="write"), 2048, pages=4)
    loaded = load(made, {"reader.cpp": READER, "writer.cpp": polling}, tmp_path)
    a, b = matrix(64, 64), torch.zeros(64, 64, dtype=torch.bfloat16)
    loaded.launch([a, b], [])
    assert torch.equal(a, b)


def test_pages_that_no_kernel_writes_keep_their_values(tmp_path: Path) -> None:
    made = copy_plan(tensor("A", 0, (64, 64), access="read"), tensor("B", 1, (64, 64), access="write"), 2048, pages=2)
    loaded = load(made, COPY_FILES, tmp_path)
    a, b = matrix(64, 64), torch.full((64, 64), 5.0, dtype=torch.bfloat16)
    loaded.launch([a, b], [])
    assert torch.equal(b[:32], a[:32])
    assert bool((b[32:] == 5).all())


def test_a_second_process_finds_the_binaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = copy_plan(tensor("A", 0, (32, 32), access="read"), tensor("B", 1, (32, 32), access="write"), 2048, pages=1)
    load(made, COPY_FILES, tmp_path)
    with config.scope(cxx="no-compiler-of-this-name"):
        loaded = load(made, COPY_FILES, tmp_path)
    a, b = matrix(32, 32), torch.zeros(32, 32, dtype=torch.bfloat16)
    loaded.launch([a, b], [])
    assert torch.equal(a, b)


BROADCAST = (
    PROLOGUE
    + """
// Core 0 reads a page and multicasts it to the other cores of its row; every core hands it to its writer.
void kernel_main() {
    const uint32_t core = get_arg_val<uint32_t>(0);
    const uint32_t cores = get_common_arg_val<uint32_t>(1);
    constexpr auto args = TensorAccessorArgs<0>();
    const auto a = TensorAccessor(args, get_common_arg_val<uint32_t>(0));
    const uint32_t ready = get_semaphore(0);
    const uint32_t valid = get_semaphore(1);
    volatile tt_l1_ptr uint32_t* ready_flag = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(ready);
    volatile tt_l1_ptr uint32_t* valid_flag = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(valid);
    for (uint32_t page = 0; page < 3; ++page) {
        cb_reserve_back(0, 1);
        const uint32_t l1 = get_write_ptr(0);
        if (core == 0) {
            noc_async_read_page(page, a, l1);
            noc_async_read_barrier();
            noc_semaphore_wait(ready_flag, cores - 1);
            noc_semaphore_set(ready_flag, 0);
            const uint32_t x = my_x[noc_index];
            const uint32_t y = my_y[noc_index];
            noc_async_write_multicast(l1, get_noc_multicast_addr(x, y, x + cores - 1, y, l1), 2048, cores - 1, true);
            noc_semaphore_set(valid_flag, VALID);
            noc_semaphore_set_multicast(
                valid, get_noc_multicast_addr(x, y, x + cores - 1, y, valid), cores - 1);
            noc_async_write_barrier();
        } else {
            noc_semaphore_set(valid_flag, INVALID);
            noc_semaphore_inc(get_noc_addr(my_x[noc_index] - core, my_y[noc_index], ready), 1);
            noc_semaphore_wait(valid_flag, VALID);
            noc_async_atomic_barrier();
        }
        cb_push_back(0, 1);
    }
}
"""
)

COLLECT = (
    PROLOGUE
    + """
void kernel_main() {
    const uint32_t core = get_arg_val<uint32_t>(0);
    constexpr auto args = TensorAccessorArgs<0>();
    const auto b = TensorAccessor(args, get_common_arg_val<uint32_t>(0));
    for (uint32_t page = 0; page < 3; ++page) {
        cb_wait_front(0, 1);
        noc_async_write_page(core * 3 + page, b, get_read_ptr(0));
        noc_async_writes_flushed();
        cb_pop_front(0, 1);
    }
    noc_async_write_barrier();
}
"""
)


def test_semaphores_and_multicast(tmp_path: Path) -> None:
    cores = 5
    made = plan(
        [tensor("A", 0, (32, 96), access="read"), tensor("B", 1, (cores * 32, 96), access="write")],
        [
            kernel("reader", ["A"], [address("A"), expression("cores", cores)]),
            kernel("writer", ["B"], [address("B")]),
        ],
        [circular_buffer(0, "stream", 2)],
        work=cores,
        semaphores=2,
    )
    loaded = load(made, {"reader.cpp": BROADCAST, "writer.cpp": COLLECT}, tmp_path)
    a, b = matrix(32, 96), torch.zeros(cores * 32, 96, dtype=torch.bfloat16)
    loaded.launch([a, b], [])
    assert torch.equal(b, a.repeat(cores, 1))
