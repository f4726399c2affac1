// x * clamp(x / 2 + 1, 0, 1).
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, hardmish_tile_init, hardmish_tile_init)
TT_SFPU_UNARY(, hardmish_tile, hardmish)

}  // namespace ckernel
