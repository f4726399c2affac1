// Element-wise add, sub and mul of two circular buffers, or of one and DST, by the FPU.
#pragma once

#include "api/compute/common.h"

namespace ckernel {

template <bool full_init, EltwiseBinaryType eltwise_binary_type>
ALWI void binary_tiles_init(
    std::uint32_t icb0, std::uint32_t icb1, bool acc_to_dest = false, std::uint32_t call_line = __builtin_LINE()) {
    tt_emulator::binary_init(eltwise_binary_type, BroadcastType::NONE, icb0, icb1, acc_to_dest, call_line);
}

#define TT_EMULATOR_ELTWISE_BINARY(name, type, accumulates)                                                            \
    ALWI void name##_init(                                                                                             \
        std::uint32_t icb0, std::uint32_t icb1, bool acc_to_dest = accumulates,                                        \
        std::uint32_t call_line = __builtin_LINE()) {                                                                  \
        binary_tiles_init<true, EltwiseBinaryType::type>(icb0, icb1, acc_to_dest, call_line);                          \
    }                                                                                                                  \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                                                               \
    ALWI void name##_tiles(                                                                                            \
        std::uint32_t icb0, std::uint32_t icb1, std::uint32_t itile0, std::uint32_t itile1, std::uint32_t idst,        \
        std::uint32_t line = __builtin_LINE()) {                                                                       \
        tt_emulator::binary_tiles(                                                                                     \
            EltwiseBinaryType::type, BroadcastType::NONE, icb0, icb1, itile0, itile1, idst, 0, line);                  \
    }                                                                                                                  \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                                                               \
    ALWI void name##_block(                                                                                            \
        std::uint32_t icb0, std::uint32_t icb1, std::uint32_t start_itile0, std::uint32_t start_itile1,                \
        std::uint32_t start_idst, std::uint32_t ntiles, std::uint32_t line = __builtin_LINE()) {                       \
        for (std::uint32_t i = 0; i < ntiles; ++i) {                                                                   \
            name##_tiles(icb0, icb1, start_itile0 + i, start_itile1 + i, start_idst + i, line);                        \
        }                                                                                                              \
    }                                                                                                                  \
    template <EltwiseBinaryReuseDestType reuse_dest>                                                                   \
    ALWI void name##_reuse_dest_init(std::uint32_t icb, std::uint32_t call_line = __builtin_LINE()) {                  \
        static_assert(                                                                                                 \
            reuse_dest != EltwiseBinaryReuseDestType::NONE,                                                            \
            "reuse_dest must be DEST_TO_SRCA or DEST_TO_SRCB; for the two-operand op call " #name "_init");            \
        tt_emulator::reuse_dest_init(EltwiseBinaryType::type, reuse_dest, icb, call_line);                             \
    }                                                                                                                  \
    template <EltwiseBinaryReuseDestType reuse_dest, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                        \
    ALWI void name##_reuse_dest_tiles(                                                                                 \
        std::uint32_t in_cb_id, std::uint32_t in_tile_index, std::uint32_t dst_tile_index,                             \
        std::uint32_t line = __builtin_LINE()) {                                                                       \
        tt_emulator::reuse_dest_tiles(                                                                                 \
            EltwiseBinaryType::type, reuse_dest, in_cb_id, in_tile_index, dst_tile_index, line);                       \
    }

TT_EMULATOR_ELTWISE_BINARY(add, ELWADD, false)
TT_EMULATOR_ELTWISE_BINARY(sub, ELWSUB, false)
TT_EMULATOR_ELTWISE_BINARY(mul, ELWMUL, true)

#undef TT_EMULATOR_ELTWISE_BINARY

}  // namespace ckernel
