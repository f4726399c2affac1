"""Captured values that change must lead to a new kernel, whatever way they were captured; unchanged ones must not."""

import collections
import functools
import itertools
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy
import pytest
import tilelang.language as T
import torch

import tt_jit as tt
from tt_jit import build
from tt_jit.cache.captured import capture

from . import kernels
from .conftest import FakeDevice

SIZE = 16
SIZES = [16, 4]
TABLE = {"size": 16, "inner": [1, 2]}
ARRAY = numpy.array([16, 2])
TENSOR = torch.tensor([16, 2])
RECORD = types.SimpleNamespace(size=16)


class Plain:
    size = 16

    def __init__(self) -> None:
        self.extra = 0

    def total(self) -> int:
        return self.size + self.extra + SIZE


class Slotted:
    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 16


@dataclass
class Options:
    size: int = 16


class Mode(Enum):
    SMALL = 16
    LARGE = 32


PLAIN = Plain()
SLOTTED = Slotted()
OPTIONS = Options()
MODE = Mode.SMALL


def helper() -> int:
    return helper_of_helper() * 2


def helper_of_helper() -> int:
    return SIZE // 2


def with_default(size: int = 16) -> int:
    return size


def one_dimensional(size: Any) -> Any:
    @T.prim_func
    def main(A: T.Tensor((size,), "float32")):
        with T.Kernel(1):
            for i in T.serial(size):
                A[i] = 1.0

    return main


def size_of(kernel: tt.Kernel) -> int:
    size = kernel.parameters[0].shape[0].constant
    assert size is not None
    return size


def change_global(name: str, value: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setitem(globals(), name, value)


def set_item(container: Any, key: Any, value: Any) -> Callable[[pytest.MonkeyPatch], None]:
    def change(patch: pytest.MonkeyPatch) -> None:
        before = container[key].clone() if isinstance(container, torch.Tensor) else container[key]
        container[key] = value
        _UNDO.append(lambda: container.__setitem__(key, before))

    return change


_UNDO: list[Callable[[], None]] = []


def undo_all() -> None:
    while _UNDO:
        _UNDO.pop()()


@pytest.fixture(autouse=True)
def undo_item_changes() -> Any:
    yield
    undo_all()


CASES: dict[str, tuple[Callable[[], Any], Callable[[pytest.MonkeyPatch], None], int]] = {
    "global": (lambda: SIZE, change_global("SIZE", 1000), 1000),
    "global in a helper of a helper": (lambda: helper(), change_global("SIZE", 2000), 2000),
    "replaced helper": (lambda: helper(), change_global("helper_of_helper", lambda: 12), 24),
    "list element": (lambda: SIZES[0], set_item(SIZES, 0, 32), 32),
    "list in a dict": (lambda: TABLE["inner"][1] * 8, set_item(TABLE["inner"], 1, 4), 32),
    "dict item": (lambda: TABLE["size"], set_item(TABLE, "size", 32), 32),
    "numpy array": (lambda: int(ARRAY[0]), set_item(ARRAY, 0, 32), 32),
    "tensor": (lambda: int(TENSOR[0]), set_item(TENSOR, 0, 32), 32),
    "namespace": (lambda: RECORD.size, lambda patch: patch.setattr(RECORD, "size", 32), 32),
    "instance attribute": (lambda: PLAIN.total(), lambda patch: patch.setattr(PLAIN, "extra", 8), 40),
    "class attribute": (lambda: PLAIN.size, lambda patch: patch.setattr(Plain, "size", 48), 48),
    "class attribute through the class": (lambda: Plain.size, lambda patch: patch.setattr(Plain, "size", 48), 48),
    "method": (lambda: PLAIN.total(), lambda patch: patch.setattr(Plain, "total", lambda self: 8), 8),
    "slot": (lambda: SLOTTED.size, lambda patch: patch.setattr(SLOTTED, "size", 32), 32),
    "dataclass": (lambda: OPTIONS.size, lambda patch: patch.setattr(OPTIONS, "size", 32), 32),
    "enum": (lambda: MODE.value, change_global("MODE", Mode.LARGE), 32),
    "default argument": (
        lambda: with_default(),
        lambda patch: patch.setattr(with_default, "__defaults__", (32,)),
        32,
    ),
    "function attribute": (
        lambda: getattr(with_default, "bonus", 0) + 16,
        lambda patch: patch.setattr(with_default, "bonus", 16, raising=False),
        32,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_change_leads_to_a_new_kernel(name: str, device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    read, change, after = CASES[name]

    def factory(scale: int) -> Any:
        return one_dimensional(read() * scale)

    f = tt.jit(factory, device=device)
    first = f(1)
    assert f(1) is first
    change(monkeypatch)
    assert size_of(f(1)) == after != size_of(first)
    monkeypatch.undo()
    undo_all()
    assert size_of(f(1)) == size_of(first)


@pytest.mark.parametrize("name", CASES)
def test_an_unchanged_function_is_not_traced_again(name: str, device: FakeDevice) -> None:
    read, _, _ = CASES[name]

    def factory() -> Any:
        return one_dimensional(read())

    f = tt.jit(factory, device=device)
    kernel = f()
    for _ in range(3):
        assert f() is kernel
    assert build.statistics.traces == 1
    captured = capture(factory)
    assert captured.not_portable is None, captured.not_portable
    assert captured.digest == capture(factory).digest


def test_two_closures_of_one_function(device: FakeDevice) -> None:
    def of(size: int) -> Any:
        @tt.jit(device=device)
        def factory() -> Any:
            return one_dimensional(size)

        return factory

    assert (size_of(of(128)()), size_of(of(256)())) == (128, 256)


def test_a_closure_variable_that_changes(device: FakeDevice) -> None:
    size = 8

    @tt.jit(device=device)
    def factory() -> Any:
        return one_dimensional(size)

    assert size_of(factory()) == 8
    size = 24
    assert size_of(factory()) == 24
    size = 8
    assert size_of(factory()) == 8
    assert build.statistics.traces == 2


def test_a_closure_of_an_eager_function_that_changes(device: FakeDevice) -> None:
    fill = 1.0

    @tt.jit(device=device)
    def filled(A):
        M = T.const("M")
        A: T.Tensor[[M], T.float32]
        with T.Kernel(1):
            for i in T.serial(M):
                A[i] = fill

    filled(torch.zeros(8))
    filled(torch.zeros(8))
    fill = 2.0
    filled(torch.zeros(8))
    texts = [artifact.files["reader.cpp"] for artifact, _, _ in device.launches]
    assert texts[0] == texts[1]
    assert "T.float32(1.0)" in texts[0]
    assert "T.float32(2.0)" in texts[2]


def test_a_name_in_an_annotation_of_an_eager_function(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    @tt.jit(device=device)
    def annotated(A):
        A: T.Tensor[[SIZE], T.float32]
        with T.Kernel(1):
            A[0] = 1.0

    annotated(torch.zeros(16))
    monkeypatch.setitem(globals(), "SIZE", 32)
    annotated(torch.zeros(32))
    with pytest.raises(tt.errors.ArgumentError, match="wrong shape"):
        annotated(torch.zeros(16))


MACRO_SCALE = 2.0


@T.macro
def scale_by_global(A, i):
    A[i] = A[i] * MACRO_SCALE


def test_a_global_in_a_macro(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    @tt.jit(device=device)
    def factory() -> Any:
        @T.prim_func
        def main(A: T.Tensor((8,), "float32")):
            with T.Kernel(1):
                for i in T.serial(8):
                    scale_by_global(A, i)

        return main

    assert "T.float32(2.0)" in factory().get_kernel_source("reader")
    monkeypatch.setitem(globals(), "MACRO_SCALE", 3.0)
    assert "T.float32(3.0)" in factory().get_kernel_source("reader")


def test_a_closure_of_a_macro(device: FakeDevice) -> None:
    scale = 2.0

    @T.macro
    def scale_by_closure(A, i):
        A[i] = A[i] * scale

    @tt.jit(device=device)
    def factory() -> Any:
        @T.prim_func
        def main(A: T.Tensor((8,), "float32")):
            with T.Kernel(1):
                for i in T.serial(8):
                    scale_by_closure(A, i)

        return main

    assert "T.float32(2.0)" in factory().get_kernel_source("reader")
    scale = 3.0
    assert "T.float32(3.0)" in factory().get_kernel_source("reader")


def test_a_module_attribute(device: FakeDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings_of_kernel.py").write_text("BLOCK = 16\ndef double():\n    return BLOCK * 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import settings_of_kernel

    @tt.jit(device=device)
    def factory() -> Any:
        return one_dimensional(settings_of_kernel.BLOCK + settings_of_kernel.double())

    @tt.jit(device=device)
    def importing() -> Any:
        from settings_of_kernel import BLOCK

        return one_dimensional(BLOCK)

    assert (size_of(factory()), size_of(importing())) == (48, 16)
    settings_of_kernel.BLOCK = 32
    assert (size_of(factory()), size_of(importing())) == (96, 32)
    assert capture(importing.function).not_portable is not None
    sys.modules.pop("settings_of_kernel")


def test_a_global_that_appears_later_hides_a_builtin(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    @tt.jit(device=device)
    def factory() -> Any:
        return one_dimensional(max(8, 16))

    assert size_of(factory()) == 16
    monkeypatch.setitem(globals(), "max", lambda *values: 64)
    assert size_of(factory()) == 64


def test_a_function_as_argument_is_taken_with_all_it_captured(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    @tt.jit(device=device)
    def factory(size_function: Callable[[], int]) -> Any:
        return one_dimensional(size_function())

    assert size_of(factory(helper)) == 16
    assert size_of(factory(lambda: 8)) == 8
    monkeypatch.setitem(globals(), "SIZE", 64)
    assert size_of(factory(helper)) == 64


def test_a_mutable_object_as_argument_is_taken_by_content(device: FakeDevice) -> None:
    @tt.jit(device=device)
    def factory(options: Options) -> Any:
        return one_dimensional(options.size)

    options = Options(size=8)
    first = factory(options)
    assert factory(Options(size=8)) is first
    options.size = 24
    assert size_of(factory(options)) == 24


def test_what_cannot_be_seen_is_traced_at_every_call(device: FakeDevice) -> None:
    sizes = itertools.count(8)

    @tt.jit(device=device)
    def factory() -> Any:
        return one_dimensional(next(sizes))

    assert [size_of(factory()) for _ in range(3)] == [8, 9, 10]
    assert capture(factory.function).volatile is not None


def test_builtins_that_reach_everything_make_a_function_volatile(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    @tt.jit(device=device)
    def factory() -> Any:
        return one_dimensional(globals()["SI" + "ZE"])

    assert size_of(factory()) == 16
    monkeypatch.setitem(globals(), "SIZE", 40)
    assert size_of(factory()) == 40


def test_the_environment(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    @tt.jit(device=device)
    def factory() -> Any:
        return one_dimensional(int(os.environ.get("TEST_BLOCK_SIZE", "8")))

    assert size_of(factory()) == 8
    monkeypatch.setenv("TEST_BLOCK_SIZE", "32")
    assert size_of(factory()) == 32
    assert capture(factory.function).not_portable == "the environment is read"


def test_a_cached_helper_is_never_served_from_the_index() -> None:
    @functools.lru_cache
    def cached() -> int:
        return SIZE

    def factory() -> Any:
        return one_dimensional(cached())

    assert capture(factory).not_portable is not None


def test_reading_the_machine_is_not_portable() -> None:
    import random

    from tilelang.backend.target import determine_target

    def with_random() -> int:
        return random.randint(1, 8)

    def with_torch() -> int:
        return torch.cuda.device_count()

    def with_target() -> Any:
        return determine_target("auto")

    def pure() -> Any:
        return T.ceildiv(SIZE, 8), torch.float16, T.float32, numpy.float32, collections.OrderedDict

    assert [capture(f).not_portable is None for f in (with_random, with_torch, with_target, pure)] == [
        False,
        False,
        False,
        True,
    ]


def test_symbols_of_one_name_are_still_two() -> None:
    def reads(first: Any, second: Any) -> Callable[[], Any]:
        def factory() -> Any:
            return first, second

        return factory

    m, other = T.dynamic("m"), T.dynamic("m")
    assert capture(reads(m, m)).digest != capture(reads(m, other)).digest
    assert capture(reads(m, other)).digest == capture(reads(other, m)).digest


def test_replaced_code_is_seen(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the autoreload of a notebook does it."""

    @tt.jit(device=device)
    def factory() -> Any:
        return one_dimensional(with_default())

    assert size_of(factory()) == 16
    monkeypatch.setattr(with_default, "__code__", (lambda size=16: size * 2).__code__)
    assert size_of(factory()) == 32


def test_eager_kernels_and_shared_kernels_have_portable_captures() -> None:
    for function in (kernels.eager_add, kernels.eager_in_place, kernels.lazy_copy, kernels.make_scaled(2.0)):
        captured = capture(function)
        assert (captured.not_portable, captured.volatile) == (None, None)
    assert capture(kernels.make_scaled(2.0)).digest != capture(kernels.make_scaled(3.0)).digest


def test_a_value_that_is_computed_anew_is_no_change(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr(tt.jit.__globals__["JitFunction"], "_first_call", _counted(looks))
    monkeypatch.setitem(globals(), "SIZE", 1000)
    factor = 1.5

    @tt.jit(device=device)
    def factory() -> Any:
        return one_dimensional(int(SIZE * factor))

    first = factory()
    monkeypatch.setitem(globals(), "SIZE", int("1000"))
    factor = float("1.5")
    assert factory() is first
    assert len(looks) == 1
    monkeypatch.setitem(globals(), "SIZE", 1000.0)
    factory()
    assert len(looks) == 2, "an equal number of another type is a change"


def _counted(looks: list[Any]) -> Any:
    original = tt.jit.__globals__["JitFunction"]._first_call

    def first_call(self: Any, args: Any, kwargs: Any) -> Any:
        looks.append(self)
        return original(self, args, kwargs)

    return first_call


def test_replaced_defaults_of_the_function_itself(device: FakeDevice) -> None:
    def factory(size: int = 8) -> Any:
        return one_dimensional(size)

    f = tt.jit(factory, device=device)
    assert size_of(f()) == 8
    factory.__defaults__ = (24,)
    assert size_of(f()) == 24


def test_a_mutable_default_argument(device: FakeDevice) -> None:
    sizes = [8]

    @tt.jit(device=device)
    def factory(given: list[int] = sizes) -> Any:
        return one_dimensional(sum(given))

    assert size_of(factory()) == 8
    sizes.append(16)
    assert size_of(factory()) == 24
