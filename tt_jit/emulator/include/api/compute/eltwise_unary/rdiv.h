// value / x.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, rdiv_tile_init, rdiv_tile_init)

template <RoundingMode rounding_mode = RoundingMode::None, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void rdiv_tile(
    std::uint32_t dst_index, std::uint32_t value, VectorMode vector_mode = VectorMode::RC,
    std::uint32_t line = __builtin_LINE()) {
    const tt_emulator::UnaryOperation& operation =
        rounding_mode == RoundingMode::Trunc   ? tt_emulator::sfpu::rdiv_trunc
        : rounding_mode == RoundingMode::Floor ? tt_emulator::sfpu::rdiv_floor
                                               : tt_emulator::sfpu::rdiv;
    tt_emulator::sfpu_unary(operation, dst_index, vector_mode, {{value, 0, 0}}, 0, "rdiv_tile", line);
}

}  // namespace ckernel
