// ELU.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, elu_tile_init, elu_tile_init)
TT_SFPU_UNARY_1(TT_ANY_DEST, elu_tile, elu)

}  // namespace ckernel
