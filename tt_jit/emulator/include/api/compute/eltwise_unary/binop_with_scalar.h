// A DST tile and a scalar, given as the bits of an fp32. div_unary_tile multiplies: the caller passes the inverse.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, binop_with_scalar_tile_init, binop_with_scalar_tile_init)
TT_SFPU_UNARY_1(TT_ANY_DEST, add_unary_tile, add_unary)
TT_SFPU_UNARY_1(TT_ANY_DEST, sub_unary_tile, sub_unary)
TT_SFPU_UNARY_1(TT_ANY_DEST, mul_unary_tile, mul_unary)
TT_SFPU_UNARY_1(TT_ANY_DEST, div_unary_tile, div_unary)
TT_SFPU_UNARY_1(TT_ANY_DEST, rsub_unary_tile, rsub_unary)
TT_SFPU_UNARY_1(, add_unary_tile_int32, add_unary_int32)
TT_SFPU_UNARY_1(, sub_unary_tile_int32, sub_unary_int32)

}  // namespace ckernel
