"""Block floats as ttnn packs them are as we pack them, bit for bit. Needs ttnn, but no chip."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from tests.emulator import block_floats

from . import chips

# Reads float32 numbers of a 64 x 96 matrix, writes what ttnn makes of them. ttnn asks for a chip even for host tensors.
PROGRAM = """\
import array, sys, ttnn
values = array.array("f", open(sys.argv[1], "rb").read())
made = ttnn.Tensor(values.tolist(), [64, 96], getattr(ttnn, sys.argv[2]), ttnn.TILE_LAYOUT)
rows = made.to_list()
open(sys.argv[3], "wb").write(array.array("f", [value for row in rows for value in row]).tobytes())
"""


@pytest.mark.parametrize(("name", "data_format"), [("bfloat8_b", "Bfp8_b"), ("bfloat4_b", "Bfp4_b")])
def test_ttnn_rounds_as_we_do(name: str, data_format: str, tmp_path: Path) -> None:
    runner = chips.device_python()
    if isinstance(runner, str):
        pytest.skip(runner)
    values = block_floats.interesting_values()
    (tmp_path / "in").write_bytes(values.numpy().tobytes())
    finished = subprocess.run(
        [runner.python, "-c", PROGRAM, tmp_path / "in", name, tmp_path / "out"],
        env=runner.environment(chips.mock_chip("n150")),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, chips.last_words(finished.stdout + finished.stderr)
    from_ttnn = torch.frombuffer(bytearray((tmp_path / "out").read_bytes()), dtype=torch.float32).reshape(64, 96)
    ours = block_floats.rounded(values, data_format)
    assert torch.equal(from_ttnn.view(torch.int32), ours.view(torch.int32))
