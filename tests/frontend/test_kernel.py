"""The kernel object: what TileLang users reach for."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from tilelang.utils.tensor import TensorSupplyType

import tt_jit as tt
from tt_jit.errors import ArgumentError, UnsupportedError

from . import kernels
from .conftest import FakeDevice, FakeLoaded


def copying(tensors: list[Any], scalars: list[Any]) -> None:
    tensors[1].copy_(tensors[0])


@pytest.fixture
def kernel(device: FakeDevice) -> tt.Kernel:
    device.compute = copying
    return tt.jit(kernels.lazy_copy, out_idx=-1, device=device)(64, 32)


def test_sources(kernel: tt.Kernel, capsys: pytest.CaptureFixture[str]) -> None:
    assert kernel.get_kernel_source("compute") == "// compute\n"
    everything = kernel.get_kernel_source()
    places = [everything.index(f"// ===== {role}.cpp =====") for role in ("reader", "compute", "writer")]
    assert places == sorted(places)
    assert "main.cpp" not in everything
    assert "main.cpp" in kernel.get_kernel_source(kernel_only=False)
    assert kernel.get_kernel_source(False) == kernel.get_kernel_source(kernel_only=False)
    assert kernel.get_host_source() == "int main() {}\n"
    with pytest.raises(ArgumentError, match="unknown role 'host'"):
        kernel.get_kernel_source("host")
    kernel.show_source()
    kernel.show_source("host")
    kernel.show_source("writer")
    printed = capsys.readouterr().out
    assert printed.count("// reader") == 1
    assert printed.count("// writer") == 2
    assert printed.count("int main") == 1
    with pytest.raises(ArgumentError, match="unknown choice"):
        kernel.show_source("everything")


def test_single_files_are_exported_as_in_tilelang(kernel: tt.Kernel, tmp_path: Path) -> None:
    kernel.export_sources(kernel_path=tmp_path / "a/kernel.cpp", host_path=tmp_path / "b/host.cpp")
    assert (tmp_path / "a/kernel.cpp").read_text() == kernel.get_kernel_source()
    assert (tmp_path / "b/host.cpp").read_text() == kernel.get_host_source()
    kernel.export_sources(tmp_path / "first.cu")
    assert (tmp_path / "first.cu").is_file()
    with pytest.raises(ArgumentError, match="needs to know where"):
        kernel.export_sources()


def test_facts(kernel: tt.Kernel, device: FakeDevice) -> None:
    assert kernel.out_idx == [1]
    assert [parameter.name for parameter in kernel.parameters] == ["A", "B"]
    assert kernel.plan.target == "wormhole_b0"
    assert (kernel.artifact_dir / "reader.cpp").is_file()
    assert (kernel.artifact_dir / "ir/01_traced.py").is_file()
    assert kernel.device is device
    assert kernel.target is device.target
    assert "copy(A)" in repr(kernel)
    assert kernel.prim_func.attrs["global_symbol"] == "copy"


def test_what_only_gpus_have_is_refused(kernel: tt.Kernel) -> None:
    for call in (kernel.show_ptx, kernel.show_sass, lambda: kernel.export_library("kernel.so")):
        with pytest.raises(UnsupportedError):
            call()


def test_tuning_results(kernel: tt.Kernel) -> None:
    with pytest.raises(ArgumentError, match="not tuned"):
        kernel.get_tuner_result()
    assert kernel.update_tuner_result(1.5, {"block": 32}, None) is kernel
    assert kernel.get_tuner_result() == {"latency": 1.5, "config": {"block": 32}, "ref_latency": None}


def test_scalars_are_checked_on_every_call(device: FakeDevice) -> None:
    f = tt.jit(kernels.eager_in_place, device=device)
    f(torch.zeros(8), 1.0, 8)
    with pytest.raises(ArgumentError, match="argument 'count' does not fit"):
        f(torch.zeros(8), 1.0, 2**31)
    with pytest.raises(ArgumentError, match="argument 'count' does not fit"):
        f(torch.zeros(8), 1.0, 8.0)
    assert len(device.launches) == 1


def test_wrong_arguments_are_refused_after_good_ones(kernel: tt.Kernel) -> None:
    good = torch.randn(64, 32)
    assert torch.equal(kernel(good), good)
    for bad in (good.half(), good[:32], good.to_sparse(), None):
        with pytest.raises(ArgumentError):
            kernel(bad)
    with pytest.raises(ArgumentError, match="unknown keyword"):
        kernel(good, out=good)
    assert torch.equal(kernel(good.t().contiguous().t()), good)


@pytest.mark.parametrize("supply", [None, *TensorSupplyType, "Randn"])
def test_the_profiler_supplies_tensors(kernel: tt.Kernel, supply: Any) -> None:
    profiler = kernel.get_profiler(tensor_supply_type=supply)
    (made,) = profiler.inputs()
    assert (made.shape, made.dtype) == ((64, 32), torch.float32)
    assert torch.equal(profiler.run_once(lambda a: a * 0), torch.zeros(64, 32))
    assert profiler.run_once().shape == (64, 32)
    name = getattr(supply, "name", supply)
    if name in ("Zero", "One"):
        assert torch.equal(made, torch.full((64, 32), float(name == "One")))
    else:
        assert made.std() > 0


def test_the_profiler_compares_with_a_reference(kernel: tt.Kernel, device: FakeDevice) -> None:
    profiler = kernel.get_profiler()
    profiler.assert_allclose(lambda a: a)
    profiler.assert_consistent(repeat=2)
    with pytest.raises(AssertionError, match="2048 of 2048 elements differ"):
        profiler.assert_allclose(lambda a: a + 1)
    profiler.assert_allclose(lambda a: a + 1, max_mismatched_ratio=1.0)
    with pytest.raises(AssertionError, match="shape"):
        profiler.assert_allclose(lambda a: a[:32])
    one_wrong = torch.zeros(64, 32)
    one_wrong[3, 5] = 1
    profiler.assert_allclose(lambda a: a + one_wrong)
    with pytest.raises(AssertionError, match=r"the worst is at \(3, 5\)"):
        profiler.assert_allclose(lambda a: a + one_wrong, max_mismatched_ratio=0.0)
    seen = []
    profiler.manual_assert_close(lambda a: a, manual_check_prog=lambda ours, reference: seen.append(len(ours)))
    assert seen == [1]


def test_the_profiler_measures(kernel: tt.Kernel, device: FakeDevice) -> None:
    profiler = kernel.get_profiler()
    latency = profiler.do_bench(n_warmup=1, n_repeat=3, backend="cupti")
    assert isinstance(latency, float)
    assert latency > 0
    # One call to prepare, one to estimate, one to warm up, three to measure.
    assert len(device.launches) == 6
    quantiles = profiler.do_bench(n_warmup=1, n_repeat=5, quantiles=[0.5, 0.9])
    assert len(quantiles) == 2
    assert quantiles[0] <= quantiles[1]
    assert profiler.do_bench(early_stop_baseline=0.0) > 0
    with pytest.raises(ArgumentError, match="return_mode"):
        profiler.do_bench(return_mode="best")
    with pytest.raises(ArgumentError, match="backend"):
        profiler.do_bench(backend="stopwatch")


def test_the_profiler_needs_the_sizes_of_dynamic_kernels(device: FakeDevice) -> None:
    import tilelang.language as T

    m = T.dynamic("m")

    @T.prim_func
    def main(A: T.Tensor((m, 4), "int32"), B: T.Tensor((m, 4), "int32")):
        with T.Kernel(1):
            B[0, 0] = A[0, 0]

    device.compute = copying
    profiler = tt.compile(main, out_idx=-1, device=device).get_profiler()
    with pytest.raises(ArgumentError, match="dynamic_symbolic_constraints"):
        profiler.do_bench()
    profiler.do_bench(n_warmup=1, n_repeat=1, dynamic_symbolic_constraints={"m": 7})
    assert device.launches[-1][1][0].shape == (7, 4)


def test_tensors_on_the_chip_stay_there(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """With stand-ins for ttnn's tensor and for the runtime that knows it."""
    chip_tensor = type("Tensor", (), {"__module__": "ttnn._ttnn.tensor"})

    def on_chip(shape: tuple[int, ...], dtype: str = "float32") -> Any:
        tensor = chip_tensor()
        tensor.shape, tensor.dtype = shape, dtype
        return tensor

    runtime = ModuleType("tt_jit.runtime.ttnn")
    runtime.describe = lambda tensor: (tuple(tensor.shape), tensor.dtype)
    monkeypatch.setitem(sys.modules, "tt_jit.runtime.ttnn", runtime)
    f = tt.jit(kernels.eager_add, device=device)
    with pytest.raises(ArgumentError, match="this kernel runs on the emulator"):
        f.compile(M=64, N=32)(on_chip((64, 32)), torch.zeros(64, 32))
    allocated = []

    def allocate(self: Any, argument: int, shape: tuple[int, ...]) -> Any:
        allocated.append((argument, shape))
        return on_chip(shape)

    monkeypatch.setattr(FakeLoaded, "allocate", allocate, raising=False)
    a = on_chip((64, 32))
    for _ in range(2):
        assert isinstance(f(a, torch.zeros(64, 32)), chip_tensor)
        assert isinstance(f.compile(M=64, N=32)(a, a), chip_tensor)
    assert allocated == [(2, (64, 32))] * 4
    assert isinstance(f(torch.zeros(64, 32), torch.zeros(64, 32)), torch.Tensor)
    assert f(on_chip((32, 32)), on_chip((32, 32))).shape == (32, 32)
    with pytest.raises(ArgumentError, match="got: a ttnn tensor of bfloat16"):
        f(on_chip((64, 32), "bfloat16"), a)
    with pytest.raises(ArgumentError, match="wrong shape"):
        f(a, on_chip((32, 32)))
