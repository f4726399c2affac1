// a * b + c.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

template <DataFormat data_format>
ALWI void mac_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::mac_tile_init, static_cast<std::uint32_t>(data_format), line);
}

template <DataFormat data_format>
ALWI void mac_tile(
    std::uint32_t idst0, std::uint32_t idst1, std::uint32_t idst2, std::uint32_t odst,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_ternary(
        tt_emulator::sfpu::mac, idst0, idst1, idst2, odst, {}, static_cast<std::uint32_t>(data_format), "mac_tile", line);
}

}  // namespace ckernel
