// Transposes a tile on its way into DST.
#pragma once

#include "api/compute/common.h"

namespace ckernel {

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void transpose_init(std::uint32_t icb, std::uint32_t call_line = __builtin_LINE()) {
    tt_emulator::transpose_init(icb, call_line);
}

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void transpose_tile(
    std::uint32_t icb, std::uint32_t itile, std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::transpose(icb, itile, idst, line);
}

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void transpose_block(
    std::uint32_t icb, std::uint32_t start_itile, std::uint32_t start_idst, std::uint32_t ntiles,
    std::uint32_t line = __builtin_LINE()) {
    for (std::uint32_t i = 0; i < ntiles; ++i) tt_emulator::transpose(icb, start_itile + i, start_idst + i, line);
}

}  // namespace ckernel
