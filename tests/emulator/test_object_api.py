"""Kernels in the object form of the API, ours and those that ttnn ships."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from tt_jit.errors import EmulatorError
from tt_jit.plan import KernelSpec, TensorAccessor

from .programs import PROLOGUE, WORK, address, circular_buffer, expression, kernel, load, plan, tensor

OBJECTS = (
    PROLOGUE
    + """\
#include "api/core_local_mem.h"
#include "api/dataflow/circular_buffer.h"
#include "api/dataflow/endpoints.h"
#include "api/dataflow/noc_semaphore.h"
#include "api/tensor/noc_traits.h"
"""
)

# Every core of a row gets A's page from core 0 and adds its own number to the first word.
SPREAD = (
    OBJECTS
    + """
void kernel_main() {
    const uint32_t core = get_arg_val<uint32_t>(0);
    const uint32_t cores = get_common_arg_val<uint32_t>(1);
    constexpr auto args = TensorAccessorArgs<0>();
    const auto a = TensorAccessor(args, get_common_arg_val<uint32_t>(0));
    const uint32_t x = my_x[noc_index] - core;
    const uint32_t y = my_y[noc_index];
    Noc noc;
    CircularBuffer stream(tt::CBIndex::c_0);
    Semaphore<> ready(0);
    Semaphore<> valid(1);
    stream.reserve_back(1);
    if (core == 0) {
        noc.async_read(a, stream, stream.get_tile_size(), {.page_id = 0}, {.offset_bytes = 0});
        noc.async_read_barrier();
        ready.wait(cores - 1);
        ready.set(0);
        noc.async_write_multicast(
            CircularBufferView<CircularBuffer::AddrSelector::WRITE_PTR>{stream}, stream, stream.get_tile_size(),
            cores - 1, {.offset_bytes = 0},
            {.noc_x_start = x, .noc_y_start = y, .noc_x_end = x + cores - 1, .noc_y_end = y, .offset_bytes = 0}, true);
        valid.set(VALID);
        valid.set_multicast(noc, x, y, x + cores - 1, y, cores - 1);
        noc.async_write_barrier();
    } else {
        ready.up(noc, x, y, 1);
        valid.wait(VALID);
        noc.async_atomic_barrier();
    }
    CoreLocalMem<volatile uint32_t> words(stream.get_write_ptr());
    words[0] = words[0] + core;
    stream.push_back(1);
}
"""
)

GATHER = (
    OBJECTS
    + """
void kernel_main() {
    const uint32_t core = get_arg_val<uint32_t>(0);
    constexpr auto args = TensorAccessorArgs<0>();
    const auto b = TensorAccessor(args, get_common_arg_val<uint32_t>(0));
    Noc noc;
    CircularBuffer stream(0);
    stream.wait_front(1);
    noc.async_write(stream, b, 4096, {}, {.page_id = core});
    noc.async_write_barrier();
    stream.pop_front(1);
}
"""
)


def test_objects(tmp_path: Path) -> None:
    cores = 4
    whole = {"dtype": "int32", "data_format": "Int32"}
    made = plan(
        [tensor("A", 0, (32, 32), access="read", **whole), tensor("B", 1, (32 * cores, 32), access="write", **whole)],
        [kernel("reader", ["A"], [address("A"), expression("cores", cores)]), kernel("writer", ["B"], [address("B")])],
        [circular_buffer(0, "stream", 1, 4096, "Int32")],
        work=cores,
        semaphores=2,
    )
    loaded = load(made, {"reader.cpp": SPREAD, "writer.cpp": GATHER}, tmp_path)
    a = torch.arange(1024, dtype=torch.int32).reshape(32, 32)
    b = torch.zeros(32 * cores, 32, dtype=torch.int32)
    loaded.launch([a, b], [])
    expected = a.repeat(cores, 1)
    expected[::32, 0] += torch.arange(cores, dtype=torch.int32)
    assert torch.equal(b, expected)


def test_errors_name_the_line_of_a_method_call(tmp_path: Path) -> None:
    wrong = GATHER.replace("    stream.wait_front(1);\n", "")
    made = plan(
        [tensor("B", 0, (32, 32), access="write", dtype="int32", data_format="Int32")],
        [kernel("writer", ["B"], [address("B")])],
        [circular_buffer(0, "stream", 1, 4096, "Int32")],
    )
    with pytest.raises(EmulatorError, match="of which only 0 pages have been waited for") as caught:
        load(made, {"writer.cpp": wrong}, tmp_path).launch([torch.zeros(32, 32, dtype=torch.int32)], [])
    assert caught.value.location is not None
    assert "noc.async_write(" in wrong.splitlines()[caught.value.location.line - 1]


def shipped(name: str) -> str:
    """The text of a kernel of the installed ttnn."""
    found = importlib.util.find_spec("ttnn")
    if found is None or found.origin is None:
        pytest.skip("ttnn is not installed")
    package = Path(found.origin).parent
    candidates = [root / "ttnn/cpp/ttnn/operations" / name for root in (package, package.parent)]
    present = [path for path in candidates if path.is_file()]
    if not present:
        pytest.skip(f"this ttnn ships no {name}")
    return present[0].read_text()


def test_kernels_that_ttnn_ships(tmp_path: Path) -> None:
    """Its copy operation's reader and writer, unmodified: address, number of pages, first page per core."""
    files = {
        f"{role}.cpp": shipped(f"data_movement/copy/device/kernels/{role}_unary_start_id.cpp")
        for role in ("reader", "writer")
    }

    def copying(role: str, name: str, *words: int) -> KernelSpec:
        start, count = WORK
        return KernelSpec(
            role=role,
            file=f"{role}.cpp",
            compile_time_args=(*words, TensorAccessor(tensor=name)),
            core_args=(address(name), count, start),
        )

    made = plan(
        [tensor("A", 0, (160, 96), access="read"), tensor("B", 1, (160, 96), access="write")],
        [copying("reader", "A"), copying("writer", "B", 0)],
        [circular_buffer(0, "stream", 2)],
        work=15,
        max_cores=4,
    )
    a = torch.randn(160, 96).to(torch.bfloat16)
    b = torch.zeros_like(a)
    load(made, files, tmp_path).launch([a, b], [])
    assert torch.equal(a, b)
