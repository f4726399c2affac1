// Trigonometric and hyperbolic functions and their inverses.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, sin_tile_init, sin_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, sin_tile, sin)
TT_SFPU_INIT(, cos_tile_init, cos_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, cos_tile, cos)
TT_SFPU_INIT(, tan_tile_init, tan_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, tan_tile, tan)
TT_SFPU_INIT(TT_ANY_DEST, asin_tile_init, asin_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, asin_tile, asin)
TT_SFPU_INIT(TT_ANY_DEST, acos_tile_init, acos_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, acos_tile, acos)
TT_SFPU_INIT(TT_ANY_DEST, atan_tile_init, atan_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, atan_tile, atan)
TT_SFPU_INIT(TT_ANY_DEST, sinh_tile_init, sinh_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, sinh_tile, sinh)
TT_SFPU_INIT(TT_ANY_DEST, cosh_tile_init, cosh_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, cosh_tile, cosh)
TT_SFPU_INIT(TT_ANY_DEST, asinh_tile_init, asinh_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, asinh_tile, asinh)
TT_SFPU_INIT(TT_ANY_DEST, acosh_tile_init, acosh_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, acosh_tile, acosh)
TT_SFPU_INIT(TT_ANY_DEST, atanh_tile_init, atanh_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, atanh_tile, atanh)

}  // namespace ckernel
