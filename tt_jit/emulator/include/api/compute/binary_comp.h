// Integer comparisons: 1 or 0.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_TYPED_INTEGER_BINARY(eq_int_tile, eq_int32, eq_int32, eq_uint16)
TT_SFPU_TYPED_INTEGER_BINARY(ne_int_tile, ne_int32, ne_int32, ne_uint16)
TT_SFPU_TYPED_INTEGER_BINARY(lt_int_tile, lt_int32, lt_uint32, lt_uint16)
TT_SFPU_TYPED_INTEGER_BINARY(gt_int_tile, gt_int32, gt_uint32, gt_uint16)
TT_SFPU_TYPED_INTEGER_BINARY(le_int_tile, le_int32, le_uint32, le_uint16)
TT_SFPU_TYPED_INTEGER_BINARY(ge_int_tile, ge_int32, ge_uint32, ge_uint16)

}  // namespace ckernel
