// Negation.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, negative_tile_init, negative_tile_init)
TT_SFPU_UNARY(, negative_tile, negative)
TT_SFPU_UNARY(, negative_tile_int32, negative_int32)

}  // namespace ckernel
