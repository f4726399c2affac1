"""Small C++ functions that generated kernels carry when they use them."""

from __future__ import annotations

from .element_helpers import ELEMENT_HELPERS, ELEMENT_NEEDS
from .scalar_helpers import SCALAR_HELPERS, SCALAR_NEEDS
from .stick_helpers import STICK_HELPERS, STICK_NEEDS

FILL_ZERO_TILE = """\
// Tiles past the end of a tensor read as zero.
inline void fill_zero_tile(uint32_t l1_address, uint32_t bytes) {
    auto words = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(l1_address);
    for (uint32_t word = 0; word < bytes / 4; ++word) {
        words[word] = 0;
    }
}
"""

FILL_INDEX_TILE = """\
// Writes the row (or column) number of every lane of a 32x32 Float32 tile, in face order.
inline void fill_index_tile(uint32_t l1_address, bool rows) {
    auto lanes = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(l1_address);
    for (uint32_t face = 0; face < 4; ++face) {
        for (uint32_t lane = 0; lane < 256; ++lane) {
            const uint32_t row = (face / 2) * 16 + lane / 16;
            const uint32_t col = (face % 2) * 16 + lane % 16;
            lanes[face * 256 + lane] = float_bits(rows ? row : col);
        }
    }
}
"""

FLOAT_BITS = """\
// IEEE-754 bits of an integer (exact up to 2^24), without floating-point instructions.
inline uint32_t float_bits(int32_t value) {
    if (value == 0) {
        return 0;
    }
    const uint32_t sign = value < 0 ? 0x80000000u : 0u;
    const uint32_t magnitude = value < 0 ? 0u - static_cast<uint32_t>(value) : static_cast<uint32_t>(value);
    uint32_t exponent = 0;
    while (exponent < 31 && (magnitude >> (exponent + 1)) != 0) {
        ++exponent;
    }
    const uint32_t mantissa = exponent <= 23 ? magnitude << (23 - exponent) : magnitude >> (exponent - 23);
    return sign | ((exponent + 127) << 23) | (mantissa & 0x007fffffu);
}
"""

FLOOR_DIV = """\
inline int32_t floor_div(int32_t a, int32_t b) {
    const int32_t quotient = a / b;
    return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;
}
"""

FLOOR_MOD = """\
inline int32_t floor_mod(int32_t a, int32_t b) {
    const int32_t rest = a % b;
    return (rest != 0 && (rest < 0) != (b < 0)) ? rest + b : rest;
}
"""

FLOAT_IS_NAN = """\
inline bool float_is_nan(uint32_t bits) {
    return (bits & 0x7fffffff) > 0x7f800000;
}
"""

FLOAT_ORDER = """\
// An integer that is ordered as the floats are; both zeros are 0.
inline int32_t float_order(uint32_t bits) {
    const auto magnitude = static_cast<int32_t>(bits & 0x7fffffff);
    return (bits >> 31) != 0 ? -magnitude : magnitude;
}
"""


def _float_comparison(name: str, sign: str) -> str:
    return f"""\
inline bool {name}(uint32_t a, uint32_t b) {{
    return !float_is_nan(a) && !float_is_nan(b) && float_order(a) {sign} float_order(b);
}}
"""


FLOAT_COMPARISONS = {
    name: _float_comparison(name, sign)
    for name, sign in (("float_less", "<"), ("float_less_or_equal", "<="), ("float_equal", "=="))
}

READ_SCALAR = """\
// Fetches one integer of a row-major tensor: the 64 bytes around it go to a scratch page in L1.
template <typename Tensor>
inline uint32_t read_scalar(
    const Tensor& tensor, uint32_t page, uint32_t element, uint32_t bytes, uint32_t scratch_cb) {
    cb_reserve_back(scratch_cb, 1);
    const uint32_t scratch = (get_write_ptr(scratch_cb) + 63) & ~63u;
    const uint32_t offset = element * bytes;
    noc_async_read(tensor.get_noc_addr(page, offset & ~63u), scratch, 64);
    noc_async_read_barrier();
    const uint32_t word = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(scratch)[(offset % 64) / 4];
    const uint32_t shift = (offset % 4) * 8;
    return bytes == 4 ? word : (word >> shift) & ((1u << (bytes * 8)) - 1);
}
"""

OPEN_LINE = """\
// 128 bytes of scratch: which 64 bytes of which page are there (none yet), then those bytes.
inline void open_line(uint32_t line) {
    *reinterpret_cast<volatile tt_l1_ptr uint32_t*>(line) = 0xffffffff;
}
"""

FETCH_ELEMENT = """\
// One element of a row-major tensor, by way of the line that was read last.
template <typename Tensor>
inline uint32_t fetch_element(
    const Tensor& tensor, uint32_t page, uint32_t element, uint32_t bytes, uint32_t line) {
    auto tag = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(line);
    const uint32_t offset = element * bytes;
    if (tag[0] != page || tag[1] != (offset & ~63u)) {
        noc_async_read(tensor.get_noc_addr(page, offset & ~63u), line + 64, 64);
        noc_async_read_barrier();
        tag[0] = page;
        tag[1] = offset & ~63u;
    }
    const uint32_t word = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(line + 64)[(offset % 64) / 4];
    const uint32_t shift = (offset % 4) * 8;
    return bytes == 4 ? word : (word >> shift) & ((1u << (bytes * 8)) - 1);
}
"""

PUT_LANE = """\
// Stores one element of a 32x32 tile.
inline void put_lane(uint32_t tile, uint32_t row, uint32_t col, uint32_t value, uint32_t bytes) {
    const uint32_t lane = tile_lane(row, col);
    if (bytes == 4) {
        reinterpret_cast<volatile tt_l1_ptr uint32_t*>(tile)[lane] = value;
    } else if (bytes == 2) {
        reinterpret_cast<volatile tt_l1_ptr uint16_t*>(tile)[lane] = static_cast<uint16_t>(value);
    } else {
        reinterpret_cast<volatile tt_l1_ptr uint8_t*>(tile)[lane] = static_cast<uint8_t>(value);
    }
}
"""

SEND_SCALAR = """\
// Hands a value to another kernel of this core.
inline void send_scalar(uint32_t mailbox_cb, uint32_t value) {
    cb_reserve_back(mailbox_cb, 1);
    reinterpret_cast<volatile tt_l1_ptr uint32_t*>(get_write_ptr(mailbox_cb))[0] = value;
    cb_push_back(mailbox_cb, 1);
}
"""

RECEIVE_SCALAR_COMPUTE = """\
// Takes a value that the reader sent.
inline uint32_t receive_scalar(uint32_t mailbox_cb) {
    cb_wait_front(mailbox_cb, 1);
    const uint32_t value = read_tile_value(mailbox_cb, 0, 0);
    cb_pop_front(mailbox_cb, 1);
    return value;
}
"""

RECEIVE_SCALAR_WRITER = """\
// Takes a value that the reader sent.
inline uint32_t receive_scalar(uint32_t mailbox_cb) {
    cb_wait_front(mailbox_cb, 1);
    const uint32_t value = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(get_read_ptr(mailbox_cb))[0];
    cb_pop_front(mailbox_cb, 1);
    return value;
}
"""

HELPERS = {
    "read_scalar": READ_SCALAR,
    "send_scalar": SEND_SCALAR,
    "receive_scalar": "",
    "receive_scalar_compute": RECEIVE_SCALAR_COMPUTE,
    "receive_scalar_writer": RECEIVE_SCALAR_WRITER,
    "float_bits": FLOAT_BITS,
    "floor_div": FLOOR_DIV,
    "floor_mod": FLOOR_MOD,
    "fill_zero_tile": FILL_ZERO_TILE,
    "fill_index_tile": FILL_INDEX_TILE,
    "float_is_nan": FLOAT_IS_NAN,
    "float_order": FLOAT_ORDER,
    **FLOAT_COMPARISONS,
    **STICK_HELPERS,
    **ELEMENT_HELPERS,
    "open_line": OPEN_LINE,
    "fetch_element": FETCH_ELEMENT,
    "put_lane": PUT_LANE,
    **SCALAR_HELPERS,
}
_NEEDS = {
    "fill_index_tile": ("float_bits",),
    "put_lane": ("tile_lane",),
    **dict.fromkeys(FLOAT_COMPARISONS, ("float_is_nan", "float_order")),
    **STICK_NEEDS,
    **ELEMENT_NEEDS,
    **SCALAR_NEEDS,
}


def helper_text(used: set[str]) -> str:
    """Definitions of the helpers in ``used`` and of what they need, in a fixed order."""
    wanted = set(used) | {other for name in used for other in _NEEDS.get(name, ())}
    return "\n".join(text for name, text in HELPERS.items() if name in wanted)
