// log(1 + x).
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

template <bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void log1p_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::log1p_tile_init, fast_and_approx, line);
}

template <bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void log1p_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(tt_emulator::sfpu::log1p, idst, VectorMode::RC, {}, fast_and_approx, "log1p_tile", line);
}

}  // namespace ckernel
