// Tiles to row-major sticks, by the packer.
#pragma once

#include "api/compute/common.h"
#include "api/compute/tile_move_copy.h"

namespace ckernel {

template <
    std::uint32_t block_ct_dim = 8, std::uint32_t full_ct_dim = block_ct_dim, bool narrow_row = false,
    std::uint32_t row_num_datums = 32, bool dense = false, bool configure_remap = true,
    bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void pack_untilize_dest_init(std::uint32_t ocb, std::uint32_t call_line = __builtin_LINE()) {
    static_assert(!narrow_row && !dense && row_num_datums == 32, "the emulator untilizes whole 32x32 tiles only");
    tt_emulator::untilize_init(block_ct_dim, full_ct_dim, ocb, call_line);
}

template <
    std::uint32_t block_ct_dim = 8, std::uint32_t full_ct_dim = block_ct_dim, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void pack_untilize_init(std::uint32_t icb, std::uint32_t ocb, std::uint32_t call_line = __builtin_LINE()) {
    tt_emulator::copy_init(icb, false, false, call_line);
    tt_emulator::untilize_init(block_ct_dim, full_ct_dim, ocb, call_line);
}

template <
    std::uint32_t block_ct_dim = 8, std::uint32_t full_ct_dim = block_ct_dim, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void pack_untilize_block(
    std::uint32_t icb, std::uint32_t block_rt_dim, std::uint32_t ocb, std::uint32_t block_c_index = 0,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::untilize_block(block_ct_dim, full_ct_dim, icb, block_rt_dim, ocb, block_c_index, line);
}

template <
    std::uint32_t block_ct_dim = 8, std::uint32_t full_ct_dim = block_ct_dim, bool diagonal = false,
    bool narrow_row = false, std::uint32_t row_num_datums = 32, std::uint32_t tile_dst_ct_offset = 0, bool dense = false>
ALWI void pack_untilize_dest(
    std::uint32_t ocb, std::uint32_t block_rt_dim = 1, std::uint32_t block_c_index = 0,
    [[maybe_unused]] std::uint32_t tile_dst_rt_offset = 0, std::uint32_t line = __builtin_LINE()) {
    static_assert(
        !diagonal && !narrow_row && !dense && row_num_datums == 32 && tile_dst_ct_offset == 0,
        "the emulator untilizes whole 32x32 tiles from the first one on");
    tt_emulator::untilize_dst(block_ct_dim, full_ct_dim, ocb, block_rt_dim, block_c_index, line);
}

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void pack_untilize_uninit(std::uint32_t ocb, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::untilize_uninit(ocb, line);
}

}  // namespace ckernel
