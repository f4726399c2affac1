// Remainders with the sign of the divisor.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, remainder_int32_tile_init, remainder_int32_tile_init)
TT_SFPU_BINARY(, remainder_int32_tile, remainder_int32)
TT_SFPU_INIT(, remainder_uint32_tile_init, remainder_uint32_tile_init)
TT_SFPU_BINARY(, remainder_uint32_tile, remainder_uint32)
TT_SFPU_INIT(, remainder_binary_tile_init, remainder_binary_tile_init)
TT_SFPU_BINARY(TT_ANY_DEST, remainder_binary_tile, remainder_binary)

}  // namespace ckernel
