// beta * tanh(x / beta).
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, softcap_tile_init, softcap_tile_init)
TT_SFPU_UNARY_2(, softcap_tile, softcap)

}  // namespace ckernel
