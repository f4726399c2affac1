// Conversion between host tensors (any strides) and the pages of a buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tt_emulator/data_format.h"
#include "tt_emulator/device.h"

namespace tt_emulator {

enum class HostType : std::uint8_t {
    Bool, UInt8, Int8, UInt16, Int16, UInt32, Int32, Float16, BFloat16, Float32, Float8E4M3, Float8E5M2
};

enum class LayoutKind : std::uint8_t { Tile, Flat, RowMajor };

// The fields of a plan's layout; -1 stands for an inserted dimension of size 1.
struct Layout {
    LayoutKind kind = LayoutKind::RowMajor;
    std::vector<std::int32_t> outer;
    std::int32_t row = -1;  // of Flat: unused
    std::int32_t col = -1;  // of Flat: the dimension that is cut in runs
    std::uint32_t row_block = 32;
    std::uint32_t col_block = 32;
    std::uint32_t page_dims = 0;  // of RowMajor
};

// A dimension as a loop: `size` steps of `stride` elements.
struct Loop {
    std::int64_t size;
    std::int64_t stride;
};

// Up to 32 rows or columns of a tile: the element offset of the first and how many exist.
struct TileSpan {
    std::int64_t offset;
    std::uint32_t valid;
};

// A host tensor's way into pages, with everything that does not depend on its address worked out.
struct Conversion {
    HostType type = HostType::Float32;
    DataFormat format = DataFormat::Float32;
    LayoutKind kind = LayoutKind::RowMajor;
    std::vector<std::int64_t> outer;  // element offsets of the outer dimensions' combinations
    std::vector<TileSpan> rows, columns;  // of Tile
    std::int64_t row_stride = 0;
    std::int64_t column_stride = 0;
    std::int64_t flat_size = 0;
    // Of RowMajor: a page is `run` from each of the offsets `inner`; neighbouring dimensions share a run where they can.
    Loop run{1, 1};
    std::vector<std::int64_t> inner;
    std::uint32_t page_bytes = 0;
    std::uint32_t pages = 0;
};

// False when the chip's format does not carry the host type.
bool convertible(HostType type, DataFormat format);

Conversion make_conversion(
    HostType type, DataFormat format, const Layout& layout, const std::vector<std::int64_t>& shape,
    const std::vector<std::int64_t>& strides);

void upload(const Conversion& conversion, const void* host, Buffer& buffer, std::uint32_t threads = 1);

// Writes back the pages that kernels have written (all pages when `whole`).
void download(
    const Conversion& conversion, const Buffer& buffer, void* host, bool whole, std::uint32_t threads = 1);

}  // namespace tt_emulator
