// Fills a DST tile.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, fill_tile_init, fill_tile_init)

ALWI void fill_tile(std::uint32_t idst, float param0, std::uint32_t line = __builtin_LINE()) {
    const auto bits = __builtin_bit_cast(std::uint32_t, param0);
    tt_emulator::sfpu_unary(tt_emulator::sfpu::fill, idst, VectorMode::RC, {{bits, 0, 0}}, 0, "fill_tile", line);
}

ALWI void fill_tile_bitcast(std::uint32_t idst, std::uint32_t param0, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(
        tt_emulator::sfpu::fill_bits, idst, VectorMode::RC, {{param0, 0, 0}}, 0, "fill_tile_bitcast", line);
}

TT_SFPU_INTEGER_UNARY_1(fill_tile_int, fill_int32, fill_int32, fill_uint16)

}  // namespace ckernel
