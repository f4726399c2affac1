// Copies a tile onto itself.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, identity_tile_init, identity_tile_init)
TT_SFPU_UNARY(, identity_tile, identity)
TT_SFPU_UNARY(, identity_tile_uint32, identity_uint32)

}  // namespace ckernel
