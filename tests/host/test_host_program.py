"""The generated host program: builds and runs as exported, and converts every dtype and layout there and back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from tests.host.projects import CASES, COLUMNS, ROWS, case_name, copy_artifact
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
    limits = torch.iinfo(kind)
    return torch.randint(limits.min, limits.max, shape, generator=generator).to(kind)


def as_bytes(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().view(torch.uint8).numpy().tobytes()


@pytest.fixture(scope="module")
def outputs(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the outputs of one run in which every input comes from a file."""
    directory = tmp_path_factory.mktemp("outputs")
    command = [str(exported / "build" / "main"), "--m", str(ROWS)]
    for dtype, layout_name in CASES:
        name = f"A_{case_name(dtype, layout_name)}"
        (directory / name).write_bytes(as_bytes(random_tensor(dtype)))
        command += [f"--{name}", name]
    subprocess.run(command, check=True, capture_output=True, cwd=directory)
    return directory


@pytest.mark.parametrize(("dtype", "layout_name"), CASES)
def test_every_dtype_and_layout_survives_the_device(outputs: Path, dtype: str, layout_name: str) -> None:
    result = (outputs / f"C_{case_name(dtype, layout_name)}.bin").read_bytes()
    assert result == as_bytes(random_tensor(dtype))


def test_export_twice_gives_the_same_bytes(exported: Path, tmp_path: Path) -> None:
    export_project(copy_artifact("copies", CASES), tmp_path)
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert {"CMakeLists.txt", "main.cpp", "kernels/reader.cpp", "emulator/chip.cpp"} <= {str(name) for name in files}
    assert all((tmp_path / name).read_bytes() == (exported / name).read_bytes() for name in files)


def test_inputs_without_a_file_follow_the_seed(exported: Path, tmp_path: Path) -> None:
    results = []
    for seed in ("1", "1", "2"):
        command = [exported / "build" / "main", "--m", str(ROWS), "--seed", seed]
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
        results.append((tmp_path / "C_float32_tiles.bin").read_bytes())
    assert results[0] == results[1] != results[2]
    values = torch.frombuffer(bytearray(results[0]), dtype=torch.float32)
    assert -1 <= values.min() < -0.5 and 0.5 < values.max() < 1


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
