// 1 / sqrt(x).
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

enum class RsqrtMode { Default, Fast };

TT_SFPU_INIT(, rsqrt_tile_init, rsqrt_tile_init)

template <RsqrtMode mode = RsqrtMode::Default, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void rsqrt_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    const bool is_rough = tt_emulator::sfpu_approximates();
    tt_emulator::sfpu_unary(
        is_rough ? tt_emulator::sfpu::rsqrt_approximate : tt_emulator::sfpu::rsqrt, idst, VectorMode::RC, {}, 0,
        "rsqrt_tile", line);
}

}  // namespace ckernel
