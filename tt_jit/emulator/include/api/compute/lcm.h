// Least common multiple of 32-bit integers.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, lcm_tile_init, lcm_tile_init)
TT_SFPU_BINARY(, lcm_tile, lcm)

}  // namespace ckernel
