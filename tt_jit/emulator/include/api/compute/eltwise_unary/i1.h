// Modified Bessel function of order 1.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, i1_tile_init, i1_tile_init)
TT_SFPU_UNARY(, i1_tile, i1)

}  // namespace ckernel
