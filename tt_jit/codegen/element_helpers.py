"""C++ of the helpers that store and update single elements of row-major tensors."""

from __future__ import annotations

OPEN_WRITER_LINE = """\
// 128 bytes of scratch: which 64 bytes of which page are there (none yet), then those bytes.
inline void open_writer_line(uint32_t line) {
    *reinterpret_cast<volatile tt_l1_ptr uint32_t*>(line) = 0xffffffff;
}
"""

CURRENT_ELEMENT = """\
// One element of a row-major tensor, by way of the line that was read last. Earlier writes of this kernel are seen.
template <typename Tensor>
inline uint32_t current_element(
    const Tensor& tensor, uint32_t page, uint32_t element, uint32_t bytes, uint32_t line) {
    auto tag = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(line);
    const uint32_t offset = element * bytes;
    if (tag[0] != page || tag[1] != (offset & ~63u)) {
        noc_async_write_barrier();
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

FETCH_INDEX = """\
// An element of an index tensor.
template <typename Tensor>
inline int32_t fetch_index(const Tensor& tensor, uint32_t page, uint32_t element, uint32_t bytes, uint32_t line) {
    return static_cast<int32_t>(current_element(tensor, page, element, bytes, line));
}
"""

STORE_ELEMENT = """\
// Writes one element of a row-major tensor by way of its place in a line.
template <typename Tensor>
inline void store_element(
    const Tensor& tensor, uint32_t page, uint32_t element, uint32_t bytes, uint32_t line, uint32_t value) {
    const uint32_t offset = element * bytes;
    const uint32_t place = line + 64 + offset % 64;
    noc_async_writes_flushed();
    if (bytes == 4) {
        *reinterpret_cast<volatile tt_l1_ptr uint32_t*>(place) = value;
    } else if (bytes == 2) {
        *reinterpret_cast<volatile tt_l1_ptr uint16_t*>(place) = static_cast<uint16_t>(value);
    } else {
        *reinterpret_cast<volatile tt_l1_ptr uint8_t*>(place) = static_cast<uint8_t>(value);
    }
    noc_async_write(place, tensor.get_noc_addr(page, offset), bytes);
}
"""

TAKE_LANE = """\
// One element of a 32x32 tile.
inline uint32_t take_lane(uint32_t tile, uint32_t row, uint32_t col, uint32_t bytes) {
    const uint32_t lane = tile_lane(row, col);
    if (bytes == 4) {
        return reinterpret_cast<volatile tt_l1_ptr uint32_t*>(tile)[lane];
    }
    return bytes == 2 ? reinterpret_cast<volatile tt_l1_ptr uint16_t*>(tile)[lane]
                      : reinterpret_cast<volatile tt_l1_ptr uint8_t*>(tile)[lane];
}
"""

AS_FLOAT = """\
inline float as_float(uint32_t bits) {
    return __builtin_bit_cast(float, bits);
}
"""

AS_BITS = """\
inline uint32_t as_bits(float value) {
    return __builtin_bit_cast(uint32_t, value);
}
"""

ROUND_BFLOAT16 = """\
// The upper half of a float, rounded to nearest, ties to even.
inline uint32_t round_bfloat16(float value) {
    const uint32_t bits = as_bits(value);
    return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}
"""

_CHOICES = {"max": "a > b ? {a} : {b}", "min": "a < b ? {a} : {b}"}
# Per format: how the operands are read, and how a sum of them is stored.
_FORMATS = {
    "Float32": ("const float a = as_float(old), b = as_float(value);", "as_bits(a + b)"),
    "Float16_b": ("const float a = as_float(old << 16), b = as_float(value << 16);", "round_bfloat16(a + b)"),
    "Int32": ("const auto a = static_cast<int32_t>(old), b = static_cast<int32_t>(value);", "old + value"),
    "UInt32": ("const uint32_t a = old, b = value;", "a + b"),
}
_FORMAT_NEEDS = {"Float32": ("as_float", "as_bits"), "Float16_b": ("as_float", "as_bits", "round_bfloat16")}


def update_name(kind: str, data_format: str) -> str:
    """The helper that updates an element by ``kind`` (``add``, ``max``, ``min``)."""
    return f"update_element_{kind}_{data_format.lower()}"


def _update(kind: str, data_format: str) -> str:
    operands, total = _FORMATS[data_format]
    result = total if kind == "add" else _CHOICES[kind].format(a="old", b="value")
    if kind == "add" and data_format == "Int32":
        operands = ""
    lines = [
        f"// Replaces one element of a row-major tensor by its {'sum' if kind == 'add' else kind} with a value.",
        "template <typename Tensor>",
        f"inline void {update_name(kind, data_format)}(",
        "    const Tensor& tensor, uint32_t page, uint32_t element, uint32_t bytes, uint32_t line, uint32_t value) {",
        "    const uint32_t old = current_element(tensor, page, element, bytes, line);",
        *([f"    {operands}"] if operands else []),
        f"    store_element(tensor, page, element, bytes, line, {result});",
        "}",
        "",
    ]
    return "\n".join(lines)


_UPDATES = [(kind, data_format) for kind in ("add", "max", "min") for data_format in _FORMATS]

ELEMENT_HELPERS = {
    "open_writer_line": OPEN_WRITER_LINE,
    "current_element": CURRENT_ELEMENT,
    "fetch_index": FETCH_INDEX,
    "store_element": STORE_ELEMENT,
    "take_lane": TAKE_LANE,
    "as_float": AS_FLOAT,
    "as_bits": AS_BITS,
    "round_bfloat16": ROUND_BFLOAT16,
    **{update_name(kind, data_format): _update(kind, data_format) for kind, data_format in _UPDATES},
}
ELEMENT_NEEDS: dict[str, tuple[str, ...]] = {
    "fetch_index": ("current_element",),
    "take_lane": ("tile_lane",),
    **{
        update_name(kind, data_format): ("current_element", "store_element", *_FORMAT_NEEDS.get(data_format, ()))
        for kind, data_format in _UPDATES
    },
}
