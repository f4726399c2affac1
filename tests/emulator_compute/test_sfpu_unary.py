"""Every SFPU operation on one tile of fp32 against torch; bounds in units in the last place of fp32."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from .harness import BF16, ComputeKernel, Operand, compute_kernel, matrix

Function = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Operation:
    """`expected` computes in double."""

    init: str
    call: str
    expected: Function
    low: float = -8.0
    high: float = 8.0
    ulps: float = 4.0


def bits(value: float) -> str:
    return hex(struct.unpack("<I", struct.pack("<f", value))[0])


def op(
    name: str,
    expected: Function,
    *arguments: float,
    template: str = "",
    low: float = -8.0,
    high: float = 8.0,
    ulps: float = 4.0,
    init: str | None = None,
) -> Operation:
    words = "".join(f", {bits(argument)}" for argument in arguments)
    return Operation(
        init or f"{name}_tile_init{template}()", f"{name}_tile{template}(0{words})", expected, low, high, ulps
    )


def compared(compare: Callable[[torch.Tensor, float], torch.Tensor], value: float) -> Function:
    return lambda x: compare(x, value).double()


def softplus(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.softplus(x)


def rounding(name: str, expected: Function) -> Operation:
    return op(name, expected, init="rounding_op_tile_init()", ulps=0)


SCALAR_INIT = "binop_with_scalar_tile_init()"
F = torch.nn.functional
OPERATIONS = [
    op("abs", torch.abs, ulps=0),
    op("acos", torch.acos, low=-1, high=1),
    op("acosh", torch.acosh, low=1, high=50),
    op("add_unary", lambda x: x + 1.5, 1.5, init=SCALAR_INIT, ulps=1),
    op("asin", torch.asin, low=-1, high=1),
    op("asinh", torch.asinh),
    op("atan", torch.atan),
    op("atanh", torch.atanh, low=-0.99, high=0.99),
    op("cbrt", lambda x: torch.sign(x) * x.abs() ** (1 / 3)),
    op("celu", lambda x: F.celu(x, 1.5), 1.5, 1 / 1.5, ulps=8),
    op("clamp", lambda x: x.clamp(-1, 2), -1.0, 2.0, ulps=0),
    op("cos", torch.cos, low=-100, high=100),
    op("cosh", torch.cosh),
    op("digamma", torch.digamma, low=0.5, high=20, ulps=64),
    op("div_unary", lambda x: x * 0.25, 0.25, init=SCALAR_INIT, ulps=0),
    op("elu", lambda x: torch.where(x < 0, 1.5 * torch.expm1(x), x), 1.5, ulps=8),
    op("erfc", torch.erfc, low=-4, high=8),
    op("erfinv", torch.erfinv, low=-0.999, high=0.999, ulps=8),
    op("exp", torch.exp, low=-80, high=80),
    Operation("exp_tile_init()", "exp_tile<false, true>(0, VectorMode::RC, 0x3f00)", lambda x: torch.exp(x / 2)),
    op("exp2", torch.exp2, low=-100, high=100),
    op("expm1", torch.expm1),
    op("fmod", lambda x: torch.fmod(x, 1.5), init=f"fmod_tile_init({bits(1.5)}, {bits(1 / 1.5)})", ulps=1),
    op("gelu", F.gelu, template="<false>", low=-3, ulps=64),
    op("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), low=-3, ulps=64),
    op("hardmish", lambda x: x * (x / 2 + 1).clamp(0, 1), ulps=2),
    op("hardshrink", lambda x: F.hardshrink(x, 0.75), 0.75, ulps=0),
    op("hardsigmoid", F.hardsigmoid, ulps=8),
    op("hardtanh", lambda x: F.hardtanh(x, -2, 3), -2.0, 3.0, ulps=0),
    op("heaviside", lambda x: (x > 0).double(), 0.5, ulps=0),
    op("i0", torch.special.i0),
    op("i1", torch.special.i1),
    op("identity", lambda x: x, ulps=0),
    op("leaky_relu", lambda x: F.leaky_relu(x, 0.25), 0.25, ulps=0),
    op("lgamma_stirling", torch.lgamma, low=3, high=30),
    op("log", torch.log, low=1e-3, high=1e3),
    op("log1p", torch.log1p, low=-0.9, high=100),
    op("log_with_base", torch.log2, 1 / math.log(2), low=1e-3, high=1e3, ulps=8),
    op("mish", F.mish, template="<false>", ulps=16),
    op("mul_unary", lambda x: x * 1.5, 1.5, init=SCALAR_INIT, ulps=1),
    op("negative", torch.neg, ulps=0),
    op("polygamma", lambda x: torch.special.polygamma(2, x), 2.0, -2.0, low=0.5, high=20, ulps=16),
    op("power", lambda x: x**2.5, 2.5, low=0.01, high=20),
    Operation("power_iterative_tile_init()", "power_iterative_tile(0, 5)", lambda x: x**5, ulps=8),
    op("prelu", lambda x: torch.where(x < 0, 0.1 * x, x), 0.1, ulps=1),
    op("rdiv", lambda x: 3.0 / x, 3.0, ulps=1),
    Operation(
        "rdiv_tile_init()", f"rdiv_tile<RoundingMode::Floor>(0, {bits(3.0)})", lambda x: torch.floor(3.0 / x), ulps=0
    ),
    op("recip", lambda x: 1 / x, ulps=1),
    op("relu", torch.relu, ulps=0),
    op("relu_max", lambda x: x.clamp(0, 2), 2.0, ulps=0),
    op("relu_min", lambda x: x.clamp(min=-1.5), -1.5, ulps=0),
    op(
        "remainder",
        lambda x: torch.remainder(x, 1.5),
        init=f"remainder_tile_init({bits(1.5)}, {bits(1 / 1.5)})",
        ulps=4,
    ),
    Operation("rounding_op_tile_init()", "round_tile(0, 2)", lambda x: torch.round(x * 100) / 100, ulps=64),
    op("rpow", lambda x: 1.5**x, 1.5),
    op("rsqrt", torch.rsqrt, low=1e-3, high=100, ulps=2),
    op("rsub", lambda x: 1.5 - x, 1.5, ulps=1),
    op("rsub_unary", lambda x: 1.5 - x, 1.5, init=SCALAR_INIT, ulps=1),
    op("selu", F.selu, 1.0507009873554805, 1.6732632423543772, ulps=8),
    op("sigmoid", torch.sigmoid),
    op("sign", torch.sign, ulps=0),
    op("signbit", lambda x: torch.signbit(x).double(), ulps=0),
    op("silu", F.silu, ulps=8),
    op("sin", torch.sin, low=-100, high=100),
    op("sinh", torch.sinh),
    op("softcap", lambda x: 5 * torch.tanh(x / 5), 5.0, 0.2, ulps=8),
    op("softplus", softplus, 1.0, 1.0, 20.0, ulps=8),
    op("softshrink", lambda x: F.softshrink(x, 0.75), 0.75, ulps=1),
    op("softsign", F.softsign, ulps=2),
    op("sqrt", torch.sqrt, low=0, high=100, ulps=1),
    op("square", torch.square, ulps=1),
    op("sub_unary", lambda x: x - 1.5, 1.5, init=SCALAR_INIT, ulps=1),
    op("tan", torch.tan, low=-1.5, high=1.5),
    op("tanh", torch.tanh),
    op("tanh_derivative", lambda x: 1 / torch.cosh(x) ** 2, low=-3, high=3, ulps=64),
    op("threshold", lambda x: F.threshold(x, 0.5, -2.0), 0.5, -2.0, ulps=0),
    op(
        "xielu",
        lambda x: torch.where(x > 0, 0.8 * x * x + 0.5 * x, 0.8 * (torch.expm1(x) - x) + 0.5 * x),
        0.8,
        0.8,
        ulps=64,
    ),
    rounding("ceil", torch.ceil),
    rounding("floor", torch.floor),
    rounding("trunc", torch.trunc),
    rounding("frac", torch.frac),
    *(
        op(f"unary_{name}", compared(compare, 0.25), 0.25, ulps=0)
        for name, compare in [
            ("eq", torch.eq),
            ("ne", torch.ne),
            ("lt", torch.lt),
            ("le", torch.le),
            ("gt", torch.gt),
            ("ge", torch.ge),
        ]
    ),
    *(
        op(name, compared(compare, 0.0), ulps=0)
        for name, compare in [
            ("eqz", torch.eq),
            ("nez", torch.ne),
            ("ltz", torch.lt),
            ("lez", torch.le),
            ("gtz", torch.gt),
            ("gez", torch.ge),
        ]
    ),
    op("unary_max", lambda x: x.clamp(min=0.25), 0.25, ulps=0),
    op("unary_min", lambda x: x.clamp(max=0.25), 0.25, ulps=0),
    Operation(
        "logical_not_tile_init()", "logical_not_tile<DataFormat::Float32>(0)", lambda x: (x == 0).double(), ulps=0
    ),
    Operation("fill_tile_init()", "fill_tile(0, 1.5f)", lambda x: torch.full_like(x, 1.5), ulps=0),
    Operation("fill_tile_init()", "fill_tile_bitcast(0, 0xbf800000)", lambda x: torch.full_like(x, -1.0), ulps=0),
]

HEADERS = [
    "compute_kernel_api",
    "eltwise_unary/activations",
    "eltwise_unary/binop_with_scalar",
    "eltwise_unary/cbrt",
    "eltwise_unary/clamp",
    "eltwise_unary/comp",
    "eltwise_unary/digamma",
    "eltwise_unary/elu",
    "eltwise_unary/erf_erfc",
    "eltwise_unary/erfinv",
    "eltwise_unary/exp",
    "eltwise_unary/fill",
    "eltwise_unary/fmod",
    "eltwise_unary/gelu",
    "eltwise_unary/hardmish",
    "eltwise_unary/hardtanh",
    "eltwise_unary/i0",
    "eltwise_unary/i1",
    "eltwise_unary/identity",
    "eltwise_unary/isinf_isnan",
    "eltwise_unary/lgamma",
    "eltwise_unary/log1p",
    "eltwise_unary/logical_not",
    "eltwise_unary/mish",
    "eltwise_unary/negative",
    "eltwise_unary/polygamma",
    "eltwise_unary/prelu",
    "eltwise_unary/rand",
    "eltwise_unary/rdiv",
    "eltwise_unary/recip",
    "eltwise_unary/relu",
    "eltwise_unary/remainder",
    "eltwise_unary/rounding",
    "eltwise_unary/rpow",
    "eltwise_unary/rsqrt",
    "eltwise_unary/rsub",
    "eltwise_unary/selu",
    "eltwise_unary/softcap",
    "eltwise_unary/softplus",
    "eltwise_unary/sqrt",
    "eltwise_unary/tanh_derivative",
    "eltwise_unary/threshold",
    "eltwise_unary/trigonometry",
    "eltwise_unary/xielu",
]

KERNEL = """
%(includes)s
void kernel_main() {
    compute_kernel_hw_startup(0, 1);
    copy_init(0);
    cb_wait_front(0, 1);
    cb_reserve_back(1, 1);
    tile_regs_acquire();
    copy_tile(0, 0, 0);
    switch (get_common_arg_val<uint32_t>(0)) {
%(cases)s
    }
    tile_regs_commit();
    tile_regs_wait();
    pack_tile(0, 1);
    tile_regs_release();
    cb_push_back(1, 1);
    cb_pop_front(0, 1);
}
"""
SPECIAL = [
    ("exp_tile_init()", "exp_tile(0)"),
    ("exp2_tile_init()", "exp2_tile(0)"),
    ("log_tile_init()", "log_tile(0)"),
    ("recip_tile_init()", "recip_tile(0)"),
    ("sqrt_tile_init()", "sqrt_tile(0)"),
    ("tanh_tile_init()", "tanh_tile(0)"),
    ("sigmoid_tile_init()", "sigmoid_tile(0)"),
    ("relu_tile_init()", "relu_tile(0)"),
    ("isnan_tile_init()", "isnan_tile(0)"),
    ("isinf_tile_init()", "isinf_tile(0)"),
    ("isfinite_tile_init()", "isfinite_tile(0)"),
    ("isposinf_tile_init()", "isposinf_tile(0)"),
    ("isneginf_tile_init()", "isneginf_tile(0)"),
    ("rsqrt_tile_init()", "rsqrt_tile(0)"),
    ("unary_eq_tile_init()", "unary_eq_tile(0, 0)"),
    ("unary_eq_tile_init()", "unary_eq_tile(0, 0x7f800000)"),
    ("unary_lt_tile_init()", "unary_lt_tile(0, 0)"),
    ("unary_ge_tile_init()", "unary_ge_tile(0, 0)"),
    ("ltz_tile_init()", "ltz_tile(0)"),
    ("rand_tile_init(7)", "rand_tile(0, 0x3f800000, 0x40000000)"),
    ("exp_tile_init()", "exp_tile(0, VectorMode::C)"),
    ("exp_tile_init()", "exp_tile(0, VectorMode::R)"),
]


def kernel_text(calls: list[tuple[str, str]]) -> str:
    includes = "".join(f'#include "api/compute/{name}.h"\n' for name in ["common", "tile_move_copy", *HEADERS])
    cases = "".join(f"        case {index}: {init}; {call}; break;\n" for index, (init, call) in enumerate(calls))
    return KERNEL % {"includes": includes, "cases": cases}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> ComputeKernel:
    calls = [(operation.init, operation.call) for operation in OPERATIONS] + SPECIAL
    tile = Operand(rows=32, columns=32, dtype=torch.float32, to_dest=True)
    return compute_kernel(tmp_path_factory.mktemp("unary"), kernel_text(calls), [tile], [tile])


@pytest.mark.parametrize(
    "index", range(len(OPERATIONS)), ids=[operation.call.split("(")[0] for operation in OPERATIONS]
)
def test_values(kernel: ComputeKernel, index: int) -> None:
    operation = OPERATIONS[index]
    x = torch.linspace(operation.low, operation.high, 1024, dtype=torch.float32).reshape(32, 32)
    x[0, 0] = 0.25 if operation.low <= 0.25 <= operation.high else operation.low
    (result,) = kernel(x, case=index)
    expected = operation.expected(x.double())
    unit = torch.exp2(torch.floor(torch.log2(expected.abs().clamp(min=2**-126))) - 23)
    error = torch.where(result.double() == expected, 0.0, (result.double() - expected).abs() / unit)
    # Differences of nearly equal numbers are bounded absolutely.
    error = torch.where((result.double() - expected).abs() < 2.5e-7, error.clamp(max=operation.ulps), error)
    assert float(error.max()) <= operation.ulps, f"{float(error.max())} ulps at {float(x.flatten()[error.argmax()])}"


def special(kernel: ComputeKernel, call: str, values: list[float]) -> list[float]:
    x = torch.zeros(32, 32)
    x[0, : len(values)] = torch.tensor(values)
    index = len(OPERATIONS) + [name for _, name in SPECIAL].index(call)
    return kernel(x, case=index)[0][0, : len(values)].tolist()


INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("call", "inputs", "outputs"),
    [
        ("exp_tile(0)", [INF, -INF, 0.0, -0.0, 89.0, -104.0], [INF, 0.0, 1.0, 1.0, INF, 0.0]),
        ("exp2_tile(0)", [INF, -INF, 0.0, 10.0, -3.0, 128.0, -127.0], [INF, 0.0, 1.0, 1024.0, 0.125, INF, 0.0]),
        ("log_tile(0)", [INF, 0.0, -0.0, 1.0], [INF, -INF, -INF, 0.0]),
        ("recip_tile(0)", [INF, -INF, 0.0, -0.0], [0.0, -0.0, INF, -INF]),
        ("sqrt_tile(0)", [INF, 0.0, 4.0], [INF, 0.0, 2.0]),
        ("rsqrt_tile(0)", [INF, 0.0, 4.0], [0.0, INF, 0.5]),
        ("tanh_tile(0)", [INF, -INF, 0.0, 30.0], [1.0, -1.0, 0.0, 1.0]),
        ("sigmoid_tile(0)", [INF, -INF, 0.0], [1.0, 0.0, 0.5]),
        ("relu_tile(0)", [INF, -INF, -0.0], [INF, 0.0, 0.0]),
        ("isnan_tile(0)", [NAN, INF, 1.0], [1.0, 0.0, 0.0]),
        ("isinf_tile(0)", [NAN, INF, -INF, 1.0], [0.0, 1.0, 1.0, 0.0]),
        ("isposinf_tile(0)", [NAN, INF, -INF, 1.0], [0.0, 1.0, 0.0, 0.0]),
        ("isneginf_tile(0)", [NAN, INF, -INF, 1.0], [0.0, 0.0, 1.0, 0.0]),
        ("isfinite_tile(0)", [NAN, INF, -INF, 1.0], [0.0, 0.0, 0.0, 1.0]),
        # The sign of a difference, as on the chip.
        ("unary_eq_tile(0, 0)", [-0.0, 0.0, 1.0, NAN], [0.0, 1.0, 0.0, 0.0]),
        ("unary_eq_tile(0, 0x7f800000)", [INF, -INF, 1.0, NAN], [0.0, 0.0, 0.0, 0.0]),
        ("unary_lt_tile(0, 0)", [-0.0, 0.0, -1.0, -INF, NAN, -NAN], [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]),
        ("unary_ge_tile(0, 0)", [-0.0, 0.0, -1.0, INF, NAN, -NAN], [0.0, 1.0, 0.0, 1.0, 1.0, 0.0]),
        ("ltz_tile(0)", [-0.0, 0.0, -1.0, -INF, NAN, -NAN], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]),
    ],
)
def test_special_values(kernel: ComputeKernel, call: str, inputs: list[float], outputs: list[float]) -> None:
    assert special(kernel, call, inputs) == outputs


def test_nan_stays_nan(kernel: ComputeKernel) -> None:
    for call in ["exp_tile(0)", "exp2_tile(0)", "log_tile(0)", "tanh_tile(0)"]:
        assert math.isnan(special(kernel, call, [NAN])[0]), call


@pytest.mark.parametrize("call", ["recip_tile(0)", "sigmoid_tile(0)"])
def test_the_chip_loses_nan(kernel: ComputeKernel, call: str) -> None:
    assert special(kernel, call, [NAN]) == [0.0]
    assert math.isnan(special(kernel, "log_tile(0)", [-1.0])[0])


def test_vector_modes_leave_the_other_faces_alone(kernel: ComputeKernel) -> None:
    x = matrix(32, 32, torch.float32)
    calls = [name for _, name in SPECIAL]
    columns = kernel(x, case=len(OPERATIONS) + calls.index("exp_tile(0, VectorMode::C)"))[0]
    rows = kernel(x, case=len(OPERATIONS) + calls.index("exp_tile(0, VectorMode::R)"))[0]
    torch.testing.assert_close(columns[:, :16], x[:, :16].exp())
    assert torch.equal(columns[:, 16:], x[:, 16:])
    torch.testing.assert_close(rows[:16], x[:16].exp())
    assert torch.equal(rows[16:], x[16:])


def test_random_numbers_are_uniform(kernel: ComputeKernel) -> None:
    calls = [name for _, name in SPECIAL]
    values = kernel(torch.zeros(32, 32), case=len(OPERATIONS) + calls.index("rand_tile(0, 0x3f800000, 0x40000000)"))[0]
    assert float(values.min()) >= 1.0
    assert float(values.max()) < 3.0
    assert abs(float(values.mean()) - 2.0) < 0.1
    assert len(values.unique()) > 1000


def test_a_16_bit_dst_rounds_to_even_or_cuts(tmp_path: Path) -> None:
    calls = [("exp_tile_init()", "exp_tile(0)"), (SCALAR_INIT, f"mul_unary_tile(0, {bits(1.3)})")]
    tile = Operand(rows=32, columns=32)
    kernel = compute_kernel(tmp_path, kernel_text(calls), [tile], [tile], config=BF16)
    x = matrix(32, 32)
    nearest = x.double().exp().float().bfloat16()
    assert float((kernel(x, case=0)[0].view(torch.int16) - nearest.view(torch.int16)).abs().max()) <= 0
    product = x.float() * 1.3
    cut = (product.view(torch.int32) & -0x10000).view(torch.float32)
    assert torch.equal(kernel(x, case=1)[0].float(), cut)
