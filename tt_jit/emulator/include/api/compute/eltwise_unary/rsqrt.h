// 1 / sqrt(x).
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

enum class RsqrtMode { Default, Fast };

TT_SFPU_INIT(, rsqrt_tile_init, rsqrt_tile_init)

template <RsqrtMode mode = RsqrtMode::Default, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
TT_SFPU_UNARY(, rsqrt_tile, rsqrt)

}  // namespace ckernel
