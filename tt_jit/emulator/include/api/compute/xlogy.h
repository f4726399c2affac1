// a * log(b).
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, xlogy_binary_tile_init, xlogy_binary_tile_init)
TT_SFPU_BINARY(TT_ANY_DEST, xlogy_binary_tile, xlogy_binary)

}  // namespace ckernel
