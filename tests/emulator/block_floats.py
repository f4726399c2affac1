"""Block floats in plain integer arithmetic, rounded as ttnn does on the host (tests/device/test_block_floats.py)."""

from __future__ import annotations

import torch

BITS = {"Bfp8_b": 8, "Bfp4_b": 4}


def fields(values: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Shared exponents of blocks of 16 float32 values, and magnitudes and signs of the elements."""
    words = values.contiguous().view(torch.int32).to(torch.int64).reshape(-1, 16) & 0xFFFFFFFF
    exponents, fractions, signs = words >> 23 & 0xFF, words & 0x7FFFFF, words >> 31
    shared = exponents.max(dim=1, keepdim=True).values
    significands = torch.where(exponents == 0, 0, fractions | 0x800000)
    aligned = significands >> (shared - exponents).clamp(max=31)
    cut = 25 - bits
    rest, magnitudes, half = aligned & ((1 << cut) - 1), aligned >> cut, 1 << (cut - 1)
    magnitudes += (rest > half) | ((rest == half) & (magnitudes % 2 == 1))
    magnitudes = magnitudes.clamp(max=(1 << (bits - 1)) - 1)
    return shared, magnitudes, torch.where(magnitudes == 0, 0, signs)


def rounded(values: torch.Tensor, data_format: str) -> torch.Tensor:
    """Finite float32 `values`, 16 at a time along the last dimension, as a block float keeps them."""
    bits = BITS[data_format]
    shared, magnitudes, signs = fields(values, bits)
    exact = torch.ldexp(magnitudes.double(), (shared - 127 - (bits - 2)).double())
    return torch.where(signs == 1, -exact, exact).float().reshape(values.shape)


def pages(tiles: torch.Tensor, data_format: str) -> torch.Tensor:
    """The bytes of pages, one per row, from float32 elements in the order of a page."""
    bits = BITS[data_format]
    shared, magnitudes, signs = fields(tiles, bits)
    elements = (magnitudes | signs << (bits - 1)).reshape(tiles.shape[0], -1)
    if bits == 4:
        elements = elements[:, ::2] | elements[:, 1::2] << 4
    return torch.cat([shared.reshape(tiles.shape[0], -1), elements], dim=1).to(torch.uint8)


def interesting_values() -> torch.Tensor:
    """Blocks of one magnitude and of many, ties, denormals, the largest numbers, zeros of both signs: 64 x 96."""
    generator = torch.Generator().manual_seed(11)
    values = torch.randn(64, 96, generator=generator)
    values[8:16] *= torch.exp(8 * torch.randn(8, 96, generator=generator))
    values[16:24] = torch.randint(-256, 257, (8, 96), generator=generator) / 8
    values[24:32] *= 1e-38
    values[32:40] = values[32:40].bfloat16().float()
    values[40:48] *= 1e37
    values[48:50] = 0.0
    values[50, ::2] = -0.0
    values[51] = torch.randint(-9, 10, (96,), generator=generator) / 4
    return values
