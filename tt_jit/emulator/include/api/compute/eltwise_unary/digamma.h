// Digamma.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, digamma_tile_init, digamma_tile_init)
TT_SFPU_UNARY(, digamma_tile, digamma)

}  // namespace ckernel
