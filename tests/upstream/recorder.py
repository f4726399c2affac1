"""The kernel objects that upstream examples get: they run on tt_jit's emulator, are compared with the interpreter,
and are recorded."""

import contextlib
import hashlib
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ..reference.formats import UnsupportedByInterpreter, elements_per_byte, is_float, torch_dtype, unpacked_floats
from ..reference.interpreter import Interpreter, Precision

Outputs = list[torch.Tensor | None]


@dataclass(kw_only=True)
class Outcome:
    """What became of one kernel. ``status``: right, wrong, refused, crashed, lowered (if that was all), traced,
    unknown (no oracle)."""

    kernel: str
    status: str = "traced"
    detail: str = ""
    calls: int = 0
    compile_seconds: float = 0.0
    run_seconds: float = 0.0
    oracle_seconds: float = 0.0
    script: str = field(default="", repr=False)


def _out_indices(func: Any, out_idx: Any) -> list[int]:
    if out_idx is None:
        return []
    listed = [out_idx] if isinstance(out_idx, int) else [int(index) for index in out_idx]
    return [index % len(func.params) for index in listed]


def formats_error(result: torch.Tensor, expected: torch.Tensor, exact: torch.Tensor) -> tuple[float, float]:
    """(largest error of ``result``, largest error allowed), both relative to the scale of the exact values.

    ``exact`` is the formula in float64, ``expected`` the kernel evaluated with the roundings of its declared dtypes.
    The distance between the two is what rounding costs in this kernel; another order of summation may cost as much
    again, and the result may be off by two units of its own format beyond that. The matrix unit cuts its right operand
    to 10 bits (up to 2^-10 of each product); kernels chain up to four products, hence another 2^-8.
    """
    unit = torch.finfo(result.dtype).eps if result.dtype.is_floating_point else 0.0
    exact, expected, result = exact.double(), expected.double(), result.double()
    finite = torch.isfinite(exact) & torch.isfinite(expected)
    if not torch.equal(torch.isfinite(result) | ~finite, torch.ones_like(finite)):
        return float("inf"), 0.0
    odd = ~finite & ~torch.isnan(expected)
    if not torch.equal(result[odd], expected[odd]):
        return float("inf"), 0.0
    if not finite.any():
        return 0.0, 0.0
    scale = exact[finite].abs().max().clamp_min(1e-30)
    rounding = ((expected - exact)[finite].abs().max() / scale).item()
    error = (result - exact)[finite].abs().max() / scale
    return error.item(), 4 * rounding + 2 * unit + 2.0**-8


class RecordedKernel:
    """Stands where TileLang's JITKernel would."""

    def __init__(self, func: Any, out_idx: Any, outcome: Outcome, build: Callable[[Any, Any], Any] | None) -> None:
        self.prim_func = func
        self.out_idx = _out_indices(func, out_idx) or None
        self.params = list(func.params)
        self.config: dict[str, Any] = {}
        self.latency = self.ref_latency = 1.0
        self.outcome = outcome
        self.interpreters: dict[Precision, Interpreter] = {}
        self.build = build
        self.kernel: Any = None
        self.latest: tuple[list[Any], Outputs] | None = None
        """Arguments and results of the latest call: benchmarks repeat it many times."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        arguments = [*args, *kwargs.values()]
        before = [_copy(argument) for argument in arguments]
        self.outcome.calls += 1
        if self.latest is not None and _same_arguments(self.latest[0], before):
            return self._deliver(arguments, self.latest[1])
        try:
            expected = self._oracle(before, "declared")
        except Exception:
            self._build_without_oracle()
            raise
        if self.build is not None and self.outcome.status in ("traced", "right"):
            self._check(before, expected)
        self.latest = (before, expected)
        return self._deliver(arguments, expected)

    def _oracle(self, arguments: Sequence[Any], precision: Precision) -> Outputs:
        started = time.perf_counter()
        try:
            if precision not in self.interpreters:
                self.interpreters[precision] = Interpreter(self.prim_func, precision=precision)
            copies = [_copy(argument) for argument in arguments]
            return self.interpreters[precision].run(copies, self.out_idx, everything=True)
        except UnsupportedByInterpreter as error:
            self.outcome.status, self.outcome.detail = "unknown", f"interpreter: {error}"
            raise
        except Exception as error:
            self.outcome.status, self.outcome.detail = (
                "unknown",
                f"interpreter crashed: {type(error).__name__}: {error}",
            )
            raise
        finally:
            self.outcome.oracle_seconds += time.perf_counter() - started

    def _build_without_oracle(self) -> None:
        """A kernel that is refused needs no oracle."""
        if self.build is None:
            return
        try:
            self.build(self.prim_func, self.out_idx)
        except Exception as error:
            self._record(error)

    def _record(self, error: Exception) -> None:
        """The compiler's or the emulator's error: a refusal or a crash."""
        outcome = self.outcome
        refused = type(error).__name__ in ("UnsupportedError", "TilingError", "L1OverflowError")
        outcome.status = "refused" if refused else "crashed"
        outcome.detail = " ".join(str(error).split())[:400] or type(error).__name__
        if not refused:
            outcome.detail = f"{type(error).__name__}: {outcome.detail}"
            last = traceback.extract_tb(error.__traceback__)[-1]
            outcome.detail += f" [{last.filename.split('/')[-1]}:{last.lineno}]"

    def _check(self, arguments: Sequence[Any], expected: Outputs) -> None:
        assert self.build is not None
        outcome = self.outcome
        try:
            started = time.perf_counter()
            if self.kernel is None:
                self.kernel = self.build(self.prim_func, self.out_idx)
            outcome.compile_seconds += time.perf_counter() - started
            if self.kernel is None:
                outcome.status = "lowered"
                return
            started = time.perf_counter()
            given = [_copy(argument) for argument in arguments]
            returned = self.kernel(*given)
            outcome.run_seconds += time.perf_counter() - started
        except Exception as error:
            self._record(error)
            return
        exact = self._oracle(arguments, "float64")
        meaningful = self._meaningful(arguments, expected)
        results = self._all_parameters(given, returned)
        outcome.status, outcome.detail = "right", ""
        for position, (result, wanted, precise) in enumerate(zip(results, expected, exact, strict=True)):
            if wanted is None or precise is None or not isinstance(result, torch.Tensor):
                continue
            if meaningful is not None:
                kept = meaningful[position]
                result, wanted, precise = (values.reshape(kept.shape)[kept] for values in (result, wanted, precise))
            verdict = compare(result, wanted, precise)
            if verdict:
                outcome.status, outcome.detail = "wrong", f"tensor {position}: {verdict}"
                return

    def _meaningful(self, arguments: Sequence[Any], expected: Outputs) -> list[torch.Tensor] | None:
        """Per tensor, the elements that do not depend on uninitialised memory; None when there is no NaN to explain."""
        if not any(values.isnan().any() for values in expected if values is not None):
            return None
        interpreter = Interpreter(self.prim_func, uninitialised=0.5)
        others = interpreter.run([_copy(argument) for argument in arguments], self.out_idx, everything=True)
        return [
            torch.empty(0) if values is None or other is None else ~values.isnan() | other.isnan()
            for values, other in zip(expected, others, strict=True)
        ]

    def _all_parameters(self, given: Sequence[Any], returned: Any) -> list[Any]:
        """What every parameter holds after a call: outputs that were returned, arguments that may be changed in
        place."""
        outputs = self.out_idx or []
        values = [] if not outputs else [returned] if len(outputs) == 1 else list(returned)
        made = dict(zip(outputs, values, strict=True))
        arguments = iter(given)
        return [made[index] if index in made else next(arguments) for index in range(len(self.params))]

    def _deliver(self, arguments: Sequence[Any], expected: Outputs) -> Any:
        """Gives the example the interpreter's results, so that its later kernels get right inputs."""
        outputs = self.out_idx or []
        inputs = [index for index in range(len(self.params)) if index not in outputs]
        for argument, index in zip(arguments, inputs, strict=True):
            values = expected[index]
            if isinstance(argument, torch.Tensor) and values is not None and not _identical(argument, values):
                with torch.no_grad():
                    argument.copy_(values.reshape(argument.shape))
        # What the kernel never wrote is NaN here and any old number on a GPU; examples expect to mask numbers.
        made = [_without_nan(expected[index]) for index in outputs]
        return None if not made else made[0] if len(made) == 1 else made

    # What else examples ask of a kernel

    def get_profiler(self, *args: Any, **kwargs: Any) -> "RecordedProfiler":
        return RecordedProfiler(self)

    def get_kernel_source(self, *args: Any, **kwargs: Any) -> str:
        return ""

    get_host_source = get_kernel_source

    def show_source(self, *args: Any, **kwargs: Any) -> None:
        return None

    print_source_code = export_sources = show_source


class RecordedProfiler:
    """Makes inputs for a kernel and compares it with the example's own reference program."""

    def __init__(self, kernel: RecordedKernel) -> None:
        self.kernel = self.func = kernel

    def _inputs(self) -> list[Any]:
        func, outputs = self.kernel.prim_func, self.kernel.out_idx or []
        generator = torch.Generator().manual_seed(0)
        inputs: list[Any] = []
        for index, param in enumerate(func.params):
            if index in outputs:
                continue
            buffer = func.buffer_map[param]
            shape = [int(extent) for extent in buffer.shape]
            dtype = str(buffer.dtype)
            if elements_per_byte(dtype) == 2:
                packed = torch.randint(0, 256, [*shape[:-1], shape[-1] // 2], generator=generator, dtype=torch.uint8)
                inputs.append(packed.view(torch_dtype(dtype)))
            elif is_float(dtype):
                inputs.append(torch.randn(shape, generator=generator).to(torch_dtype(dtype)))
            elif dtype == "bool":
                inputs.append(torch.randint(0, 2, shape, generator=generator).bool())
            else:
                inputs.append(
                    torch.randint(0 if dtype.startswith("u") else -2, 3, shape, generator=generator).to(
                        torch_dtype(dtype)
                    )
                )
        return inputs

    def assert_allclose(
        self,
        reference: Callable[..., Any],
        *,
        input_tensors: Any = None,
        rtol: float = 1e-2,
        atol: float = 1e-2,
        **_: Any,
    ) -> None:
        inputs = list(input_tensors) if input_tensors is not None else self._inputs()
        result = self.kernel(*inputs)
        expected = reference(*inputs)
        results = result if isinstance(result, list | tuple) else [result]
        wanted = expected if isinstance(expected, list | tuple) else [expected]
        for got, want in zip(results, wanted, strict=False):
            if isinstance(got, torch.Tensor) and isinstance(want, torch.Tensor):
                # References compute in 16 bits: they are off in proportion to the usual size, not to each result.
                size = max(1.0, want.float().square().nanmean().sqrt().item())
                close = torch.isclose(got.float(), want.float(), rtol=max(rtol, 1e-2), atol=max(atol, 1e-2) * size)
                if close.double().mean().item() < 0.99:
                    raise AssertionError("the interpreter differs from the example's reference program")

    manual_assert_close = assert_allclose

    def _get_inputs(self, with_output: bool = False) -> list[Any]:
        return self._inputs()

    def run_once(self, *args: Any, **kwargs: Any) -> Any:
        return self.kernel(*self._inputs())

    def do_bench(self, func: Any = None, *args: Any, input_tensors: Any = None, **kwargs: Any) -> float:
        if self.kernel.outcome.calls == 0:
            self.kernel(*(input_tensors if input_tensors is not None else self._inputs()))
        return 1.0


class Recorder:
    """Collects the kernels that one example compiles."""

    def __init__(self, build: Callable[[Any, Any], Any] | None) -> None:
        self.build = build
        self.outcomes: dict[str, Outcome] = {}
        self.kernels: dict[str, RecordedKernel] = {}

    def compile(self, func: Any, out_idx: Any) -> RecordedKernel:
        script = str(func.script())
        digest = hashlib.sha256(script.encode()).hexdigest()
        if digest not in self.kernels:
            attributes = func.attrs or {}
            name = str(attributes["global_symbol"]) if "global_symbol" in attributes else "main"
            same = sum(outcome.kernel.split("#")[0] == name for outcome in self.outcomes.values())
            outcome = Outcome(kernel=f"{name}#{same + 1}" if same else name, script=script)
            self.outcomes[digest] = outcome
            self.kernels[digest] = RecordedKernel(func, out_idx, outcome, self.build)
        return self.kernels[digest]

    def run_uncalled(self) -> None:
        """Runs what the example only compiled, where any input of the right shapes is valid: tensors of floats."""
        for kernel in self.kernels.values():
            func = kernel.prim_func
            if kernel.outcome.calls == 0 and all(_takes_any_values(func, param) for param in func.params):
                with contextlib.suppress(Exception):
                    kernel.get_profiler().run_once()


def _takes_any_values(func: Any, param: Any) -> bool:
    buffer = func.buffer_map.get(param)
    return buffer is not None and is_float(str(buffer.dtype)) and all(hasattr(size, "value") for size in buffer.shape)


def _copy(argument: Any) -> Any:
    return argument.detach().clone() if isinstance(argument, torch.Tensor) else argument


def _same_arguments(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(map(_same, one, other))


def _same(one: Any, other: Any) -> bool:
    if not isinstance(one, torch.Tensor) or not isinstance(other, torch.Tensor):
        return type(one) is type(other) and bool(one == other)
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.equal(one.contiguous().view(torch.uint8), other.contiguous().view(torch.uint8)) if one.dim() else False


def _without_nan(values: torch.Tensor | None) -> torch.Tensor | None:
    if values is None or not values.is_floating_point():
        return values
    return torch.where(values.isnan(), torch.zeros_like(values), values)


def _identical(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Equal, NaN included: an argument that the kernel only read must not look modified to autograd."""
    left, right = left.detach().double(), right.reshape(left.shape).double()
    return torch.equal(left.nan_to_num(nan=0.125), right.nan_to_num(nan=0.125))


def compare(result: torch.Tensor, expected: torch.Tensor, exact: torch.Tensor) -> str:
    """Empty when ``result`` is as good as the formats allow, else what is wrong with it."""
    result, expected = unpacked_floats(result), unpacked_floats(expected)
    if not result.dtype.is_floating_point:
        differing = (result.long() != expected.long()).sum().item()
        # An integer that is a rounded float may fall on the other side of a step.
        close = (result.long() - expected.long()).abs().max().item() <= 1 and differing <= 0.01 * result.numel()
        return (
            ""
            if differing == 0 or (close and exact.dtype.is_floating_point)
            else f"{differing} of {result.numel()} integers differ"
        )
    error, allowed = formats_error(result, expected, exact)
    return "" if error <= allowed else f"error {error:.3g} of the largest value, {allowed:.3g} allowed"
