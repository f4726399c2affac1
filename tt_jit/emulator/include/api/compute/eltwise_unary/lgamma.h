// The steps of lgamma: Stirling for x >= 0.5, or for 1 - x, and the reflection.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, lgamma_stirling_tile_init, lgamma_stirling_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, lgamma_stirling_tile, lgamma_stirling)
TT_SFPU_INIT(, lgamma_stirling_float_tile_init, lgamma_stirling_float_tile_init)
TT_SFPU_BINARY(, lgamma_stirling_float_tile, lgamma_stirling_float)
TT_SFPU_INIT(, lgamma_adjusted_tile_init, lgamma_adjusted_tile_init)

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void lgamma_adjusted_tile(
    std::uint32_t idst0, std::uint32_t idst1, std::uint32_t idst2, std::uint32_t idst3,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_ternary(
        tt_emulator::sfpu::lgamma_adjusted, idst0, idst1, idst2, idst3, {}, 0, "lgamma_adjusted_tile", line);
}

}  // namespace ckernel
