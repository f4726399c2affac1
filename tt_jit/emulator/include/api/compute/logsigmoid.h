// log(sigmoid(x)); the second tile holds exp(-x).
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, logsigmoid_tile_init, logsigmoid_tile_init)
TT_SFPU_BINARY(, logsigmoid_tile, logsigmoid)

}  // namespace ckernel
