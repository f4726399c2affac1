// Limits to [param0, param1].
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, hardtanh_tile_init, hardtanh_tile_init)
TT_SFPU_UNARY_2(, hardtanh_tile, hardtanh)
TT_SFPU_INIT_PACK(, hardtanh_tile_init_pack, hardtanh_tile_init)

ALWI void hardtanh_tile_pack(
    std::uint32_t idst, std::uint32_t param0, std::uint32_t param1, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary_pack(
        tt_emulator::sfpu::hardtanh, idst, {{param0, param1, 0}}, 0, "hardtanh_tile_pack", line);
}

}  // namespace ckernel
