"""Runs a hand-written compute kernel on one core of the emulator, between a generated reader and a generated writer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from tt_jit.artifact import Artifact
from tt_jit.expression import Expression
from tt_jit.plan import (
    CircularBuffer,
    ComputeConfig,
    KernelArgument,
    KernelSpec,
    Plan,
    Program,
    Scalar,
    Tensor,
    TensorAccessor,
    TileLayout,
    Work,
)
from tt_jit.runtime.emulator import EmulatedKernel, EmulatorDevice
from tt_jit.target import WORMHOLE_B0

TILES = TileLayout(outer=(), row=0, col=1)
TILE_BYTES = {
    "Float16_b": 2048,
    "UInt16": 2048,
    "Float32": 4096,
    "Int32": 4096,
    "UInt32": 4096,
    "UInt8": 1024,
    "Bfp8_b": 1088,
    "Bfp4_b": 576,
}
FORMAT_OF = {
    torch.bfloat16: "Float16_b",
    torch.float32: "Float32",
    torch.int32: "Int32",
    torch.uint32: "UInt32",
    torch.uint16: "UInt16",
    torch.uint8: "UInt8",
}
DTYPE_NAMES = {
    torch.bfloat16: "bfloat16",
    torch.float32: "float32",
    torch.int32: "int32",
    torch.uint32: "uint32",
    torch.uint16: "uint16",
    torch.uint8: "uint8",
}
FP32 = ComputeConfig(fp32_dest_acc_en=True)
BF16 = ComputeConfig()

READER_HEAD = '#include "api/dataflow/dataflow_api.h"\n#include "api/tensor/tensor_accessor.h"\n'
READER_STEP = """\
    {{
        const auto tensor = TensorAccessor(TensorAccessorArgs<{word}>(), get_common_arg_val<uint32_t>({index}));
        cb_reserve_back({cb}, {pages});
        for (uint32_t page = 0; page < {pages}; ++page) {{
            noc_async_read_page(page, tensor, get_write_ptr({cb}) + page * {bytes});
        }}
        noc_async_read_barrier();
        cb_push_back({cb}, {pages});
    }}
"""
WRITER_STEP = """\
    {{
        const auto tensor = TensorAccessor(TensorAccessorArgs<{word}>(), get_common_arg_val<uint32_t>({index}));
        cb_wait_front({cb}, {pages});
        for (uint32_t page = 0; page < {pages}; ++page) {{
            noc_async_write_page(page, tensor, get_read_ptr({cb}) + page * {bytes});
        }}
        noc_async_write_barrier();
        cb_pop_front({cb}, {pages});
    }}
"""


@dataclass(frozen=True, kw_only=True)
class Operand:
    """One tensor and the circular buffer, of the same number, that holds all of its tiles."""

    rows: int
    columns: int
    dtype: torch.dtype = torch.bfloat16
    to_dest: bool = False

    @property
    def pages(self) -> int:
        return self.rows // 32 * (self.columns // 32)

    @property
    def format(self) -> str:
        return FORMAT_OF[self.dtype]


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """A circular buffer that only the compute kernel uses."""

    pages: int
    dtype: torch.dtype = torch.bfloat16
    to_dest: bool = False
    alias_of: int | None = None
    block_format: str | None = None  # Bfp8_b or Bfp4_b, which no torch dtype has

    @property
    def format(self) -> str:
        return self.block_format or FORMAT_OF[self.dtype]


@dataclass(frozen=True, kw_only=True)
class ComputeKernel:
    """Inputs are circular buffers 0, 1, ...; then come the outputs, then the scratch buffers."""

    kernel: EmulatedKernel
    outputs: tuple[Operand, ...]

    def __call__(self, *inputs: torch.Tensor, case: int = 0) -> list[torch.Tensor]:
        results = [torch.zeros(out.rows, out.columns, dtype=out.dtype) for out in self.outputs]
        self.kernel.launch([*inputs, *results], [case])
        return results


def compute_kernel(
    directory: Path,
    text: str,
    inputs: Sequence[Operand],
    outputs: Sequence[Operand],
    *,
    config: ComputeConfig = FP32,
    scratch: Sequence[Scratch] = (),
) -> ComputeKernel:
    """`text` is a whole compute.cpp; its common argument 0 is the `case` of the call."""
    names = [f"in{i}" for i in range(len(inputs))] + [f"out{i}" for i in range(len(outputs))]
    operands = [*inputs, *outputs]
    buffers = [_buffer(index, name, op) for index, (name, op) in enumerate(zip(names, operands, strict=True))]
    buffers += [_buffer(len(operands) + index, f"scratch{index}", one) for index, one in enumerate(scratch)]
    files = {
        "reader.cpp": _mover(READER_STEP, inputs, 0),
        "compute.cpp": text,
        "writer.cpp": _mover(WRITER_STEP, outputs, len(inputs)),
    }
    kernels = [
        _mover_spec("reader", names[: len(inputs)]),
        KernelSpec(role="compute", file="compute.cpp", common_args=(_case(),)),
        _mover_spec("writer", names[len(inputs) :]),
    ]
    tensors = tuple(
        Tensor(
            name=name,
            param_index=index,
            dtype=DTYPE_NAMES[op.dtype],
            format=op.format,
            access="read" if index < len(inputs) else "write",
            shape=(Expression.parse(op.rows), Expression.parse(op.columns)),
            layout=TILES,
        )
        for index, (name, op) in enumerate(zip(names, operands, strict=True))
    )
    program = Program(
        name="main",
        kernels=tuple(kernels),
        circular_buffers=tuple(buffers),
        work=Work(total=Expression.parse(1), max_cores=1),
        compute_config=config,
    )
    plan = Plan(
        name="main",
        target="wormhole_b0",
        grid=(8, 8),
        tensors=tensors,
        programs=(program,),
        scalars=(Scalar(name="case", param_index=len(operands), dtype="int32"),),
    )
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_text(content)
    artifact = Artifact(name="main", files=files, plan=plan)
    return ComputeKernel(kernel=EmulatorDevice(WORMHOLE_B0).load(artifact, directory), outputs=tuple(outputs))


def _case() -> KernelArgument:
    return KernelArgument(name="case", kind="scalar", scalar="case")


def _buffer(index: int, name: str, operand: Operand | Scratch) -> CircularBuffer:
    return CircularBuffer(
        id=index,
        name=name,
        format=operand.format,
        page_size=TILE_BYTES[operand.format],
        pages=operand.pages,
        unpack_to_dest_fp32=operand.to_dest,
        alias_of=operand.alias_of if isinstance(operand, Scratch) else None,
    )


def _mover(step: str, operands: Sequence[Operand], first_buffer: int) -> str:
    steps = [
        step.format(
            word=2 * index, index=index, cb=first_buffer + index, pages=operand.pages, bytes=TILE_BYTES[operand.format]
        )
        for index, operand in enumerate(operands)
    ]
    return READER_HEAD + "void kernel_main() {\n" + "".join(steps) + "}\n"


def _mover_spec(role: str, names: Sequence[str]) -> KernelSpec:
    return KernelSpec(
        role=role,
        file=f"{role}.cpp",
        compile_time_args=tuple(TensorAccessor(tensor=name) for name in names),
        common_args=tuple(KernelArgument(name=f"{name}_address", kind="address", tensor=name) for name in names),
    )


def matrix(
    rows: int, columns: int, dtype: torch.dtype = torch.bfloat16, *, seed: int = 0, scale: float = 1.0
) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + 1)
    return (torch.randn(rows, columns, generator=generator) * scale).to(dtype)
