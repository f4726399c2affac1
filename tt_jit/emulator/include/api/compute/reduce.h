// Reductions of tiles along rows, columns or both by the FPU.
#pragma once

#include "api/compute/common.h"

namespace ckernel {

template <PoolType reduce_type, ReduceDim reduce_dim, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void reduce_init(
    std::uint32_t icb, std::uint32_t icb_scaler, std::uint32_t ocb, std::uint32_t call_line = __builtin_LINE()) {
    static_assert(reduce_type != PoolType::MIN, "The FPU reduce has no MIN; use sfpu_reduce");
    tt_emulator::reduce_init(reduce_type, reduce_dim, icb, icb_scaler, ocb, call_line);
}

ALWI void reduce_uninit(std::uint32_t = 0, std::uint32_t line = __builtin_LINE()) { tt_emulator::reduce_uninit(line); }

template <PoolType reduce_type, ReduceDim reduce_dim, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void reduce_tile(
    std::uint32_t icb, std::uint32_t icb_scaler, std::uint32_t itile, std::uint32_t itile_scaler, std::uint32_t idst,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::reduce_tiles(reduce_type, reduce_dim, icb, icb_scaler, itile, itile_scaler, idst, line);
}

template <PoolType reduce_type, ReduceDim reduce_dim, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void reduce_block(
    std::uint32_t icb, std::uint32_t icb_scaler, std::uint32_t start_itile, std::uint32_t itile_scaler,
    std::uint32_t start_idst, std::uint32_t ntiles, std::uint32_t line = __builtin_LINE()) {
    for (std::uint32_t i = 0; i < ntiles; ++i) {
        reduce_tile<reduce_type, reduce_dim>(icb, icb_scaler, start_itile + i, itile_scaler, start_idst + i, line);
    }
}

}  // namespace ckernel
