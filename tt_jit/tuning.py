"""Functions that `@tilelang.autotune` decorated: every configuration is compiled and measured, the fastest one is kept.

Times are those of the device in use. On the emulator they are times of the emulator, which tell little about a chip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from . import build
from .cache.captured import capture_values
from .errors import TTJitError, located

if TYPE_CHECKING:
    from .jit import JitFunction
    from .kernel import Kernel

# TileLang's name for GPU compiler settings inside of a configuration.
_PASS_CONFIGS = "__pass_configs__"


class TuningError(TTJitError):
    """No configuration of an autotuned function gives a working kernel."""


class TunedFunction:
    """Called without the tuned parameters it finds the best ones first; with any of them it is the function itself."""

    def __init__(self, function: JitFunction, tuner: Any) -> None:
        self.function = function
        self._tuner = tuner
        self._best: dict[tuple[Any, ...], tuple[Kernel, dict[str, Any]]] = {}

    def __repr__(self) -> str:
        return f"<tuned {self.function!r}>"

    def __getattr__(self, name: str) -> Any:
        """Everything else is the function's: `get_tir`, `get_kernel_source`, `mode`..."""
        return getattr(self.function, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        config = self._config(args, kwargs)
        return self.function(*args, **kwargs, **config)

    def compile(self, *args: Any, **kwargs: Any) -> Kernel:
        """The kernel with the best configuration; `latency` and `config` tell what tuning measured."""
        if self._is_chosen(args, kwargs):
            return self.function.compile(*args, **kwargs)
        return self._tuned(args, kwargs)[0]

    def configurations(self) -> list[dict[str, Any]]:
        """All sets of tuned parameters."""
        configs = self._tuner.configs
        configs = configs() if callable(configs) else configs
        return [{name: value for name, value in config.items() if name != _PASS_CONFIGS} for config in configs]

    def _config(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        return {} if self._is_chosen(args, kwargs) else self._tuned(args, kwargs)[1]

    def _is_chosen(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Whether the caller gives tuned parameters, as TileLang sees it: any of them."""
        given = {*list(self.function.signature.parameters)[: len(args)], *kwargs}
        return any(name in given for config in self.configurations()[:1] for name in config)

    def _tuned(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Kernel, dict[str, Any]]:
        key = _tuning_key([*args, *(value for _, value in sorted(kwargs.items()))], sorted(kwargs))
        if key not in self._best:
            with located(self.function.location):
                self._best[key] = self._search(args, kwargs)
        return self._best[key]

    def _search(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Kernel, dict[str, Any]]:
        best: tuple[float, Kernel, dict[str, Any]] | None = None
        failures = []
        inputs: list[Any] | None = None
        for config in self.configurations():
            try:
                kernel = self.function.compile(*args, **kwargs, **config)
                if inputs is None:
                    inputs = self._inputs(kernel, args, kwargs)
                latency = self._measure(kernel, inputs)
            except (TTJitError, AssertionError) as error:
                failures.append(f"{config}: {str(error).splitlines()[0].removeprefix('error: ')}")
                continue
            build.tell(self.function.verbose, f"{config}: {latency:.3f} ms")
            if best is None or latency < best[0]:
                best = (latency, kernel, config)
        if best is None:
            raise TuningError(
                f"{self.function.function.__name__}: none of {len(failures)} configurations works\n  "
                + "\n  ".join(failures),
                hint="pass the tuned parameters to try one configuration by itself",
            )
        latency, kernel, config = best
        return kernel.update_tuner_result(latency, config, None), config

    def _inputs(self, kernel: Kernel, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """Copies of the caller's tensors in eager style; in lazy style tensors are made up, or supplied by the user."""
        if self.function.mode == "eager":
            values = {**dict(zip(self.function.signature.parameters, args, strict=False)), **kwargs}
            return [
                value.clone() if isinstance(value, torch.Tensor) else value
                for value in (values[parameter.name] for parameter in kernel.signature.inputs)
            ]
        if self._tuner.supply_prog is not None:
            return list(self._tuner.supply_prog(kernel.params))
        return kernel.get_profiler(self._tuner.supply_type).inputs()

    def _measure(self, kernel: Kernel, inputs: Sequence[Any]) -> float:
        tuner = self._tuner
        profiler = kernel.get_profiler(tuner.supply_type)
        if tuner.ref_prog is not None and not tuner.skip_check:
            if tuner.manual_check_prog is not None:
                profiler.manual_assert_close(tuner.ref_prog, inputs, tuner.manual_check_prog)
            else:
                tolerances = (tuner.atol, tuner.rtol, tuner.max_mismatched_ratio)
                profiler.assert_allclose(tuner.ref_prog, inputs, *tolerances)
        latency = profiler.do_bench(warmup=tuner.warmup, rep=tuner.rep, input_tensors=inputs)
        assert isinstance(latency, float)
        return latency


def _tuning_key(values: Sequence[Any], names: Sequence[str]) -> tuple[Any, ...]:
    """Tensors by their looks, everything else by content."""
    looks = [(tuple(value.shape), str(value.dtype)) if isinstance(value, torch.Tensor) else None for value in values]
    others = [None if isinstance(value, torch.Tensor) else value for value in values]
    return (tuple(looks), capture_values(others).digest, tuple(names))
