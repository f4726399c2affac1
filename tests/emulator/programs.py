"""Small hand-written kernels and plans for the tests of the emulator's core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from tt_jit.expression import Expression
from tt_jit.plan import (
    CircularBuffer,
    KernelArgument,
    KernelSpec,
    Layout,
    Plan,
    Program,
    RowMajorLayout,
    Scalar,
    Semaphore,
    Symbol,
    Tensor,
    TensorAccessor,
    TileLayout,
    Work,
)
from tt_jit.runtime.emulator import EmulatedKernel, EmulatorDevice
from tt_jit.target import WORMHOLE_B0, Target

TILES = TileLayout(outer=(), row=0, col=1)
PAGES = RowMajorLayout(page_dims=1)

PROLOGUE = """\
#include <cstdint>
#include "api/dataflow/dataflow_api.h"
#include "api/tensor/tensor_accessor.h"
"""

# Pages work_start .. work_start + work_count of A to circular buffer 0; page_size is common argument 1.
READER = (
    PROLOGUE
    + """
void kernel_main() {
    const uint32_t start = get_arg_val<uint32_t>(0);
    const uint32_t count = get_arg_val<uint32_t>(1);
    constexpr uint32_t cb_stream = 0;
    constexpr auto args = TensorAccessorArgs<0>();
    const auto a = TensorAccessor(args, get_common_arg_val<uint32_t>(0), get_common_arg_val<uint32_t>(1));
    for (uint32_t page = start; page < start + count; ++page) {
        cb_reserve_back(cb_stream, 1);
        noc_async_read_page(page, a, get_write_ptr(cb_stream));
        noc_async_read_barrier();
        cb_push_back(cb_stream, 1);
    }
}
"""
)

WRITER = (
    PROLOGUE
    + """
void kernel_main() {
    const uint32_t start = get_arg_val<uint32_t>(0);
    const uint32_t count = get_arg_val<uint32_t>(1);
    constexpr uint32_t cb_stream = 0;
    constexpr auto args = TensorAccessorArgs<0>();
    const auto b = TensorAccessor(args, get_common_arg_val<uint32_t>(0), get_common_arg_val<uint32_t>(1));
    for (uint32_t page = start; page < start + count; ++page) {
        cb_wait_front(cb_stream, 1);
        noc_async_write_page(page, b, get_read_ptr(cb_stream));
        noc_async_writes_flushed();
        cb_pop_front(cb_stream, 1);
    }
    noc_async_write_barrier();
}
"""
)


@dataclass(frozen=True)
class HandWritten:
    """What the compiler would hand over, written by hand."""

    name: str
    files: Mapping[str, str]
    plan: Plan


def tensor(
    name: str,
    index: int | None,
    shape: Sequence[int | str],
    *,
    access: str,
    dtype: str = "bfloat16",
    data_format: str = "Float16_b",
    layout: Layout = TILES,
) -> Tensor:
    dimensions = tuple(Expression.parse(size) for size in shape)
    return Tensor(
        name=name, param_index=index, dtype=dtype, format=data_format, access=access, shape=dimensions, layout=layout
    )


def address(name: str) -> KernelArgument:
    return KernelArgument(name=f"{name}_address", kind="address", tensor=name)


def expression(name: str, text: str | int) -> KernelArgument:
    return KernelArgument(name=name, kind="expr", value=Expression.parse(text))


def scalar(name: str) -> KernelArgument:
    return KernelArgument(name=name, kind="scalar", scalar=name)


WORK = (KernelArgument(name="work_start", kind="work_start"), KernelArgument(name="work_count", kind="work_count"))


def circular_buffer(
    id: int, name: str, pages: int, page_size: int = 2048, data_format: str = "Float16_b"
) -> CircularBuffer:
    return CircularBuffer(id=id, name=name, format=data_format, page_size=page_size, pages=pages)


def kernel(role: str, accessors: Sequence[str], arguments: Sequence[KernelArgument]) -> KernelSpec:
    return KernelSpec(
        role=role,
        file=f"{role}.cpp",
        compile_time_args=tuple(TensorAccessor(tensor=name) for name in accessors),
        common_args=tuple(arguments),
        core_args=WORK,
    )


def plan(
    tensors: Sequence[Tensor],
    kernels: Sequence[KernelSpec],
    circular_buffers: Sequence[CircularBuffer],
    *,
    work: str | int = 1,
    max_cores: int = 64,
    semaphores: int = 0,
    symbols: Sequence[Symbol] = (),
    scalars: Sequence[Scalar] = (),
) -> Plan:
    program = Program(
        name="main",
        kernels=tuple(kernels),
        circular_buffers=tuple(circular_buffers),
        work=Work(total=Expression.parse(work), max_cores=max_cores),
        semaphores=tuple(Semaphore(id=id) for id in range(semaphores)),
    )
    return Plan(
        name="main",
        target="wormhole_b0",
        grid=(8, 8),
        tensors=tuple(tensors),
        programs=(program,),
        symbols=tuple(symbols),
        scalars=tuple(scalars),
    )


def load(made: Plan, files: Mapping[str, str], directory: Path, chip: Target = WORMHOLE_B0) -> EmulatedKernel:
    for name, text in files.items():
        (directory / name).write_text(text)
    return EmulatorDevice(chip).load(HandWritten(name=made.name, files=files, plan=made), directory)


def copy_plan(a: Tensor, b: Tensor, page_size: int, *, pages: str | int, cb_pages: int = 2) -> Plan:
    """B's pages = A's pages, for tensors of equal page size and number."""
    return plan(
        [a, b],
        [
            kernel("reader", ["A"], [address("A"), expression("page_size", page_size)]),
            kernel("writer", ["B"], [address("B"), expression("page_size", page_size)]),
        ],
        [circular_buffer(0, "stream", cb_pages, page_size)],
        work=pages,
    )


COPY_FILES = {"reader.cpp": READER, "writer.cpp": WRITER}


def tile_pages(matrix: torch.Tensor) -> torch.Tensor:
    """The tiles of a matrix whose sides are multiples of 32, one page of four 16x16 faces per row."""
    rows, columns = matrix.shape
    split = matrix.reshape(rows // 32, 2, 16, columns // 32, 2, 16)
    return split.permute(0, 3, 1, 4, 2, 5).reshape(-1, 1024)
