// x * tanh(softplus(x)).
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

template <bool APPROXIMATION_MODE>
ALWI void mish_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::mish_tile_init, APPROXIMATION_MODE, line);
}

template <bool APPROXIMATION_MODE, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void mish_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(tt_emulator::sfpu::mish, idst, VectorMode::RC, {}, APPROXIMATION_MODE, "mish_tile", line);
}

}  // namespace ckernel
