"""Measuring and checking a kernel on made-up inputs, with the methods of TileLang's profiler."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from .errors import ArgumentError
from .signature import Parameter, torch_dtype

if TYPE_CHECKING:
    from .kernel import Kernel

_SUPPLY_NAMES = ("Auto", "Integer", "Uniform", "Normal", "Randn", "Zero", "One")
_RETURN_MODES: dict[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "max": max,
    "mean": statistics.fmean,
    "median": statistics.median,
}
# TileLang's backends time GPU streams; here all of them mean wall-clock time around the launch, which waits for
# the result.
_BACKENDS = ("event", "cupti", "cudagraph", "wall", "msprof", "msprof_detail")


class Profiler:
    """Runs a kernel on tensors that it makes up: `Kernel.get_profiler()` gives one."""

    def __init__(self, kernel: Kernel, tensor_supply_type: Any = None) -> None:
        self.kernel = kernel
        self.supply_type = _supply_name(tensor_supply_type)

    @property
    def params(self) -> list[Any]:
        return self.kernel.params

    @property
    def result_idx(self) -> list[int]:
        return self.kernel.out_idx

    @property
    def func(self) -> Kernel:
        return self.kernel

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.kernel(*args, **kwargs)

    def inputs(self, dynamic_symbolic_constraints: Mapping[str, int] | None = None) -> list[Any]:
        """Made-up inputs; kernels with dynamic sizes need them as {"m": 2048}."""
        sizes = dict(dynamic_symbolic_constraints or {})
        return [_supply(parameter, sizes, self.supply_type) for parameter in self.kernel.signature.inputs]

    def run_once(self, func: Callable[..., Any] | None = None) -> Any:
        """One call of the kernel, or of `func`, on made-up inputs."""
        return (func or self.kernel)(*self.inputs())

    def assert_allclose(
        self,
        reference_program: Callable[..., Any],
        input_tensors: Sequence[Any] | None = None,
        atol: float = 1e-2,
        rtol: float = 1e-2,
        max_mismatched_ratio: float = 0.01,
    ) -> None:
        """Raise AssertionError unless the outputs agree with those of `reference_program`.

        At most `max_mismatched_ratio` of the elements of an output may be further away than
        `atol + rtol * |reference|`.
        """

        def check(ours: list[Any], reference: list[Any]) -> None:
            for number, (got, wanted) in enumerate(zip(ours, reference, strict=True)):
                # A reference may leave out an output by None.
                if got is not None and wanted is not None:
                    _assert_close(f"output {number}", got, wanted, atol, rtol, max_mismatched_ratio)

        self.manual_assert_close(reference_program, input_tensors, check)

    def manual_assert_close(
        self,
        reference_program: Callable[..., Any],
        input_tensors: Sequence[Any] | None = None,
        manual_check_prog: Callable[[list[Any], list[Any]], Any] | None = None,
    ) -> None:
        """Hand the outputs of the kernel and of the reference to `manual_check_prog`."""
        if manual_check_prog is None:
            raise ArgumentError("manual_assert_close needs manual_check_prog", parameter="manual_check_prog")
        inputs = self.inputs() if input_tensors is None else list(input_tensors)
        reference = _as_list(reference_program(*inputs))
        ours = _as_list(self.kernel(*inputs))
        assert len(ours) == len(reference), f"the kernel gives {len(ours)} outputs, the reference {len(reference)}"
        manual_check_prog(ours, reference)

    def assert_consistent(self, repeat: int = 10) -> None:
        """Raise AssertionError unless `repeat` calls on the same inputs give the same bits."""
        inputs = self.inputs()
        first = _as_list(self.kernel(*inputs))
        for _ in range(repeat):
            for got, wanted in zip(_as_list(self.kernel(*inputs)), first, strict=True):
                assert torch.equal(got, wanted), "the result is not consistent"

    def do_bench(
        self,
        func: Callable[..., Any] | None = None,
        warmup: float = 25,
        rep: float = 100,
        n_warmup: int = 0,
        n_repeat: int = 0,
        input_tensors: Sequence[Any] | None = None,
        backend: str = "event",
        quantiles: Sequence[float] | None = None,
        return_mode: str = "mean",
        dynamic_symbolic_constraints: Mapping[str, int] | None = None,
        device: Any = None,
        early_stop_baseline: float | None = None,
    ) -> float | list[float]:
        """Milliseconds per call, by the wall clock.

        `warmup` and `rep` are budgets in milliseconds, `n_warmup` and `n_repeat` override them by counts. With
        `quantiles` the result is a list. A kernel slower than `early_stop_baseline` is measured only once.
        """
        if backend not in _BACKENDS:
            raise ArgumentError(
                f"unknown backend {backend!r}", parameter="backend", got=repr(backend), needed=", ".join(_BACKENDS)
            )
        if return_mode not in _RETURN_MODES:
            raise ArgumentError(
                f"unknown return_mode {return_mode!r}",
                parameter="return_mode",
                got=repr(return_mode),
                needed=", ".join(_RETURN_MODES),
            )
        inputs = self.inputs(dynamic_symbolic_constraints) if input_tensors is None else list(input_tensors)
        call = partial(func or self.kernel, *inputs)
        # The first call of a kernel checks its arguments and prepares the launch.
        call()
        estimate = max(_milliseconds(call), 1e-6)
        if early_stop_baseline is not None and estimate > early_stop_baseline:
            return estimate if quantiles is None else [estimate] * len(quantiles)
        for _ in range(n_warmup or int(warmup / estimate)):
            call()
        times = [_milliseconds(call) for _ in range(n_repeat or max(1, int(rep / estimate)))]
        if quantiles is not None:
            return [float(value) for value in torch.quantile(torch.tensor(times), torch.tensor(list(quantiles)))]
        return _RETURN_MODES[return_mode](times)


def _milliseconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def _as_list(outputs: Any) -> list[Any]:
    if outputs is None:
        return []
    return list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]


def _supply_name(supply: Any) -> str:
    """The name of TileLang's TensorSupplyType, which is taken as the enum, as text, or left out."""
    name = "Auto" if supply is None else getattr(supply, "name", supply)
    if name not in _SUPPLY_NAMES:
        raise ArgumentError(
            f"unknown tensor supply type {supply!r}",
            parameter="tensor_supply_type",
            got=repr(supply),
            needed=", ".join(_SUPPLY_NAMES),
        )
    return str(name)


def _supply(parameter: Parameter, sizes: Mapping[str, int], supply: str) -> Any:
    if parameter.kind != "tensor":
        raise ArgumentError(
            f"no value can be made up for {parameter.name!r}",
            parameter=parameter.name,
            needed=parameter.describe(),
            hint="pass input_tensors=[...] with all arguments",
        )
    unknown = sorted(set().union(*(size.names for size in parameter.shape)) - sizes.keys())
    if unknown:
        raise ArgumentError(
            f"the shape of {parameter.name!r} depends on {', '.join(unknown)}",
            parameter=parameter.name,
            needed=parameter.describe(),
            hint=f"pass dynamic_symbolic_constraints={{{unknown[0]!r}: 1024}} or input_tensors=[...]",
        )
    shape = tuple(size.evaluate(sizes) for size in parameter.shape)
    dtype = torch_dtype(parameter.dtype)
    if supply == "Zero":
        return torch.zeros(shape).to(dtype)
    if supply == "One":
        return torch.ones(shape).to(dtype)
    if supply == "Auto":
        supply = "Uniform" if dtype.is_floating_point else "Integer"
    if supply == "Integer":
        low, high = (0, 2) if parameter.dtype == "bool" else (0, 3) if parameter.dtype.startswith("u") else (-2, 3)
        return torch.randint(low, high, shape).to(dtype)
    if supply == "Uniform":
        return torch.empty(shape).uniform_(-1.0, 1.0).to(dtype)
    return torch.randn(shape).to(dtype)


def _assert_close(
    name: str, got: torch.Tensor, wanted: torch.Tensor, atol: float, rtol: float, max_mismatched_ratio: float
) -> None:
    assert got.shape == wanted.shape, f"{name}: shape {tuple(got.shape)}, the reference has {tuple(wanted.shape)}"
    close = torch.isclose(got.double(), wanted.double(), atol=atol, rtol=rtol, equal_nan=True)
    wrong = int((~close).sum())
    if wrong > max_mismatched_ratio * close.numel():
        error = (got.double() - wanted.double()).abs().masked_fill(close, 0.0).nan_to_num(float("inf"))
        place = tuple(int(index) for index in torch.unravel_index(error.argmax(), error.shape))
        raise AssertionError(
            f"{name}: {wrong} of {close.numel()} elements differ by more than {atol} + {rtol} * |reference|; "
            f"the worst is at {place}: got {got[place].item()}, reference {wanted[place].item()}"
        )
