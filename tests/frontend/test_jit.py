"""The decorator in both styles, against a device that only notes what it is asked."""

from typing import Any

import pytest
import tilelang
import tilelang.language as T
import torch

import tt_jit as tt
from tt_jit import build
from tt_jit.errors import ArgumentError, TraceError

from . import kernels
from .conftest import FakeDevice


def test_a_lazy_call_gives_a_kernel_and_the_same_one_again(device: FakeDevice) -> None:
    f = tt.jit(kernels.lazy_copy, out_idx=-1, device=device)
    kernel = f(64, 32)
    assert isinstance(kernel, tt.Kernel)
    assert f(64, 32) is kernel
    assert f(M=64, N=32) is kernel
    assert f(64, 32, block=32) is kernel
    assert f(64, 32, block=64) is not kernel
    assert build.statistics.traces == 2
    assert f.mode == "lazy"


def test_one_output_is_returned_as_a_tensor(device: FakeDevice) -> None:
    def compute(tensors: list[Any], scalars: list[Any]) -> None:
        tensors[1].copy_(tensors[0])

    device.compute = compute
    kernel = tt.jit(out_idx=[-1], device=device)(kernels.lazy_copy)(64, 32)
    a = torch.randn(64, 32)
    assert torch.equal(kernel(a), a)
    assert torch.equal(kernel(A=a), a)


def test_several_outputs_are_a_list_in_the_order_of_out_idx(device: FakeDevice) -> None:
    def compute(tensors: list[Any], scalars: list[Any]) -> None:
        a, b, c, d = tensors
        b.copy_(a + c)
        d.fill_(7)

    device.compute = compute
    kernel = tt.jit(kernels.lazy_two_outputs, out_idx=[3, 1], device=device)(8)
    a, c = torch.ones(8), torch.full((8,), 2.0)
    result = kernel(a, c)
    assert isinstance(result, list)
    assert [tensor.dtype for tensor in result] == [torch.int32, torch.float16]
    assert result[0].shape == (8, 2)
    assert torch.equal(result[1], torch.full((8,), 3.0, dtype=torch.float16))
    assert kernel.out_idx == [3, 1]


def test_without_out_idx_the_kernel_writes_into_its_arguments(device: FakeDevice) -> None:
    kernel = tt.jit(kernels.lazy_copy, device=device)(64, 32)
    a, b = torch.zeros(64, 32), torch.zeros(64, 32)
    assert kernel(a, b) is None
    assert device.launches[-1][1][0] is a
    assert device.launches[-1][1][1] is b


def test_an_eager_call_runs_at_once(device: FakeDevice) -> None:
    def compute(tensors: list[Any], scalars: list[Any]) -> None:
        torch.add(tensors[0], tensors[1], out=tensors[2])

    device.compute = compute
    f = tt.jit(kernels.eager_add, device=device)
    a, b = torch.randn(64, 32), torch.randn(64, 32)
    for call in (lambda: f(a, b), lambda: f(A=a, B=b), lambda: f(a, B=b), lambda: f(B=b, A=a, block=32)):
        assert torch.equal(call(), a + b)
        assert torch.equal(call(), a + b)
    assert f.mode == "eager"
    assert build.statistics.traces == 1
    f(torch.zeros(32, 32), torch.zeros(32, 32))
    assert build.statistics.traces == 2, "other T.const values are another kernel"
    f(a, b, block=64)
    assert build.statistics.traces == 3


def test_dynamic_sizes_share_one_kernel_and_scalars_are_passed(device: FakeDevice) -> None:
    f = tt.jit(kernels.eager_in_place, device=device)
    for size in (8, 16, 8, 100):
        assert f(torch.zeros(size), 1.5, size) is None
        assert device.launches[-1][2] == [1.5, size]
    assert build.statistics.traces == 1
    assert build.statistics.compilations == 1


def test_compile_and_get_tir_take_placeholders_and_const_values(device: FakeDevice) -> None:
    f = tt.jit(kernels.eager_add, device=device)
    by_name = f.compile(M=64, N=32)
    by_placeholder = f.compile(T.Tensor((64, 32), T.float32), T.Tensor((64, 32), T.float32))
    assert by_name is by_placeholder
    assert by_name is f.compile(torch.zeros(64, 32), torch.zeros(64, 32))
    assert f.get_tir(M=64, N=32).attrs["global_symbol"] == "eager_add"
    assert by_name(torch.zeros(64, 32), torch.zeros(64, 32)).shape == (64, 32)
    with pytest.raises(ArgumentError, match=r"no value for N"):
        f.compile(M=64)


def test_an_eager_kernel_without_tensor_inputs_can_be_called(device: FakeDevice) -> None:
    @tt.jit(device=device)
    def iota(n: int):
        A = T.empty((n,), T.int32)
        with T.Kernel(1):
            for i in T.serial(n):
                A[i] = i
        return A

    assert iota(16).shape == (16,)
    assert iota(16).dtype == torch.int32
    assert build.statistics.traces == 1


def test_eager_tuple_outputs_keep_the_order_of_return(device: FakeDevice) -> None:
    @tt.jit(device=device)
    def pair(A):
        M = T.const("M")
        A: T.Tensor[[M], T.float32]
        first = T.empty((M,), T.float32)
        second = T.empty((M, 2), T.int32)
        with T.Kernel(1):
            for i in T.serial(M):
                first[i] = A[i]
                second[i, 0] = 1
        return second, first

    result = pair(torch.zeros(4))
    assert [tuple(tensor.shape) for tensor in result] == [(4, 2), (4,)]
    # The launch gets the tensors in the order of the PrimFunc's parameters all the same.
    assert [tuple(tensor.shape) for tensor in device.launches[-1][1]] == [(4,), (4,), (4, 2)]


def test_a_tilelang_jit_object_is_adopted(device: FakeDevice) -> None:
    existing = tilelang.jit(out_idx=[-1])(kernels.lazy_copy)
    kernel = tt.jit(existing, device=device)(64, 32)
    assert kernel(torch.zeros(64, 32)).shape == (64, 32)
    tuned = tilelang.autotune(configs=[{"block": 32}])(existing)
    assert tt.jit(tuned, device=device)(64, 32, block=64).out_idx == [1]
    eager = tilelang.jit(kernels.eager_add)
    assert tt.jit(eager, device=device)(torch.zeros(32, 32), torch.zeros(32, 32)).shape == (32, 32)


def test_compile_takes_a_prim_func(device: FakeDevice) -> None:
    func = kernels.lazy_copy(64, 32)
    kernel = tt.compile(func, out_idx=-1, device=device)
    assert kernel(torch.zeros(64, 32)).shape == (64, 32)
    assert kernel.prim_func is func
    assert [param.shape for param in kernel.params] == [[64, 32], [64, 32]]
    with pytest.raises(ArgumentError, match=r"takes a T\.prim_func"):
        tt.compile(tt.jit(kernels.lazy_copy), device=device)


def test_par_compile(device: FakeDevice) -> None:
    f = tt.jit(kernels.lazy_copy, out_idx=-1, device=device)
    first, second = f.par_compile([(64, 32), {"M": 32, "N": 32}])
    assert first is f(64, 32)
    assert second is f(32, 32)
    both = tt.par_compile([kernels.lazy_copy(64, 32), kernels.lazy_copy(32, 32)], out_idx=-1, device=device)
    assert [kernel.signature.name for kernel in both] == ["copy", "copy"]


def test_decorator_arguments_of_tilelang_are_accepted(device: FakeDevice) -> None:
    f = tt.jit(
        out_idx=[-1],
        target="cuda",
        target_host="llvm",
        execution_backend="tvm_ffi",
        verbose=False,
        pass_configs={"tl.disable_warp_specialized": True},
        compile_flags=["-O3"],
        device=device,
    )(kernels.lazy_copy)
    assert f(64, 32).out_idx == [1]
    with pytest.raises(ArgumentError, match="execution_backend"):
        tt.jit(execution_backend="vulkan")
    with pytest.raises(ArgumentError, match="keywords"):
        tt.jit([-1])


def test_debug_root_path_gets_the_generated_files(device: FakeDevice, tmp_path: Any) -> None:
    tt.jit(kernels.lazy_copy, device=device, debug_root_path=tmp_path / "debug")(64, 32)
    assert (tmp_path / "debug/copy/reader.cpp").is_file()
    assert "def copy" in (tmp_path / "debug/copy/copy.py").read_text()


def test_kernels_that_ask_for_the_number_of_cores_get_the_chips(device: FakeDevice) -> None:
    def persistent(M: int) -> Any:
        from tilelang.carver.arch import driver

        cores = driver.get_num_sms()

        @T.prim_func
        def main(A: T.Tensor((M, cores), "float32")):
            with T.Kernel(cores) as core:
                A[0, core] = 1.0

        return main

    kernel = tt.jit(persistent, device=device)(32)
    assert kernel.parameters[0].shape[1].constant == 64


def test_a_trace_error_names_the_users_line(device: FakeDevice) -> None:
    @tt.jit(device=device)
    def broken(M: int):
        @T.prim_func
        def main(A: T.Tensor((M,), "float32")):
            with T.Kernel(1):
                A[0] = not_defined_anywhere

        return main

    with pytest.raises(TraceError) as caught:
        broken(8)
    assert caught.value.location.file == __file__
    assert caught.value.location.source_line().strip() == "A[0] = not_defined_anywhere"
    assert "not_defined_anywhere" in str(caught.value)


def test_a_function_that_returns_something_else_is_refused(device: FakeDevice) -> None:
    def returns_text(lazy: bool) -> Any:
        @T.prim_func
        def main(A: T.Tensor((4,), "float32")):
            with T.Kernel(1):
                A[0] = 1.0

        return main if lazy else "main"

    f = tt.jit(returns_text, device=device)
    f(True)
    with pytest.raises(TraceError, match="returned str"):
        f(False)


def test_out_idx_belongs_to_the_lazy_style(device: FakeDevice) -> None:
    f = tt.jit(kernels.eager_add, out_idx=-1, device=device)
    with pytest.raises(ValueError, match="out_idx is only supported in lazy mode"):
        f(torch.zeros(32, 32), torch.zeros(32, 32))


def test_a_device_may_be_given_per_call(device: FakeDevice) -> None:
    other = FakeDevice()
    f = tt.jit(kernels.eager_add, device=device)
    f(torch.zeros(32, 32), torch.zeros(32, 32))
    f(torch.zeros(32, 32), torch.zeros(32, 32), device=other)
    f(torch.zeros(32, 32), torch.zeros(32, 32), device=other)
    assert (len(device.launches), len(other.launches)) == (1, 2)
    with pytest.raises(ArgumentError, match="names no device"):
        f(torch.zeros(32, 32), torch.zeros(32, 32), device="gpu")


def test_equal_numbers_of_other_types_are_other_arguments(device: FakeDevice) -> None:
    def typed(flag: Any) -> Any:
        size = 8 if isinstance(flag, bool) else 16

        @T.prim_func
        def main(A: T.Tensor((size,), "float32")):
            with T.Kernel(1):
                A[0] = 1.0

        return main

    f = tt.jit(typed, device=device)
    sizes = [f(flag).parameters[0].shape[0].constant for flag in (1, True, 1.0, True, 1)]
    assert sizes == [16, 8, 16, 8, 16]


def test_list_arguments_are_taken_by_content(device: FakeDevice) -> None:
    def shaped(shape: list[int]) -> Any:
        @T.prim_func
        def main(A: T.Tensor(shape, "float32")):
            with T.Kernel(1):
                A[0, 0] = 1.0

        return main

    f = tt.jit(shaped, device=device)
    shape = [8, 16]
    first = f(shape)
    assert f([8, 16]) is first
    shape[0] = 32
    assert f(shape).parameters[0].shape[0].constant == 32


def test_warm_calls_take_the_short_path(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = torch.zeros(64, 32), torch.zeros(64, 32)
    eager = tt.jit(kernels.eager_add, device=device)
    in_place = tt.jit(kernels.eager_in_place, device=device)
    lazy = tt.jit(kernels.lazy_copy, out_idx=-1, device=device)
    calls = (
        lambda: eager(a, b),
        lambda: eager(a, B=b, block=32),
        lambda: eager(B=b, A=a),
        lambda: eager(b, a),
        lambda: in_place(a[0], 1.5, 3),
        lambda: in_place(a[0], count=4, value=2.5),
        lambda: lazy(64, 32),
        lambda: lazy(64, N=32, dtype="float16"),
        lambda: lazy(64, 32)(a),
    )
    for call in calls:
        call()

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a warm call took the long way")

    for function in (eager, in_place, lazy):
        monkeypatch.setattr(function, "_first_call", refuse)
    monkeypatch.setattr("tt_jit.kernel.check_arguments", refuse)
    for call in calls:
        call()
    assert device.launches[-2][2] == [2.5, 4]


def test_wrong_calls_of_decorated_functions(device: FakeDevice) -> None:
    eager = tt.jit(kernels.eager_in_place, device=device)
    lazy = tt.jit(kernels.lazy_copy, device=device)
    a = torch.zeros(8)
    for call, parts in (
        (lambda: eager(a, 1.0), ("missing argument 'count'", "got: 2 arguments", "eager_in_place(A, value, count)")),
        (lambda: eager(value=1.0, count=1), ("missing argument 'A'",)),
        (lambda: eager(a, 1.0, 8, 9), ("too many positional arguments", "at most 3: A, value, count")),
        (lambda: eager(a, 1.0, 8, blok=9), ("unknown keyword argument 'blok'",)),
        (lambda: eager(a, 1.0, 8, value=2.0), ("argument 'value' is given twice",)),
        (lambda: eager(a.double(), 1.0, 8), ("argument 'A' has the wrong dtype",)),
        (lambda: eager([1.0], 1.0, 8), ("argument 'A' is no torch tensor", "got: list")),
        (lambda: eager(a.view(2, 4), 1.0, 8), ("wrong number of dimensions",)),
        (lambda: lazy(64), ("missing argument 'N'", "lazy_copy(M, N, block=32, dtype='float32')")),
        (lambda: lazy(64, 32, blok=32), ("unknown keyword argument 'blok'", "needed: M, N, block, dtype")),
    ):
        with pytest.raises(ArgumentError) as caught:
            call()
        for part in parts:
            assert part in str(caught.value)
    assert device.launches == []
