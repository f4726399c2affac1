// Inverse error function.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, erfinv_tile_init, erfinv_tile_init)
TT_SFPU_UNARY(, erfinv_tile, erfinv)

}  // namespace ckernel
