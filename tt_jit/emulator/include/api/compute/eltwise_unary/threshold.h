// x <= param0 ? param1 : x.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, threshold_tile_init, threshold_tile_init)
TT_SFPU_UNARY_2(, threshold_tile, threshold)

}  // namespace ckernel
