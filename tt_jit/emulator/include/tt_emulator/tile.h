// One 32x32 tile as the compute engine holds it: four 16x16 faces, each row-major, in face order
// (rows 0-15 columns 0-15, rows 0-15 columns 16-31, then the same for rows 16-31).
#pragma once

#include <cstdint>

namespace tt_emulator {

constexpr std::uint32_t tile_elements = 1024;
constexpr std::uint32_t face_elements = 256;
constexpr std::uint32_t face_rows = 16;

// Both compilers we support define reading the member that was not written last.
union alignas(64) Tile {
    float f[tile_elements];
    std::int32_t i[tile_elements];
    std::uint32_t u[tile_elements];
};

constexpr std::uint32_t tile_offset(std::uint32_t row, std::uint32_t column) {
    return (row / 16 * 2 + column / 16) * face_elements + row % 16 * 16 + column % 16;
}

}  // namespace tt_emulator
