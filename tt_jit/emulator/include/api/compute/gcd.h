// Greatest common divisor of 32-bit integers.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, gcd_tile_init, gcd_tile_init)
TT_SFPU_BINARY(, gcd_tile, gcd)

}  // namespace ckernel
