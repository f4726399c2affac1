// Quotient of 32-bit integers as fp32.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, div_int32_tile_init, div_int32_tile_init)
TT_SFPU_BINARY(, div_int32_tile, div_int32)

}  // namespace ckernel
