// Square root.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, sqrt_tile_init, sqrt_tile_init)

template <bool FAST_APPROX = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void sqrt_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    const bool is_rough = tt_emulator::sfpu_approximates();
    tt_emulator::sfpu_unary(
        is_rough ? tt_emulator::sfpu::sqrt_approximate : tt_emulator::sfpu::sqrt, idst, VectorMode::RC, {}, 0,
        "sqrt_tile", line);
}

}  // namespace ckernel
