"""The generated host program: builds and runs as exported, and converts every dtype and layout there and back."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import tt_jit
from tests.emulator import block_floats
from tests.host.projects import BLOCK_CASES, CASES, COLUMNS, NARROW_CASES, ROWS, case_name, copy_artifact
from tt_jit.codegen.export import export_project
from tt_jit.codegen.host import emit_host_program
from tt_jit.plan import Plan

PLAN_EXAMPLE = Path(__file__).parents[1] / "plan" / "example.plan.json"


def random_tensor(dtype: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    shape = (2, ROWS, COLUMNS)
    kind = getattr(torch, dtype)
    if kind.is_floating_point:
        return (torch.randn(shape, generator=generator) * 20).to(kind)
    limits = torch.iinfo(torch.int32 if kind is torch.int64 else kind)
    return torch.randint(limits.min, limits.max, shape, generator=generator).to(kind)


def as_bytes(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().view(torch.uint8).numpy().tobytes()


@pytest.fixture(scope="module")
def copies(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host program of all copy cases, built against the emulator library that `exported` already has."""
    directory = tmp_path_factory.mktemp("copies")
    for name, text in copy_artifact("copies", (*CASES, *BLOCK_CASES, *NARROW_CASES)).files.items():
        (directory / name).write_text(text)
    library = exported / "build"
    flags = ["-std=c++20", "-Wall", "-Wextra", "-Werror", f'-DKERNEL_DIRECTORY="{directory}"']
    paths = ["-I", exported / "emulator" / "include", "-I", exported, "-L", library, "-ltt_emulator"]
    command = ["c++", *flags, directory / "main.cpp", "-o", directory / "main", *paths, f"-Wl,-rpath,{library}"]
    subprocess.run(command, check=True)
    return directory / "main"


@pytest.fixture(scope="module")
def outputs(copies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the outputs of one run in which every input comes from a file."""
    directory = tmp_path_factory.mktemp("outputs")
    command = [str(copies), "--m", str(ROWS)]
    for case in (*CASES, *BLOCK_CASES, *NARROW_CASES):
        name = f"A_{case_name(*case)}"
        (directory / name).write_bytes(as_bytes(random_tensor(case[0])))
        command += [f"--{name}", name]
    subprocess.run(command, check=True, capture_output=True, cwd=directory)
    return directory


def test_exported_gemm_agrees_with_torch(exported: Path, gemm_kernel: tt_jit.Kernel, tmp_path: Path) -> None:
    A, B = torch.randn(100, 80).bfloat16(), torch.randn(80, 96).bfloat16()
    (tmp_path / "A.bin").write_bytes(as_bytes(A))
    (tmp_path / "B.bin").write_bytes(as_bytes(B))
    command = [exported / "build" / "main", "--m", "100", "--A", "A.bin", "--B", "B.bin", "--C", "C.bin"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    C = torch.frombuffer(bytearray((tmp_path / "C.bin").read_bytes()), dtype=torch.float32).reshape(100, 96)
    # Products of bfloat16 numbers are exact in float32; each of the 80 additions may lose a last bit.
    allowed = 80 * 2.0**-23 * (A.double().abs() @ B.double().abs())
    assert ((C.double() - A.double() @ B.double()).abs() <= allowed).all()
    assert torch.equal(C, gemm_kernel(A, B)), "the same kernels as in a call from Python, so the same bits"


@pytest.mark.parametrize(("dtype", "layout_name"), CASES)
def test_every_dtype_and_layout_survives_the_device(outputs: Path, dtype: str, layout_name: str) -> None:
    result = (outputs / f"C_{case_name(dtype, layout_name)}.bin").read_bytes()
    assert result == as_bytes(random_tensor(dtype))


# The order of dimensions in which sixteen neighbours of the last one share an exponent.
BLOCK_ORDERS = {"tiles": (0, 1, 2), "permuted": (1, 2, 0), "ragged_blocks": (0, 1, 2), "flat": (0, 2, 1)}


@pytest.mark.parametrize(("dtype", "layout_name", "data_format"), BLOCK_CASES)
def test_block_floats_round_once(outputs: Path, dtype: str, layout_name: str, data_format: str) -> None:
    given = random_tensor(dtype)
    order = BLOCK_ORDERS[layout_name]
    moved = given.float().permute(order)
    padded = torch.nn.functional.pad(moved, (0, -moved.shape[-1] % 16))
    rounded = block_floats.rounded(padded, data_format)[..., : moved.shape[-1]]
    expected = rounded.permute(sorted(range(3), key=lambda dim: order[dim])).to(given.dtype)
    result = (outputs / f"C_{case_name(dtype, layout_name, data_format)}.bin").read_bytes()
    assert torch.equal(torch.frombuffer(bytearray(result), dtype=given.dtype).reshape(given.shape), expected)


@pytest.mark.parametrize(("dtype", "layout_name", "data_format"), NARROW_CASES)
def test_float16_travels_as_bfloat16(outputs: Path, dtype: str, layout_name: str, data_format: str) -> None:
    result = (outputs / f"C_{case_name(dtype, layout_name, data_format)}.bin").read_bytes()
    assert result == as_bytes(random_tensor(dtype).bfloat16().half())


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**62])
def test_int64_values_beyond_32_bits_are_refused(copies: Path, tmp_path: Path, value: int) -> None:
    given = torch.zeros(2, 3, COLUMNS, dtype=torch.int64)
    given[1, 2, 5] = value
    (tmp_path / "A.bin").write_bytes(as_bytes(given))
    command = [str(copies), "--m", "3", "--A_int64_tiles", "A.bin"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 1
    assert (
        f"element 205 of A_int64_tiles (2 x 3 x 40, int64) is {value}; "
        "the kernel takes values from -2147483648 to 2147483647" in result.stderr
    )


def test_a_kernel_that_computes_with_int64_takes_fewer_bits() -> None:
    plan = Plan.from_json(PLAN_EXAMPLE.read_text())
    tensors = (replace(plan.tensors[0], dtype="int64", format="Int32", value_bits=30), *plan.tensors[1:])
    text = emit_host_program(replace(plan, tensors=tensors))
    assert f'host::Tensor {tensors[0].name}_host("{tensors[0].name}", "int64"' in text
    assert ", std::nullopt, 30);" in text


def test_export_twice_gives_the_same_bytes(exported: Path, gemm_kernel: tt_jit.Kernel, tmp_path: Path) -> None:
    gemm_kernel.export_sources(tmp_path)
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert {"CMakeLists.txt", "main.cpp", "kernels/reader.cpp", "emulator/chip.cpp"} <= {str(name) for name in files}
    assert all((tmp_path / name).read_bytes() == (exported / name).read_bytes() for name in files)


def test_inputs_without_a_file_follow_the_seed(exported: Path, tmp_path: Path) -> None:
    results = []
    for seed in ("1", "1", "2"):
        command = [exported / "build" / "main", "--m", "32", "--seed", seed]
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
        results.append((tmp_path / "C.bin").read_bytes())
    assert results[0] == results[1] != results[2]
    values = torch.frombuffer(bytearray(results[0]), dtype=torch.float32)
    # Sums of 80 products of numbers evenly spread over [-1, 1) have a standard deviation of sqrt(80) / 3, about 3.
    assert 2 < values.std() < 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bogus", "3"], "error: unknown option --bogus"),
        (["--m"], "error: option --m needs a value"),
        (
            ["--m", "32", "--A_bfloat16_tiles", "none.bin"],
            "none.bin must exist and have the 5120 bytes of A_bfloat16_tiles (2 x 32 x 40, bfloat16)",
        ),
    ],
)
def test_wrong_arguments_are_explained(copies: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    command = [str(copies), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 1
    assert message in result.stderr


@pytest.mark.parametrize(
    ("line", "replacement", "message"),
    [
        ("noc_async_read_barrier();", "", "cb_push_back"),
        ("cb_push_back(cb_A_shared, 1);", "cb_push_back(cb_A_shared, 1)", "the reader kernel"),
    ],
    ids=["missing barrier", "syntax error"],
)
def test_a_wrong_kernel_stops_the_host_program(copies: Path, line: str, replacement: str, message: str) -> None:
    kernel = copies.parent / "reader.cpp"
    text = kernel.read_text()
    assert line in text
    kernel.write_text(text.replace(line, replacement))
    try:
        result = subprocess.run([copies, "--m", str(ROWS)], capture_output=True, text=True)
    finally:
        kernel.write_text(text)
    assert result.returncode == 1
    assert message in result.stderr and f"{kernel}" in result.stderr


def test_export_describes_the_chip_of_the_plan(tmp_path: Path) -> None:
    artifact = copy_artifact("copies", CASES[:1])
    artifact.plan = replace(artifact.plan, target="blackhole", grid=(11, 10))
    export_project(artifact, tmp_path)
    chip = (tmp_path / "emulator" / "chip.cpp").read_text()
    for line in ("grid_x = 11;", "worker_x = 1;", "dram_banks = 8;", 'kernel_flags = {"-DARCH_BLACKHOLE"};'):
        assert line in chip


def test_host_program_names_every_part_of_the_plan() -> None:
    text = emit_host_program(Plan.from_json(PLAN_EXAMPLE.read_text()))
    for piece in (
        "// usage: main [--m NUMBER] [--alpha NUMBER]",
        "{{cb_A_shared, tt::DataFormat::Float16_b}, {cb_C_local, tt::DataFormat::Float32}}",
        "unpack_modes[cb_C_local] = UnpackToDestMode::UnpackToDestFp32;",
        "std::vector<uint32_t> reader_compile_args = {4, 8};\n    TensorAccessorArgs(*buffers.A).append_to(",
        "static_cast<uint32_t>((parameters.m + 31) / 32),  // num_k",
        "host::argument_bits(parameters.alpha)",
        ".scratch = create_buffer(*device, scratch_host)",
    ):
        assert piece in text
    assert "buffers.scratch, scratch_host.to_pages()" not in text, "a workspace is not uploaded"


def test_names_that_cpp_reserves_get_an_underscore(tmp_path: Path) -> None:
    text = PLAN_EXAMPLE.read_text()
    for name, reserved in (("A", "register"), ("m", "short"), ("alpha", "double")):
        text = text.replace(f'"{name}"', f'"{reserved}"')
    text = text.replace('"(m + ', '"(short + ')
    source = tmp_path / "main.cpp"
    source.write_text(emit_host_program(Plan.from_json(text)))
    package = Path(tt_jit.__file__).parent
    includes = ["-I", package / "emulator" / "include", "-I", package / "codegen"]
    subprocess.run(["c++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *includes, source], check=True)
    assert "parameters.short_ + 31" in source.read_text()
