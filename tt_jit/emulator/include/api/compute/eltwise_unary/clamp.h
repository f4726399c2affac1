// Limits to [param0, param1].
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, clamp_tile_init, clamp_tile_init)
TT_SFPU_UNARY_2(, clamp_tile, clamp)
TT_SFPU_UNARY_2(, clamp_tile_int32, clamp_int32)

}  // namespace ckernel
