// atan2 of two DST tiles.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(TT_ANY_DEST, atan2_binary_tile_init, atan2_binary_tile_init)
TT_SFPU_BINARY(TT_ANY_DEST, atan2_binary_tile, atan2_binary)

}  // namespace ckernel
