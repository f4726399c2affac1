// Cube root.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, cbrt_tile_init, cbrt_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, cbrt_tile, cbrt)

}  // namespace ckernel
