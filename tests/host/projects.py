"""A small artifact written by hand, so that the host program is tested without the compiler: pages from A to C."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

from tt_jit.codegen.host import emit_host_program
from tt_jit.expression import Expression
from tt_jit.plan import (
    CircularBuffer,
    FlatLayout,
    KernelArgument,
    KernelSpec,
    Layout,
    Plan,
    Program,
    RowMajorLayout,
    Semaphore,
    Symbol,
    Tensor,
    TensorAccessor,
    TileLayout,
    Work,
)

READER = """\
#include <cstdint>
#include "api/dataflow/dataflow_api.h"
#include "api/tensor/tensor_accessor.h"

void kernel_main() {
    const uint32_t work_start = get_arg_val<uint32_t>(0);
    const uint32_t work_count = get_arg_val<uint32_t>(1);
    constexpr uint32_t page_size = get_compile_time_arg_val(0);
    constexpr auto A_args = TensorAccessorArgs<1>();
    const auto A = TensorAccessor(A_args, get_common_arg_val<uint32_t>(0), page_size);
    constexpr uint32_t cb_A_shared = 0;
    for (uint32_t page = work_start; page < work_start + work_count; ++page) {
        cb_reserve_back(cb_A_shared, 1);
        noc_async_read_page(page, A, get_write_ptr(cb_A_shared));
        noc_async_read_barrier();
        cb_push_back(cb_A_shared, 1);
    }
}
"""
WRITER = (
    READER.replace("cb_reserve_back", "cb_wait_front")
    .replace("noc_async_read_page(page, A, get_write_ptr", "noc_async_write_page(page, A, get_read_ptr")
    .replace("noc_async_read_barrier", "noc_async_write_barrier")
    .replace("cb_push_back", "cb_pop_front")
    .replace("A_args", "C_args")
    .replace(" A", " C")
)
FORMATS = {
    "bfloat16": "Float16_b",
    "float32": "Float32",
    "float16": "Float32",
    "float8_e4m3fn": "Float16_b",
    "float8_e5m2": "Float16_b",
    "int32": "Int32",
    "int64": "Int32",
    "uint8": "UInt8",
    "int8": "Int32",
    "int16": "Int32",
}
LAYOUTS: dict[str, tuple[Layout, str]] = {
    "tiles": (TileLayout(outer=(0,), row=1, col=2), "2 * ((m + 31) / 32) * 2"),
    "permuted": (TileLayout(outer=(1,), row=2, col=0), "m * 2"),
    "ragged_blocks": (TileLayout(outer=(0,), row=1, col=2, row_block=48, col_block=40), "2 * ((m + 47) / 48 * 2) * 2"),
    "column_vector": (TileLayout(outer=(0, 2), row=1, col=None), "80 * ((m + 31) / 32)"),
    "flat": (FlatLayout(outer=(0, 2), dim=1), "80 * ((m + 1023) / 1024)"),
    "rows": (RowMajorLayout(page_dims=1), "2 * m"),
    "elements": (RowMajorLayout(page_dims=0), "2 * m * 40"),
    "whole": (RowMajorLayout(page_dims=3), "1"),
}
COLUMNS = 40
ROWS = 100
# Every dtype in tiles, and every layout in float16, whose elements differ in size between host and device.
CASES = (*((dtype, "tiles") for dtype in FORMATS), *(("float16", name) for name in LAYOUTS if name != "tiles"))


# A third entry is the format of the pages, where it is not that of the dtype.
# Under the policy `fast`.
NARROW_CASES = (("float16", "tiles", "Float16_b"), ("float16", "permuted", "Float16_b"))
BLOCK_CASES = (
    ("bfloat16", "tiles", "Bfp8_b"),
    ("float16", "permuted", "Bfp8_b"),
    ("float32", "ragged_blocks", "Bfp4_b"),
    ("float32", "flat", "Bfp8_b"),
)


def case_name(dtype: str, layout_name: str, data_format: str = "") -> str:
    return "_".join(filter(None, (dtype, layout_name, data_format)))


def _copy_tensors(index: int, dtype: str, layout_name: str, data_format: str = "") -> tuple[Tensor, Tensor]:
    """A and C of shape (2, m, 40) of one case, as parameters `index` and `index + 1`."""
    shape = (Expression.parse(2), Expression.parse("m"), Expression.parse(COLUMNS))
    source, target = (
        Tensor(
            name=f"{side}_{case_name(dtype, layout_name, data_format)}",
            param_index=index + place,
            dtype=dtype,
            format=data_format or FORMATS[dtype],
            access=access,
            shape=shape,
            layout=LAYOUTS[layout_name][0],
        )
        for place, (side, access) in enumerate((("A", "read"), ("C", "write")))
    )
    return source, target


def _copy_program(dtype: str, layout_name: str, data_format: str = "") -> Program:
    """Page by page from A to C."""
    layout, pages = LAYOUTS[layout_name]
    name = case_name(dtype, layout_name, data_format)
    data_format = data_format or FORMATS[dtype]
    page_size = layout.page_bytes((2, ROWS, COLUMNS), data_format)
    share = (KernelArgument(name="start", kind="work_start"), KernelArgument(name="count", kind="work_count"))
    kernels = tuple(
        KernelSpec(
            role=role,
            file=f"{role}.cpp",
            compile_time_args=(page_size, TensorAccessor(tensor=f"{side}_{name}")),
            common_args=(KernelArgument(name="address", kind="address", tensor=f"{side}_{name}"),),
            core_args=share,
        )
        for role, side in (("reader", "A"), ("writer", "C"))
    )
    return Program(
        name=name,
        kernels=kernels,
        circular_buffers=(
            CircularBuffer(id=0, name="A_shared", format=data_format, page_size=page_size, pages=2),
            CircularBuffer(id=1, name="A_view", format=data_format, page_size=page_size, pages=2, alias_of=0),
        ),
        semaphores=(Semaphore(id=0, initial=3),),
        work=Work(total=Expression.parse(pages), max_cores=10),
    )


def copy_artifact(name: str, cases: Sequence[tuple[str, ...]]) -> SimpleNamespace:
    """One program per case; all of the layout is the host's work."""
    tensors = [tensor for index, case in enumerate(cases) for tensor in _copy_tensors(2 * index, *case)]
    plan = Plan(
        name=name,
        target="wormhole_b0",
        grid=(8, 8),
        symbols=(Symbol(name="m", param=tensors[0].name, dim=1),),
        tensors=tuple(tensors),
        programs=tuple(_copy_program(*case) for case in cases),
    )
    files = {
        "reader.cpp": READER,
        "writer.cpp": WRITER,
        "main.cpp": emit_host_program(plan),
        "tt.plan.json": plan.to_json(),
    }
    return SimpleNamespace(name=name, plan=plan, files=files)
