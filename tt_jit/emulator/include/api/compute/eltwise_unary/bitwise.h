// Bit operations with a constant.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, bitwise_and_tile_init, bitwise_and_tile_init)
TT_SFPU_INTEGER_UNARY_1(bitwise_and_tile, bitwise_and_int32, bitwise_and_int32, bitwise_and_uint16)
TT_SFPU_INIT(, bitwise_or_tile_init, bitwise_or_tile_init)
TT_SFPU_INTEGER_UNARY_1(bitwise_or_tile, bitwise_or_int32, bitwise_or_int32, bitwise_or_uint16)
TT_SFPU_INIT(, bitwise_xor_tile_init, bitwise_xor_tile_init)
TT_SFPU_INTEGER_UNARY_1(bitwise_xor_tile, bitwise_xor_int32, bitwise_xor_int32, bitwise_xor_uint16)

}  // namespace ckernel
