// Integer multiplication.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_TYPED_INTEGER_BINARY(mul_int_tile, mul_int32, mul_int32, mul_uint16)

}  // namespace ckernel
