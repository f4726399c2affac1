// A DST tile and the column or row vector in another one.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, sfpu_bcast_col_init, sfpu_bcast_col_init)
TT_SFPU_INIT(, sfpu_bcast_row_init, sfpu_bcast_row_init)

template <BroadcastType Dim, EltwiseBinaryType Op, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void sfpu_bcast(std::uint32_t dst_data_idx, std::uint32_t dst_bcast_idx, std::uint32_t line = __builtin_LINE()) {
    static_assert(
        Dim == BroadcastType::COL || Dim == BroadcastType::ROW,
        "sfpu_bcast: only BroadcastType::COL / BroadcastType::ROW are supported");
    static_assert(
        Op == EltwiseBinaryType::ELWADD || Op == EltwiseBinaryType::ELWSUB || Op == EltwiseBinaryType::ELWMUL,
        "sfpu_bcast: only EltwiseBinaryType::ELW{ADD,SUB,MUL} are supported");
    tt_emulator::sfpu_broadcast(Op, Dim, dst_data_idx, dst_bcast_idx, line);
}

template <BroadcastType Dim>
ALWI void sfpu_bcast_init(std::uint32_t line = __builtin_LINE()) {
    static_assert(
        Dim == BroadcastType::COL || Dim == BroadcastType::ROW,
        "sfpu_bcast_init: only BroadcastType::COL / BroadcastType::ROW are supported");
    if constexpr (Dim == BroadcastType::COL) {
        sfpu_bcast_col_init(line);
    } else {
        sfpu_bcast_row_init(line);
    }
}

#define TT_SFPU_BCAST(operation, type, dim, dimension)                                                                 \
    TT_SFPU_INIT(, sfpu_##operation##_bcast_##dim##_init, sfpu_bcast_##dim##_init)                                     \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                                                               \
    ALWI void sfpu_##operation##_bcast_##dim(                                                                          \
        std::uint32_t dst_data_idx, std::uint32_t dst_##dim##_vec_idx, std::uint32_t line = __builtin_LINE()) {        \
        sfpu_bcast<BroadcastType::dimension, EltwiseBinaryType::type>(dst_data_idx, dst_##dim##_vec_idx, line);        \
    }

TT_SFPU_BCAST(add, ELWADD, col, COL)
TT_SFPU_BCAST(sub, ELWSUB, col, COL)
TT_SFPU_BCAST(mul, ELWMUL, col, COL)
TT_SFPU_BCAST(add, ELWADD, row, ROW)
TT_SFPU_BCAST(sub, ELWSUB, row, ROW)
TT_SFPU_BCAST(mul, ELWMUL, row, ROW)

#undef TT_SFPU_BCAST

}  // namespace ckernel
