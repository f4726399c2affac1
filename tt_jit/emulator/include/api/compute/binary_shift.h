// Shifts by the second DST tile.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, binary_shift_tile_init, binary_shift_tile_init)
TT_SFPU_INTEGER_BINARY(
    binary_left_shift_tile, binary_left_shift_int32, binary_left_shift_int32, binary_left_shift_uint16)
TT_SFPU_INTEGER_BINARY(
    binary_right_shift_tile, binary_right_shift_int32, binary_right_shift_uint32, binary_right_shift_uint16)
TT_SFPU_INTEGER_BINARY(
    binary_logical_right_shift_tile, binary_logical_right_shift_int32, binary_logical_right_shift_int32,
    binary_logical_right_shift_uint16)

}  // namespace ckernel
