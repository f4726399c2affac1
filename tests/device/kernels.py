"""Hand-written kernels for the device runtime: small, and each about one thing the runtime has to get right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from tt_jit.expression import Expression
from tt_jit.plan import (
    CircularBuffer,
    ComputeConfig,
    FlatLayout,
    KernelArgument,
    KernelSpec,
    Layout,
    Plan,
    Program,
    RowMajorLayout,
    Scalar,
    Symbol,
    Tensor,
    TensorAccessor,
    TileLayout,
    Work,
)

FORMATS = {
    torch.float32: ("float32", "Float32", 4096),
    torch.bfloat16: ("bfloat16", "Float16_b", 2048),
    torch.float16: ("float16", "Float32", 4096),
    torch.int32: ("int32", "Int32", 4096),
    torch.uint8: ("uint8", "UInt8", 1024),
}
MATRIX = TileLayout(outer=(), row=0, col=1)


@dataclass(frozen=True, kw_only=True)
class DeviceKernel:
    """An artifact and what it should compute: `expected` takes the inputs and returns the output."""

    name: str
    files: dict[str, str]
    plan: Plan
    inputs: tuple[torch.Tensor, ...]
    output: torch.Tensor
    expected: Callable[..., torch.Tensor]
    scalars: tuple[float, ...] = ()
    # Largest difference from `expected`, in units of the output's last place; 0 means bit for bit.
    tolerance_ulp: float = 0
    # Largest difference between chip and emulator: 0 except for functions that the vector unit computes by series.
    emulator_ulp: float = 0
    needs_exact_float32: bool = field(default=False)

    def tensors(self) -> list[torch.Tensor]:
        return [*self.inputs, self.output.clone()]


READER = """\
#include <cstdint>

#include "api/dataflow/dataflow_api.h"
#include "api/tensor/tensor_accessor.h"

void kernel_main() {
    const uint32_t work_start = get_arg_val<uint32_t>(0);
    const uint32_t work_count = get_arg_val<uint32_t>(1);
@accessors@
    for (uint32_t page = work_start; page < work_start + work_count; ++page) {
@reads@
    }
}
"""

WRITER = """\
#include <cstdint>

#include "api/dataflow/dataflow_api.h"
#include "api/tensor/tensor_accessor.h"

void kernel_main() {
    const uint32_t work_start = get_arg_val<uint32_t>(0);
    const uint32_t work_count = get_arg_val<uint32_t>(1);
    const uint32_t address = get_common_arg_val<uint32_t>(0);
    constexpr auto out_args = TensorAccessorArgs<0>();
    const auto out = TensorAccessor(out_args, address, @page_size@);
    for (uint32_t page = work_start; page < work_start + work_count; ++page) {
        cb_wait_front(@cb@, 1);
        noc_async_write_page(page, out, get_read_ptr(@cb@));
        noc_async_writes_flushed();
        cb_pop_front(@cb@, 1);
    }
    noc_async_write_barrier();
}
"""

COMPUTE = """\
#include <cstdint>

@includes@
void kernel_main() {
    const uint32_t work_count = get_arg_val<uint32_t>(0);
    @startup@
    for (uint32_t page = 0; page < work_count; ++page) {
@waits@
        tile_regs_acquire();
        @body@
        tile_regs_commit();
        cb_reserve_back(16, 1);
        tile_regs_wait();
        pack_tile(0, 16);
        tile_regs_release();
        cb_push_back(16, 1);
@pops@
    }
}
"""

WORK_ARGUMENTS = (
    KernelArgument(name="work_start", kind="work_start"),
    KernelArgument(name="work_count", kind="work_count"),
)


def _reader(page_sizes: Sequence[int]) -> str:
    accessors, reads = [], []
    offset = "0"
    for index, page_size in enumerate(page_sizes):
        accessors += [
            f"    constexpr auto in{index}_args = TensorAccessorArgs<{offset}>();",
            f"    const uint32_t in{index}_address = get_common_arg_val<uint32_t>({index});",
            f"    const auto in{index} = TensorAccessor(in{index}_args, in{index}_address, {page_size});",
        ]
        reads += [
            f"        cb_reserve_back({index}, 1);",
            f"        noc_async_read_page(page, in{index}, get_write_ptr({index}));",
        ]
        offset = f"in{index}_args.next_compile_time_args_offset()"
    reads += ["        noc_async_read_barrier();"]
    reads += [f"        cb_push_back({index}, 1);" for index in range(len(page_sizes))]
    return READER.replace("@accessors@", "\n".join(accessors)).replace("@reads@", "\n".join(reads))


def _compute(inputs: int, includes: Sequence[str], startup: str, body: str) -> str:
    return (
        COMPUTE.replace("@includes@", "".join(f'#include "api/compute/{name}"\n' for name in includes))
        .replace("@startup@", startup)
        .replace("@body@", body)
        .replace("@waits@", "\n".join(f"        cb_wait_front({index}, 1);" for index in range(inputs)))
        .replace("@pops@", "\n".join(f"        cb_pop_front({index}, 1);" for index in range(inputs)))
    )


def _tensor(index: int, name: str, value: torch.Tensor, layout: Layout, access: str, shape: Sequence[Any]) -> Tensor:
    dtype, data_format, _ = FORMATS[value.dtype]
    return Tensor(
        name=name,
        param_index=index,
        dtype=dtype,
        format=data_format,
        access=access,
        shape=tuple(Expression.parse(size) for size in shape),
        layout=layout,
    )


def page_map(
    name: str,
    inputs: Sequence[torch.Tensor],
    output: torch.Tensor,
    expected: Callable[..., torch.Tensor],
    *,
    body: str | None = None,
    includes: Sequence[str] = (),
    startup: str = "compute_kernel_hw_startup(0, 16);",
    layouts: Sequence[Layout] | None = None,
    total: str | int | None = None,
    shapes: Sequence[Sequence[Any]] | None = None,
    symbols: Sequence[Symbol] = (),
    scalars: Sequence[float] = (),
    max_cores: int = 64,
    fp32_dest: bool = False,
    exact_float32: bool = False,
    tolerance_ulp: float = 0,
    emulator_ulp: float = 0,
    target: str = "wormhole_b0",
) -> DeviceKernel:
    """Page i of the output is a function of page i of every input; without `body`, reader and writer copy."""
    values = [*inputs, output]
    layouts = layouts or [MATRIX] * len(values)
    shapes = shapes or [value.shape for value in values]
    pages = [
        layout.page_bytes(value.shape, FORMATS[value.dtype][1]) for layout, value in zip(layouts, values, strict=True)
    ]
    names = [*(f"in{index}" for index in range(len(inputs))), "out"]
    out_buffer = 16 if body else 0
    files = {
        "reader.cpp": _reader(pages[:-1]),
        "writer.cpp": WRITER.replace("@page_size@", str(pages[-1])).replace("@cb@", str(out_buffer)),
    }
    kernels = [
        KernelSpec(
            role="reader",
            file="reader.cpp",
            compile_time_args=tuple(TensorAccessor(tensor=tensor) for tensor in names[:-1]),
            common_args=tuple(KernelArgument(name=f"{n}_address", kind="address", tensor=n) for n in names[:-1]),
            core_args=WORK_ARGUMENTS,
        ),
        KernelSpec(
            role="writer",
            file="writer.cpp",
            compile_time_args=(TensorAccessor(tensor="out"),),
            common_args=(KernelArgument(name="out_address", kind="address", tensor="out"),),
            core_args=WORK_ARGUMENTS,
        ),
    ]
    buffers = [
        CircularBuffer(
            id=index,
            name=name_of,
            format=FORMATS[value.dtype][1],
            page_size=page,
            pages=2,
            unpack_to_dest_fp32=exact_float32 and FORMATS[value.dtype][1] == "Float32",
        )
        for index, (name_of, value, page) in enumerate(zip(names[:-1], inputs, pages[:-1], strict=True))
    ]
    if body:
        files["compute.cpp"] = _compute(len(inputs), includes, startup, body)
        kernels.insert(
            1,
            KernelSpec(
                role="compute",
                file="compute.cpp",
                common_args=tuple(
                    KernelArgument(name=f"s{index}", kind="scalar", scalar=f"s{index}") for index in range(len(scalars))
                ),
                core_args=WORK_ARGUMENTS[1:],
            ),
        )
        buffers.append(CircularBuffer(id=16, name="out", format=FORMATS[output.dtype][1], page_size=pages[-1], pages=2))
    count = layouts[-1].page_count(output.shape) if total is None else total
    plan = Plan(
        name=name,
        target=target,
        grid=(8, 8),
        symbols=tuple(symbols),
        scalars=tuple(
            Scalar(name=f"s{index}", param_index=len(values) + index, dtype="float32") for index in range(len(scalars))
        ),
        tensors=tuple(
            _tensor(index, tensor, value, layout, "write" if tensor == "out" else "read", shape)
            for index, (tensor, value, layout, shape) in enumerate(zip(names, values, layouts, shapes, strict=True))
        ),
        programs=(
            Program(
                name=name,
                kernels=tuple(kernels),
                circular_buffers=tuple(buffers),
                compute_config=ComputeConfig(fp32_dest_acc_en=fp32_dest),
                work=Work(total=Expression.parse(count), max_cores=max_cores),
            ),
        ),
    )
    return DeviceKernel(
        name=name,
        files=files,
        plan=plan,
        inputs=tuple(inputs),
        output=output,
        expected=expected,
        scalars=tuple(scalars),
        tolerance_ulp=tolerance_ulp,
        emulator_ulp=emulator_ulp,
        needs_exact_float32=exact_float32,
    )


COPY_TWO = "copy_init(0); copy_tile(0, 0, 0); copy_init(1); copy_tile(1, 0, 1);"
BASE = ("common.h", "compute_kernel_hw_startup.h", "tile_move_copy.h", "pack.h")


def _random(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    if dtype.is_floating_point:
        return torch.randn(shape, generator=generator).to(dtype)
    low, high = (0, 256) if dtype is torch.uint8 else (-(2**31), 2**31 - 1)
    return torch.randint(low, high, shape, generator=generator, dtype=torch.int64).to(dtype)


def data_movement() -> list[DeviceKernel]:
    """Layouts: what goes through the chip has to come back bit for bit."""

    def same(value: torch.Tensor) -> torch.Tensor:
        return value

    bf16, row_major = torch.bfloat16, RowMajorLayout(page_dims=1)
    halves = torch.tensor([[float("nan"), float("inf")], [-0.0, 6e-8]], dtype=torch.float16)
    cases: list[tuple[str, torch.Tensor, Layout]] = [
        ("copy_tiles_bf16", _random(70, 40, dtype=bf16), MATRIX),
        ("copy_tiles_int32", _random(33, 65, dtype=torch.int32), MATRIX),
        ("copy_tiles_uint8", _random(64, 32, dtype=torch.uint8), MATRIX),
        ("copy_tiles_float16", halves.repeat(10, 20), MATRIX),
        ("copy_permuted", _random(2, 40, 3, 50, dtype=bf16), TileLayout(outer=(0, 2), row=1, col=3)),
        ("copy_blocked", _random(100, 90), TileLayout(outer=(), row=0, col=1, row_block=48, col_block=20)),
        ("copy_vector_row", _random(75), TileLayout(outer=(), row=None, col=0)),
        ("copy_vector_column", _random(75), TileLayout(outer=(), row=0, col=None)),
        ("copy_flat", _random(3, 1500), FlatLayout(outer=(0,), dim=1)),
        ("copy_row_major", _random(9, 21, dtype=bf16), row_major),
        ("copy_nothing", torch.zeros(0, 64), MATRIX),
        ("copy_row_major_short", _random(5, 3, dtype=torch.int32), row_major),
        ("copy_row_major_whole", _random(4, 5, 6, dtype=torch.int32), RowMajorLayout(page_dims=3)),
    ]
    return [
        page_map(name, [value], torch.zeros_like(value), same, layouts=[layout, layout])
        for name, value, layout in cases
    ]


def arithmetic() -> list[DeviceKernel]:
    """Circular-buffer formats, compute configuration, run-time sizes and scalars."""
    bf16 = torch.bfloat16
    a, b = _random(64, 96, dtype=bf16), _random(65, 96)[:64].to(bf16)
    x, y = _random(64, 64), _random(32, 128).reshape(64, 64)
    i, j = _random(32, 64, dtype=torch.int32), _random(64, 33, dtype=torch.int32)[:, :32].reshape(32, 64)
    scaled = (
        "copy_init(0); copy_tile(0, 0, 0); binop_with_scalar_tile_init(); "
        "mul_unary_tile(0, get_common_arg_val<uint32_t>(0));"
    )
    return [
        page_map(
            "multiply_fpu_bf16",
            [a, b],
            torch.zeros(64, 96),
            lambda p, q: p.float() * q.float(),
            body="mul_init(0, 1); mul_tiles(0, 1, 0, 0, 0);",
            includes=(*BASE, "eltwise_binary.h"),
            startup="compute_kernel_hw_startup(0, 1, 16);",
            fp32_dest=True,
        ),
        page_map(
            "add_sfpu_float32",
            [x, y],
            torch.zeros(64, 64),
            torch.add,
            body=f"{COPY_TWO} add_binary_tile_init(); add_binary_tile(0, 1, 0);",
            includes=(*BASE, "eltwise_binary_sfpu.h"),
            fp32_dest=True,
            exact_float32=True,
        ),
        page_map(
            "multiply_int32",
            [i, j],
            torch.zeros(32, 64, dtype=torch.int32),
            torch.mul,
            body=f"{COPY_TWO} mul_int_tile_init<DataFormat::Int32>(); mul_int_tile<DataFormat::Int32>(0, 1, 0);",
            includes=(*BASE, "mul_int_sfpu.h"),
            fp32_dest=True,
            exact_float32=True,
        ),
        page_map(
            "scale_run_time_size",
            [_random(96, 40, dtype=bf16)],
            torch.zeros(96, 40, dtype=bf16),
            lambda p: (p.float() * 0.625).to(bf16),
            body=scaled,
            includes=(*BASE, "eltwise_unary/binop_with_scalar.h"),
            shapes=[("m", 40), ("m", 40)],
            symbols=[Symbol(name="m", param="in0", dim=0)],
            total="(m + 31) / 32 * 2",
            scalars=(0.625,),
            max_cores=5,
            fp32_dest=True,
            tolerance_ulp=1,
        ),
        page_map(
            "exp_float32_dest",
            [_random(32, 64, dtype=bf16)],
            torch.zeros(32, 64),
            lambda p: torch.exp(p.double()).float(),
            body="copy_init(0); copy_tile(0, 0, 0); exp_tile_init(); exp_tile(0);",
            includes=(*BASE, "eltwise_unary/exp.h"),
            fp32_dest=True,
            tolerance_ulp=2,
            emulator_ulp=1,
        ),
    ]


def hand_written() -> list[DeviceKernel]:
    return [*data_movement(), *arithmetic()]
