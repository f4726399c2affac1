// Remainder of a division by a constant, with the sign of the dividend. The init takes the divisor and its inverse.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

ALWI void fmod_tile_init(std::uint32_t param0, std::uint32_t param1, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init_with(tt_emulator::SfpuInit::fmod_tile_init, param0, param1, line);
}

TT_SFPU_UNARY(, fmod_tile, fmod)

}  // namespace ckernel
