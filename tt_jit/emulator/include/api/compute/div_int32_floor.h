// Quotients of 32-bit integers, rounded down or towards zero.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, div_int32_floor_tile_init, div_int32_floor_tile_init)
TT_SFPU_BINARY(, div_int32_floor_tile, div_int32_floor)
TT_SFPU_INIT(, div_int32_trunc_tile_init, div_int32_trunc_tile_init)
TT_SFPU_BINARY(, div_int32_trunc_tile, div_int32_trunc)

}  // namespace ckernel
