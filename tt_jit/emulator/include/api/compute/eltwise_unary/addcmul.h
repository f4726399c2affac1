// a + value * b * c.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, addcmul_tile_init, addcmul_tile_init)

template <DataFormat data_format, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void addcmul_tile(
    std::uint32_t idst0, std::uint32_t idst1, std::uint32_t idst2, std::uint32_t odst, std::uint32_t value,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_ternary(
        tt_emulator::sfpu::addcmul, idst0, idst1, idst2, odst, {{value, 0, 0}}, 0, "addcmul_tile", line);
}

}  // namespace ckernel
