// log2(2^a + 2^b).
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(TT_ANY_DEST, logaddexp2_binary_tile_init, logaddexp2_binary_tile_init)
TT_SFPU_BINARY(TT_ANY_DEST, logaddexp2_binary_tile, logaddexp2_binary)

}  // namespace ckernel
