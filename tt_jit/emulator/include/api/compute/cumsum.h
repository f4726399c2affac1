// Running sums down the columns of tiles; `first` starts anew.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, cumsum_tile_init, cumsum_tile_init)

ALWI void cumsum_tile(std::uint32_t idst, bool first = true, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_cumsum(idst, first, line);
}

}  // namespace ckernel
