// x - tanh(x).
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(TT_ANY_DEST, tanhshrink_tile_init, tanhshrink_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, tanhshrink_tile, tanhshrink)

}  // namespace ckernel
