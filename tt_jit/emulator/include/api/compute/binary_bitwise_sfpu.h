// Bit operations on two DST tiles.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, binary_bitwise_tile_init, binary_bitwise_tile_init)
TT_SFPU_INTEGER_BINARY(bitwise_and_binary_tile,
                       bitwise_and_binary_int32, bitwise_and_binary_int32, bitwise_and_binary_uint16)
TT_SFPU_INTEGER_BINARY(bitwise_or_binary_tile,
                       bitwise_or_binary_int32, bitwise_or_binary_int32, bitwise_or_binary_uint16)
TT_SFPU_INTEGER_BINARY(bitwise_xor_binary_tile,
                       bitwise_xor_binary_int32, bitwise_xor_binary_int32, bitwise_xor_binary_uint16)

}  // namespace ckernel
