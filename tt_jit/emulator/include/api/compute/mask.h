// Keeps lanes where the mask, in the next DST tile, is not zero.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, mask_tile_init, mask_tile_init)

ALWI void mask_tile(
    std::uint32_t idst_data, std::uint32_t idst2_mask, DataFormat data_format = DataFormat::Float16_b,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_mask(idst_data, idst2_mask, data_format, 0, line);
}

ALWI void mask_posinf_tile(std::uint32_t idst_data, std::uint32_t idst2_mask, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_mask(idst_data, idst2_mask, DataFormat::Float16_b, 0x7f800000u, line);
}

}  // namespace ckernel
