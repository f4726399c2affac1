// Conversion between formats in DST.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

template <std::uint32_t IN_DTYPE, std::uint32_t OUT_DTYPE>
ALWI void typecast_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::typecast_tile_init, IN_DTYPE | OUT_DTYPE << 5, line);
}

template <std::uint32_t IN_DTYPE, std::uint32_t OUT_DTYPE, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void typecast_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_typecast(static_cast<DataFormat>(IN_DTYPE), static_cast<DataFormat>(OUT_DTYPE), idst, line);
}

}  // namespace ckernel
