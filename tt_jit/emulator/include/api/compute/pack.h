// DST into circular buffers.
#pragma once

#include "api/compute/common_globals.h"

namespace ckernel {

ALWI void pack_init(std::uint32_t ocb, std::uint32_t call_line = __builtin_LINE()) {
    tt_emulator::pack_init(ocb, call_line);
}

template <bool out_of_order_output = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void pack_tile(
    std::uint32_t ifrom_dst, std::uint32_t icb, [[maybe_unused]] std::uint32_t output_tile_index = 0,
    std::uint32_t line = __builtin_LINE()) {
    if constexpr (out_of_order_output) {
        tt_emulator::pack_at(ifrom_dst, icb, output_tile_index, line);
    } else {
        tt_emulator::pack_next(ifrom_dst, icb, 1, line);
    }
}

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void pack_block(
    std::uint32_t ifrom_dst, std::uint32_t icb, std::uint32_t ntiles, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::pack_next(ifrom_dst, icb, ntiles, line);
}

ALWI void pack_reconfig_l1_acc(const std::uint32_t l1_acc_en, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::pack_l1_accumulate(l1_acc_en != 0, line);
}

ALWI void pack_relu_config(const ReluConfig& config, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::pack_relu(config, line);
}

}  // namespace ckernel
