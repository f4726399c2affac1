"""How far a right answer may be from the exact one: bounds that follow from the formats a value passes through.

u(format) is the unit roundoff, half the distance between neighbouring numbers around 1:
    float32 2^-24, tf32 2^-11, float16 2^-11, bfloat16 2^-8, float8_e4m3fn 2^-4, float8_e5m2 2^-3.

Matrix multiplication C = A B. The matrix unit's source registers hold TF32 (10 bits after the point), and the
multiplier uses 10 of them from the left operand but 9 from the right one, at its highest fidelity; what exceeds
that is cut off. Hence
    source error   left    right
    bfloat16       0       0          (7 bits)
    float16        0       2^-10      (10 bits: the last is cut on the right)
    float32        2^-10   2^-9       (23 bits)
relative to the operand. Accumulation in float32 adds K terms, each addition off by at most u(float32), doubled for
truncation. The sum is rounded once to the output format. With P = |A| |B| (the sum of absolute products, which
bounds every partial sum):
    |error| <= (source errors + K * 2 u(float32)) * P + u(output) * |C| + (spacing of the output format near 0)

Element-wise expressions. float32 operations on the vector unit are float32 operations: u(float32) each, and the
transcendental functions there are polynomial approximations whose documented accuracy in the default policy is a
few units of the last place of the *output* format, at best 2^-18 relative for float32 (the vector unit has no
hardware exp or division). So:
    |error| <= (operations * 2 u(float32) + functions * 2^-16) * magnitude + 2 u(output) * |result|
where ``magnitude`` bounds the intermediate values (the result itself unless the caller knows of cancellation).

Reductions over N elements: N * 2 u(float32) * sum |x|, plus TF32 truncation of the inputs where the matrix unit sums
(2 u(tf32) * sum |x|), plus rounding of the output.
"""

import torch

UNIT_ROUNDOFF = {
    torch.float64: 2.0**-53,
    torch.float32: 2.0**-24,
    torch.float16: 2.0**-11,
    torch.bfloat16: 2.0**-8,
    torch.float8_e4m3fn: 2.0**-4,
    torch.float8_e5m2: 2.0**-3,
}
TF32_ROUNDOFF = 2.0**-11
FUNCTION_ERROR = 2.0**-16
SUBNORMAL_SPACING = {torch.float16: 2.0**-24, torch.float8_e4m3fn: 2.0**-9, torch.float8_e5m2: 2.0**-16}
"""Distance of neighbouring numbers near zero. float32 and bfloat16 flush to zero on the chip: see ``smallest``."""


def unit(dtype: torch.dtype) -> float:
    return UNIT_ROUNDOFF.get(dtype, 0.0)


def smallest(dtype: torch.dtype) -> float:
    """The absolute error that rounding near zero may cause in ``dtype``."""
    return SUBNORMAL_SPACING.get(dtype, 2.0**-120)


def source_error(dtype: torch.dtype, *, right: bool = False) -> float:
    """Relative error of an operand of the matrix unit."""
    left_error, right_error = {torch.float16: (0.0, 2.0**-10), torch.float32: (2.0**-10, 2.0**-9)}.get(
        dtype, (0.0, 0.0)
    )
    return right_error if right else left_error


def gemm_bound(
    a: torch.Tensor, b: torch.Tensor, output: torch.dtype, *, through: torch.dtype | None = None
) -> torch.Tensor:
    """Error allowed for each element of ``a @ b``. ``through``: a format that an operand was rounded to on the way."""
    products = a.double().abs() @ b.double().abs()
    exact = (a.double() @ b.double()).abs()
    relative = source_error(a.dtype) + source_error(b.dtype, right=True) + a.shape[-1] * 2 * unit(torch.float32)
    if through is not None:
        relative += unit(through)
    return relative * products + unit(output) * exact + smallest(output)


def elementwise_bound(
    exact: torch.Tensor,
    output: torch.dtype,
    *,
    operations: int = 1,
    functions: int = 0,
    magnitude: torch.Tensor | None = None,
) -> torch.Tensor:
    """Error allowed for an expression of so many operations and transcendental functions, computed in float32."""
    scale = exact.double().abs() if magnitude is None else magnitude.double().abs()
    relative = operations * 2 * unit(torch.float32) + functions * FUNCTION_ERROR
    return relative * scale + 2 * unit(output) * exact.double().abs() + smallest(output)


def sum_bound(x: torch.Tensor, dim: int, output: torch.dtype) -> torch.Tensor:
    """Error allowed for a sum of ``x`` over ``dim``."""
    absolute = x.double().abs().sum(dim)
    relative = x.shape[dim] * 2 * unit(torch.float32) + source_error(
        torch.float32 if x.dtype == torch.float32 else x.dtype
    )
    return relative * absolute + unit(output) * x.double().sum(dim).abs() + smallest(output)


def assert_within(result: torch.Tensor, exact: torch.Tensor, bound: torch.Tensor | float) -> None:
    """Fails with the worst element if ``result`` is further than ``bound`` from ``exact``; NaN and infinities must
    match."""
    assert result.shape == exact.shape, f"shape {tuple(result.shape)}, expected {tuple(exact.shape)}"
    got, want = result.detach().double(), exact.detach().double()
    finite = torch.isfinite(want)
    special = torch.isnan(got) == torch.isnan(want)
    special &= finite | torch.isnan(want) | (got == want)
    assert special.all(), f"NaN or infinity in the wrong place: {(~special).sum().item()} of {got.numel()} elements"
    allowed = torch.as_tensor(bound, dtype=torch.float64).expand_as(want)
    excess = torch.where(finite, (got - want).abs() - allowed, torch.full_like(want, -1.0))
    excess = torch.where(torch.isnan(excess), torch.full_like(excess, float("inf")), excess)
    if (excess > 0).any():
        flat = int(excess.argmax())
        where = tuple(int(index) for index in torch.unravel_index(torch.tensor(flat), want.shape))
        wrong = int((excess > 0).sum())
        raise AssertionError(
            f"{wrong} of {want.numel()} elements too far off; worst at {where}: got {got[where].item():.8g}, "
            f"exact {want[where].item():.8g}, allowed error {allowed[where].item():.3g}"
        )
