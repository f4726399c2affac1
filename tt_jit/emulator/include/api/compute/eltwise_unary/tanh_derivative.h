// 1 - tanh(x)^2.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

template <bool fast_and_approx = false>
ALWI void tanh_derivative_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::tanh_derivative_tile_init, fast_and_approx, line);
}

template <bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void tanh_derivative_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(
        tt_emulator::sfpu::tanh_derivative, idst, VectorMode::RC, {}, fast_and_approx, "tanh_derivative_tile", line);
}

}  // namespace ckernel
