// Complement of 32-bit lanes.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, bitwise_not_tile_init, bitwise_not_tile_init)
TT_SFPU_UNARY(, bitwise_not_tile, bitwise_not)

}  // namespace ckernel
