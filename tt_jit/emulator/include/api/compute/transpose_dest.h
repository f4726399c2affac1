// Transposes a tile in DST.
#pragma once

#include "api/compute/common.h"

namespace ckernel {

template <bool is_32bit = false, bool transpose_of_faces = true>
ALWI void transpose_dest_init([[maybe_unused]] std::uint32_t operand = 0, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::transpose_dest_init(is_32bit, transpose_of_faces, line);
}

template <bool is_32bit = false, bool transpose_of_faces = true>
ALWI void transpose_dest(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::transpose_dest(is_32bit, transpose_of_faces, idst, line);
}

}  // namespace ckernel
