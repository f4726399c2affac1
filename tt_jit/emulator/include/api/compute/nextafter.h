// The next value towards the second operand.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, nextafter_binary_tile_init, nextafter_binary_tile_init)
TT_SFPU_BINARY(TT_ANY_DEST, nextafter_binary_tile, nextafter_binary)
TT_SFPU_INIT(, nextafter_bf16_binary_tile_init, nextafter_bf16_binary_tile_init)
TT_SFPU_BINARY(TT_ANY_DEST, nextafter_bf16_binary_tile, nextafter_bf16_binary)

}  // namespace ckernel
