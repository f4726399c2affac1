// Square root.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, sqrt_tile_init, sqrt_tile_init)

template <bool FAST_APPROX = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
TT_SFPU_UNARY(, sqrt_tile, sqrt)

}  // namespace ckernel
