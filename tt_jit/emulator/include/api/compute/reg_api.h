// Hand-over of DST between the math and the pack thread.
#pragma once

#include "api/compute/common_globals.h"

namespace ckernel {

ALWI void tile_regs_acquire(std::uint32_t line = __builtin_LINE()) { tt_emulator::dst_acquire(line); }
ALWI void tile_regs_wait(std::uint32_t line = __builtin_LINE()) { tt_emulator::dst_wait(line); }

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void tile_regs_commit(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::dst_commit(line);
}

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void tile_regs_release(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::dst_release(line);
}

}  // namespace ckernel
