// log(exp(a) + exp(b)).
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(TT_ANY_DEST, logaddexp_binary_tile_init, logaddexp_binary_tile_init)
TT_SFPU_BINARY(TT_ANY_DEST, logaddexp_binary_tile, logaddexp_binary)

}  // namespace ckernel
