"""host_tensor.hpp rounds to the small float formats exactly as torch does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import torch

import tt_jit

HEADERS = Path(tt_jit.__file__).parent / "codegen"
PROGRAM = """\
#include <cstdio>
#include "host_tensor.hpp"

int main() {
    uint32_t bits = 0;
    while (std::fread(&bits, sizeof bits, 1, stdin) == 1) {
        const float value = std::bit_cast<float>(bits);
        for (const host::SmallFloat& f : {host::kBFloat16, host::kFloat16, host::kFloat8E4M3, host::kFloat8E5M2}) {
            const uint32_t encoded = f.encode(value);
            const float decoded = f.decode(encoded);
            std::fwrite(&encoded, sizeof encoded, 1, stdout);
            std::fwrite(&decoded, sizeof decoded, 1, stdout);
        }
    }
}
"""
DTYPES = (torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2)


def interesting_floats() -> torch.Tensor:
    """Bit patterns of every exponent, ties to even among them, and the special values."""
    generator = torch.Generator().manual_seed(3)
    patterns = torch.randint(-(2**31), 2**31 - 1, (20000,), generator=generator).to(torch.int32)
    ties = (torch.arange(0, 2**16, 7) << 16).to(torch.int64) + 0x8000
    ties = torch.where(ties >= 2**31, ties - 2**32, ties).to(torch.int32)
    small = torch.ldexp(torch.ones(80), torch.arange(-60, 20))
    limits = [448.0, 464.0, 465.0, 65504.0, 65520.0, 57344.0, 61440.0]  # the largest numbers, and ties above them
    special = torch.tensor([0.0, -0.0, float("inf"), float("-inf"), *limits])
    return torch.cat([patterns.view(torch.float32), ties.view(torch.float32), small, 1.5 * small, special])


def test_encode_and_decode_agree_with_torch(tmp_path: Path) -> None:
    source = tmp_path / "rounding.cpp"
    source.write_text(PROGRAM)
    program = tmp_path / "rounding"
    command = ["c++", "-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror", "-I", HEADERS, source, "-o", program]
    subprocess.run(command, check=True)
    values = interesting_floats()
    values = values[~values.isnan()]
    output = subprocess.run([program], input=values.numpy().tobytes(), capture_output=True, check=True).stdout
    results = torch.frombuffer(bytearray(output), dtype=torch.int32).reshape(len(values), len(DTYPES), 2)
    for column, dtype in enumerate(DTYPES):
        rounded = values.to(dtype)
        integer = torch.int16 if rounded.element_size() == 2 else torch.uint8
        mask = 2 ** (8 * rounded.element_size()) - 1
        finite = ~rounded.float().isnan()
        expected = rounded.view(integer).to(torch.int32) & mask
        assert torch.equal(results[finite, column, 0], expected[finite]), dtype
        decoded = results[:, column, 1].contiguous().view(torch.float32)
        assert torch.equal(decoded[finite], rounded.float()[finite]), dtype
        assert decoded[~finite].isnan().all(), dtype
