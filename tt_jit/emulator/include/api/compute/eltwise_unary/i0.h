// Modified Bessel function of order 0.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, i0_tile_init, i0_tile_init)
TT_SFPU_UNARY(, i0_tile, i0)

}  // namespace ckernel
