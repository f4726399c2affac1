// Predicates: 1.0 or 0.0.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, isinf_tile_init, isinf_tile_init)
TT_SFPU_UNARY(, isinf_tile, isinf)
TT_SFPU_INIT(, isposinf_tile_init, isposinf_tile_init)
TT_SFPU_UNARY(, isposinf_tile, isposinf)
TT_SFPU_INIT(, isneginf_tile_init, isneginf_tile_init)
TT_SFPU_UNARY(, isneginf_tile, isneginf)
TT_SFPU_INIT(, isnan_tile_init, isnan_tile_init)
TT_SFPU_UNARY(, isnan_tile, isnan)
TT_SFPU_INIT(, isfinite_tile_init, isfinite_tile_init)
TT_SFPU_UNARY(, isfinite_tile, isfinite)

}  // namespace ckernel
