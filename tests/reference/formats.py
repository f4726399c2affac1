"""Number formats of the reference interpreter: what numpy type computes a TIR dtype, and how values are rounded to it.

Narrow floats (fp16, bf16, tf32, fp8) are held as float32 numbers that the format can represent; ``round_to``
restores that after every operation. In float64 mode nothing is rounded, which gives the exact value of the formula
that the kernel states.
"""

import math
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import torch

Value = Any
"""A Python number, a numpy scalar or a numpy array."""

_NARROW_FLOATS: dict[str, np.dtype[Any]] = {
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float8_e4m3": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e4m3fnuz": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "float8_e8m0fnu": np.dtype(ml_dtypes.float8_e8m0fnu),
    "float4_e2m1fn": np.dtype(ml_dtypes.float4_e2m1fn),
}
_HELD_IN_BYTES = {"int4": np.dtype(np.int8), "uint4": np.dtype(np.uint8)}
"""Integers that numpy lacks, held one to a byte."""
_TF32 = ("custom[tfloat32]", "tfloat32")
_SATURATING = ("float8_e4m3", "float8_e4m3fn", "float8_e5m2", "float4_e2m1fn")


class UnsupportedByInterpreter(Exception):
    """The kernel uses something the reference interpreter has no meaning for (GPU intrinsics, for instance)."""


def is_float(dtype: str) -> bool:
    return dtype.startswith(("float", "bfloat", "custom[tfloat"))


def is_integer(dtype: str) -> bool:
    return dtype.startswith(("int", "uint"))


def native_dtype(dtype: str) -> np.dtype[Any]:
    """The numpy type with the bits of ``dtype``; narrower integers have a byte each."""
    if dtype in _HELD_IN_BYTES:
        return _HELD_IN_BYTES[dtype]
    if dtype in _NARROW_FLOATS:
        return _NARROW_FLOATS[dtype]
    if dtype in _TF32:
        return np.dtype(np.float32)
    if dtype == "bool":
        return np.dtype(np.bool_)
    try:
        return np.dtype(dtype)
    except TypeError as error:
        raise UnsupportedByInterpreter(f"dtype {dtype}") from error


def _round_tf32(value: Value) -> Value:
    bits = np.asarray(value, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0xFFF) + ((bits >> np.uint32(13)) & np.uint32(1))) & np.uint32(0xFFFFE000)
    return np.where(np.isfinite(value), rounded.view(np.float32), value)


@dataclass(frozen=True, kw_only=True)
class Formats:
    """How the dtypes of one run are computed. ``exact``: floats are float64 and never rounded."""

    exact: bool = False
    uninitialised: float = math.nan
    """What floats read as before they are written."""

    def compute_dtype(self, dtype: str) -> np.dtype[Any]:
        """The numpy type in which values of ``dtype`` are held and computed."""
        if not is_float(dtype):
            return native_dtype(dtype)
        if self.exact or dtype == "float64":
            return np.dtype(np.float64)
        native_dtype(dtype)
        return np.dtype(np.float32)

    def round_to(self, dtype: str, value: Value) -> Value:
        """``value`` (a float) rounded to the nearest number of ``dtype``."""
        compute = self.compute_dtype(dtype)
        if self.exact or dtype in ("float32", "float64"):
            return value if getattr(value, "dtype", None) == compute else np.asarray(value).astype(compute)[()]
        single = np.asarray(value, np.float32)
        if dtype in _TF32:
            return _round_tf32(single)[()]
        narrow = _NARROW_FLOATS[dtype]
        if dtype in _SATURATING:
            limit = float(ml_dtypes.finfo(narrow).max)
            single = np.clip(single, -limit, limit)
        return single.astype(narrow).astype(np.float32)[()]

    def cast(self, source: str, target: str, value: Value) -> Value:
        """C semantics: floats round to nearest even, floats to integers truncate, integers wrap."""
        if target == source:
            return value
        if is_float(target):
            if is_float(source):
                return self.round_to(target, value)
            return self.round_to(target, np.asarray(value).astype(self.compute_dtype(target))[()])
        if target == "bool":
            return np.asarray(value) != 0 if isinstance(value, np.ndarray) else bool(value)
        target_dtype = native_dtype(target)
        if isinstance(value, np.ndarray):
            if is_float(source):
                finite = np.nan_to_num(value, nan=0.0, posinf=2.0**62, neginf=-(2.0**62))
                return narrow_integers(np.trunc(finite).astype(np.int64).astype(target_dtype), target)
            return narrow_integers(value.astype(target_dtype), target)
        return wrap_integer(int(value) if np.isfinite(value) else 0, target)

    def reinterpret(self, source: str, target: str, value: Value) -> Value:
        """The bits of ``value`` read as another type of the same width."""
        bits = np.ascontiguousarray(np.asarray(value).astype(native_dtype(source)))
        result = bits.view(native_dtype(target)) if bits.ndim else bits.reshape(1).view(native_dtype(target))[0]
        result = result.astype(self.compute_dtype(target))
        if not isinstance(result, np.ndarray) and is_integer(target):
            return int(result)
        return result


def narrow_integers(value: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    """Integers of fewer bits than a byte: the low bits, with their sign."""
    if dtype not in _HELD_IN_BYTES:
        return value
    shift = 8 - int(dtype.lstrip("uint"))
    return (value << shift) >> shift


def elements_per_byte(dtype: str) -> int:
    """How many elements share a byte of a tensor."""
    return 2 if dtype in ("int4", "uint4", "float4_e2m1fn") else 1


def _unpacked(tensor: torch.Tensor, dtype: str) -> np.ndarray[Any, Any]:
    """The elements of a tensor of bytes with two elements each, the low half first."""
    packed = tensor.contiguous().view(torch.uint8).numpy()
    nibbles = np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1)
    if is_integer(dtype):
        return narrow_integers(nibbles.view(native_dtype(dtype)), dtype)
    return nibbles.view(native_dtype(dtype))


def unpacked_floats(tensor: torch.Tensor) -> torch.Tensor:
    """The numbers in a tensor that torch can only store: float4 pairs. Any other tensor is returned as it is."""
    if str(tensor.dtype) != "torch.float4_e2m1fn_x2":
        return tensor
    return torch.from_numpy(_unpacked(tensor, "float4_e2m1fn").astype(np.float32))


def wrap_integer(value: int, dtype: str) -> int:
    """``value`` modulo the width of the integer ``dtype``."""
    if dtype == "bool":
        return int(bool(value))
    width = int(dtype.lstrip("uint"))
    if dtype.startswith("uint"):
        return value & ((1 << width) - 1)
    half = 1 << (width - 1)
    return value if -half <= value < half else (value + half) % (1 << width) - half


def from_torch(tensor: torch.Tensor, dtype: str, formats: Formats) -> np.ndarray[Any, Any]:
    """A private C-contiguous copy of ``tensor`` in the compute type of ``dtype``."""
    tensor = tensor.detach().cpu()
    if elements_per_byte(dtype) == 2 and tensor.element_size() == 1:
        return np.array(_unpacked(tensor, dtype), dtype=formats.compute_dtype(dtype), order="C")
    if tensor.is_floating_point():
        array = tensor.double().numpy() if tensor.dtype == torch.float64 or formats.exact else tensor.float().numpy()
    else:
        array = tensor.numpy()
    if is_integer(dtype) and tensor.is_floating_point():
        raise UnsupportedByInterpreter(f"a {tensor.dtype} tensor for a {dtype} parameter")
    return np.array(array, dtype=formats.compute_dtype(dtype), order="C")


def torch_dtype(dtype: str) -> torch.dtype:
    if dtype in _TF32:
        return torch.float32
    if dtype in _HELD_IN_BYTES:
        return torch.int8 if dtype == "int4" else torch.uint8
    named = getattr(
        torch, {"float4_e2m1fn": "float4_e2m1fn_x2", "float8_e4m3": "float8_e4m3fn"}.get(dtype, dtype), None
    )
    if not isinstance(named, torch.dtype):
        raise UnsupportedByInterpreter(f"torch has no {dtype}")
    return named


def to_torch(array: np.ndarray[Any, Any], dtype: str, *, keep_wide: bool) -> torch.Tensor:
    """A tensor of ``dtype``, or of the compute type when ``keep_wide``. Types of 4 bits are packed two to a byte."""
    if elements_per_byte(dtype) == 2 and not keep_wide:
        bits = array.astype(native_dtype(dtype)).view(np.uint8) & 15
        return torch.from_numpy(bits[..., ::2] | (bits[..., 1::2] << 4)).view(torch_dtype(dtype))
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor if keep_wide else tensor.to(torch_dtype(dtype))
