// xIELU.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, xielu_tile_init, xielu_tile_init)
TT_SFPU_UNARY_2(TT_ANY_DEST, xielu_tile, xielu)

}  // namespace ckernel
