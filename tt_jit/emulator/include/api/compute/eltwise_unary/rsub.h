// param0 - x.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, rsub_tile_init, rsub_tile_init)
TT_SFPU_UNARY_1(TT_ANY_DEST, rsub_tile, rsub)
TT_SFPU_INIT(, rsub_unary_int32_tile_init, rsub_unary_int32_tile_init)
TT_SFPU_UNARY_1(, rsub_unary_int32_tile, rsub_unary_int32)

}  // namespace ckernel
