// Zeroes lanes with a probability of probability / 2^31 and scales the rest.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

ALWI void dropout_kernel_init(std::uint32_t seed = 0, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init_with(tt_emulator::SfpuInit::dropout_kernel_init, seed, 0, line);
}

ALWI void dropout_tile(
    std::uint32_t idst, std::uint32_t probability, std::uint32_t scale_factor, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_dropout(idst, probability, scale_factor, line);
}

}  // namespace ckernel
