"""Compares a kernel's result with float64 torch; every example prints one line per result through this."""

import torch

UNIT_ROUNDOFF = {torch.float32: 2.0**-11, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}
"""Half the distance of neighbouring numbers around 1; float32 operands pass the matrix unit as TF32, hence 2^-11."""


def check(
    name: str, result: torch.Tensor, exact: torch.Tensor, *, through: torch.dtype = torch.bfloat16, units: float = 4
) -> None:
    """Raises if ``result`` is off by more than ``units`` roundings to ``through``, the narrowest format on the way."""
    assert result.shape == exact.shape, f"{name}: shape {tuple(result.shape)}, expected {tuple(exact.shape)}"
    error = (result.double() - exact.double()).abs().max().item()
    scale = exact.double().abs().max().item()
    allowed = units * UNIT_ROUNDOFF[through] * scale
    print(f"{name}: largest error {error:.2e} where values reach {scale:.2e} ({allowed:.2e} allowed)")
    if not error <= allowed:
        raise SystemExit(f"{name}: wrong result")
