// Polygamma of order n; both parameters are the bits of an fp32.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, polygamma_tile_init, polygamma_tile_init)
TT_SFPU_UNARY_2(TT_ANY_DEST, polygamma_tile, polygamma)

}  // namespace ckernel
