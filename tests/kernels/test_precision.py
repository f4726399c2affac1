"""The policies ``accurate`` and ``fast``: what each promises, and what ``fast`` makes of the kernels.

Bounds of ``fast``, in units of u = 2^-8 (bfloat16): every stored intermediate is rounded, at most u; in 16-bit DST
every operation of the vector engine too, at most 2 u (its sums are cut off). HiFi2 cuts the last of the eight bits off
the left operand of a product, at most 2 u. The approximate exponential is off by 3.2e-2.
"""

import math
from typing import Any

import pytest
import tilelang.language as T
import torch

import tt_jit
from tests.kernels.tolerance import assert_within, elementwise_bound

U = 2.0**-8
EXP = 3.2e-2


@tt_jit.jit
def product(A, B):
    M, N, K = T.const("M, N, K")
    A: T.Tensor[[M, K], T.bfloat16]
    B: T.Tensor[[K, N], T.bfloat16]
    C = T.empty((M, N), T.bfloat16)
    with T.Kernel(T.ceildiv(N, 128), T.ceildiv(M, 128)) as (bx, by):
        a = T.alloc_shared((128, 32), T.bfloat16)
        b = T.alloc_shared((32, 128), T.bfloat16)
        c = T.alloc_fragment((128, 128), T.float32)
        T.clear(c)
        for k in T.Pipelined(T.ceildiv(K, 32), num_stages=2):
            T.copy(A[by * 128, k * 32], a)
            T.copy(B[k * 32, bx * 128], b)
            T.gemm(a, b, c)
        T.copy(c, C[by * 128, bx * 128])
    return C


@tt_jit.jit
def scaled_exp(A, S, V):
    M, N = T.const("M, N")
    A: T.Tensor[[M, N], T.float16]
    S: T.Tensor[[M], T.float32]
    V: T.Tensor[[N], T.float32]
    C = T.empty((M, N), T.float16)
    with T.Kernel(T.ceildiv(N, 64), T.ceildiv(M, 64)) as (bx, by):
        a = T.alloc_shared((64, 64), T.float16)
        s = T.alloc_fragment((64,), T.float32)
        v = T.alloc_fragment((64,), T.float32)
        c = T.alloc_fragment((64, 64), T.float32)
        T.copy(A[by * 64, bx * 64], a)
        T.copy(S[by * 64], s)
        T.copy(V[bx * 64], v)
        for i, j in T.Parallel(64, 64):
            c[i, j] = a[i, j] * s[i]
        for i, j in T.Parallel(64, 64):
            c[i, j] = T.exp(c[i, j] - v[j])
        T.copy(c, C[by * 64, bx * 64])
    return C


@tt_jit.jit
def softmax(A):
    M, N = T.const("M, N")
    A: T.Tensor[[M, N], T.float32]
    C = T.empty((M, N), T.float32)
    with T.Kernel(T.ceildiv(M, 32)) as bx:
        a = T.alloc_fragment((32, N), T.float32)
        peak = T.alloc_fragment((32,), T.float32)
        total = T.alloc_fragment((32,), T.float32)
        T.copy(A[bx * 32, 0], a)
        T.reduce_max(a, peak, dim=1)
        for i, j in T.Parallel(32, N):
            a[i, j] = T.exp(a[i, j] - peak[i])
        T.reduce_sum(a, total, dim=1)
        for i, j in T.Parallel(32, N):
            a[i, j] = a[i, j] / total[i]
        T.copy(a, C[bx * 32, 0])
    return C


def source(function: Any, *arguments: Any, policy: str) -> str:
    text: str = function.compile(*arguments, precision=policy).get_kernel_source()
    return text


def config_of(function: Any, *arguments: Any, policy: str) -> tuple[str, bool, bool]:
    """Math fidelity, 32-bit DST, approximate functions."""
    (program,) = function.compile(*arguments, precision=policy).artifact.plan.programs
    config = program.compute_config
    return config.math_fidelity, config.fp32_dest_acc_en, config.math_approx_mode


def exp_arguments() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(64, 96).half(), torch.rand(64), torch.rand(96)


def exp_reference(a: torch.Tensor, s: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The result, and the sum of magnitudes in its exponent."""
    scaled = a.double() * s.double()[:, None]
    return torch.exp(scaled - v.double()), scaled.abs() + v.double()


def test_products() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(128, 256).bfloat16(), torch.randn(256, 128).bfloat16()
    exact, magnitude = a.double() @ b.double(), a.double().abs() @ b.double().abs()
    # 8 blocks of depth 32 are summed in float32; inside a block two sums of 16 in bfloat16.
    assert_within(product(a, b, precision="fast"), exact, 2 * U * magnitude + 3 * U * exact.abs())
    assert_within(product(a, b), exact, 8 * 2.0**-12 * magnitude + U * exact.abs())
    assert config_of(product, a, b, policy="fast") == ("HiFi2", False, True)
    assert config_of(product, a, b, policy="accurate") == ("HiFi4", True, False)


def test_sixteen_bit_dst_reads_operands_of_products_less_often() -> None:
    a, b = torch.randn(128, 64).bfloat16(), torch.randn(64, 128).bfloat16()
    texts = {policy: source(product, a, b, policy=policy) for policy in ("accurate", "fast")}
    # 16 tiles of C: four blocks of 2 x 2, or two of 2 x 4.
    assert "0, 0, 2, 2, 1)" in texts["accurate"]
    assert "0, 0, 4, 2, 1)" in texts["fast"]


def test_elementwise() -> None:
    arguments = exp_arguments()
    exact, exponent = exp_reference(*arguments)
    fast = scaled_exp(*arguments, precision="fast")
    # The tensors, the product and the difference are rounded, each of them at most 2 u of the exponent's terms.
    assert_within(fast, exact, exact * (EXP + 4 * 2 * U * exponent + 2 * U))
    accurate = elementwise_bound(exact, torch.float16, operations=3, functions=1, magnitude=exact * (1 + exponent))
    assert_within(scaled_exp(*arguments), exact, accurate)


def test_the_texts_differ_as_documented() -> None:
    arguments = exp_arguments()
    accurate, fast = (source(scaled_exp, *arguments, policy=policy) for policy in ("accurate", "fast"))
    assert "exp_tile(0)" in accurate or "exp_tile(t)" in accurate
    assert "exp_tile<true>" in fast and "exp_tile<true>" not in accurate
    # Broadcasts: inside of DST, or by the matrix engine on the way into it.
    assert "sfpu_mul_bcast_col" in accurate and "sfpu_" not in fast
    assert "mul_tiles_bcast_cols" in fast and "unary_bcast<BroadcastType::ROW>" in fast
    assert config_of(scaled_exp, *arguments, policy="fast") == ("HiFi2", False, True)


def test_float16_travels_in_half_the_bytes() -> None:
    arguments = exp_arguments()
    counters = {}
    for policy in ("accurate", "fast"):
        kernel = scaled_exp.compile(*arguments, precision=policy)
        kernel(*arguments)
        counters[policy] = kernel.last_launch.counters
        formats = {tensor.name: (tensor.dtype, tensor.format) for tensor in kernel.artifact.plan.tensors}
        assert formats["A"] == ("float16", "Float32" if policy == "accurate" else "Float16_b")
        assert formats["S"] == ("float32", "Float32")
    assert counters["fast"]["noc_write_bytes"] * 2 == counters["accurate"]["noc_write_bytes"]
    assert counters["fast"]["sfpu_tiles"] * 3 <= counters["accurate"]["sfpu_tiles"] * 2


def test_sums_stay_in_thirty_two_bits() -> None:
    torch.manual_seed(0)
    a = torch.randn(32, 512)
    exact = torch.softmax(a.double(), dim=1)
    fast = softmax(a, precision="fast")
    difference = a.double().amax(1, keepdim=True) - a.double()
    weight = EXP + 2 * 2 * U * (a.double().abs() + difference) + U
    # The error of a weight, of the sum of all weights, and of rounding the sum and the quotient.
    assert_within(fast, exact, exact * (weight + (exact * weight).sum(1, keepdim=True) + 3 * U))
    assert config_of(softmax, a, policy="fast") == ("HiFi2", True, False)


def test_integers_are_exact_in_both_policies() -> None:
    @tt_jit.jit(out_idx=-1)
    def kernel():
        @T.prim_func
        def main(A: T.Tensor((64, 64), "int8"), B: T.Tensor((64, 64), "int8"), C: T.Tensor((64, 64), "int32")):
            with T.Kernel(1):
                a = T.alloc_shared((64, 64), "int8")
                b = T.alloc_shared((64, 64), "int8")
                c = T.alloc_fragment((64, 64), "int32")
                T.copy(A, a)
                T.copy(B, b)
                T.clear(c)
                T.gemm(a, b, c)
                T.copy(c, C)

        return main

    torch.manual_seed(0)
    a, b = (torch.randint(-128, 128, (64, 64), dtype=torch.int8) for _ in range(2))
    assert torch.equal(kernel(precision="fast")(a, b), (a.long() @ b.long()).int())


def exponential(precision: str | None = None, annotation: str | None = None, *, fast_call: bool = False) -> Any:
    """exp of 32 x 32 numbers, with the policy given in one of the places that take it."""

    @tt_jit.jit(out_idx=-1, precision=precision)
    def kernel():
        @T.prim_func
        def main(A: T.Tensor((32, 32), "float32"), B: T.Tensor((32, 32), "float32")):
            if annotation is not None:
                T.func_attr({"tt_precision": annotation})
            with T.Kernel(1):
                a = T.alloc_fragment((32, 32), "float32")
                T.copy(A, a)
                for i, j in T.Parallel(32, 32):
                    a[i, j] = T.__exp(a[i, j]) if fast_call else T.exp(a[i, j])
                T.copy(a, B)

        return main

    return kernel


def is_fast(kernel: Any) -> bool:
    fast: bool = kernel.artifact.plan.programs[0].compute_config.math_approx_mode
    return fast


def test_where_the_policy_may_be_given() -> None:
    assert not is_fast(exponential()())
    assert is_fast(exponential("fast")())
    assert is_fast(exponential()(precision="fast"))
    assert not is_fast(exponential("fast")(precision="accurate"))
    assert is_fast(exponential(annotation="fast")())
    assert not is_fast(exponential(annotation="fast")(precision="accurate"))
    with tt_jit.config.scope(precision="fast"):
        assert is_fast(exponential()())
        assert not is_fast(exponential("accurate")())


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(tt_jit.errors.ArgumentError, match="unknown precision 'exact'"):
        exponential("exact")
    with pytest.raises(tt_jit.errors.ArgumentError, match="unknown precision 'exact'"):
        exponential()(precision="exact")


def test_one_approximate_function_in_an_accurate_kernel() -> None:
    kernel = exponential(fast_call=True)()
    x = torch.linspace(-8, 8, 1024).reshape(32, 32)
    exact = torch.exp(x.double())
    assert_within(kernel(x), exact, EXP * exact)
    assert "exp_tile<true>" in kernel.get_kernel_source()
    assert not is_fast(kernel)
    error = (kernel(x).double() - exact).abs() / exact
    assert error.max() > EXP / 2


@tt_jit.jit
def error_function(A):
    A: T.Tensor[[32, 32], T.float32]
    B = T.empty((32, 32), T.float32)
    with T.Kernel(1):
        a = T.alloc_fragment((32, 32), T.float32)
        T.copy(A, a)
        for i, j in T.Parallel(32, 32):
            a[i, j] = T.erf(a[i, j])
        T.copy(a, B)
    return B


def test_erf_is_exact_to_float32_by_default() -> None:
    """The chip's short form is off by 3.2e-3, which the default policy must not use: the long one is, by 3e-7."""
    x = torch.linspace(-6, 6, 1024).reshape(32, 32)
    exact = torch.erf(x.double())
    assert_within(error_function(x), exact, 4e-7)
    small = torch.linspace(-1e-2, 1e-2, 1024).reshape(32, 32)
    assert_within(error_function(small), torch.erf(small.double()), 5e-7 * torch.erf(small.double()).abs())
    # The short form; a 16-bit DST cuts off its argument and its result.
    slope = 2 / math.sqrt(math.pi) * torch.exp(-x.double() ** 2)
    assert_within(error_function(x, precision="fast"), exact, 3.2e-3 + 2 * U * (slope * x.abs() + exact.abs()))
    assert "#define INP_FLOAT32" in source(error_function, x, policy="accurate")
