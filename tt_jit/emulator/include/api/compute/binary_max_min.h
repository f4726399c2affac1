// Maximum and minimum of two DST tiles.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, binary_max_tile_init, binary_max_tile_init)
TT_SFPU_INIT(, binary_max_int32_tile_init, binary_max_int32_tile_init)
TT_SFPU_BINARY(, binary_max_int32_tile, binary_max_int32)
TT_SFPU_INIT(, binary_max_uint32_tile_init, binary_max_uint32_tile_init)
TT_SFPU_BINARY(, binary_max_uint32_tile, binary_max_uint32)
TT_SFPU_INIT(, binary_min_tile_init, binary_min_tile_init)
TT_SFPU_INIT(, binary_min_int32_tile_init, binary_min_int32_tile_init)
TT_SFPU_BINARY(, binary_min_int32_tile, binary_min_int32)
TT_SFPU_INIT(, binary_min_uint32_tile_init, binary_min_uint32_tile_init)
TT_SFPU_BINARY(, binary_min_uint32_tile, binary_min_uint32)

ALWI void binary_max_tile(
    std::uint32_t idst0, std::uint32_t idst1, std::uint32_t odst, VectorMode vector_mode = VectorMode::RC,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_binary(
        tt_emulator::sfpu::binary_max, idst0, idst1, odst, vector_mode, {}, 0, "binary_max_tile", line);
}

ALWI void binary_min_tile(
    std::uint32_t idst0, std::uint32_t idst1, std::uint32_t odst, VectorMode vector_mode = VectorMode::RC,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_binary(
        tt_emulator::sfpu::binary_min, idst0, idst1, odst, vector_mode, {}, 0, "binary_min_tile", line);
}

}  // namespace ckernel
