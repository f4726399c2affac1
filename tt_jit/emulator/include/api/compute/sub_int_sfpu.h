// Integer subtraction.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, sub_int_tile_init, sub_int_tile_init)
TT_SFPU_INIT(, rsub_int_tile_init, rsub_int_tile_init)
TT_SFPU_INTEGER_BINARY(sub_int_tile, sub_int32, sub_int32, sub_uint16)
TT_SFPU_INTEGER_BINARY(rsub_int_tile, rsub_int32, rsub_int32, rsub_uint16)

}  // namespace ckernel
