// Leaky ReLU with a given slope.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, prelu_tile_init, prelu_tile_init)
TT_SFPU_UNARY_1(, prelu_tile, prelu)

}  // namespace ckernel
