// Remainder of a division by a constant, with the sign of the divisor. The init takes the divisor and its inverse.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

ALWI void remainder_tile_init(std::uint32_t param0, std::uint32_t param1, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init_with(tt_emulator::SfpuInit::remainder_tile_init, param0, param1, line);
}

TT_SFPU_UNARY(, remainder_tile, remainder)
TT_SFPU_INIT(, remainder_tile_uint32_init, remainder_tile_uint32_init)
TT_SFPU_UNARY_1(, remainder_tile_uint32, remainder_unary_uint32)

}  // namespace ckernel
