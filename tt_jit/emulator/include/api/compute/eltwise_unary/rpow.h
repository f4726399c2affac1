// base ^ x.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, rpow_tile_init, rpow_tile_init)

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void rpow_tile(
    std::uint32_t idst, std::uint32_t base_val, VectorMode vector_mode = VectorMode::RC,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(tt_emulator::sfpu::rpow, idst, vector_mode, {{base_val, 0, 0}}, 0, "rpow_tile", line);
}

}  // namespace ckernel
