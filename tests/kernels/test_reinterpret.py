"""T.reinterpret: the bits of a value under another dtype, exactly."""

import pytest
import tilelang.language as T
import torch

import tt_jit as tt

ROWS, COLUMNS = 64, 1024
INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32}


def bit_patterns(dtype: torch.dtype) -> torch.Tensor:
    """Every pattern of 8 or 16 bits, a sample of those of 32."""
    if dtype.itemsize == 4:
        generator = torch.Generator().manual_seed(0)
        values = torch.randint(-(2**31), 2**31 - 1, (ROWS * COLUMNS,), generator=generator)
    else:
        values = torch.arange(ROWS * COLUMNS)
    return values.to(INTEGERS[dtype.itemsize]).view(dtype).reshape(ROWS, COLUMNS)


@tt.jit(out_idx=[1])
def reinterpreted(source, target):
    @T.prim_func
    def main(X: T.Tensor((ROWS, COLUMNS), source), Y: T.Tensor((ROWS, COLUMNS), target)):
        with T.Kernel(ROWS // 32) as bx:
            x = T.alloc_fragment((32, COLUMNS), source)
            y = T.alloc_fragment((32, COLUMNS), target)
            T.copy(X[bx * 32, 0], x)
            for i, j in T.Parallel(32, COLUMNS):
                y[i, j] = T.reinterpret(x[i, j], target)
            T.copy(y, Y[bx * 32, 0])

    return main


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("uint16", "float16"),
        ("int16", "float16"),
        ("int32", "float32"),
        ("uint32", "float32"),
        ("float32", "int32"),
        ("float32", "uint32"),
        ("uint8", "int8"),
        ("int8", "uint8"),
        ("uint32", "int32"),
    ],
)
def test_all_bits_are_kept(source, target):
    x = bit_patterns(getattr(torch, source))
    y, expected = reinterpreted(source, target)(x), x.view(getattr(torch, target))
    bits = INTEGERS[y.element_size()]
    differs = y.view(bits) != expected.view(bits)
    if y.is_floating_point():
        differs &= ~(y.isnan() & expected.isnan())
    assert not differs.any()


@pytest.mark.parametrize("target", ["int16", "uint16"])
def test_the_bits_of_a_bfloat16_are_those_behind_the_adder(target):
    """On their way to DST, NaN become infinities, denormals and -0 become +0 (docs/numerics.md)."""
    x = bit_patterns(torch.bfloat16)
    arrives = torch.where(x.isnan(), torch.copysign(torch.tensor(float("inf")), x.float()).bfloat16(), x)
    arrives = torch.where(x.abs() < 2.0**-126, torch.zeros_like(x), arrives)
    y = reinterpreted("bfloat16", target)(x)
    assert torch.equal(y.view(torch.int16), arrives.view(torch.int16))


def test_bfloat16_is_what_the_packer_makes_of_it():
    """The packer flushes denormals to zero and has no NaN (docs/numerics.md)."""
    x = bit_patterns(torch.uint16)
    y, expected = reinterpreted("uint16", "bfloat16")(x), x.view(torch.bfloat16)
    kept = expected.isfinite() & ((expected.abs() >= 2.0**-126) | (expected == 0)) | expected.isinf()
    assert torch.equal(y[kept], expected[kept])
    assert kept.sum() == 2**16 - 2 * 127 - 2 * 127


@tt.jit(out_idx=[1])
def power_of_two_above(n):
    """The scale of block formats: the smallest power of two that is not below x, found in the bits."""

    @T.prim_func
    def main(X: T.Tensor((n, 32), "float32"), Y: T.Tensor((n,), "float32")):
        with T.Kernel(n // 32) as bx:
            x = T.alloc_fragment((32, 32), "float32")
            peak = T.alloc_fragment((32,), "float32")
            T.copy(X[bx * 32, 0], x)
            T.reduce_absmax(x, peak, dim=1)
            for i in T.Parallel(32):
                bits = T.reinterpret(peak[i], "uint32")
                exponent = (bits >> 23) & 0xFF
                fraction = bits & 0x7FFFFF
                log = T.cast(exponent - 127 + T.if_then_else(fraction != 0, 1, 0), "int32")
                peak[i] = T.reinterpret((log + 127) << 23, "float32")
            T.copy(peak, Y[bx * 32])

    return main


def test_exponents_found_in_the_bits_of_a_vector():
    x = torch.randn(64, 32) * torch.logspace(-5, 5, 64)[:, None]
    x[3] = 0
    x[3, 4] = -8.0
    expected = torch.exp2(torch.ceil(torch.log2(x.abs().amax(1).double())))
    assert torch.equal(power_of_two_above(64)(x).double(), expected)


def test_a_dtype_whose_bits_the_chip_does_not_keep_is_refused():
    """A float16 is a Float32 on the chip; its own bits are nowhere."""
    with pytest.raises(tt.errors.UnsupportedError, match="reinterpret from float16 to uint16"):
        reinterpreted("float16", "uint16")(bit_patterns(torch.float16))
