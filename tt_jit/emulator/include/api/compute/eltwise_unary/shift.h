// Shifts by a constant.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, left_shift_tile_init, left_shift_tile_init)
TT_SFPU_INIT(, right_shift_tile_init, right_shift_tile_init)
TT_SFPU_INTEGER_UNARY_1(left_shift_tile, left_shift_int32, left_shift_int32, left_shift_uint16)
TT_SFPU_INTEGER_UNARY_1(right_shift_tile, right_shift_int32, right_shift_uint32, right_shift_uint16)

}  // namespace ckernel
