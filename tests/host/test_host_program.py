"""The generated host program: builds and runs as exported, and converts every dtype and layout there and back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from tests.host.projects import COLUMNS, FORMATS, LAYOUTS, copy_artifact, copy_plan
from tt_jit.codegen.export import export_project
from tt_jit.codegen.host import emit_host_program
from tt_jit.plan import Plan

ROWS = 100
PLAN_EXAMPLE = Path(__file__).parents[1] / "plan" / "example.plan.json"


def random_tensor(dtype: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    shape = (2, ROWS, COLUMNS)
    kind = getattr(torch, dtype)
    if kind.is_floating_point:
        return (torch.randn(shape, generator=generator) * 20).to(kind)
    limits = torch.iinfo(kind)
    return torch.randint(limits.min, limits.max, shape, generator=generator).to(kind)


def as_bytes(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().view(torch.uint8).numpy().tobytes()


def build(directory: Path, exported: Path, plan: Plan) -> Path:
    """main.cpp of `plan`, built against the emulator library that `exported` already has."""
    source = directory / "main.cpp"
    source.write_text(emit_host_program(plan))
    library = exported / "build"
    include = exported / "emulator" / "include"
    flags = ["-std=c++20", "-Wall", "-Wextra", "-Werror", f'-DKERNEL_DIRECTORY="{exported / "kernels"}"']
    paths = ["-I", str(include), "-I", str(exported), "-L", str(library), "-ltt_emulator", f"-Wl,-rpath,{library}"]
    subprocess.run(["c++", *flags, str(source), "-o", str(directory / "main"), *paths], check=True)
    return directory / "main"


def copied(program: Path, directory: Path, tensor: torch.Tensor) -> bytes:
    (directory / "A.bin").write_bytes(as_bytes(tensor))
    command = [program, "--m", str(ROWS), "--A", directory / "A.bin", "--C", directory / "C.bin"]
    subprocess.run(command, check=True, capture_output=True)
    return (directory / "C.bin").read_bytes()


def test_exported_project_builds_and_runs(exported: Path, tmp_path: Path) -> None:
    tensor = random_tensor("bfloat16")
    assert copied(exported / "build" / "main", tmp_path, tensor) == as_bytes(tensor)


def test_export_twice_gives_the_same_bytes(exported: Path, tmp_path: Path) -> None:
    export_project(copy_artifact("bfloat16", "tiles"), tmp_path)
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert {"CMakeLists.txt", "main.cpp", "kernels/reader.cpp", "emulator/chip.cpp"} <= {str(name) for name in files}
    assert all((tmp_path / name).read_bytes() == (exported / name).read_bytes() for name in files)


@pytest.mark.parametrize(
    ("dtype", "layout_name"),
    [*((dtype, "tiles") for dtype in FORMATS if dtype != "bfloat16"), *(("float16", name) for name in LAYOUTS)],
)
def test_every_dtype_and_layout_survives_the_device(
    exported: Path, tmp_path: Path, dtype: str, layout_name: str
) -> None:
    tensor = random_tensor(dtype)
    program = build(tmp_path, exported, copy_plan(dtype, layout_name))
    assert copied(program, tmp_path, tensor) == as_bytes(tensor)


def test_inputs_without_a_file_are_the_same_every_time(exported: Path, tmp_path: Path) -> None:
    outputs = []
    for seed in ("1", "1", "2"):
        command = [exported / "build" / "main", "--seed", seed, "--C", tmp_path / "C.bin"]
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
        outputs.append((tmp_path / "C.bin").read_bytes())
    assert outputs[0] == outputs[1] != outputs[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bogus", "3"], "error: unknown option --bogus"),
        (["--m"], "error: option --m needs a value"),
        (["--m", "32", "--A", "none.bin"], "none.bin must exist and have the 5120 bytes of A (2 x 32 x 40, bfloat16)"),
    ],
)
def test_wrong_arguments_are_explained(exported: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    command = [str(exported / "build" / "main"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 1
    assert message in result.stderr


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
