// SELU.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, selu_tile_init, selu_tile_init)
TT_SFPU_UNARY_2(TT_ANY_DEST, selu_tile, selu)
TT_SFPU_INIT_PACK(, selu_tile_init_pack, selu_tile_init)

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void selu_tile_pack(
    std::uint32_t idst, std::uint32_t scale, std::uint32_t alpha, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary_pack(tt_emulator::sfpu::selu, idst, {{scale, alpha, 0}}, 0, "selu_tile_pack", line);
}

}  // namespace ckernel
