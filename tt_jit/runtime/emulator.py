"""The embedded emulator as a device: compiled kernels run on the host, on the same text as on the chip."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import config
from ..errors import (
    ArgumentError,
    DeadlockError,
    DeviceError,
    EmulatorError,
    InternalError,
    L1OverflowError,
    SourceLocation,
    TTJitError,
)
from ..plan import ROLES, FlatLayout, Layout, RowMajorLayout
from . import emulator_build
from .base import LaunchProfile, scalars_in_expressions

if TYPE_CHECKING:
    import torch

    from ..artifact import Artifact
    from ..plan import KernelArgument, KernelSpec, Plan, Program, Tensor
    from ..target import Target

# Values of the enums and fields of the C++ side, in its order.
HOST_TYPES = {
    "bool": 0, "uint8": 1, "int8": 2, "uint16": 3, "int16": 4, "uint32": 5, "int32": 6, "float16": 7, "bfloat16": 8,
    "float32": 9, "custom[tfloat32]": 9, "float8_e4m3": 10, "float8_e4m3fn": 10, "float8_e5m2": 11,
    # Widened before the launch (packed.py), or narrowed (narrowed.py).
    "uint4": 1, "int4": 2, "float4_e2m1fn": 8, "int64": 6,
}  # fmt: skip
FORMAT_CODES = {
    "Float32": 0, "Float16_b": 5, "Bfp8_b": 6, "Bfp4_b": 7, "Int32": 8, "UInt16": 9, "UInt32": 24, "UInt8": 30,
}  # fmt: skip
ACCESS_CODES = {"none": 0, "read": 1, "write": 2, "read_write": 3}
FIDELITY_PASSES = {"LoFi": 1, "HiFi2": 2, "HiFi3": 3, "HiFi4": 4}
COUNTERS = (
    "noc_reads", "noc_read_bytes", "noc_writes", "noc_write_bytes", "cb_wait_stalls", "cb_reserve_stalls",
    "semaphore_stalls", "matmul_tiles", "fpu_tiles", "sfpu_tiles", "copy_tiles", "pack_tiles",
)  # fmt: skip
_MAX_PREPARED = 64
_KIND_DEADLOCK, _KIND_L1_OVERFLOW, _KIND_INTERRUPTED = 2, 3, 4


class _Library:
    """The C interface of the emulator (python_api.cpp)."""

    def __init__(self, path: Path) -> None:
        text, word, signed, pointer = ctypes.c_char_p, ctypes.c_uint32, ctypes.c_int32, ctypes.c_void_p
        flag = ctypes.c_bool
        self.loaded = ctypes.CDLL(str(path))
        self.device = self._bind("device", pointer, pointer)
        self.open = self._bind("open", pointer, text)
        self.open_error = self._bind("open_error", text)
        self.launch = self._bind("launch", pointer, pointer)
        self.launch_free = self._bind("launch_free", None, pointer)
        self.tensor = self._bind(
            "launch_tensor", word, pointer, text, signed, word, word, word, pointer, pointer, pointer
        )
        self.program = self._bind("launch_program", None, pointer, text, pointer, word)
        self.circular_buffer = self._bind(
            "launch_circular_buffer", None, pointer, word, text, word, word, word, word, signed
        )
        self.semaphore = self._bind("launch_semaphore", None, pointer, word)
        self.kernel = self._bind(
            "launch_kernel", flag, pointer, word, pointer, text, text, pointer, word, pointer, word
        )
        self.scalar = self._bind("launch_scalar", None, pointer, word, word, word)
        self.ready = self._bind("launch_ready", flag, pointer)
        self.run = self._bind("launch_run", flag, pointer, pointer, pointer, word)
        self.report = self._bind("launch_report", text, pointer)
        self.profile = self._bind("launch_profile", None, pointer, pointer, pointer)

    def _bind(self, name: str, result: Any, *arguments: Any) -> Any:
        function = self.loaded[f"tt_emulator_{name}"]
        function.restype = result
        function.argtypes = arguments
        return function


@cache
def _library() -> _Library:
    return _Library(emulator_build.library())


@cache
def _chip(target: Target) -> int:
    """The C++ device of a target, created when the first kernel needs it and kept for the life of the process."""
    fields = (
        *target.grid, *target.worker_origin, target.l1_bytes, target.l1_base, target.l1_usable_bytes,
        target.dram_banks, target.dram_read_alignment, target.l1_alignment, target.noc_max_burst,
    )  # fmt: skip
    handle: int | None = _library().device(_words(fields))
    if handle is None:
        raise DeviceError(
            "the emulator cannot reserve address space for the chip's memory",
            hint="raise the limit on virtual memory (ulimit -v); memory itself is used only where tensors are",
        )
    return handle


class EmulatorDevice:
    """A chip of the given target, emulated."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def __repr__(self) -> str:
        return f"<emulated {self.target.arch}, {self.target.grid[0]}x{self.target.grid[1]} cores>"

    def load(self, artifact: Artifact, directory: Path | None) -> EmulatedKernel:
        folder = emulator_build.kernel_libraries(artifact, directory, self.target)
        library = _library()
        kernels = {}
        for index, program in enumerate(artifact.plan.programs):
            for kernel in program.kernels:
                path = folder / emulator_build.kernel_file(index, kernel.role)
                handle = library.open(str(path).encode())
                if handle is None:
                    raise InternalError(f"{path} cannot be loaded: {library.open_error().decode()}")
                kernels[index, kernel.role] = handle
        return EmulatedKernel(self, artifact.plan, kernels, folder.parent)


class EmulatedKernel:
    """A kernel whose binaries are loaded. Launches are prepared once per set of shapes, strides and sizes."""

    def __init__(
        self, device: EmulatorDevice, plan: Plan, kernels: Mapping[tuple[int, str], int], directory: Path
    ) -> None:
        self.device = device
        self.plan = plan
        self.directory = directory
        self.kernels = kernels
        self._params = [tensor for tensor in plan.tensors if tensor.param_index is not None]
        self._key_scalars = scalars_in_expressions(plan)
        self._prepared: dict[Any, _PreparedLaunch] = {}
        self._latest: _PreparedLaunch | None = None
        self._lock = threading.Lock()

    def launch(self, tensors: Sequence[torch.Tensor | None], scalars: Sequence[int | float]) -> None:
        key: Any = tuple([None if tensor is None else (tensor.shape, tensor.stride()) for tensor in tensors])
        if config.emulator_exact:
            key = (*key, "exact")
        if self._key_scalars:
            key = (key, *(scalars[index] for index in self._key_scalars))
        with self._lock:
            prepared = self._prepared.get(key)
            if prepared is None:
                prepared = _PreparedLaunch(self, tensors, scalars)
                if len(self._prepared) >= _MAX_PREPARED:
                    self._prepared.pop(next(iter(self._prepared)))
                self._prepared[key] = prepared
            self._latest = prepared
            prepared.run(tensors, scalars)

    def profile(self) -> LaunchProfile | None:
        """What the latest launch did; None before the first."""
        with self._lock:
            return None if self._latest is None else self._latest.profile()

    def kernel_file(self, role: str, name: str) -> str:
        return str(self.directory / name)


class _PreparedLaunch:
    """The C++ launch for one set of shapes, strides and scalars that sizes depend on."""

    def __init__(
        self, kernel: EmulatedKernel, tensors: Sequence[torch.Tensor | None], scalars: Sequence[int | float]
    ) -> None:
        plan = kernel.plan
        self.owner = kernel
        self.library = _library()
        self.handle = self.library.launch(_chip(kernel.device.target))
        weakref.finalize(self, self.library.launch_free, self.handle)
        self.pointers = (ctypes.c_void_p * max(1, len(tensors)))()
        self.scalar_words = (ctypes.c_uint32 * max(1, len(plan.scalars)))()
        self.scalar_is_float = [scalar.dtype.startswith(("float", "bfloat")) for scalar in plan.scalars]
        self.scalar_floats = (ctypes.c_float * len(self.scalar_words)).from_buffer(self.scalar_words)
        values: dict[str, int] = self._solve_symbols(plan, kernel._params, tensors)
        for tensor, given in zip(kernel._params, tensors, strict=True):
            _check_shape(tensor, values, given)
        self.addresses = self._add_tensors(plan, kernel._params, tensors, values)
        for scalar, value in zip(plan.scalars, scalars, strict=True):
            if isinstance(value, int):
                values[scalar.name] = int(value)
        for index, program in enumerate(plan.programs):
            self._add_program(index, program, values)
        if not self.library.ready(self.handle):
            raise self._error()

    @staticmethod
    def _solve_symbols(plan: Plan, params: Sequence[Tensor], tensors: Sequence[torch.Tensor | None]) -> dict[str, int]:
        given = {param.name: tensor for param, tensor in zip(params, tensors, strict=True)}
        values = {}
        for symbol in plan.symbols:
            tensor = given[symbol.param]
            if tensor is not None:
                values[symbol.name] = int(tensor.shape[symbol.dim])
        return values

    def _add_tensors(
        self,
        plan: Plan,
        params: Sequence[Tensor],
        tensors: Sequence[torch.Tensor | None],
        values: Mapping[str, int],
    ) -> dict[str, int]:
        positions = {param.name: position for position, param in enumerate(params)}
        addresses = {}
        for tensor in plan.tensors:
            position = positions.get(tensor.name, -1)
            given = tensors[position] if position >= 0 else None
            sizes = tensor.page_sizes(values)
            strides = _strides(tensor, given, sizes) if given is not None else _contiguous_strides(sizes)
            address = self.library.tensor(
                self.handle, tensor.name.encode(), position if given is not None else -1, HOST_TYPES[tensor.dtype],
                FORMAT_CODES[tensor.format], ACCESS_CODES[tensor.access], _layout_words(tensor.layout, len(sizes)),
                (ctypes.c_int64 * max(1, len(sizes)))(*sizes), (ctypes.c_int64 * max(1, len(sizes)))(*strides),
            )  # fmt: skip
            if address == 0:
                raise DeviceError(
                    f"tensor {tensor.name}: {sizes} does not fit the chip's DRAM, or {tensor.format} pages"
                    f" cannot carry {tensor.dtype}"
                )
            addresses[tensor.name] = address
        return addresses

    def _add_program(self, index: int, program: Program, values: Mapping[str, int]) -> None:
        library, handle, compute = self.library, self.handle, program.compute_config
        flags = (
            compute.fp32_dest_acc_en, compute.dst_full_sync_en, compute.math_approx_mode, config.emulator_exact,
        )  # fmt: skip
        fidelity = FIDELITY_PASSES[compute.math_fidelity]
        shares = program.work.shares(values)
        library.program(handle, program.name.encode(), _words([fidelity, *map(int, flags)]), len(shares))
        for buffer in program.circular_buffers:
            library.circular_buffer(
                handle, buffer.id, buffer.name.encode(), FORMAT_CODES[buffer.format], buffer.page_size, buffer.pages,
                int(buffer.unpack_to_dest_fp32), -1 if buffer.alias_of is None else buffer.alias_of,
            )  # fmt: skip
        for semaphore in program.semaphores:
            library.semaphore(handle, semaphore.initial)
        for kernel in program.kernels:
            self._add_kernel(index, kernel, shares, values)

    def _add_kernel(
        self, index: int, kernel: KernelSpec, shares: Sequence[tuple[int, int]], values: Mapping[str, int]
    ) -> None:
        common = [self._word(argument, values, (0, 0)) for argument in kernel.common_args]
        per_core = [self._word(argument, values, share) for share in shares for argument in kernel.core_args]
        symbol = emulator_build.kernel_symbol(index, kernel.role)
        found = self.library.kernel(
            self.handle, ROLES.index(kernel.role), self.owner.kernels[index, kernel.role], symbol.encode(),
            kernel.file.encode(), _words(common), len(common), _words(per_core), len(kernel.core_args),
        )  # fmt: skip
        if not found:
            raise InternalError(f"{kernel.file} has no kernel_main()")
        scalar_index = {scalar.name: position for position, scalar in enumerate(self.owner.plan.scalars)}
        for is_per_core, arguments in enumerate((kernel.common_args, kernel.core_args)):
            for position, argument in enumerate(arguments):
                if argument.scalar is not None:
                    self.library.scalar(self.handle, position, scalar_index[argument.scalar], is_per_core)

    def _word(self, argument: KernelArgument, values: Mapping[str, int], share: tuple[int, int]) -> int:
        if argument.kind == "address" and argument.tensor is not None:
            return self.addresses[argument.tensor]
        if argument.kind == "expr" and argument.value is not None:
            return argument.value.evaluate(values)
        if argument.kind == "work_start":
            return share[0]
        if argument.kind == "work_count":
            return share[1]
        return 0  # a scalar; every call sets it

    def run(self, tensors: Sequence[torch.Tensor | None], scalars: Sequence[int | float]) -> None:
        pointers = self.pointers
        for position, tensor in enumerate(tensors):
            pointers[position] = None if tensor is None else tensor.data_ptr()
        for position, value in enumerate(scalars):
            if self.scalar_is_float[position]:
                self.scalar_floats[position] = value
            else:
                self.scalar_words[position] = int(value) & 0xFFFFFFFF
        if not self.library.run(self.handle, pointers, self.scalar_words, config.emulator_threads):
            raise self._error()

    def _error(self) -> TTJitError | KeyboardInterrupt:
        fields = self.library.report(self.handle).decode().split("\x1f")
        kind, x, y, role, file, line, circular_buffer, message, hint = fields
        if int(kind) == _KIND_INTERRUPTED:
            return KeyboardInterrupt()
        if int(kind) == _KIND_L1_OVERFLOW:
            return L1OverflowError(message, hint=hint)
        error = DeadlockError if int(kind) == _KIND_DEADLOCK else EmulatorError
        location = SourceLocation(file=self.owner.kernel_file(role, file), line=int(line)) if file else None
        return error(
            message,
            core=(int(x), int(y)),
            role=role,
            circular_buffer=circular_buffer or None,
            hint=hint,
            location=location,
        )

    def profile(self) -> LaunchProfile:
        cores = self.owner.device.target.num_cores
        words = (ctypes.c_uint64 * (len(COUNTERS) * cores))()
        times = (ctypes.c_double * 3)()
        self.library.profile(self.handle, words, times)
        rows = [words[core * len(COUNTERS) : (core + 1) * len(COUNTERS)] for core in range(cores)]
        per_core = tuple(dict(zip(COUNTERS, row, strict=True)) for row in rows)
        return LaunchProfile(
            to_device_us=times[0] / 1e3,
            kernels_us=times[1] / 1e3,
            from_device_us=times[2] / 1e3,
            counters={name: sum(core[name] for core in per_core) for name in COUNTERS},
            core_counters=per_core,
        )


def _words(values: Sequence[int]) -> Any:
    return (ctypes.c_uint32 * max(1, len(values)))(*(value & 0xFFFFFFFF for value in values))


def _layout_words(layout: Layout, rank: int) -> Any:
    """kind, row, col, row_block, col_block, page_dims, rank, number of outer dimensions, outer dimensions."""
    if isinstance(layout, RowMajorLayout):
        words = [2, -1, -1, 32, 32, layout.page_dims, rank, 0]
    elif isinstance(layout, FlatLayout):
        words = [1, -1, layout.dim, 32, 32, 0, rank, len(layout.outer), *layout.outer]
    else:
        row = -1 if layout.row is None else layout.row
        column = -1 if layout.col is None else layout.col
        words = [0, row, column, layout.row_block, layout.col_block, 0, rank, len(layout.outer), *layout.outer]
    return (ctypes.c_int32 * len(words))(*words)


def _contiguous_strides(sizes: Sequence[int]) -> list[int]:
    strides: list[int] = []
    step = 1
    for size in reversed(sizes):
        strides.insert(0, step)
        step *= size
    return strides


def _strides(tensor: Tensor, given: torch.Tensor, sizes: Sequence[int]) -> Sequence[int]:
    """Strides of the argument in the shape that the kernel sees."""
    if tensor.view is None:
        return given.stride()
    try:
        return given.view(sizes).stride()
    except RuntimeError:
        raise ArgumentError(
            f"the kernel sees {tensor.name} as {tuple(sizes)}, which its strides do not allow",
            parameter=tensor.name,
            got=f"strides {given.stride()}",
            needed="a contiguous tensor",
            hint="pass tensor.contiguous()",
        ) from None


def _check_shape(tensor: Tensor, values: Mapping[str, int], given: torch.Tensor | None) -> None:
    if given is not None and tuple(given.shape) != tensor.sizes(values):
        needed = ", ".join(dimension.text for dimension in tensor.shape)
        raise ArgumentError(
            f"tensor {tensor.name} has the wrong shape",
            parameter=tensor.name,
            got=tuple(given.shape),
            needed=f"({needed})",
        )
