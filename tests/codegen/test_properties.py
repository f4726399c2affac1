"""What holds for the text of every kernel."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
import tilelang.language as T
from tvm import tirx as tir

from tt_jit.codegen.helpers import HELPERS
from tt_jit.codegen.identifiers import RESERVED, identifier
from tt_jit.compile import CompileOptions, compile_prim_func
from tt_jit.intrinsics import INTRINSICS
from tt_jit.target import Target

from .kernels import KERNELS

ROOT = Path(__file__).resolve().parents[2]
HEADER_OF = {
    **{name: intrinsic.header for name, intrinsic in INTRINSICS.items()},
    **{i.init.name: i.header for i in INTRINSICS.values() if i.init is not None},
}


def compiled(func: tir.PrimFunc) -> dict[str, str]:
    files = compile_prim_func(func, target=Target.named("wormhole_b0"), options=CompileOptions()).files
    return dict(files)


@cache
def files_of(name: str) -> Mapping[str, str]:
    return compiled(KERNELS[name])


def kernels_of(name: str) -> dict[str, str]:
    return {file: text for file, text in files_of(name).items() if file in ("reader.cpp", "compute.cpp", "writer.cpp")}


def calls(text: str) -> Counter[tuple[str, str]]:
    """(operation, first argument) of every circular-buffer call."""
    found = re.findall(r"\b(cb_(?:reserve_back|push_back|wait_front|pop_front))\((\w+),", text)
    return Counter(found)


# ---- stability -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KERNELS)
def test_two_compilations_give_the_same_bytes(name: str) -> None:
    assert compiled(KERNELS[name]) == files_of(name)


def test_another_process_with_another_hash_seed_gives_the_same_bytes() -> None:
    program = (
        "import json, sys\n"
        "import tilelang\n"
        "from tests.codegen.test_properties import KERNELS, files_of\n"
        "json.dump({name: dict(files_of(name)) for name in KERNELS}, sys.stdout)\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    output = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(output) == {name: dict(files_of(name)) for name in KERNELS}


# ---- circular buffers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KERNELS)
def test_every_reserve_has_its_push_and_every_pop_its_wait(name: str) -> None:
    for file, text in kernels_of(name).items():
        found = calls(text)
        for (operation, ring), count in found.items():
            if operation == "cb_reserve_back":
                assert found["cb_push_back", ring] == count, f"{file}: {ring}"
            if operation == "cb_pop_front":
                assert found["cb_wait_front", ring] >= 1, f"{file}: {ring}"


@pytest.mark.parametrize("name", KERNELS)
def test_every_ring_is_pushed_by_one_kernel_and_popped_by_one(name: str) -> None:
    pushed: dict[str, set[str]] = {}
    popped: dict[str, set[str]] = {}
    for file, text in kernels_of(name).items():
        for operation, ring in calls(text):
            if operation == "cb_push_back":
                pushed.setdefault(ring, set()).add(file)
            if operation == "cb_pop_front":
                popped.setdefault(ring, set()).add(file)
    assert all(len(kernels) == 1 for kernels in (*pushed.values(), *popped.values()))
    assert set(popped) <= set(pushed)


def test_neighbouring_loads_share_a_barrier() -> None:
    assert files_of("gemm")["reader.cpp"].count("noc_async_read_barrier()") == 1


@pytest.mark.parametrize("name", KERNELS)
def test_dst_is_acquired_and_released_in_turn(name: str) -> None:
    order = re.findall(r"tile_regs_(\w+)\(\)", kernels_of(name)["compute.cpp"])
    assert order == ["acquire", "commit", "wait", "release"] * (len(order) // 4)


# ---- readable text -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KERNELS)
def test_includes_are_sorted_and_all_needed(name: str) -> None:
    for file, text in kernels_of(name).items():
        included = re.findall(r"#include (\S+)", text)
        assert included[0] == "<cstdint>"
        headers = [header.strip('"') for header in included[1:]]
        assert headers == sorted(set(headers)), file
        called = set(re.findall(r"\b(\w+)(?:<[^<>;]*>)?\(", text))
        used = {HEADER_OF[operation] for operation in called if operation in HEADER_OF}
        if called & {"get_arg_val", "get_common_arg_val"}:
            used.add("api/compute/common.h")
        if file != "compute.cpp":
            used = {"api/dataflow/dataflow_api.h"} if used else set()
        if "TensorAccessor" in called:
            used.add("api/tensor/tensor_accessor.h")
        assert set(headers) == used, file


@pytest.mark.parametrize("name", KERNELS)
def test_no_helper_is_carried_that_is_not_called(name: str) -> None:
    for text in kernels_of(name).values():
        for helper in HELPERS:
            count = len(re.findall(rf"\b{helper}\b", text))
            assert count != 1, f"{helper} is defined and never called"


def test_long_operations_are_functions_that_the_kernel_calls() -> None:
    text = kernels_of("softmax")["compute.cpp"]
    functions, _, body = text.partition("void kernel_main")
    names = re.findall(r"__attribute__\(\(noinline\)\) void (\w+)\(", functions)
    assert "call_reduce_sum_float32_row" in names and "call_sub_bcast_col_init" in names
    assert all(f"{name}(" in body for name in names)
    assert not re.search(r"\b(sfpu|binary)_\w+\(", body)


def test_the_users_lines_are_comments_in_front_of_what_they_became() -> None:
    compute = files_of("gemm")["compute.cpp"]
    assert compute.index("// T.gemm(A_shared, B_shared, C_local)") < compute.index("    matmul_block(")
    assert compute.count("// T.gemm(") == 1
    reader = files_of("gemm")["reader.cpp"]
    for line in ("// T.copy(A[by * 128, k * 64], A_shared)", "// T.copy(B[k * 64, bx * 128], B_shared)"):
        assert line in reader and line not in compute
    assert "// row[i, j] = T.exp(row[i, j] - row_max[i])" in files_of("softmax")["compute.cpp"]


def test_names_are_the_users() -> None:
    reader = files_of("gemm")["reader.cpp"]
    assert "constexpr uint32_t cb_A_shared = 0;" in reader and "const auto A = TensorAccessor(" in reader
    assert "for (uint32_t k = 0; k < 16; ++k)" in reader
    assert "by = " in reader and "bx = " in reader


@pytest.mark.parametrize("name", KERNELS)
def test_the_text_is_the_same_everywhere(name: str) -> None:
    for text in kernels_of(name).values():
        assert "#if" not in text and "emulator" not in text and "\t" not in text and text.endswith("}\n")
        assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_sizes_that_are_known_at_run_time_are_arguments() -> None:
    reader = files_of("dynamic_scale")["reader.cpp"]
    assert re.search(r"const u?int32_t m = get_common_arg_val<uint32_t>\(\d\);", reader)
    plan = json.loads(files_of("dynamic_scale")["tt.plan.json"])
    assert plan["symbols"] == [{"name": "m", "param": "A", "dim": 0}]
    assert plan["programs"][0]["work"]["total"] == "(m + 31) / 32"


# ---- names that mean something in C++ ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["double", "uint32_t", "NULL", "PACK", "copy_tile", "get_write_ptr", "xor"])
def test_names_with_a_meaning_get_an_underscore(name: str) -> None:
    assert name in RESERVED and identifier(name) == f"{name}_"


def test_other_names_stay() -> None:
    assert [identifier(name) for name in ("A", "A_shared", "work", "double_")] == ["A", "A_shared", "work", "double_"]


def hostile() -> tir.PrimFunc:
    int_ = tir.Var("int", "int32")

    @T.prim_func
    def main(double: T.Tensor((int_, 64), "float32"), register: T.float32, copy_tile: T.Tensor((int_, 64), "float32")):
        with T.Kernel(T.ceildiv(int_, 32)) as volatile:
            struct = T.alloc_shared((32, 64), "float32")
            for uint32_t in T.serial(2):
                T.copy(double[volatile * 32, 0], struct)
                for i, j in T.Parallel(32, 64):
                    struct[i, j] = struct[i, j] * register + T.cast(uint32_t, "float32")
                T.copy(struct, copy_tile[volatile * 32, 0])

    return main


def test_hostile_names() -> None:
    files = compiled(hostile())
    reader, compute, writer = (files[f"{role}.cpp"] for role in ("reader", "compute", "writer"))
    assert "const auto double_ = TensorAccessor(double_args, double_address" in reader
    assert re.search(r"const u?int32_t int_ = get_common_arg_val", reader)
    assert "const uint32_t register_ = get_common_arg_val" in compute
    assert "for (uint32_t uint32_t_ = 0;" in reader
    assert "const auto copy_tile_ = TensorAccessor(copy_tile_args" in writer
    for text in (reader, compute, writer):
        assert not re.search(r"\b(double|register|volatile|struct|int)\b(?! \w)", re.sub(r"//.*", "", text))
