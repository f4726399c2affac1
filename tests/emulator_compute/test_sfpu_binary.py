"""SFPU operations on two and three tiles, on integers, and conversions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from .harness import ComputeKernel, Operand, compute_kernel, matrix
from .test_sfpu_unary import bits

KERNEL = """
%(includes)s
void kernel_main() {
    compute_kernel_hw_startup(0, 3);
    copy_init(0);
    cb_wait_front(0, 1);
    cb_wait_front(1, 1);
    cb_wait_front(2, 1);
    cb_reserve_back(3, 1);
    tile_regs_acquire();
    for (uint32_t i = 0; i < 3; ++i) copy_tile(i, 0, i);
    switch (get_common_arg_val<uint32_t>(0)) {
%(cases)s
    }
    tile_regs_commit();
    tile_regs_wait();
    pack_tile(3, 3);
    tile_regs_release();
    cb_push_back(3, 1);
    for (uint32_t i = 0; i < 3; ++i) cb_pop_front(i, 1);
}
"""
FLOAT_HEADERS = [
    "atan2",
    "binary_fmod",
    "binary_max_min",
    "binary_remainder",
    "copy_dest_values",
    "eltwise_binary_sfpu",
    "eltwise_unary/addcdiv",
    "eltwise_unary/addcmul",
    "eltwise_unary/lerp",
    "eltwise_unary/mac",
    "eltwise_unary/snake_beta",
    "eltwise_unary/where",
    "isclose",
    "logaddexp",
    "logaddexp2",
    "logsigmoid",
    "mask",
    "nextafter",
    "sfpu_binary_bcast",
    "xlogy",
]
INTEGER_HEADERS = [
    "add_int_sfpu",
    "binary_bitwise_sfpu",
    "binary_comp",
    "binary_fmod",
    "binary_max_min",
    "binary_remainder",
    "binary_shift",
    "compute_kernel_api",
    "copy_dest_values",
    "div_int32_floor",
    "div_int32_sfpu",
    "eltwise_unary/binop_with_scalar",
    "eltwise_unary/bitwise",
    "eltwise_unary/bitwise_not",
    "eltwise_unary/clamp",
    "eltwise_unary/comp",
    "eltwise_unary/fill",
    "eltwise_unary/logical_not",
    "eltwise_unary/negative",
    "eltwise_unary/relu",
    "eltwise_unary/remainder",
    "eltwise_unary/rsub",
    "eltwise_unary/shift",
    "eltwise_unary/typecast",
    "eltwise_unary/where",
    "gcd",
    "lcm",
    "mul_int_sfpu",
    "sub_int_sfpu",
]


@dataclass(frozen=True)
class Operation:
    """`call` puts its result into DST tile 3."""

    call: str
    expected: Callable[..., torch.Tensor]
    ulps: float = 1.0
    positive: bool = False


def build(
    directory: Path, operations: Sequence[Operation], headers: Sequence[str], dtype: torch.dtype
) -> ComputeKernel:
    includes = "".join(f'#include "api/compute/{name}.h"\n' for name in ["common", "tile_move_copy", *headers])
    cases = "".join(f"        case {index}: {operation.call}; break;\n" for index, operation in enumerate(operations))
    tile = Operand(rows=32, columns=32, dtype=dtype, to_dest=dtype == torch.float32)
    return compute_kernel(directory, KERNEL % {"includes": includes, "cases": cases}, [tile] * 3, [tile])


def binary(
    name: str,
    expected: Callable[..., torch.Tensor],
    template: str = "",
    *,
    init: str = "",
    ulps: float = 1.0,
    positive: bool = False,
) -> Operation:
    return Operation(
        f"{init or name + '_init'}(); {name}{template}(0, 1, 3)", lambda a, b, c: expected(a, b), ulps, positive
    )


def compared(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    return lambda a, b: function(a, b).to(a.dtype)


def in_place(call: str, expected: Callable[..., torch.Tensor]) -> Operation:
    move = "copy_dest_values_init(); copy_dest_values<DataFormat::Float32>(0, 3)"
    return Operation(f"{call}; {move}", expected)


COMPARISONS = [
    ("eq", torch.eq),
    ("ne", torch.ne),
    ("lt", torch.lt),
    ("gt", torch.gt),
    ("le", torch.le),
    ("ge", torch.ge),
]
FLOATS = [
    binary("add_binary_tile", torch.add),
    binary("sub_binary_tile", torch.sub),
    binary("rsub_binary_tile", lambda a, b: b - a),
    binary("mul_binary_tile", torch.mul),
    binary("div_binary_tile", torch.div),
    binary("power_binary_tile", torch.pow, ulps=2, positive=True),
    *(binary(f"{name}_binary_tile", compared(function), ulps=0) for name, function in COMPARISONS),
    binary("binary_max_tile", torch.maximum, ulps=0),
    binary("binary_min_tile", torch.minimum, ulps=0),
    binary("atan2_binary_tile", torch.atan2),
    binary("fmod_binary_tile", torch.fmod),
    binary("remainder_binary_tile", torch.remainder, ulps=2),
    binary("xlogy_binary_tile", torch.xlogy, ulps=4, positive=True),
    binary("logaddexp_binary_tile", torch.logaddexp, ulps=8),
    binary("logaddexp2_binary_tile", torch.logaddexp2, ulps=8),
    binary("nextafter_binary_tile", lambda a, b: torch.nextafter(a.float(), b.float()).double(), ulps=0),
    Operation(
        f"isclose_binary_tile_init(); isclose_binary_tile(0, 1, 3, {bits(0.1)}, {bits(0.5)})",
        lambda a, b, c: torch.isclose(a, b, rtol=0.1, atol=0.5).double(),
        0,
    ),
    Operation(
        "where_tile_init(); where_tile<DataFormat::Float32>(0, 1, 2, 3)", lambda a, b, c: torch.where(a != 0, b, c), 0
    ),
    Operation(
        f"addcmul_tile_init(); addcmul_tile<DataFormat::Float32>(0, 1, 2, 3, {bits(0.5)})",
        lambda a, b, c: a + 0.5 * b * c,
        8,
    ),
    Operation(
        f"addcdiv_tile_init(); addcdiv_tile<DataFormat::Float32>(0, 1, 2, 3, {bits(0.5)})",
        lambda a, b, c: a + 0.5 * b / c,
        8,
    ),
    Operation("lerp_tile_init(); lerp_tile<DataFormat::Float32>(0, 1, 2, 3)", lambda a, b, c: a + c * (b - a), 8),
    Operation(
        "mac_tile_init<DataFormat::Float32>(); mac_tile<DataFormat::Float32>(0, 1, 2, 3)", lambda a, b, c: a * b + c, 8
    ),
    Operation(
        "snake_beta_tile_init(); snake_beta_tile<DataFormat::Float32>(0, 1, 2, 3)",
        lambda a, b, c: a + torch.sin(a * b) ** 2 / c,
        64,
        positive=True,
    ),
    in_place("sfpu_add_bcast_col_init(); sfpu_add_bcast_col(0, 1)", lambda a, b, c: a + b[:, :1]),
    in_place("sfpu_sub_bcast_row_init(); sfpu_sub_bcast_row(0, 1)", lambda a, b, c: a - b[:1]),
    in_place(
        "sfpu_bcast_init<BroadcastType::COL>(); sfpu_bcast<BroadcastType::COL, EltwiseBinaryType::ELWMUL>(0, 1)",
        lambda a, b, c: a * b[:, :1],
    ),
    in_place("mask_tile_init(); mask_tile(0, 1)", lambda a, b, c: torch.where(b != 0, a, 0.0)),
    Operation("copy_dest_values_init(); copy_dest_values<DataFormat::Float32>(2, 3)", lambda a, b, c: c, 0),
]


@pytest.fixture(scope="module")
def float_kernel(tmp_path_factory: pytest.TempPathFactory) -> ComputeKernel:
    return build(tmp_path_factory.mktemp("floats"), FLOATS, FLOAT_HEADERS, torch.float32)


@pytest.mark.parametrize(
    "index", range(len(FLOATS)), ids=[operation.call.split("; ")[1].split("(")[0] for operation in FLOATS]
)
def test_floats(float_kernel: ComputeKernel, index: int) -> None:
    operation = FLOATS[index]
    tiles = [matrix(32, 32, torch.float32, seed=seed) for seed in range(3)]
    if operation.positive:
        tiles = [tile.abs() + 0.1 for tile in tiles]
    tiles[0][0, :4] = tiles[1][0, :4]
    tiles[0][1, :4] = 0.0
    tiles[1][2, :4] = 0.0 if not operation.positive and "atan2" not in operation.call else 1.0
    (result,) = float_kernel(*tiles, case=index)
    expected = operation.expected(*[tile.double() for tile in tiles])
    same = (result.double() == expected) | (result.isnan() & expected.isnan())
    unit = torch.exp2(torch.floor(torch.log2(expected.abs().clamp(2.0**-126, 2.0**127))) - 23)
    error = torch.where(same, 0.0, (result.double() - expected).abs() / unit)
    error = torch.where((result.double() - expected).abs() < 2.5e-7, error.clamp(max=operation.ulps), error)
    assert float(error.max()) <= operation.ulps, f"{float(error.max())} ulps at {divmod(int(error.argmax()), 32)}"


def test_minimum_and_maximum_order_zeros_and_infinities(float_kernel: ComputeKernel) -> None:
    inf = math.inf
    a, b = torch.zeros(32, 32), torch.zeros(32, 32)
    a[0, :3], b[0, :3] = torch.tensor([-0.0, -inf, inf]), torch.tensor([0.0, 1.0, 1.0])
    calls = [operation.call.split("; ")[1].split("(")[0] for operation in FLOATS]
    low = float_kernel(a, b, b, case=calls.index("binary_min_tile"))[0]
    high = float_kernel(a, b, b, case=calls.index("binary_max_tile"))[0]
    assert low[0, :3].tolist() == [-0.0, -inf, 1.0]
    assert high[0, :3].tolist() == [0.0, 1.0, inf]


def wide(expected: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """In 64 bits, cut to 32."""
    return lambda a, b: expected(a.long(), b.long()).to(torch.int32)


def one(call: str, expected: Callable[[torch.Tensor], torch.Tensor]) -> Operation:
    init, body = call.split("; ")
    move = "copy_dest_values_init(); copy_dest_values<DataFormat::Int32>(0, 3)"
    return Operation(f"{init}; {body}; {move}", lambda a, b, c: expected(a.long()).to(torch.int32))


T = "<DataFormat::Int32>"
INTEGERS = [
    binary("add_int_tile", wide(torch.add), T),
    binary("sub_int_tile", wide(torch.sub), T),
    binary("rsub_int_tile", wide(lambda a, b: b - a), T),
    binary("mul_int_tile", wide(torch.mul), T, init=f"mul_int_tile_init{T}"),
    *(
        binary(f"{name}_int_tile", compared(function), T, init=f"{name}_int_tile_init{T}")
        for name, function in COMPARISONS
    ),
    binary("binary_max_int32_tile", torch.maximum),
    binary("binary_min_int32_tile", torch.minimum),
    binary("bitwise_and_binary_tile", torch.bitwise_and, T, init="binary_bitwise_tile_init"),
    binary("bitwise_or_binary_tile", torch.bitwise_or, T, init="binary_bitwise_tile_init"),
    binary("bitwise_xor_binary_tile", torch.bitwise_xor, T, init="binary_bitwise_tile_init"),
    binary("div_int32_floor_tile", lambda a, b: torch.div(a, b, rounding_mode="floor")),
    binary("div_int32_trunc_tile", lambda a, b: torch.div(a, b, rounding_mode="trunc")),
    binary("remainder_int32_tile", torch.remainder),
    binary("fmod_int32_tile", torch.fmod),
    binary("gcd_tile", torch.gcd),
    binary("lcm_tile", lambda a, b: torch.lcm(a.long(), b.long()).to(torch.int32)),
    Operation(
        "div_int32_tile_init(); div_int32_tile(0, 1, 3)", lambda a, b, c: (a.float() / b.float()).view(torch.int32)
    ),
    Operation(f"where_tile_init(); where_tile{T}(0, 1, 2, 3)", lambda a, b, c: torch.where(a != 0, b, c)),
    one("abs_tile_init(); abs_tile_int32(0)", torch.abs),
    one("negative_tile_init(); negative_tile_int32(0)", torch.neg),
    one("bitwise_not_tile_init(); bitwise_not_tile(0)", torch.bitwise_not),
    one(f"bitwise_and_tile_init(); bitwise_and_tile{T}(0, 0xff)", lambda a: a & 0xFF),
    one(f"left_shift_tile_init(); left_shift_tile{T}(0, 4)", lambda a: a << 4),
    one(f"right_shift_tile_init(); right_shift_tile{T}(0, 4)", lambda a: a >> 4),
    one("clamp_tile_init(); clamp_tile_int32(0, uint32_t(-100), 100)", lambda a: a.clamp(-100, 100)),
    one("binop_with_scalar_tile_init(); add_unary_tile_int32(0, 7)", lambda a: a + 7),
    one("relu_tile_init(); relu_tile_int32(0)", lambda a: a.clamp(min=0)),
    one("unary_gt_tile_init(); unary_gt_tile_int32(0, 5)", lambda a: a > 5),
    one("eqz_tile_init(); eqz_tile_int32(0)", lambda a: a == 0),
    one(f"logical_not_tile_init(); logical_not_tile{T}(0)", lambda a: a == 0),
    one("unary_max_int32_tile_init(); unary_max_int32_tile(0, 5)", lambda a: a.clamp(min=5)),
    one(f"fill_tile_init(); fill_tile_int{T}(0, 42)", lambda a: torch.full_like(a, 42)),
]


@pytest.fixture(scope="module")
def integer_kernel(tmp_path_factory: pytest.TempPathFactory) -> ComputeKernel:
    return build(tmp_path_factory.mktemp("integers"), INTEGERS, INTEGER_HEADERS, torch.int32)


@pytest.mark.parametrize(
    "index", range(len(INTEGERS)), ids=[operation.call.split("; ")[1].split("(")[0] for operation in INTEGERS]
)
def test_integers(integer_kernel: ComputeKernel, index: int) -> None:
    generator = torch.Generator().manual_seed(3)
    tiles = [torch.randint(-1000, 1000, (32, 32), dtype=torch.int32, generator=generator) for _ in range(3)]
    tiles[1] = torch.where(tiles[1] == 0, 1, tiles[1])
    tiles[0][0, :8], tiles[0][1, :8] = tiles[1][0, :8], 0
    (result,) = integer_kernel(*tiles, case=index)
    assert torch.equal(result, INTEGERS[index].expected(*tiles).to(torch.int32))


SHIFTS = [
    binary("binary_left_shift_tile", lambda a, b: a << b, T, init="binary_shift_tile_init"),
    binary("binary_right_shift_tile", lambda a, b: a >> b, T, init="binary_shift_tile_init"),
    binary(
        "binary_logical_right_shift_tile", lambda a, b: (a.long() & 0xFFFFFFFF) >> b, T, init="binary_shift_tile_init"
    ),
]


def test_shifts_by_a_tile(tmp_path: Path) -> None:
    kernel = build(tmp_path, SHIFTS, INTEGER_HEADERS, torch.int32)
    generator = torch.Generator().manual_seed(3)
    values = torch.randint(-(2**31), 2**31 - 1, (32, 32), generator=generator).to(torch.int32)
    amounts = torch.randint(1, 32, (32, 32), generator=generator).to(torch.int32)
    for index, operation in enumerate(SHIFTS):
        assert torch.equal(
            kernel(values, amounts, amounts, case=index)[0],
            operation.expected(values, amounts, amounts).to(torch.int32),
        )


TYPECAST = """
#include "api/compute/common.h"
#include "api/compute/tile_move_copy.h"
#include "api/compute/eltwise_unary/typecast.h"

constexpr uint32_t from = static_cast<uint32_t>(DataFormat::%(source)s);
constexpr uint32_t to = static_cast<uint32_t>(DataFormat::%(target)s);
void kernel_main() {
    compute_kernel_hw_startup(0, 1);
    copy_init(0);
    typecast_tile_init<from, to>();
    cb_wait_front(0, 1);
    cb_reserve_back(1, 1);
    tile_regs_acquire();
    copy_tile(0, 0, 0);
    typecast_tile<from, to>(0);
    tile_regs_commit();
    tile_regs_wait();
    pack_tile(0, 1);
    tile_regs_release();
    cb_push_back(1, 1);
    cb_pop_front(0, 1);
}
"""


@pytest.mark.parametrize(
    ("source", "target", "values", "expected"),
    [
        ("Float32", "Int32", [1.9, -1.9, 3e9, -3e9], [1, -1, 2**31 - 1, -(2**31)]),
        ("Float32", "UInt32", [1.9, -1.9, 5e9], [1, 0, 2**32 - 1]),
        ("Float32", "UInt16", [1.5, 2.5, -1.0, 70000.0], [2, 2, 0, 65535]),
        ("Float32", "UInt8", [1.9, 255.0, 300.0], [1, 255, 44]),
        ("Float32", "Float16_b", [1.00390625, 1.01171875, -1.00390625], [1.0, 1.015625, -1.0]),
        ("Float16_b", "Int32", [1.5, -100.0], [1, -100]),
        ("Int32", "Float32", [5, -7, 16777217], [5.0, -7.0, 16777216.0]),
        ("Int32", "Float16_b", [257, 259, -7], [256.0, 260.0, -7.0]),
        ("Int32", "UInt16", [-3, 70000, 12], [0, 65535, 12]),
        ("UInt16", "Float32", [65535, 3], [65535.0, 3.0]),
        ("UInt16", "Int32", [65535, 3], [65535, 3]),
        ("UInt8", "Float16_b", [255, 3], [255.0, 3.0]),
        ("UInt8", "Int32", [255, 3], [255, 3]),
    ],
)
def test_conversions(tmp_path: Path, source: str, target: str, values: list[float], expected: list[float]) -> None:
    dtypes = {
        "Float32": torch.float32,
        "Float16_b": torch.bfloat16,
        "Int32": torch.int32,
        "UInt32": torch.uint32,
        "UInt16": torch.uint16,
        "UInt8": torch.uint8,
    }
    inputs = [Operand(rows=32, columns=32, dtype=dtypes[source], to_dest=source == "Float32")]
    outputs = [Operand(rows=32, columns=32, dtype=dtypes[target])]
    kernel = compute_kernel(tmp_path, TYPECAST % {"source": source, "target": target}, inputs, outputs)
    x = torch.tensor([*values] + [0] * (1024 - len(values))).reshape(32, 32).to(dtypes[source])
    assert kernel(x)[0].flatten()[: len(values)].tolist() == expected
