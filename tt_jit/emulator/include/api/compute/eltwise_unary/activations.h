// hardsigmoid, softsign, celu and the shrink functions.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, hardsigmoid_tile_init, hardsigmoid_tile_init)
TT_SFPU_UNARY(, hardsigmoid_tile, hardsigmoid)
TT_SFPU_INIT_PACK(, hardsigmoid_tile_init_pack, hardsigmoid_tile_init)
TT_SFPU_UNARY_PACK(, hardsigmoid_tile_pack, hardsigmoid)
TT_SFPU_INIT(, softsign_tile_init, softsign_tile_init)
TT_SFPU_UNARY(, softsign_tile, softsign)
TT_SFPU_INIT(, celu_tile_init, celu_tile_init)
TT_SFPU_UNARY_2(TT_ANY_DEST, celu_tile, celu)
TT_SFPU_INIT(, softshrink_tile_init, softshrink_tile_init)
TT_SFPU_UNARY_1(, softshrink_tile, softshrink)
TT_SFPU_INIT(, hardshrink_tile_init, hardshrink_tile_init)
TT_SFPU_UNARY_1(, hardshrink_tile, hardshrink)

}  // namespace ckernel
