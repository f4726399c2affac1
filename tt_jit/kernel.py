"""A compiled kernel as users hold it: call it, read its sources, measure it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Container, Mapping, Sequence
from functools import cached_property, partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .binding import bind_arguments
from .build import Compiled, build
from .codegen.export import export_project
from .data_format import FORMATS
from .errors import ArgumentError, SourceLocation, UnsupportedError, located
from .narrowed import ALL_BITS, NARROWED, Wide, narrowing
from .notes import PerformanceNote, notes_in
from .packed import widening
from .signature import (
    CheckedCall,
    KernelSignature,
    OutputSpec,
    Parameter,
    argument_key,
    check_arguments,
    check_scalar,
    chip_block_format,
    is_chip_tensor,
)
from .storage import Storage, with_storage

if TYPE_CHECKING:
    from tvm import tirx

    from .artifact import Artifact
    from .plan import Plan
    from .profiler import Profiler
    from .runtime.base import Device, LaunchProfile
    from .target import Target

ROLES = ("reader", "compute", "writer")
# A kernel that is called with ever new sizes keeps this many checked combinations.
_MAX_LAUNCHERS = 1024

Launcher = Callable[[Sequence[Any]], Any]


class Kernel:
    """A kernel compiled for one device. A call takes the inputs and returns the outputs named in `out_idx`."""

    def __init__(
        self,
        *,
        signature: KernelSignature,
        compiled: Compiled,
        prim_func: tirx.PrimFunc | None = None,
        location: SourceLocation | None = None,
    ) -> None:
        self.signature = signature
        # Where the author's function is; errors of calls name it.
        self.location = location
        self.latency: float | None = None
        self.config: dict[str, Any] | None = None
        self.ref_latency: float | None = None
        self._compiled = compiled
        self._prim_func = prim_func
        self._launchers: dict[tuple[Any, ...], Launcher] = {}
        # The same kernel for ttnn tensors whose pages have other formats.
        self._variants: dict[Storage, Compiled] = {}
        symbols: set[str] = set()
        for parameter in signature.parameters:
            symbols.update(*(size.names for size in (*parameter.shape, *(parameter.strides or ()))))
        # Scalars whose values are sizes of tensors belong to what is checked.
        self._size_scalars = [
            index for index, p in enumerate(signature.inputs) if p.kind == "scalar" and p.name in symbols
        ]

    def __repr__(self) -> str:
        return f"<tt_jit.Kernel {self.signature.describe()} for {self.target.arch}>"

    # Calling.

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the kernel; returns one output, a list of several, or None where the kernel writes into its arguments."""
        if kwargs or len(args) != self._input_count:
            with located(self.location):
                values = bind_arguments(self.signature, args, kwargs)
        else:
            values = args
        try:
            launcher = self._launchers.get(self._key(values))
        except RuntimeError:
            # A tensor without strides: the check says which.
            launcher = None
        if launcher is None:
            with located(self.location):
                launcher = self.launcher(values)
        return launcher(values)

    @cached_property
    def _input_count(self) -> int:
        return len(self.signature.inputs)

    def _key(self, values: Sequence[Any]) -> tuple[Any, ...]:
        key = argument_key(values)
        return (*key, *(values[index] for index in self._size_scalars)) if self._size_scalars else key

    @property
    def checks_scalar_values(self) -> bool:
        """Whether the check of the arguments depends on the values of scalars, not only on their types."""
        return bool(self._size_scalars)

    def launcher(self, values: Sequence[Any]) -> Launcher:
        """Check the arguments and return what launches all calls that look like this one."""
        loaded = self._compiled.load()
        checked = check_arguments(self.signature, values, takes_chip_tensors=hasattr(loaded, "allocate"))
        if checked.on_chip:
            loaded = self._stored_like(values).load()
        written = {tensor.param_index for tensor in self.plan.tensors if tensor.is_written}
        launcher = _make_launcher(self.signature, checked, loaded, written, _value_bits(self.plan))
        if len(self._launchers) >= _MAX_LAUNCHERS:
            self._launchers.clear()
        self._launchers[self._key(values)] = launcher
        return launcher

    @property
    def storage(self) -> dict[str, str]:
        """The parameters whose tensors are kept in block floats on the chip, and in which."""
        parameters = self.signature.parameters
        blocks = [tensor for tensor in self.plan.tensors if FORMATS[tensor.format].is_block]
        return {parameters[t.param_index].name: t.format for t in blocks if t.param_index is not None}

    def _stored_like(self, values: Sequence[Any]) -> Compiled:
        """The compiled kernel that reads ttnn tensors of these dtypes in place."""
        storage = self.storage
        for parameter, value in zip(self.signature.inputs, values, strict=True):
            if is_chip_tensor(value):
                storage.pop(parameter.name, None)
                block = chip_block_format(value)
                storage.update({parameter.name: block} if block is not None else {})
        if storage == self.storage:
            return self._compiled
        wanted = tuple(sorted(storage.items()))
        if wanted not in self._variants:
            func = with_storage(self.prim_func.without_attr("tt_storage"), wanted, self.signature)
            self._variants[wanted] = build(func, self.device)
        return self._variants[wanted]

    def load(self) -> Kernel:
        """Build the binaries now instead of at the first call."""
        self._compiled.load()
        return self

    # What it is made of.

    @property
    def prim_func(self) -> tirx.PrimFunc:
        """The traced TIR."""
        if self._prim_func is None:
            from .trace import from_json

            self._prim_func = from_json(self._compiled.prim_func_json)
        return self._prim_func

    @property
    def params(self) -> list[Any]:
        """TileLang's KernelParam for each parameter."""
        from tilelang.engine.param import KernelParam

        func = self.prim_func
        return [
            KernelParam.from_buffer(func.buffer_map[var]) if var in func.buffer_map else KernelParam.from_var(var)
            for var in func.params
        ]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters as tt_jit checks them."""
        return self.signature.parameters

    @property
    def out_idx(self) -> list[int]:
        """The parameters that a call returns, as indices from 0."""
        return list(self.signature.out_idx)

    @property
    def artifact(self) -> Artifact:
        return self._compiled.artifact

    @property
    def plan(self) -> Plan:
        """tt.plan.json, parsed."""
        return self._compiled.artifact.plan

    @property
    def performance_notes(self) -> tuple[PerformanceNote, ...]:
        """What of the kernel runs on a slow path: where, why, and what would be faster."""
        return notes_in(self._compiled.artifact.files)

    @property
    def artifact_dir(self) -> Path:
        """The folder of the cache entry: kernels, plan, IR per pass, binaries."""
        return self._compiled.directory

    @property
    def device(self) -> Device:
        return self._compiled.device

    @property
    def target(self) -> Target:
        return self._compiled.device.target

    @property
    def last_launch(self) -> LaunchProfile | None:
        """Times, bytes moved and tile operations of the latest launch; None where the device does not count them."""
        profile = getattr(self._compiled.load(), "profile", None)
        return None if profile is None else profile()

    # Sources.

    def get_kernel_source(self, role: str | bool | None = None, kernel_only: bool = True) -> str:
        """The generated C++ of one role ("reader", "compute", "writer"), or of all of them."""
        if isinstance(role, bool):
            # TileLang's only parameter is kernel_only.
            kernel_only, role = role, None
        files = self.artifact.files
        names = [name for name in files if name.endswith(".cpp") and Path(name).stem in ROLES]
        names.sort(key=lambda name: (Path(name).parent.as_posix(), ROLES.index(Path(name).stem)))
        if role is not None:
            if role not in ROLES:
                raise ArgumentError(
                    f"unknown role {role!r}", parameter="role", got=repr(role), needed=" or ".join(ROLES)
                )
            names = [name for name in names if Path(name).stem == role]
            if len(names) == 1:
                return files[names[0]]
        elif not kernel_only:
            names += [name for name in files if Path(name).name == "main.cpp"]
        return "\n".join(f"// ===== {name} =====\n{files[name]}" for name in names)

    def get_host_source(self) -> str:
        """main.cpp: the host program that runs the kernel on TT-Metalium."""
        return self.artifact.files.get("main.cpp", "")

    @property
    def kernel_source(self) -> str:
        return self.get_kernel_source()

    @property
    def host_source(self) -> str:
        return self.get_host_source()

    def show_source(self, which: str = "kernel") -> None:
        """Print sources: "kernel" (all roles), "host", "both", or one role."""
        if which not in ("kernel", "host", "both", *ROLES):
            raise ArgumentError(
                f"unknown choice {which!r}",
                parameter="which",
                got=repr(which),
                needed="kernel, host, both, reader, compute or writer",
            )
        parts = []
        if which in ROLES:
            parts.append(self.get_kernel_source(which))
        if which in ("kernel", "both"):
            parts.append(self.get_kernel_source())
        if which in ("host", "both"):
            parts.append(f"// ===== main.cpp =====\n{self.get_host_source()}")
        sys.stdout.write("\n".join(parts) + "\n")

    def print_source_code(self, which: str = "kernel", file: str | None = None) -> None:
        """TileLang's old name of show_source and export_sources."""
        if file is not None:
            self.export_sources(kernel_path=file)
        else:
            self.show_source(which)

    def export_sources(
        self,
        directory: str | os.PathLike[str] | None = None,
        host_path: str | os.PathLike[str] | None = None,
        *,
        kernel_path: str | os.PathLike[str] | None = None,
    ) -> None:
        """Write a project that builds and runs the kernel into `directory`; or, as in TileLang, single files.

        `kernel_path` gets all kernels in one file, `host_path` the host program. A first argument that ends like a
        C++ file is taken for `kernel_path`, because that is what TileLang's first argument is.
        """
        if (
            directory is not None
            and kernel_path is None
            and Path(directory).suffix in (".cpp", ".cc", ".c", ".cu", ".h")
        ):
            directory, kernel_path = None, directory
        if directory is None and kernel_path is None and host_path is None:
            raise ArgumentError(
                "export_sources needs to know where to write",
                needed="a directory, kernel_path= or host_path=",
                hint='kernel.export_sources("my_kernel") writes a whole project',
            )
        if directory is not None:
            export_project(self.artifact, Path(directory))
        for path, text in ((kernel_path, self.get_kernel_source), (host_path, self.get_host_source)):
            if path is not None:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_text(text())

    def export_library(self, kernel_file: str) -> None:
        """TileLang's export of one shared library; there is none here."""
        raise UnsupportedError(
            "a kernel for Tenstorrent chips is no shared library",
            category="by_design",
            hint="kernel.export_sources(directory) writes a project that builds and runs it",
        )

    def show_ptx(self) -> None:
        raise UnsupportedError(
            "PTX exists on CUDA only", category="gpu_only", hint="kernel.show_source() prints the C++"
        )

    show_sass = show_ptx

    # Measuring.

    def get_profiler(self, tensor_supply_type: Any = None) -> Profiler:
        """A profiler with `do_bench`, `assert_allclose` and `run_once`."""
        from .profiler import Profiler

        return Profiler(self, tensor_supply_type)

    def run_once(self, func: Callable[..., Any] | None = None) -> Any:
        """Run the kernel (or `func`) on made-up inputs."""
        return self.get_profiler().run_once(func)

    def update_tuner_result(self, latency: float, config: dict[str, Any], ref_latency: float | None) -> Kernel:
        """Note what tuning measured for this kernel."""
        self.latency, self.config, self.ref_latency = latency, config, ref_latency
        return self

    def get_tuner_result(self) -> dict[str, Any]:
        """`latency`, `config` and `ref_latency` as tuning measured them."""
        if self.latency is None:
            raise ArgumentError(
                "this kernel was not tuned", hint="tuning results exist on kernels that an autotuner returned"
            )
        return {"latency": self.latency, "config": self.config, "ref_latency": self.ref_latency}


def _make_launcher(
    signature: KernelSignature,
    checked: CheckedCall,
    loaded: Any,
    written: Container[int | None],
    value_bits: Mapping[int, int],
) -> Launcher:
    """A closure that allocates the outputs, sorts the arguments and launches; everything else is decided here."""
    arrays = [(index, p.dtype) for index, p in enumerate(signature.parameters) if p.kind != "scalar"]
    launch = widening(loaded.launch, [dtype for _, dtype in arrays], [index in written for index, _ in arrays])
    launch = narrowing(launch, signature.name, _int64_tensors(signature, written, value_bits))
    inputs = signature.inputs
    # The values of a call are followed by the allocated outputs; these are the places of the launch's arguments
    # among them.
    places = {index: len(inputs) + number for number, index in enumerate(signature.out_idx)}
    free = iter(range(len(inputs)))
    order = [places[index] if index in places else next(free) for index in range(len(signature.parameters))]
    kinds = [parameter.kind for parameter in signature.parameters]
    tensors = _picker([place for place, kind in zip(order, kinds, strict=True) if kind != "scalar"])
    scalars = _picker([place for place, kind in zip(order, kinds, strict=True) if kind == "scalar"])
    ranged = [(place, parameter) for place, parameter in enumerate(inputs) if parameter.kind == "scalar"]
    makers = _output_makers(signature, checked, loaded)
    name = signature.name

    def launch_in_place(values: Sequence[Any]) -> None:
        for place, parameter in ranged:
            check_scalar(name, parameter, values[place])
        launch(tensors(values), scalars(values))

    def launch_and_return(values: Sequence[Any]) -> Any:
        for place, parameter in ranged:
            check_scalar(name, parameter, values[place])
        made = [make() for make in makers]
        pool = (*values, *made)
        launch(tensors(pool), scalars(pool))
        return made if len(made) > 1 else made[0]

    return launch_and_return if makers else launch_in_place


def _value_bits(plan: Plan) -> dict[int, int]:
    """How many bits the values of the int64 parameters may have, where those are less than all."""
    return {t.param_index: t.value_bits for t in plan.tensors if t.param_index is not None and t.value_bits is not None}


def _int64_tensors(
    signature: KernelSignature, written: Container[int | None], value_bits: Mapping[int, int]
) -> list[Wide]:
    arrays = [(index, p) for index, p in enumerate(signature.parameters) if p.kind != "scalar"]
    return [
        Wide(
            place=place,
            name=parameter.name,
            bits=value_bits.get(index, ALL_BITS),
            is_read=parameter.read,
            is_written=index in written,
            is_new=index in signature.out_idx,
        )
        for place, (index, parameter) in enumerate(arrays)
        if parameter.dtype == NARROWED
    ]


def _output_makers(signature: KernelSignature, checked: CheckedCall, loaded: Any) -> list[Callable[[], Any]]:
    """One function per output that allocates it, on the chip where the arguments are there."""
    if not checked.on_chip:
        return [partial(torch.empty_like, _prototype(output, checked.device)) for output in checked.outputs]
    tensors = [index for index, parameter in enumerate(signature.parameters) if parameter.kind != "scalar"]
    return [
        partial(loaded.allocate, tensors.index(index), output.shape)
        for index, output in zip(signature.out_idx, checked.outputs, strict=True)
    ]


def _prototype(output: OutputSpec, device: torch.device) -> torch.Tensor:
    """A tensor without memory of its own; `torch.empty_like` of it is the fastest way to allocate an output."""
    prototype = torch.empty((1,) * len(output.shape), dtype=output.dtype, device=device).expand(output.shape)
    if torch.empty_like(prototype).is_contiguous():
        return prototype
    return torch.empty(output.shape, dtype=output.dtype, device=device)


def _picker(places: list[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    if not places:
        return lambda values: ()
    if len(places) == 1:
        (place,) = places
        return lambda values: (values[place],)
    return itemgetter(*places)
