"""Table of the TT-Metalium calls that the compiler emits: header, unit, and the init each one needs first.

Names and signatures are those of ttnn 0.81.1 (``tt_metal/hw/inc/api``). ``lower/insert_inits.py`` reads the init and
operand columns, the printer reads the header column.
"""

from __future__ import annotations

from dataclasses import dataclass

_COMPUTE = "api/compute/"
_UNARY = "api/compute/eltwise_unary/"


@dataclass(frozen=True, kw_only=True)
class Init:
    """The call that prepares a unit for an operation.

    ``arguments`` are positions in the operation's arguments; ``templated`` is how many of the operation's template
    arguments the init repeats, ``distinct`` how many of them need a preparation of their own.
    """

    name: str
    arguments: tuple[int, ...] = ()
    templated: int = 0
    distinct: int = 0


@dataclass(frozen=True, kw_only=True)
class Intrinsic:
    """One kernel call.

    ``unit`` is ``fpu`` (unpack and matrix engine), ``sfpu`` (vector engine, works on DST), ``pack`` or ``control``.
    ``source_a``/``source_b`` are positions of the CB arguments that go through SrcA and SrcB; ``packs_to`` that of the
    CB argument which the packer writes. ``define`` names the macro that selects the header's float32 form.
    ``out_of_line`` calls, and their inits, are not inlined (``codegen/out_of_line.py``).
    """

    header: str
    unit: str
    init: Init | None = None
    source_a: int | None = None
    source_b: int | None = None
    packs_to: int | None = None
    define: str | None = None
    out_of_line: bool = False


def _sfpu(
    name: str, header: str, init: str | None = None, *, templated: int = 0, out_of_line: bool = False
) -> tuple[str, Intrinsic]:
    prepared = Init(name=init or f"{name}_init", templated=templated)
    return name, Intrinsic(header=header, unit="sfpu", init=prepared, out_of_line=out_of_line)


def _unary(*names: str, header: str, init: str | None = None) -> list[tuple[str, Intrinsic]]:
    return [_sfpu(f"{name}_tile", header, init) for name in names]


def _binary_fpu(name: str) -> list[tuple[str, Intrinsic]]:
    rows = [
        (
            f"{name}_tiles",
            Intrinsic(
                header=_COMPUTE + "eltwise_binary.h",
                unit="fpu",
                init=Init(name=f"{name}_init", arguments=(0, 1)),
                source_a=0,
                source_b=1,
            ),
        )
    ]
    for dim in ("rows", "cols", "scalar"):
        rows.append(
            (
                f"{name}_tiles_bcast_{dim}",
                Intrinsic(
                    header=_COMPUTE + "bcast.h",
                    unit="fpu",
                    init=Init(name=f"{name}_bcast_{dim}_init", arguments=(0, 1)),
                    source_a=0,
                    source_b=1,
                ),
            )
        )
    return rows


def _control(header: str, *names: str) -> list[tuple[str, Intrinsic]]:
    return [(name, Intrinsic(header=header, unit="control")) for name in names]


_BINARY_SFPU = _COMPUTE + "eltwise_binary_sfpu.h"
_KERNEL_API = _COMPUTE + "compute_kernel_api.h"
_DATAFLOW = "api/dataflow/dataflow_api.h"

INTRINSICS: dict[str, Intrinsic] = dict(
    [
        (
            "matmul_block",
            Intrinsic(
                header=_COMPUTE + "matmul.h",
                unit="fpu",
                init=Init(name="matmul_block_init", arguments=(0, 1, 5, 6, 7, 8)),
                source_a=1,
                source_b=0,
            ),
        ),
        (
            "copy_tile",
            Intrinsic(
                header=_COMPUTE + "tile_move_copy.h",
                unit="fpu",
                init=Init(name="copy_init", arguments=(0,)),
                source_a=0,
            ),
        ),
        (
            "unary_bcast",
            Intrinsic(
                header=_COMPUTE + "bcast.h",
                unit="fpu",
                init=Init(name="unary_bcast_init", arguments=(0,), templated=1),
                source_a=0,
                source_b=0,
            ),
        ),
        (
            "transpose_tile",
            Intrinsic(
                header=_COMPUTE + "transpose.h",
                unit="fpu",
                init=Init(name="transpose_init", arguments=(0,)),
                source_a=0,
            ),
        ),
        *_binary_fpu("add"),
        *_binary_fpu("sub"),
        *_binary_fpu("mul"),
        ("pack_tile", Intrinsic(header=_COMPUTE + "pack.h", unit="pack", packs_to=1)),
        ("pack_reconfig_l1_acc", Intrinsic(header=_COMPUTE + "pack.h", unit="control")),
        (
            "sfpu_reduce",
            Intrinsic(
                header=_KERNEL_API,
                unit="sfpu",
                # Wormhole's maximum of rows records its own instructions over those that the init left for columns.
                init=Init(name="sfpu_reduce_init", templated=2, distinct=3),
                out_of_line=True,
            ),
        ),
        _sfpu("copy_dest_values", _COMPUTE + "copy_dest_values.h"),
        _sfpu("exp_tile", _UNARY + "exp.h", templated=1),
        *_unary("recip", header=_UNARY + "recip.h"),
        *_unary("sqrt", header=_UNARY + "sqrt.h"),
        *_unary("rsqrt", header=_UNARY + "rsqrt.h"),
        *_unary("log1p", header=_UNARY + "log1p.h"),
        (
            "erf_tile",
            Intrinsic(
                header=_UNARY + "erf_erfc.h",
                unit="sfpu",
                init=Init(name="erf_tile_init", templated=1),
                define="INP_FLOAT32",
            ),
        ),
        *_unary("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", header=_UNARY + "trigonometry.h"),
        *_unary("isinf", "isnan", "isfinite", header=_UNARY + "isinf_isnan.h"),
        *_unary(
            "exp2", "expm1", "log", "log_with_base", "tanh", "sigmoid", "abs", "sign", "square", header=_KERNEL_API
        ),
        _sfpu("abs_tile_int32", _KERNEL_API, "abs_tile_init"),
        *_unary("negative", header=_UNARY + "negative.h"),
        *_unary("floor", "ceil", "trunc", "round", header=_UNARY + "rounding.h", init="rounding_op_tile_init"),
        *_unary("eqz", "nez", "ltz", "gtz", "lez", "gez", header=_UNARY + "comp.h"),
        *_unary("unary_eq", "unary_ne", "unary_lt", "unary_gt", "unary_le", "unary_ge", header=_UNARY + "comp.h"),
        *_unary("unary_max", "unary_min", header=_KERNEL_API),
        *_unary(
            "add_unary",
            "sub_unary",
            "mul_unary",
            "rsub_unary",
            header=_UNARY + "binop_with_scalar.h",
            init="binop_with_scalar_tile_init",
        ),
        _sfpu("fill_tile_bitcast", _UNARY + "fill.h", "fill_tile_init"),
        _sfpu("fill_tile_int", _UNARY + "fill.h", "fill_tile_init"),
        *[_sfpu(f"{name}_binary_tile", _BINARY_SFPU) for name in ("add", "sub", "mul", "div", "power")],
        *[_sfpu(f"{name}_binary_tile", _BINARY_SFPU) for name in ("eq", "ne", "lt", "gt", "le", "ge")],
        *[
            _sfpu(f"{name}_int_tile", _COMPUTE + "binary_comp.h", templated=1)
            for name in ("eq", "ne", "lt", "gt", "le", "ge")
        ],
        _sfpu("add_int_tile", _COMPUTE + "add_int_sfpu.h", "add_int_tile_init"),
        _sfpu("sub_int_tile", _COMPUTE + "sub_int_sfpu.h", "sub_int_tile_init"),
        _sfpu("mul_int_tile", _COMPUTE + "mul_int_sfpu.h", "mul_int_tile_init", templated=1),
        *_unary("div_int32_floor", "div_int32_trunc", header=_COMPUTE + "div_int32_floor.h"),
        *_unary("remainder_int32", "remainder_uint32", header=_COMPUTE + "binary_remainder.h"),
        _sfpu("fmod_int32_tile", _COMPUTE + "binary_fmod.h"),
        _sfpu("fmod_binary_tile", _COMPUTE + "binary_fmod.h"),
        *[
            _sfpu(f"binary_{kind}{lanes}_tile", _COMPUTE + "binary_max_min.h", out_of_line=True)
            for kind in ("max", "min")
            for lanes in ("", "_int32", "_uint32")
        ],
        *_unary("bitwise_and", "bitwise_or", "bitwise_xor", header=_UNARY + "bitwise.h"),
        *_unary("bitwise_not", header=_UNARY + "bitwise_not.h"),
        *_unary("left_shift", "right_shift", header=_UNARY + "shift.h"),
        _sfpu("cumsum_tile", _COMPUTE + "cumsum.h", out_of_line=True),
        _sfpu("where_tile", _UNARY + "where.h", out_of_line=True),
        _sfpu("typecast_tile", _UNARY + "typecast.h", templated=2),
        *[
            _sfpu(f"sfpu_{op}_bcast_{dim}", _COMPUTE + "sfpu_binary_bcast.h", out_of_line=True)
            for op in ("add", "sub", "mul")
            for dim in ("col", "row")
        ],
        *[
            _sfpu(f"bitwise_{op}_binary_tile", _COMPUTE + "binary_bitwise_sfpu.h", "binary_bitwise_tile_init")
            for op in ("and", "or", "xor")
        ],
        *[
            _sfpu(f"binary_{op}_shift_tile", _COMPUTE + "binary_shift.h", "binary_shift_tile_init")
            for op in ("left", "right", "logical_right")
        ],
        *_control(
            _COMPUTE + "reg_api.h", "tile_regs_acquire", "tile_regs_commit", "tile_regs_wait", "tile_regs_release"
        ),
        *_control(_COMPUTE + "cb_api.h", "cb_wait_front", "cb_pop_front", "cb_reserve_back", "cb_push_back"),
        *_control(_COMPUTE + "reconfig_data_format.h", "reconfig_data_format_srca", "reconfig_data_format_srcb"),
        *_control(_COMPUTE + "pack.h", "pack_reconfig_data_format"),
        *_control(_COMPUTE + "compute_kernel_hw_startup.h", "compute_kernel_hw_startup"),
        *_control(
            _DATAFLOW,
            "noc_async_read_page",
            "noc_async_write_page",
            "noc_async_read_barrier",
            "noc_async_write_barrier",
            "noc_async_writes_flushed",
            "fill_zero_tile",
            "fill_index_tile",
        ),
    ]
)

_OUT_OF_LINE = frozenset(
    called
    for name, row in INTRINSICS.items()
    if row.out_of_line
    for called in (name, row.init.name if row.init is not None else name)
)


def is_out_of_line(name: str) -> bool:
    """Whether a kernel calls ``name``, an operation or an init, through a function of its own."""
    return name in _OUT_OF_LINE
