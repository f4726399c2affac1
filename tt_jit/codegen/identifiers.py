"""Names of the user's program as C++ identifiers that hide nothing a kernel needs."""

from __future__ import annotations

from ..intrinsics import INTRINSICS
from .helpers import HELPERS

_KEYWORDS = (
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class "
    "co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype "
    "default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int "
    "long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register "
    "reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch template this "
    "thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor "
    "xor_eq"
).split()
_TYPES = "int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t size_t std DataFormat PoolType ReduceDim"
_FUNCTIONS = (
    "kernel_main get_arg_val get_common_arg_val get_write_ptr get_read_ptr get_tile_size TensorAccessor "
    "TensorAccessorArgs BroadcastType SrcOrder EltwiseBinaryType"
)
# Object-like macros and globals of the kernel headers and of the C library that they include.
_MACROS = (
    "ALWI FORCE_INLINE MAIN MATH PACK UNPACK NOC_INDEX PROCESSOR_INDEX NULL EOF INT_MAX INT_MIN UINT32_MAX INT32_MAX "
    "INFINITY NAN HUGE_VAL DRAM L1 TRISC_MATH TRISC_PACK TRISC_UNPACK COMPILE_FOR_TRISC tt_l1_ptr tt_reg_ptr errno "
    "assert linux unix noc_index my_x my_y"
)

RESERVED = frozenset(
    [
        *_KEYWORDS,
        *_TYPES.split(),
        *_FUNCTIONS.split(),
        *_MACROS.split(),
        *INTRINSICS,
        *(intrinsic.init.name for intrinsic in INTRINSICS.values() if intrinsic.init is not None),
        *HELPERS,
    ]
)


def identifier(name: str) -> str:
    """``name``, with an underscore behind it where C++ or the kernel headers have a meaning for it."""
    return f"{name}_" if name in RESERVED else name
