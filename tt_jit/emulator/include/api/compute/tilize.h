// Row-major sticks to tiles. Acquires and commits DST itself.
#pragma once

#include "api/compute/common.h"

namespace ckernel {

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void tilize_init(
    std::uint32_t icb, std::uint32_t block, std::uint32_t ocb, std::uint32_t call_line = __builtin_LINE()) {
    tt_emulator::tilize_init(icb, block, ocb, call_line);
}

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void tilize_block(
    std::uint32_t icb, std::uint32_t block, std::uint32_t ocb, std::uint32_t input_tile_index = 0,
    std::uint32_t output_tile_index = 0, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::tilize_block(icb, block, ocb, input_tile_index, output_tile_index, line);
}

ALWI void tilize_uninit(std::uint32_t icb, std::uint32_t ocb, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::tilize_uninit(icb, ocb, line);
}

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void fast_tilize_init(
    std::uint32_t icb, std::uint32_t full_dim, std::uint32_t ocb, std::uint32_t call_line = __builtin_LINE()) {
    tt_emulator::tilize_init(icb, full_dim, ocb, call_line);
}

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void fast_tilize_block(
    std::uint32_t icb, std::uint32_t block, std::uint32_t ocb, std::uint32_t input_tile_index = 0,
    std::uint32_t output_tile_index = 0, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::tilize_block(icb, block, ocb, input_tile_index, output_tile_index, line);
}

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void fast_tilize_uninit(
    std::uint32_t icb, std::uint32_t ocb, [[maybe_unused]] std::uint32_t full_dim,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::tilize_uninit(icb, ocb, line);
}

}  // namespace ckernel
