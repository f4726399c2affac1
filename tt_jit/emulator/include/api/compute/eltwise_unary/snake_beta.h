// x + sin(alpha * x)^2 / beta.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, snake_beta_tile_init, snake_beta_tile_init)

template <DataFormat data_format, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void snake_beta_tile(
    std::uint32_t idst0, std::uint32_t idst1, std::uint32_t idst2, std::uint32_t odst,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_ternary(
        tt_emulator::sfpu::snake_beta, idst0, idst1, idst2, odst, {}, 0, "snake_beta_tile", line);
}

}  // namespace ckernel
