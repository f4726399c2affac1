// Copies one DST tile to another.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, copy_dest_values_init, copy_dest_values_init)

template <DataFormat DATA_FORMAT>
ALWI void copy_dest_values(std::uint32_t idst_in, std::uint32_t idst_out, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_copy_dst(DATA_FORMAT, idst_in, idst_out, line);
}

}  // namespace ckernel
