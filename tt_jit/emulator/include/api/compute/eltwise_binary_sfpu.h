// Arithmetic and comparison of two DST tiles.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, div_binary_tile_init, div_binary_tile_init)
TT_SFPU_BINARY(TT_ANY_DEST, div_binary_tile, div_binary)
TT_SFPU_INIT(, mul_binary_tile_init, mul_binary_tile_init)
TT_SFPU_BINARY(TT_ANY_DEST, mul_binary_tile, mul_binary)
TT_SFPU_INIT(, power_binary_tile_init, power_binary_tile_init)
TT_SFPU_BINARY(TT_ANY_DEST, power_binary_tile, power_binary)
TT_SFPU_INIT(, eq_binary_tile_init, eq_binary_tile_init)
TT_SFPU_BINARY(, eq_binary_tile, eq_binary)
TT_SFPU_INIT(, ne_binary_tile_init, ne_binary_tile_init)
TT_SFPU_BINARY(, ne_binary_tile, ne_binary)
TT_SFPU_INIT(, lt_binary_tile_init, lt_binary_tile_init)
TT_SFPU_BINARY(, lt_binary_tile, lt_binary)
TT_SFPU_INIT(, gt_binary_tile_init, gt_binary_tile_init)
TT_SFPU_BINARY(, gt_binary_tile, gt_binary)
TT_SFPU_INIT(, le_binary_tile_init, le_binary_tile_init)
TT_SFPU_BINARY(, le_binary_tile, le_binary)
TT_SFPU_INIT(, ge_binary_tile_init, ge_binary_tile_init)
TT_SFPU_BINARY(, ge_binary_tile, ge_binary)

// In a 16-bit DST the result is cut, or rounded to even on request.
#define TT_SFPU_ROUNDED_BINARY(name, operation)                                                                        \
    TT_SFPU_INIT(, name##_init, name##_init)                                                                           \
    template <DstRoundingMode dst_rounding_mode = DstRoundingMode::Default, bool is_fp32_dest_acc_en = DST_ACCUM_MODE> \
    ALWI void name(                                                                                                    \
        std::uint32_t idst0, std::uint32_t idst1, std::uint32_t odst, std::uint32_t line = __builtin_LINE()) {         \
        const tt_emulator::BinaryOperation& rounded = dst_rounding_mode == DstRoundingMode::NearestEven                \
                                                          ? tt_emulator::sfpu::operation##_nearest                     \
                                                          : tt_emulator::sfpu::operation;                              \
        tt_emulator::sfpu_binary(rounded, idst0, idst1, odst, VectorMode::RC, {}, 0, #name, line);                     \
    }

TT_SFPU_ROUNDED_BINARY(add_binary_tile, add_binary)
TT_SFPU_ROUNDED_BINARY(sub_binary_tile, sub_binary)
TT_SFPU_ROUNDED_BINARY(rsub_binary_tile, rsub_binary)

#undef TT_SFPU_ROUNDED_BINARY

}  // namespace ckernel
