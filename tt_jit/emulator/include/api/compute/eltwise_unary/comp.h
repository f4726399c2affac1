// Comparisons with a constant and with zero: 1 or 0.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, unary_ne_tile_init, unary_ne_tile_init)
TT_SFPU_UNARY_1(, unary_ne_tile, unary_ne)
TT_SFPU_UNARY_1(, unary_ne_tile_int32, unary_ne_int32)
TT_SFPU_INIT(, unary_eq_tile_init, unary_eq_tile_init)
TT_SFPU_UNARY_1(, unary_eq_tile, unary_eq)
TT_SFPU_UNARY_1(, unary_eq_tile_int32, unary_eq_int32)
TT_SFPU_INIT(, unary_gt_tile_init, unary_gt_tile_init)
TT_SFPU_UNARY_1(, unary_gt_tile, unary_gt)
TT_SFPU_UNARY_1(, unary_gt_tile_int32, unary_gt_int32)
TT_SFPU_INIT(, unary_ge_tile_init, unary_ge_tile_init)
TT_SFPU_UNARY_1(, unary_ge_tile, unary_ge)
TT_SFPU_UNARY_1(, unary_ge_tile_int32, unary_ge_int32)
TT_SFPU_INIT(, unary_lt_tile_init, unary_lt_tile_init)
TT_SFPU_UNARY_1(, unary_lt_tile, unary_lt)
TT_SFPU_UNARY_1(, unary_lt_tile_int32, unary_lt_int32)
TT_SFPU_INIT(, unary_le_tile_init, unary_le_tile_init)
TT_SFPU_UNARY_1(, unary_le_tile, unary_le)
TT_SFPU_UNARY_1(, unary_le_tile_int32, unary_le_int32)
TT_SFPU_INIT(, gtz_tile_init, gtz_tile_init)
TT_SFPU_UNARY(, gtz_tile, gtz)
TT_SFPU_UNARY(, gtz_tile_int32, gtz_int32)
TT_SFPU_INIT(, nez_tile_init, nez_tile_init)
TT_SFPU_UNARY(, nez_tile, nez)
TT_SFPU_UNARY(, nez_tile_int32, nez_int32)
TT_SFPU_INIT(, gez_tile_init, gez_tile_init)
TT_SFPU_UNARY(, gez_tile, gez)
TT_SFPU_UNARY(, gez_tile_int32, gez_int32)
TT_SFPU_INIT(, ltz_tile_init, ltz_tile_init)
TT_SFPU_UNARY(, ltz_tile, ltz)
TT_SFPU_UNARY(, ltz_tile_int32, ltz_int32)
TT_SFPU_INIT(, eqz_tile_init, eqz_tile_init)
TT_SFPU_UNARY(, eqz_tile, eqz)
TT_SFPU_UNARY(, eqz_tile_int32, eqz_int32)
TT_SFPU_INIT(, lez_tile_init, lez_tile_init)
TT_SFPU_UNARY(, lez_tile, lez)
TT_SFPU_UNARY(, lez_tile_int32, lez_int32)
TT_SFPU_UNARY(, eqz_tile_uint16, eqz_uint16)
TT_SFPU_UNARY(, eqz_tile_uint32, eqz_int32)
TT_SFPU_UNARY(, nez_tile_uint16, nez_uint16)
TT_SFPU_UNARY(, nez_tile_uint32, nez_int32)

}  // namespace ckernel
