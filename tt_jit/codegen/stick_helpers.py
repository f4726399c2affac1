"""C++ of the helpers that move pieces of rows ("sticks") between row-major tensors and tiles."""

from __future__ import annotations

SCRATCH_BASE = """\
// Scratch memory of this kernel, from the first multiple of 64 on. Its first word marks the page as used.
inline uint32_t scratch_base(uint32_t scratch_cb) {
    cb_reserve_back(scratch_cb, 1);
    *reinterpret_cast<volatile tt_l1_ptr uint32_t*>(get_write_ptr(scratch_cb)) = 0;
    return (get_write_ptr(scratch_cb) + 63) & ~63u;
}
"""

READ_STICK = """\
// Starts the read of a piece of a row into a slot of scratch memory, at the same address modulo 64 as in DRAM.
template <typename Tensor>
inline void read_stick(const Tensor& tensor, uint32_t page, uint32_t first_byte, uint32_t bytes, uint32_t slot) {
    if (bytes > 0) {
        noc_async_read(tensor.get_noc_addr(page, first_byte), slot + first_byte % 64, bytes);
    }
}
"""

WRITE_STICK = """\
// Starts the write of a piece of a row from its slot of scratch memory.
template <typename Tensor>
inline void write_stick(const Tensor& tensor, uint32_t page, uint32_t first_byte, uint32_t bytes, uint32_t slot) {
    if (bytes > 0) {
        noc_async_write(slot + first_byte % 64, tensor.get_noc_addr(page, first_byte), bytes);
    }
}
"""

TILE_LANE = """\
// Position of an element in a 32x32 tile of four 16x16 faces.
inline uint32_t tile_lane(uint32_t row, uint32_t col) {
    return (row & 16) << 5 | (col & 16) << 4 | (row & 15) << 4 | (col & 15);
}
"""

# Where element number `lane` of a stick lies: (tile along the stick, row, column).
_PLACES = {
    "cols": ("a row of tiles", "(col + lane) / 32", "row", "col + lane"),
    "rows": ("a column of tiles", "(row + lane) / 32", "row + lane", "col"),
    "flat": ("tiles filled row by row", "lane / 1024", "lane / 32", "lane"),
    "planes": ("one lane of consecutive planes", "lane", "row", "col"),
}


def _scatter(axis: str) -> str:
    along, tile, row, col = _PLACES[axis]
    return f"""\
// Deals a stick to the lanes of {along}; lanes without an element become zero.
template <typename Element>
inline void scatter_{axis}(
    uint32_t slot, uint32_t first_byte, uint32_t skip, uint32_t count, uint32_t length, uint32_t tile,
    [[maybe_unused]] uint32_t row, [[maybe_unused]] uint32_t col, uint32_t next_tile) {{
    auto elements = reinterpret_cast<volatile tt_l1_ptr Element*>(slot + first_byte % 64);
    for (uint32_t lane = 0; lane < length; ++lane) {{
        auto lanes = reinterpret_cast<volatile tt_l1_ptr Element*>(tile + ({tile}) * next_tile);
        lanes[tile_lane({row}, {col})] = lane - skip < count ? elements[lane - skip] : 0;
    }}
}}
"""


def _gather(axis: str) -> str:
    along, tile, row, col = _PLACES[axis]
    return f"""\
// Collects a stick from the lanes of {along}.
template <typename Element>
inline void gather_{axis}(
    uint32_t slot, uint32_t first_byte, uint32_t skip, uint32_t count, uint32_t tile,
    [[maybe_unused]] uint32_t row, [[maybe_unused]] uint32_t col, uint32_t next_tile) {{
    auto elements = reinterpret_cast<volatile tt_l1_ptr Element*>(slot + first_byte % 64);
    for (uint32_t lane = skip; lane < skip + count; ++lane) {{
        auto lanes = reinterpret_cast<volatile tt_l1_ptr Element*>(tile + ({tile}) * next_tile);
        elements[lane - skip] = lanes[tile_lane({row}, {col})];
    }}
}}
"""


CLEAR_PADDING = """\
// Zeros in the lanes of a tile behind the last row and column of its tensor.
template <typename Element>
inline void clear_padding(uint32_t tile, uint32_t rows, uint32_t cols) {
    auto lanes = reinterpret_cast<volatile tt_l1_ptr Element*>(tile);
    for (uint32_t row = 0; row < 32; ++row) {
        for (uint32_t col = row < rows ? cols : 0; col < 32; ++col) {
            lanes[tile_lane(row, col)] = 0;
        }
    }
}
"""

CLEAR_FLAT_PADDING = """\
// Zeros behind the last element of a tile that is filled row by row.
template <typename Element>
inline void clear_flat_padding(uint32_t tile, uint32_t elements) {
    auto lanes = reinterpret_cast<volatile tt_l1_ptr Element*>(tile);
    for (uint32_t element = elements; element < 1024; ++element) {
        lanes[tile_lane(element / 32, element)] = 0;
    }
}
"""

STICK_HELPERS = {
    "scratch_base": SCRATCH_BASE,
    "read_stick": READ_STICK,
    "write_stick": WRITE_STICK,
    "tile_lane": TILE_LANE,
    "clear_padding": CLEAR_PADDING,
    "clear_flat_padding": CLEAR_FLAT_PADDING,
    **{f"scatter_{axis}": _scatter(axis) for axis in _PLACES},
    **{f"gather_{axis}": _gather(axis) for axis in _PLACES},
}
STICK_NEEDS = {
    "clear_padding": ("tile_lane",),
    "clear_flat_padding": ("tile_lane",),
    **{f"{verb}_{axis}": ("tile_lane",) for verb in ("scatter", "gather") for axis in _PLACES},
}
