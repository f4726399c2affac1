"""Kernels on a Tenstorrent chip, or on Tenstorrent's simulator in its place. The only module that imports ttnn.

A kernel's programs become ttnn program descriptors once per combination of tensor layouts. A warm call writes addresses
and scalars into the argument vectors of those descriptors and hands them to `ttnn.generic_op`; ttnn finds the compiled
program by the hash that we gave it.
"""

from __future__ import annotations

import atexit
import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import config
from ..data_format import FORMATS
from ..errors import ArgumentError, DeviceError, TTJitError
from ..plan import (
    CircularBuffer,
    FlatLayout,
    KernelArgument,
    KernelSpec,
    Plan,
    Program,
    RowMajorLayout,
    Scalar,
    Tensor,
    TensorAccessor,
    TileLayout,
)
from ..target import TILE_HEIGHT, TILE_WIDTH, Target
from . import ttnn_environment
from .base import scalars_in_expressions
from .chip_layouts import ChipConversion, chip_conversion, in_place_error, in_place_problem
from .ttnn_errors import first_line, translate

ttnn_environment.prepare()

import ttnn  # noqa: E402  (its environment has to be settled first)

if TYPE_CHECKING:
    from ..artifact import Artifact

_DTYPES = {
    "Float32": ttnn.float32,
    "Float16_b": ttnn.bfloat16,
    "Int32": ttnn.int32,
    "UInt32": ttnn.uint32,
    "UInt16": ttnn.uint16,
    "UInt8": ttnn.uint8,
    "Bfp8_b": ttnn.bfloat8_b,
    "Bfp4_b": ttnn.bfloat4_b,
}
# Buffers that we fill ourselves hold bits; these ttnn dtypes carry them unchanged, by bytes per element.
_CARRIERS = {1: ttnn.uint8, 2: ttnn.bfloat16, 4: ttnn.int32}
_DTYPE_NAMES = {
    ttnn.float32: "float32",
    ttnn.bfloat16: "bfloat16",
    ttnn.int32: "int32",
    ttnn.uint32: "uint32",
    ttnn.uint16: "uint16",
    ttnn.uint8: "uint8",
    ttnn.bfloat8_b: "bfloat8_b",
    ttnn.bfloat4_b: "bfloat4_b",
}
_ARCHITECTURES = {"WORMHOLE_B0": "wormhole_b0", "BLACKHOLE": "blackhole"}
_CIRCULAR_BUFFER_SLOTS = {"wormhole_b0": 32, "blackhole": 64}
_WORD = 0xFFFFFFFF
_MAX_BINDINGS = 256

Handle = Any  # a ttnn device
DeviceTensor = Any  # a ttnn tensor
CallTensor = Any  # a torch tensor, a ttnn tensor, or None for an argument that is not used


class TtnnDevice:
    """An open chip. `owned` devices are closed at exit; a device that the user opened stays the user's."""

    def __init__(self, handle: Handle, *, owned: bool) -> None:
        self.handle = handle
        self.owned = owned
        architecture = handle.arch().name
        if architecture not in _ARCHITECTURES:
            raise DeviceError(f"tt_jit has no kernels for {architecture}", hint="it knows Wormhole and Blackhole")
        named = Target.named(_ARCHITECTURES[architecture])
        grid = handle.compute_with_storage_grid_size()
        # Never more cores than the chip table says, so that one artifact fits simulator and card.
        self.target = named.with_grid(min(named.grid[0], grid.x), min(named.grid[1], grid.y))

    def __repr__(self) -> str:
        columns, rows = self.target.grid
        return f"<ttnn device {self.handle.id()}: {self.target.arch}, {columns}x{rows} cores>"

    def load(self, artifact: Artifact, directory: Path | None) -> LoadedTtnnKernel:
        """The kernel ready to launch; ttnn compiles it at its first launch, or finds the binaries of an earlier one."""
        plan = artifact.plan
        if plan.grid[0] > self.target.grid[0] or plan.grid[1] > self.target.grid[1]:
            raise DeviceError(
                f"{plan.name} was compiled for {plan.grid[0]}x{plan.grid[1]} cores, the chip has "
                f"{self.target.grid[0]}x{self.target.grid[1]}"
            )
        return LoadedTtnnKernel(self, artifact, directory)

    def synchronize(self) -> None:
        """Wait until everything launched so far is done."""
        ttnn.synchronize_device(self.handle)

    def close(self) -> None:
        if self.owned and self.handle is not None:
            ttnn.close_device(self.handle)
        self.handle = None


_open_devices: dict[int, TtnnDevice] = {}


def open_device(selector: int | Handle = 0) -> TtnnDevice:
    """The device with that id, opened now if need be and shared from then on; or one that the user has opened."""
    if not isinstance(selector, int):
        known = next((device for device in _open_devices.values() if device.handle is selector), None)
        return known or TtnnDevice(selector, owned=False)
    if selector not in _open_devices:
        if ttnn_environment.attachment() is None:
            raise DeviceError(
                "there is no Tenstorrent chip here",
                hint="set TT_METAL_SIMULATOR to Tenstorrent's simulator, or use device='emulator'; "
                "`python -m tt_jit doctor` says what is missing",
            )
        try:
            handle = ttnn.open_device(device_id=selector)
        except RuntimeError as error:
            raise DeviceError(
                f"ttnn cannot open device {selector}: {first_line(str(error))}",
                hint=f"`python -m tt_jit doctor` says what is missing; ttnn's log: {ttnn_environment.log_file()}",
            ) from None
        _open_devices[selector] = TtnnDevice(handle, owned=True)
    return _open_devices[selector]


@atexit.register
def close_devices() -> None:
    """Close every device that we opened."""
    for device in _open_devices.values():
        device.close()
    _open_devices.clear()


def is_device(value: object) -> bool:
    return isinstance(value, ttnn.MeshDevice)


def is_tensor(value: object) -> bool:
    return isinstance(value, ttnn.Tensor)


def describe(tensor: DeviceTensor) -> tuple[tuple[int, ...], str]:
    """Shape and dtype of a ttnn tensor; the dtype has the name that torch gives it."""
    if tensor.dtype not in _DTYPE_NAMES:
        raise ArgumentError(f"tt_jit cannot take ttnn tensors of {tensor.dtype}", got=str(tensor.dtype))
    return tuple(tensor.shape), _DTYPE_NAMES[tensor.dtype]


@dataclass(frozen=True, kw_only=True)
class _Patch:
    """A word of an argument vector that changes between calls: the address or scalar with that index in the call."""

    vector: Any
    position: int
    source: int


@dataclass(kw_only=True)
class _BoundProgram:
    descriptor: Any
    # Indices of the plan's tensors, an output last, as generic_op wants them.
    order: tuple[int, ...]
    addresses: list[_Patch] = field(default_factory=list)
    scalars: list[_Patch] = field(default_factory=list)


@dataclass(kw_only=True)
class _Binding:
    """All that depends on the shapes and layouts of one combination of arguments."""

    programs: list[_BoundProgram]
    # One per tensor of the plan; None where the caller passes a ttnn tensor.
    buffers: list[DeviceTensor | None]
    shapes: list[tuple[int, ...]]
    passed: list[tuple[int, int]]  # (plan tensor, argument)
    converted: list[tuple[int, int]]
    relaid: list[tuple[int, int, ChipConversion]] = field(default_factory=list)
    looks: list[Any] = field(default_factory=list)
    last_addresses: list[int] = field(default_factory=list)
    last_scalars: list[int | float] = field(default_factory=list)


class LoadedTtnnKernel:
    """A kernel on one device."""

    def __init__(self, device: TtnnDevice, artifact: Artifact, directory: Path | None) -> None:
        self._device = device
        self._plan: Plan = artifact.plan
        self._files: Mapping[str, str] = artifact.files
        self._directory = directory
        self._bindings: list[_Binding] = []
        self._scalar_bits = [_scalar_encoder(scalar) for scalar in self._plan.scalars]
        self._size_scalars = scalars_in_expressions(self._plan)
        parameters = sorted(tensor.param_index for tensor in self._plan.tensors if tensor.param_index is not None)
        # The caller counts tensor parameters only; the plan counts all parameters.
        self._argument_of = {parameter: argument for argument, parameter in enumerate(parameters)}

    def launch(self, tensors: Sequence[CallTensor], scalars: Sequence[int | float]) -> None:
        """Run the kernel. Torch tensors are copied to the chip and, if written, back; ttnn tensors stay in place."""
        try:
            self._run(self._binding(tensors, scalars), tensors, scalars)
        except RuntimeError as error:
            raise self._translated(error) from None

    def _run(self, binding: _Binding, tensors: Sequence[CallTensor], scalars: Sequence[int | float]) -> None:
        if binding.converted:
            self._upload(binding, tensors)
        buffers = binding.buffers.copy()
        for index, argument in binding.passed:
            buffers[index] = tensors[argument]
        for index, argument, conversion in binding.relaid:
            buffers[index] = conversion.to_pages(tensors[argument])
        addresses = [0 if buffer is None else buffer.buffer_address() for buffer in buffers]
        if addresses != binding.last_addresses:
            for program in binding.programs:
                for patch in program.addresses:
                    patch.vector[patch.position] = addresses[patch.source]
            binding.last_addresses = addresses
        if scalars != binding.last_scalars:
            self._set_scalars(binding, scalars)
        for program in binding.programs:
            ttnn.generic_op([buffers[index] for index in program.order], program.descriptor)
        for index, argument, conversion in binding.relaid:
            if self._plan.tensors[index].is_written:
                conversion.from_pages(buffers[index], tensors[argument])
        if binding.converted:
            self._download(binding, tensors)

    def _binding(self, tensors: Sequence[CallTensor], scalars: Sequence[int | float]) -> _Binding:
        # ttnn's specs compare by value but do not hash by value: look the bindings through, the latest first.
        looks = [_look(tensor) for tensor in tensors]
        looks += [scalars[index] for index in self._size_scalars]
        for position, binding in enumerate(self._bindings):
            if binding.looks == looks and (not binding.relaid or config.convert_layouts):
                if position:
                    self._bindings.insert(0, self._bindings.pop(position))
                return binding
        binding = self._bind(tensors, [None if value is None else tuple(value.shape) for value in tensors], scalars)
        binding.looks = looks
        self._bindings.insert(0, binding)
        del self._bindings[_MAX_BINDINGS:]
        return binding

    def dry_run(self, shapes: Sequence[tuple[int, ...] | None]) -> None:
        """Build and run the programs on buffers of these argument shapes, whatever they contain."""
        binding = self._bind([None] * len(shapes), shapes, [0] * len(self._plan.scalars))
        try:
            for program in binding.programs:
                ttnn.generic_op([binding.buffers[index] for index in program.order], program.descriptor)
            self._device.synchronize()
        except RuntimeError as error:
            raise self._translated(error) from None

    def _translated(self, error: RuntimeError) -> TTJitError:
        # The descriptors may be half updated; the next call builds them anew.
        self._bindings.clear()
        return translate(
            error,
            kernel=self._plan.name,
            files=tuple(self._files),
            directory=self._directory,
            log=ttnn_environment.log_file().with_suffix(".error.log"),
        )

    def allocate(self, argument: int, shape: Sequence[int]) -> DeviceTensor:
        """A ttnn tensor for an output, where the other arguments are ttnn tensors."""
        tensor = self._tensor_of_argument(argument)
        layout = _ttnn_layout(tensor)
        result = ttnn.allocate_tensor_on_device(
            ttnn.Shape(list(shape)), _DTYPES[tensor.format], layout, self._device.handle, ttnn.DRAM_MEMORY_CONFIG
        )
        problem = in_place_problem(ttnn, tensor, _DTYPES[tensor.format], result)
        if problem is not None and not config.convert_layouts:
            raise in_place_error(self._plan.name, tensor, result.dtype, len(shape), problem)
        return result

    def _tensor_of_argument(self, argument: int) -> Tensor:
        return next(
            tensor
            for tensor in self._plan.tensors
            if tensor.param_index is not None and self._argument_of[tensor.param_index] == argument
        )

    def _bind(
        self,
        tensors: Sequence[CallTensor],
        shapes: Sequence[tuple[int, ...] | None],
        scalars: Sequence[int | float],
    ) -> _Binding:
        shapes_by_name = {
            tensor.name: shapes[self._argument_of[tensor.param_index]]
            for tensor in self._plan.tensors
            if tensor.param_index is not None
        }
        symbols: dict[str, int] = {}
        for symbol in self._plan.symbols:
            shape = shapes_by_name[symbol.param]
            if shape is not None:
                symbols[symbol.name] = shape[symbol.dim]
        for index in self._size_scalars:
            symbols[self._plan.scalars[index].name] = int(scalars[index])
        binding = _Binding(programs=[], buffers=[], shapes=[], passed=[], converted=[])
        samples: list[DeviceTensor | None] = []
        for index, tensor in enumerate(self._plan.tensors):
            shape = tensor.page_sizes(symbols)
            binding.shapes.append(shape)
            argument = None if tensor.param_index is None else self._argument_of[tensor.param_index]
            value = None if argument is None else tensors[argument]
            if type(value) is ttnn.Tensor:
                conversion = self._conversion(tensor, value)
                if conversion is None:
                    binding.passed.append((index, argument))  # type: ignore[arg-type]
                else:
                    binding.relaid.append((index, argument, conversion))  # type: ignore[arg-type]
                binding.buffers.append(None)
                samples.append(value if conversion is None else conversion.to_pages(value))
                continue
            if value is not None:
                binding.converted.append((index, argument))  # type: ignore[arg-type]
            buffer = self._buffer(tensor, shape)
            binding.buffers.append(buffer)
            samples.append(buffer)
        for program in self._plan.programs:
            if program.work.total.evaluate(symbols) > 0:
                binding.programs.append(self._bind_program(program, samples, symbols))
        return binding

    def _conversion(self, tensor: Tensor, value: DeviceTensor) -> ChipConversion | None:
        """What the chip has to do to an argument first; None where the kernel works on its pages as they are."""
        dtype = _DTYPES[tensor.format]
        problem = in_place_problem(ttnn, tensor, dtype, value)
        if problem is None:
            return None
        conversion = chip_conversion(ttnn, tensor, dtype, value) if config.convert_layouts else None
        if conversion is None:
            raise in_place_error(self._plan.name, tensor, dtype, len(value.shape), problem)
        return conversion

    def _buffer(self, tensor: Tensor, shape: Sequence[int]) -> DeviceTensor:
        rows, columns = _matrix_shape(tensor, shape)
        # A tensor without elements still has an address.
        shape = [rows, columns] if rows * columns else [TILE_HEIGHT, TILE_WIDTH]
        return ttnn.allocate_tensor_on_device(
            ttnn.Shape(shape), _carrier(tensor), _ttnn_layout(tensor), self._device.handle, ttnn.DRAM_MEMORY_CONFIG
        )

    def _upload(self, binding: _Binding, tensors: Sequence[CallTensor]) -> None:
        from .pages import to_matrix

        for index, argument in binding.converted:
            tensor = self._plan.tensors[index]
            value = tensors[argument]
            # A tensor that is only written may be written in part: the rest keeps what the caller had there.
            if tensor.access == "none" or value is None or value.numel() == 0:
                continue
            shape = binding.shapes[index]
            values = value.detach().cpu().reshape(shape)
            matrix = to_matrix(values, tensor.layout, tensor.format, _matrix_shape(tensor, shape))
            host = ttnn.from_torch(matrix, dtype=_carrier(tensor), layout=_ttnn_layout(tensor))
            ttnn.copy_host_to_device_tensor(host, binding.buffers[index])

    def _download(self, binding: _Binding, tensors: Sequence[CallTensor]) -> None:
        from .pages import from_matrix

        for index, argument in binding.converted:
            tensor = self._plan.tensors[index]
            value = tensors[argument]
            if not tensor.is_written or value is None or value.numel() == 0:
                continue
            matrix = ttnn.to_torch(binding.buffers[index])
            values = from_matrix(matrix, tensor.layout, binding.shapes[index], tensor.format, value.dtype)
            value.copy_(values.reshape(value.shape))

    def _set_scalars(self, binding: _Binding, scalars: Sequence[int | float]) -> None:
        words = [encode(value) for encode, value in zip(self._scalar_bits, scalars, strict=True)]
        for program in binding.programs:
            for patch in program.scalars:
                patch.vector[patch.position] = words[patch.source]
        binding.last_scalars = list(scalars)

    # Descriptors.

    def _bind_program(
        self, program: Program, samples: Sequence[DeviceTensor | None], symbols: Mapping[str, int]
    ) -> _BoundProgram:
        accessors = {
            tensor.name: list(ttnn.TensorAccessorArgs(sample).get_compile_time_args())
            for tensor, sample in zip(self._plan.tensors, samples, strict=True)
        }
        cores = [(core % self._plan.grid[0], core // self._plan.grid[0]) for core in range(program.work.core_count())]
        ranges = _core_ranges(len(cores), self._plan.grid[0])
        shares = program.work.shares(symbols)
        kernels = []
        for kernel in program.kernels:
            words: list[int] = []
            for argument in kernel.compile_time_args:
                words += accessors[argument.tensor] if isinstance(argument, TensorAccessor) else [argument & _WORD]
            arguments = ttnn.RuntimeArgs()
            for (x, y), share in zip(cores, shares, strict=True):
                arguments[x][y] = [_initial_word(argument, symbols, share) for argument in kernel.core_args]
            kernels.append(
                ttnn.KernelDescriptor(
                    kernel_source=f'#line 1 "{kernel.file}"\n{self._files[kernel.file]}',
                    source_type=ttnn.KernelDescriptor.SourceType.SOURCE_CODE,
                    core_ranges=ranges,
                    compile_time_args=words,
                    runtime_args=arguments,
                    common_runtime_args=[_initial_word(argument, symbols, (0, 0)) for argument in kernel.common_args],
                    config=self._kernel_config(kernel, program),
                )
            )
        descriptor = ttnn.ProgramDescriptor(
            kernels=kernels,
            semaphores=[
                ttnn.SemaphoreDescriptor(id=semaphore.id, core_ranges=ranges, initial_value=semaphore.initial)
                for semaphore in program.semaphores
            ],
            cbs=_circular_buffers(program.circular_buffers, ranges),
        )
        descriptor.custom_program_hash = self._program_hash(program, accessors)
        bound = _BoundProgram(descriptor=descriptor, order=self._tensor_order())
        self._collect_patches(bound, program, cores)
        return bound

    def _kernel_config(self, kernel: KernelSpec, program: Program) -> Any:
        if kernel.role == "reader":
            return ttnn.ReaderConfigDescriptor()
        if kernel.role == "writer":
            return ttnn.WriterConfigDescriptor()
        wanted = program.compute_config
        described = ttnn.ComputeConfigDescriptor(
            math_fidelity=getattr(ttnn.MathFidelity, wanted.math_fidelity),
            math_approx_mode=wanted.math_approx_mode,
            fp32_dest_acc_en=wanted.fp32_dest_acc_en,
            dst_full_sync_en=wanted.dst_full_sync_en,
        )
        exact = {buffer.id for buffer in program.circular_buffers if buffer.unpack_to_dest_fp32}
        if exact:
            modes = ttnn.UnpackToDestMode
            described.unpack_to_dest_mode = [
                modes.UnpackToDestFp32 if slot in exact else modes.Default
                for slot in range(_CIRCULAR_BUFFER_SLOTS[self._device.target.arch])
            ]
        return described

    def _collect_patches(self, bound: _BoundProgram, program: Program, cores: Sequence[tuple[int, int]]) -> None:
        tensors = {tensor.name: index for index, tensor in enumerate(self._plan.tensors)}
        scalars = {scalar.name: index for index, scalar in enumerate(self._plan.scalars)}

        def collect(vector: Any, arguments: Sequence[KernelArgument]) -> None:
            for position, argument in enumerate(arguments):
                if argument.kind == "address":
                    bound.addresses.append(
                        _Patch(vector=vector, position=position, source=tensors[argument.tensor or ""])
                    )
                elif argument.kind == "scalar":
                    bound.scalars.append(
                        _Patch(vector=vector, position=position, source=scalars[argument.scalar or ""])
                    )

        for kernel, descriptor in zip(program.kernels, bound.descriptor.kernels, strict=True):
            collect(descriptor.common_runtime_args, kernel.common_args)
            if any(argument.kind in ("address", "scalar") for argument in kernel.core_args):
                for x, y in cores:
                    collect(descriptor.runtime_args[x][y], kernel.core_args)

    def _tensor_order(self) -> tuple[int, ...]:
        tensors = self._plan.tensors
        order = sorted(range(len(tensors)), key=lambda index: tensors[index].is_written)
        # generic_op insists on an input and an output.
        return tuple(order if len(order) > 1 else order * 2)

    def _program_hash(self, program: Program, accessors: Mapping[str, Sequence[int]]) -> int:
        digest = hashlib.blake2b(digest_size=8)
        for kernel in program.kernels:
            digest.update(self._files[kernel.file].encode())
        digest.update(repr((self._plan.grid, program, sorted(accessors.items()))).encode())
        return int.from_bytes(digest.digest(), "little")


def _look(tensor: CallTensor) -> Any:
    """What of an argument decides about descriptors: the whole spec of a ttnn tensor, the shape of a torch tensor."""
    if type(tensor) is ttnn.Tensor:
        return tensor.spec
    return None if tensor is None else tensor.shape


def _carrier(tensor: Tensor) -> Any:
    """The ttnn dtype that carries the pages: bits as they are, or block floats, which ttnn itself packs."""
    fmt = FORMATS[tensor.format]
    return _DTYPES[fmt.name] if fmt.is_block else _CARRIERS[fmt.element_bytes]


def _ttnn_layout(tensor: Tensor) -> Any:
    return ttnn.ROW_MAJOR_LAYOUT if isinstance(tensor.layout, RowMajorLayout) else ttnn.TILE_LAYOUT


def _matrix_shape(tensor: Tensor, shape: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of the two-dimensional ttnn tensor whose pages are those of `tensor`."""
    layout = tensor.layout
    if isinstance(layout, TileLayout):
        outer, rows, columns = layout.grid(shape)
        return outer * rows * TILE_HEIGHT, columns * TILE_WIDTH
    if isinstance(layout, FlatLayout):
        return layout.page_count(shape) * TILE_HEIGHT, TILE_WIDTH
    return layout.page_count(shape), layout.page_bytes(shape, tensor.format) // FORMATS[tensor.format].element_bytes


def _scalar_encoder(scalar: Scalar) -> Callable[[int | float], int]:
    if scalar.dtype.startswith(("float", "bfloat")):
        return lambda value: struct.unpack("<I", struct.pack("<f", value))[0]
    return lambda value: int(value) & _WORD


def _initial_word(argument: KernelArgument, symbols: Mapping[str, int], share: tuple[int, int]) -> int:
    if argument.kind == "work_start":
        return share[0]
    if argument.kind == "work_count":
        return share[1]
    if argument.kind == "expr" and argument.value is not None:
        return argument.value.evaluate(symbols) & _WORD
    # Addresses and scalars are filled in by every call that changes them.
    return 0


def _core_ranges(count: int, columns: int) -> Any:
    """The first `count` cores of the grid, row by row."""
    full_rows, rest = divmod(count, columns)
    ranges = []
    if full_rows:
        ranges.append(ttnn.CoreRange(ttnn.CoreCoord(0, 0), ttnn.CoreCoord(columns - 1, full_rows - 1)))
    if rest:
        ranges.append(ttnn.CoreRange(ttnn.CoreCoord(0, full_rows), ttnn.CoreCoord(rest - 1, full_rows)))
    return ttnn.CoreRangeSet(ranges)


def _circular_buffers(buffers: Sequence[CircularBuffer], ranges: Any) -> list[Any]:
    """One allocation per buffer that is no alias; aliases are further formats of it."""
    descriptors = []
    for owner in buffers:
        if owner.alias_of is not None:
            continue
        users = [owner, *(buffer for buffer in buffers if buffer.alias_of == owner.id)]
        descriptors.append(
            ttnn.CBDescriptor(
                total_size=max(buffer.pages * buffer.page_size for buffer in users),
                core_ranges=ranges,
                format_descriptors=[
                    ttnn.CBFormatDescriptor(
                        buffer_index=buffer.id, data_format=_DTYPES[buffer.format], page_size=buffer.page_size
                    )
                    for buffer in users
                ],
            )
        )
    return descriptors
