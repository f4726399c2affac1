// log(1 + exp(beta * x)) / beta.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, softplus_tile_init, softplus_tile_init)
TT_SFPU_UNARY_3(TT_ANY_DEST, softplus_tile, softplus)
TT_SFPU_INIT_PACK(, softplus_tile_init_pack, softplus_tile_init)

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void softplus_tile_pack(
    std::uint32_t idst, std::uint32_t beta, std::uint32_t beta_reciprocal, std::uint32_t threshold,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary_pack(
        tt_emulator::sfpu::softplus, idst, {{beta, beta_reciprocal, threshold}}, 0, "softplus_tile_pack", line);
}

}  // namespace ckernel
