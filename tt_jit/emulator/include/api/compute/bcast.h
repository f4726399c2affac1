// Element-wise operations whose second operand is one row, column or element; and broadcasts into DST.
#pragma once

#include "api/compute/common.h"

namespace ckernel {

template <BroadcastType bcast_type, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void unary_bcast_init(std::uint32_t icb, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::unary_broadcast_init(bcast_type, icb, line);
}

template <BroadcastType bcast_type, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void unary_bcast(
    std::uint32_t icb, std::uint32_t in_tile_index, std::uint32_t dst_tile_index,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::unary_broadcast(bcast_type, icb, in_tile_index, dst_tile_index, line);
}

template <BroadcastType bcast_type>
ALWI void unary_bcast_uninit(std::uint32_t icb, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::unary_broadcast_uninit(bcast_type, icb, line);
}

template <EltwiseBinaryType tBcastOp, BroadcastType tBcastDim, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void any_tiles_bcast(
    std::uint32_t icb0, std::uint32_t icb1, std::uint32_t itile0, std::uint32_t itile1, std::uint32_t idst,
    std::uint32_t bcast_row_idx = 0, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::binary_tiles(tBcastOp, tBcastDim, icb0, icb1, itile0, itile1, idst, bcast_row_idx, line);
}

template <EltwiseBinaryType tBcastOp, BroadcastType tBcastDim>
ALWI void bcast_init(std::uint32_t icb0, std::uint32_t icb1, std::uint32_t call_line = __builtin_LINE()) {
    tt_emulator::binary_init(tBcastOp, tBcastDim, icb0, icb1, false, call_line);
}

#define TT_EMULATOR_BCAST_INIT(operation, type, dim, dimension)                                                        \
    ALWI void operation##_bcast_##dim##_init(                                                                          \
        std::uint32_t icb0, std::uint32_t icb1, std::uint32_t call_line = __builtin_LINE()) {                          \
        bcast_init<EltwiseBinaryType::type, BroadcastType::dimension>(icb0, icb1, call_line);                          \
    }

#define TT_EMULATOR_BCAST(operation, type, dim, dimension)                                                             \
    TT_EMULATOR_BCAST_INIT(operation, type, dim, dimension)                                                            \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                                                               \
    ALWI void operation##_tiles_bcast_##dim(                                                                           \
        std::uint32_t icb0, std::uint32_t icb1, std::uint32_t itile0, std::uint32_t itile1, std::uint32_t idst,        \
        std::uint32_t line = __builtin_LINE()) {                                                                       \
        any_tiles_bcast<EltwiseBinaryType::type, BroadcastType::dimension>(                                            \
            icb0, icb1, itile0, itile1, idst, 0, line);                                                                \
    }

#define TT_EMULATOR_BCAST_ROWS(operation, type)                                                                        \
    TT_EMULATOR_BCAST_INIT(operation, type, rows, ROW)                                                                 \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                                                               \
    ALWI void operation##_tiles_bcast_rows(                                                                            \
        std::uint32_t icb0, std::uint32_t icb1, std::uint32_t itile0, std::uint32_t itile1, std::uint32_t idst,        \
        std::uint32_t bcast_row_idx = 0, std::uint32_t line = __builtin_LINE()) {                                      \
        any_tiles_bcast<EltwiseBinaryType::type, BroadcastType::ROW>(                                                  \
            icb0, icb1, itile0, itile1, idst, bcast_row_idx, line);                                                    \
    }

#define TT_EMULATOR_BCAST_FAMILY(operation, type)                                                                      \
    TT_EMULATOR_BCAST_ROWS(operation, type)                                                                            \
    TT_EMULATOR_BCAST(operation, type, cols, COL)                                                                      \
    TT_EMULATOR_BCAST(operation, type, scalar, SCALAR)                                                                 \
    template <BroadcastType tBcastDim, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                                      \
    ALWI void operation##_tiles_bcast(                                                                                 \
        std::uint32_t icb0, std::uint32_t icb1, std::uint32_t itile0, std::uint32_t itile1, std::uint32_t idst,        \
        std::uint32_t bcast_row_idx = 0, std::uint32_t line = __builtin_LINE()) {                                      \
        any_tiles_bcast<EltwiseBinaryType::type, tBcastDim>(icb0, icb1, itile0, itile1, idst, bcast_row_idx, line);    \
    }

TT_EMULATOR_BCAST_FAMILY(add, ELWADD)
TT_EMULATOR_BCAST_FAMILY(sub, ELWSUB)
TT_EMULATOR_BCAST_FAMILY(mul, ELWMUL)

#undef TT_EMULATOR_BCAST_FAMILY
#undef TT_EMULATOR_BCAST_ROWS
#undef TT_EMULATOR_BCAST
#undef TT_EMULATOR_BCAST_INIT

}  // namespace ckernel
