// Error function and its complement.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

template <bool fast_and_approx = true>
ALWI void erf_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::erf_tile_init, fast_and_approx, line);
}

template <bool fast_and_approx = true>
ALWI void erf_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(tt_emulator::sfpu::erf, idst, VectorMode::RC, {}, fast_and_approx, "erf_tile", line);
}

TT_SFPU_INIT(, erfc_tile_init, erfc_tile_init)
TT_SFPU_UNARY(, erfc_tile, erfc)

}  // namespace ckernel
