"""Lets example modules written for a CUDA machine be imported and run on a machine without one.

Nothing of the examples is edited. ``install`` redirects the CUDA device to ``device`` ("cpu", or "meta" to trace
without data), answers the questions examples ask about the GPU, and serves empty modules for packages that only
the examples' benchmarks need.
"""

import contextlib
import dis
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode

OPTIONAL_PACKAGES = frozenset(
    "triton fla flash_attn flash_attn_interface bitblas aiter matplotlib pandas flash_mla transformers datasets "
    "safetensors native_sparse_attention deep_gemm iket flashinfer scipy cutlass vllm mamba_ssm causal_conv1d "
    "fast_hadamard_transform".split()
)


class _CudaRedirection(TorchFunctionMode):
    """Replaces every mention of a CUDA device in a torch call."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = torch.device(device)

    def _redirect(self, value: Any) -> Any:
        if isinstance(value, torch.device) and value.type == "cuda":
            return self.device
        if isinstance(value, str) and value.split(":")[0] == "cuda":
            return self.device
        return value

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        keywords = {name: self._redirect(value) for name, value in (kwargs or {}).items()}
        positional = [self._redirect(value) for value in args]
        if getattr(func, "__name__", "") == "cuda":
            return positional[0].to(self.device)
        return func(*positional, **keywords)


class _Anything(types.ModuleType):
    """A module (and everything in it) that can be imported, decorated with and called, and does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return "0.0.0"
        if name == "__file__":
            return "<absent>"
        if name.startswith("__"):
            raise AttributeError(name)
        return _answer(f"{self.__name__}.{name}")


class _Nothing:
    """Stands for anything an absent package offers: can be called, indexed, compared and used as a decorator."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _answer(f"{self.name}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and inspect.isfunction(args[0]) and not kwargs:
            # A decorated GPU kernel is launched as kernel[grid](...), which does nothing here.
            return self if self.name.startswith("triton") else args[0]
        return self

    def __getitem__(self, item: Any) -> "_Nothing":
        return self

    def __iter__(self) -> Iterator[Any]:
        """As many values as the caller unpacks into, none for a loop."""
        frame = sys._getframe(1)
        code, position = frame.f_code.co_code, frame.f_lasti
        count = code[position + 1] if dis.opname[code[position]] == "UNPACK_SEQUENCE" else 0
        return iter([self] * count)

    def __mro_entries__(self, bases: tuple[type, ...]) -> tuple[type, ...]:
        return (object,)

    def _same(self, *others: Any) -> "_Nothing":
        return self

    def _never(self, other: Any) -> bool:
        return False

    def __index__(self) -> int:
        return 1

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = (
        __neg__
    ) = _same
    __lt__ = __le__ = __gt__ = __ge__ = _never


def _normalise(x: torch.Tensor, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
    scale = torch.rsqrt(x.float().square().sum(-1) + 1e-6)
    return (x.float() * scale.unsqueeze(-1)).to(x.dtype), scale


def _token_indices(offsets: torch.Tensor) -> torch.Tensor:
    """For each token of packed sequences: which sequence it belongs to, and its position there."""
    lengths = (offsets[1:] - offsets[:-1]).tolist()
    return torch.tensor([(sequence, position) for sequence, n in enumerate(lengths) for position in range(n)])


def _chunk_sums(gate: torch.Tensor, chunk_size: int, *args: Any, **kwargs: Any) -> torch.Tensor:
    """Cumulative sums along the second dimension, starting again at each chunk."""
    chunks = gate.reshape(gate.shape[0], -1, chunk_size, *gate.shape[2:])
    return chunks.float().cumsum(2).reshape(gate.shape)


_ANSWERS: dict[str, Any] = {
    "fla.ops.utils.cumsum.chunk_local_cumsum": _chunk_sums,
    "fla.ops.utils.prepare_token_indices": _token_indices,
    "fla.ops.common.utils.prepare_token_indices": _token_indices,
    "triton.cdiv": lambda a, b: -(-a // b),
    "triton.next_power_of_2": lambda n: 1 << max(n - 1, 0).bit_length(),
    "fla.modules.l2norm.l2norm_fwd": _normalise,
}
"""What examples need from absent packages to make their inputs."""


def _answer(name: str) -> Any:
    return _ANSWERS.get(name) or _Nothing(name)


def _imported_by_torch() -> bool:
    """True where the innermost importing module is torch itself: it must not believe that triton is there."""
    frame = inspect.currentframe()
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name != __name__ and not name.startswith("importlib"):
            return name.split(".")[0] == "torch"
        frame = frame.f_back
    return False


class _OptionalFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Last on the path: serves an empty module for an optional package that is not installed."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname.split(".")[0] in OPTIONAL_PACKAGES and not _imported_by_torch():
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Anything(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__path__ = []


class _Event:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def record(self, *args: Any) -> None:
        pass

    def synchronize(self) -> None:
        pass

    def elapsed_time(self, other: "_Event") -> float:
        return 1.0


def _do_not_benchmark(function: Callable[..., Any], *args: Any, **kwargs: Any) -> float:
    """One run (the kernel may not have run before), no timing."""
    function(*(argument for argument in args if isinstance(argument, torch.Tensor)))
    return 1.0


class _HostGenerator(torch.Generator):
    """A generator asked for on a CUDA device, made on the host."""

    def __new__(cls, device: Any = "cpu") -> "_HostGenerator":
        return super().__new__(cls, device="cpu")


def install(device: str, *, core_count: int, compute_capability: tuple[int, int] = (9, 0)) -> None:
    """Redirects CUDA to ``device`` for the rest of this process."""
    _CudaRedirection(device).__enter__()
    sys.meta_path.append(_OptionalFinder())
    if importlib.util.find_spec("einops") is None:
        einops = importlib.util.spec_from_file_location("einops", Path(__file__).with_name("einops_subset.py"))
        assert einops is not None and einops.loader is not None
        sys.modules["einops"] = importlib.util.module_from_spec(einops)
        einops.loader.exec_module(sys.modules["einops"])
    properties = types.SimpleNamespace(
        multi_processor_count=core_count,
        name="none",
        major=compute_capability[0],
        minor=compute_capability[1],
        total_memory=16 << 30,
        shared_memory_per_block_optin=227 << 10,
        L2_cache_size=50 << 20,
    )
    answers: dict[str, Any] = {
        "is_available": lambda: True,
        "synchronize": lambda *a, **k: None,
        "empty_cache": lambda: None,
        "current_device": lambda: 0,
        "device_count": lambda: 0,
        "Stream": mock.MagicMock,
        "device": contextlib.nullcontext,
        "stream": contextlib.nullcontext,
        "set_device": lambda *a: None,
        "get_device_properties": lambda *a: properties,
        "get_device_capability": lambda *a: compute_capability,
        "get_device_name": lambda *a: "none",
        "manual_seed": lambda seed: None,
        "manual_seed_all": lambda seed: None,
        "Event": _Event,
        "current_stream": lambda *a: mock.MagicMock(cuda_stream=0),
        "memory_allocated": lambda *a: 0,
        "max_memory_allocated": lambda *a: 0,
        "reset_peak_memory_stats": lambda *a: None,
    }
    for name, answer in answers.items():
        setattr(torch.cuda, name, answer)
    torch.Tensor.cuda = lambda self, *a, **k: self.to(device)  # type: ignore[method-assign]
    set_default_device = torch.set_default_device
    torch.set_default_device = lambda name: set_default_device(device if str(name).startswith("cuda") else name)

    torch.Generator = _HostGenerator  # type: ignore[misc]
    torch.compile = lambda function=None, **_: function if function is not None else (lambda inner: inner)
    for name in ("has_triton", "has_triton_package"):
        setattr(importlib.import_module("torch.utils._triton"), name, lambda: False)

    import tilelang.carver.arch.driver as driver
    import tilelang.profiler
    import tilelang.profiler.bench
    import tilelang.utils.device as device_names

    for module in [m for name, m in list(sys.modules.items()) if name.startswith("tilelang")]:
        for name in ("get_num_sms",):
            if hasattr(module, name):
                setattr(module, name, lambda *a: core_count)
    driver.get_num_sms = lambda *a: core_count
    tilelang.profiler.do_bench = tilelang.profiler.bench.do_bench = _do_not_benchmark
    device_names.get_current_device = lambda: torch.device(device)


def install_compiler(compile_prim_func: Callable[..., Any]) -> None:
    """Makes ``tilelang.jit``, ``tilelang.compile`` and ``tilelang.autotune`` use ``compile_prim_func(prim_func,
    out_idx)``."""
    import tilelang
    import tilelang.jit as jit_module
    from tilelang.autotuner.tuner import AutoTuneImpl, AutoTuner

    def compile_with(func: Any = None, out_idx: Any = None, *args: Any, **kwargs: Any) -> Any:
        attributes = func.attrs or {}
        if out_idx is None and "tilelang_out_idx" in attributes:
            out_idx = [int(index) for index in attributes["tilelang_out_idx"]]
        return compile_prim_func(func, out_idx)

    sys.modules["tilelang.jit"].compile = compile_with  # type: ignore[attr-defined]
    tilelang.compile = compile_with
    del jit_module

    def tune(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = set(kwargs) | set(list(self.jit_impl.signature.parameters)[: len(args)])
        configs = self.configs(*args, **kwargs) if callable(self.configs) else self.configs
        first = next(iter(configs), {}) if configs else {}
        merged = dict(kwargs)
        merged.update({name: value for name, value in first.items() if name not in given and name != "pass_configs"})
        if merged.pop("__return_kernel", False):
            return self.jit_impl.compile(*args, **merged)
        return self.jit_impl(*args, **merged)

    AutoTuneImpl.__call__ = tune

    def run_first(self: Any, *args: Any, **kwargs: Any) -> Any:
        config = next(iter(self.configs))
        func = self.fn(**{name: value for name, value in config.items() if name != "pass_configs"})
        kernel = compile_with(func, self.compile_args.out_idx)
        kernel.get_profiler().do_bench()
        return types.SimpleNamespace(config=config, latency=1.0, ref_latency=1.0, kernel=kernel, func=func)

    AutoTuner.run = run_first
