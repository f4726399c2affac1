// Integer addition.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, add_int_tile_init, add_int_tile_init)
TT_SFPU_INTEGER_BINARY(add_int_tile, add_int32, add_int32, add_uint16)

}  // namespace ckernel
