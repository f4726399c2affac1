"""Every broken contract of the compute API stops the launch, naming line, circular buffer and remedy.

One kernel holds all mistakes, each under its number, so that they are compiled once; lines at fault end in `// here`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from tt_jit.errors import EmulatorError
from tt_jit.plan import ComputeConfig

from .harness import ComputeKernel, Operand, Scratch, compute_kernel, matrix
from .test_reduce import scaler

HEAD = """
#include "api/compute/bcast.h"
#include "api/compute/common.h"
#include "api/compute/compute_kernel_api.h"
#include "api/compute/copy_dest_values.h"
#include "api/compute/eltwise_binary.h"
#include "api/compute/eltwise_binary_sfpu.h"
#include "api/compute/eltwise_unary/exp.h"
#include "api/compute/eltwise_unary/fill.h"
#include "api/compute/eltwise_unary/gelu.h"
#include "api/compute/eltwise_unary/recip.h"
#include "api/compute/eltwise_unary/typecast.h"
#include "api/compute/eltwise_unary/where.h"
#include "api/compute/mask.h"
#include "api/compute/matmul.h"
#include "api/compute/pack_untilize.h"
#include "api/compute/reduce.h"
#include "api/compute/sfpu_binary_bcast.h"
#include "api/compute/tile_move_copy.h"
#include "api/compute/tilize.h"
#include "api/compute/transpose_dest.h"

constexpr uint32_t a = 0, b = 1, exact = 2, integers = 3, out = 4, wide = 5, partial = 6, narrow = 7;

void start() {
    compute_kernel_hw_startup(a, b, out);
    cb_wait_front(a, 2);
    cb_wait_front(b, 1);
    cb_wait_front(exact, 1);
    cb_wait_front(integers, 1);
    cb_reserve_back(out, 1);
    cb_reserve_back(wide, 1);
}
void acquire() {
    start();
    tile_regs_acquire();
}
void copied() {
    acquire();
    copy_init(a);
    copy_tile(a, 0, 0);
}
void packing() {
    copied();
    tile_regs_commit();
    tile_regs_wait();
}
"""


@dataclass(frozen=True)
class Mistake:
    body: str
    message: str
    hint: str
    buffer: str | None = None


MISTAKES = {
    # DST
    "index": Mistake(
        "acquire(); copy_init(a); copy_tile(a, 0, 4); // here",
        "DST tile 4 is out of range: DST holds 4 tiles",
        "smaller batches",
    ),
    "no_acquire": Mistake(
        "start(); copy_init(a); copy_tile(a, 0, 0); // here",
        "outside of tile_regs_acquire",
        "between tile_regs_acquire",
    ),
    "after_commit": Mistake(
        "copied(); tile_regs_commit(); copy_tile(a, 0, 1); // here",
        "outside of tile_regs_acquire",
        "between tile_regs_acquire",
    ),
    "twice": Mistake(
        "acquire(); tile_regs_acquire(); // here", "tile_regs_acquire is called twice", "tile_regs_commit"
    ),
    "no_release": Mistake(
        "acquire(); tile_regs_commit();\ntile_regs_acquire(); tile_regs_commit();\ntile_regs_acquire(); // here",
        "no free part of DST",
        "tile_regs_release",
    ),
    "commit": Mistake(
        "start(); tile_regs_commit(); // here", "tile_regs_commit without tile_regs_acquire", "tile_regs_acquire"
    ),
    "wait": Mistake("acquire(); tile_regs_wait(); // here", "would never return", "tile_regs_commit"),
    "release": Mistake(
        "acquire(); tile_regs_commit(); tile_regs_release(); // here",
        "tile_regs_release without tile_regs_wait",
        "tile_regs_wait",
    ),
    "pack_outside": Mistake(
        "copied(); pack_tile(0, out); // here", "outside of tile_regs_wait", "between tile_regs_wait"
    ),
    # Start and inits
    "no_startup": Mistake("copy_init(a); // here", "before compute_kernel_hw_startup", "first statement"),
    "two_startups": Mistake(
        "start(); compute_kernel_hw_startup(a, b, out); // here", "called twice", "reconfig_data_format"
    ),
    "copy_without_init": Mistake("acquire(); copy_tile(a, 0, 0); // here", "copy_tile without its init", "copy_init"),
    "copy_after_add": Mistake(
        "acquire(); add_init(a, b);\ncopy_tile(a, 0, 0); // here",
        "copy_tile without its init: the last one was add_init",
        "copy_init",
    ),
    "matmul_after_copy": Mistake(
        "copied(); matmul_tiles(a, b, 0, 0, 1); // here",
        "matmul_tiles without its init: the last one was copy_init",
        "matmul_init",
    ),
    "add_after_mul_init": Mistake(
        "acquire(); mul_init(a, b); add_tiles(a, b, 0, 0, 0); // here", "disagree", "add_init"
    ),
    "bcast_dim": Mistake(
        "acquire(); add_bcast_cols_init(a, b); add_tiles_bcast_rows(a, b, 0, 0, 0); // here",
        "disagree",
        "mul_bcast_cols_init",
    ),
    "reduce_dim": Mistake(
        "acquire(); reduce_init<PoolType::SUM, ReduceDim::REDUCE_ROW>(a, b, out);\n"
        "reduce_tile<PoolType::SUM, ReduceDim::REDUCE_COL>(a, b, 0, 0, 0); // here",
        "disagree",
        "reduce_init",
    ),
    "block_dims": Mistake(
        "acquire(); matmul_block_init(a, b, 0, 2, 1, 1); matmul_block(a, b, 0, 0, 0, 0, 1, 1, 1); // here",
        "ct 1/2",
        "same transpose, ct, rt and kt",
    ),
    "block_fits": Mistake(
        "acquire(); matmul_block_init(a, b, 0, 5, 1, 1); matmul_block(a, b, 0, 0, 0, 0, 5, 1, 1); // here",
        "does not fit DST's 4 tiles",
        "ct_dim * rt_dim",
    ),
    "transpose_dest": Mistake(
        "copied(); transpose_dest<true>(0); // here", "transpose_dest without its init", "transpose_dest_init"
    ),
    "reuse": Mistake(
        "copied(); add_reuse_dest_tiles<EltwiseBinaryReuseDestType::DEST_TO_SRCA>(b, 0, 0); // here",
        "without its init",
        "*_reuse_dest_init",
    ),
    # SFPU
    "exp": Mistake("copied(); exp_tile(0); // here", "exp_tile without exp_tile_init", "call exp_tile_init"),
    "exp_after_recip": Mistake(
        "copied(); exp_tile_init(); recip_tile_init();\nexp_tile(0); // here",
        "the last SFPU init was recip_tile_init",
        "call exp_tile_init",
    ),
    "exp_arguments": Mistake(
        "copied(); exp_tile_init<true>(); exp_tile(0); // here",
        "different template arguments",
        "same template arguments",
    ),
    "gelu_arguments": Mistake(
        "copied(); gelu_tile_init(); gelu_tile<false>(0); // here",
        "different template arguments",
        "same template arguments",
    ),
    "reduce_arguments": Mistake(
        "copied(); sfpu_reduce_init<PoolType::SUM, DataFormat::Float32>();\n"
        "sfpu_reduce<PoolType::MAX, DataFormat::Float32>(0); // here",
        "sfpu_reduce without its init",
        "sfpu_reduce_init",
    ),
    "columns_after_rows": Mistake(
        "copied(); sfpu_reduce_init<PoolType::MAX, DataFormat::Float16_b>();\n"
        "sfpu_reduce<PoolType::MAX, DataFormat::Float16_b, ReduceDim::REDUCE_ROW>(0);\n"
        "sfpu_reduce<PoolType::MAX, DataFormat::Float16_b>(0); // here",
        "sfpu_reduce of columns after a maximum or minimum of rows",
        "call sfpu_reduce_init once more",
    ),
    "typecast_arguments": Mistake(
        "copied(); typecast_tile_init<0, 8>(); typecast_tile<0, 9>(0); // here",
        "typecast_tile without its init",
        "typecast_tile_init",
    ),
    "copy_dest": Mistake(
        "copied(); copy_dest_values<DataFormat::Float32>(0, 1); // here",
        "copy_dest_values without copy_dest_values_init",
        "copy_dest_values_init",
    ),
    "mask_place": Mistake(
        "copied(); mask_tile_init(); mask_tile(0, 2); // here", "the mask has to be tile 1", "after the data"
    ),
    # Formats
    "copy_format": Mistake(
        "acquire(); copy_init(exact); copy_tile(exact, 0, 0); // here",
        "copy_tile reads Float32 (unpacked to DST) through SrcA, which is configured for Float16_b",
        "reconfig_data_format",
        "in2",
    ),
    "add_format": Mistake(
        "acquire(); cb_reserve_back(partial, 1); add_init(a, partial); add_tiles(a, partial, 0, 0, 0); // here",
        "Float32 through SrcB, which is configured for Float16_b",
        "reconfig_data_format",
        "scratch0",
    ),
    "path_changed": Mistake(
        "acquire(); copy_init(a); reconfig_data_format_srca(exact); copy_tile(exact, 0, 0); // here",
        "disagree",
        "path to DST",
    ),
    "old_operand": Mistake(
        "acquire(); reconfig_data_format_srca(exact, a); // here", "is Float16_b", "last configured for", "in2"
    ),
    "pack_format": Mistake(
        "packing(); pack_tile(0, wide); // here",
        "pack_tile writes Float32, but the packer is configured for Float16_b",
        "pack_reconfig_data_format",
        "out1",
    ),
    "fpu_exact": Mistake(
        "acquire(); reconfig_data_format(exact, exact); add_init(exact, exact); "
        "add_tiles(exact, exact, 0, 0, 0); // here",
        "unpack_to_dest_fp32",
        "second buffer id",
        "in2",
    ),
    "fpu_integers": Mistake(
        "acquire(); mul_init(integers, integers); mul_tiles(integers, integers, 0, 0, 0); // here",
        "cannot read Int32",
        "integer operations",
        "in3",
    ),
    # Packing and reading
    "reduce_uninit": Mistake(
        "acquire(); reduce_init<PoolType::SUM, ReduceDim::REDUCE_ROW>(a, b, out); copy_init(a); "
        "copy_tile(a, 0, 0);\ntile_regs_commit(); tile_regs_wait(); pack_tile(0, out); // here",
        "no reduction's result",
        "reduce_uninit",
        "out0",
    ),
    "max_scaler": Mistake(
        "acquire(); reduce_init<PoolType::MAX, ReduceDim::REDUCE_ROW>(a, a, out); "
        "reduce_tile<PoolType::MAX, ReduceDim::REDUCE_ROW>(a, a, 0, 0, 0); // here",
        "needs a scaler of 1.0",
        "1.0",
        "in0",
    ),
    "l1_left_on": Mistake(
        "packing(); pack_tile(0, out); pack_reconfig_l1_acc(1); pack_tile<true>(0, out, 0);\n"
        "cb_reserve_back(narrow, 1); pack_tile(0, narrow); // here",
        "L1 accumulation is still on for buffer 4",
        "pack_reconfig_l1_acc(0)",
        "scratch1",
    ),
    "l1_first": Mistake(
        "packing(); pack_reconfig_l1_acc(1); pack_tile(0, out); // here",
        "nobody has written yet",
        "pack_reconfig_l1_acc(0)",
        "out0",
    ),
    "past_reserved": Mistake("packing(); pack_tile(0, out); pack_tile(0, out); // here", "", "cb_reserve_back", "out0"),
    "past_waited": Mistake("copied(); copy_tile(a, 2, 1); // here", "", "cb_wait_front", "in0"),
    "tilize_left_on": Mistake(
        "acquire(); tilize_init(a, 1, out); copy_init(a); // here", "still tilizes", "tilize_uninit"
    ),
    "untilize_left_on": Mistake(
        "packing(); pack_untilize_dest_init<1, 1>(out); pack_tile(0, out); // here",
        "still untilizes",
        "pack_untilize_uninit",
        "out0",
    ),
    "untilize_dims": Mistake(
        "packing(); pack_untilize_dest_init<1, 1>(out); pack_untilize_dest<2, 2>(out); // here",
        "set up for 1 in 1",
        "same block_ct_dim",
        "out0",
    ),
}
DONE = "tile_regs_release(); cb_push_back(out, 1); cb_pop_front(a, 2);\ncb_pop_front(b, 1); cb_pop_front(exact, 1);"
DONE += " cb_pop_front(integers, 1); cb_push_back(wide, 1);"
ENDS = {
    "end_acquired": Mistake(
        "start(); tile_regs_acquire(); // here", "DST acquired and not committed", "tile_regs_commit"
    ),
    "end_committed": Mistake(
        "start(); tile_regs_acquire(); tile_regs_commit(); // here",
        "DST committed and not released",
        "tile_regs_release",
    ),
    "end_reduce": Mistake(
        f"packing(); reduce_init<PoolType::SUM, ReduceDim::REDUCE_ROW>(a, b, out); // here\n{DONE}",
        "the packer's mask of a reduction on",
        "reduce_uninit",
    ),
    "end_l1": Mistake(
        f"packing(); pack_reconfig_l1_acc(1); // here\n{DONE}", "L1 accumulation on", "pack_reconfig_l1_acc(0)"
    ),
    "end_relu": Mistake(
        f"packing(); pack_relu_config(ReluConfig::zero()); // here\n{DONE}",
        "the packer's ReLU on",
        "ReluConfig::none()",
    ),
    "end_untilize": Mistake(
        f"packing(); pack_untilize_dest_init<1, 1>(out); // here\n{DONE}", "set to untilize", "pack_untilize_uninit"
    ),
    "end_tilize": Mistake(f"packing(); tilize_init(a, 1, out); // here\n{DONE}", "set to tilize", "tilize_uninit"),
}
NARROW = {
    "index": Mistake("acquire(); copy_init(a); copy_tile(a, 0, 8); // here", "DST holds 8 tiles", "smaller batches"),
    "integers": Mistake(
        "acquire(); reconfig_data_format_srca(integers); copy_init(integers); copy_tile(integers, 0, 0); // here",
        "copy_tile of Int32 needs a 32-bit DST",
        "fp32_dest_acc_en",
        "in3",
    ),
    "integer_op": Mistake(
        "copied(); fill_tile_init(); fill_tile_int<DataFormat::Int32>(0, 1); // here",
        "works on 32-bit lanes",
        "fp32_dest_acc_en",
    ),
    "typecast": Mistake(
        "copied(); typecast_tile_init<5, 8>(); typecast_tile<5, 8>(0); // here",
        "needs a 32-bit DST",
        "fp32_dest_acc_en",
    ),
    "transpose": Mistake(
        "copied(); transpose_dest_init<true>(); transpose_dest<true>(0); // here",
        "needs a 32-bit DST",
        "fp32_dest_acc_en",
    ),
    "broadcast": Mistake(
        "copied(); copy_tile(a, 1, 1); sfpu_bcast_col_init(); sfpu_mul_bcast_col(0, 1); // here",
        "a broadcast inside of DST works on 32-bit lanes",
        "unary_bcast",
    ),
    "copy_dest": Mistake(
        "copied(); copy_dest_values_init(); copy_dest_values<DataFormat::Float32>(0, 1); // here",
        "copy_dest_values works on 32-bit lanes",
        "Float16_b",
    ),
    "reduce": Mistake(
        "copied(); sfpu_reduce_init<PoolType::MAX, DataFormat::Float32>();\n"
        "sfpu_reduce<PoolType::MAX, DataFormat::Float32, ReduceDim::REDUCE_ROW>(0); // here",
        "sfpu_reduce works on 32-bit lanes",
        "Float16_b",
    ),
    "where": Mistake(
        "copied(); where_tile_init(); where_tile<DataFormat::Float32>(0, 0, 0, 0); // here",
        "where_tile works on 32-bit lanes",
        "fp32_dest_acc_en",
    ),
    "float_typecast": Mistake(
        "copied(); typecast_tile_init<0, 5>(); typecast_tile<0, 5>(0); // here",
        "typecast_tile from Float32 to Float16_b needs a 32-bit DST",
        "fp32_dest_acc_en",
    ),
}


def text_of(mistakes: dict[str, Mistake]) -> str:
    cases = "".join(f"case {index}: {{\n{mistake.body}\nbreak; }}\n" for index, mistake in enumerate(mistakes.values()))
    return HEAD + "void kernel_main() {\nswitch (get_common_arg_val<uint32_t>(0)) {\n" + cases + "}\n}\n"


def build(directory: Path, mistakes: dict[str, Mistake], config: ComputeConfig) -> ComputeKernel:
    inputs = [
        Operand(rows=32, columns=64),
        Operand(rows=32, columns=32),
        Operand(rows=32, columns=32, dtype=torch.float32, to_dest=config.fp32_dest_acc_en),
        Operand(rows=32, columns=32, dtype=torch.int32),
    ]
    outputs = [Operand(rows=32, columns=32), Operand(rows=32, columns=32, dtype=torch.float32)]
    scratch = [Scratch(pages=1, dtype=torch.float32), Scratch(pages=1)]
    return compute_kernel(directory, text_of(mistakes), inputs, outputs, config=config, scratch=scratch)


@pytest.fixture(scope="module")
def wide_kernel(tmp_path_factory: pytest.TempPathFactory) -> ComputeKernel:
    return build(tmp_path_factory.mktemp("wide"), MISTAKES, ComputeConfig(fp32_dest_acc_en=True))


@pytest.fixture(scope="module")
def ending_kernel(tmp_path_factory: pytest.TempPathFactory) -> ComputeKernel:
    return build(tmp_path_factory.mktemp("ends"), ENDS, ComputeConfig(fp32_dest_acc_en=True))


@pytest.fixture(scope="module")
def narrow_kernel(tmp_path_factory: pytest.TempPathFactory) -> ComputeKernel:
    return build(tmp_path_factory.mktemp("narrow"), NARROW, ComputeConfig())


def check(kernel: ComputeKernel, mistakes: dict[str, Mistake], name: str) -> None:
    mistake, number = mistakes[name], list(mistakes).index(name)
    integers = torch.arange(1024, dtype=torch.int32).reshape(32, 32)
    with pytest.raises(EmulatorError) as caught:
        kernel(matrix(32, 64), scaler(1.0), matrix(32, 32, torch.float32), integers, case=number)
    error = caught.value
    assert mistake.message in error.message
    assert error.hint is not None
    assert mistake.hint in error.hint
    assert error.role == "compute"
    assert error.core == (0, 0)
    if mistake.buffer is not None:
        assert error.circular_buffer == mistake.buffer
    lines = text_of(mistakes).splitlines()
    start = lines.index(f"case {number}: {{")
    expected = next(index for index in range(start, len(lines)) if "// here" in lines[index]) + 1
    assert error.location is not None
    assert error.location.line == expected


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(wide_kernel: ComputeKernel, name: str) -> None:
    check(wide_kernel, MISTAKES, name)


@pytest.mark.parametrize("name", ENDS)
def test_nothing_is_left_on_at_the_end(ending_kernel: ComputeKernel, name: str) -> None:
    check(ending_kernel, ENDS, name)


@pytest.mark.parametrize("name", NARROW)
def test_mistakes_of_a_16_bit_dst(narrow_kernel: ComputeKernel, name: str) -> None:
    check(narrow_kernel, NARROW, name)


MIXED = """
#include "api/compute/common.h"
#include "api/compute/compute_kernel_api.h"
#include "api/compute/tile_move_copy.h"
constexpr uint32_t floats = 0, bytes = 1, out = 2;
void kernel_main() {
    compute_kernel_hw_startup(floats, floats, out);
    cb_wait_front(bytes, 1);
    tile_regs_acquire();
    reconfig_data_format_srca(bytes);
    copy_init(bytes);
    copy_tile(bytes, 0, 0); // here
}
"""


def test_copies_of_bytes_need_both_sources(tmp_path: Path) -> None:
    inputs = [Operand(rows=32, columns=32), Operand(rows=32, columns=32, dtype=torch.uint8)]
    outputs = [Operand(rows=32, columns=32, dtype=torch.float32)]
    kernel = compute_kernel(tmp_path, MIXED, inputs, outputs, config=ComputeConfig(fp32_dest_acc_en=True))
    with pytest.raises(EmulatorError) as caught:
        kernel(matrix(32, 32), torch.ones(32, 32, dtype=torch.uint8))
    assert "copy_tile of UInt8 adds SrcB, which is configured for Float16_b" in caught.value.message
    assert caught.value.hint is not None and "reconfig_data_format_srcb" in caught.value.hint
