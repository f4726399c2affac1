// Uniform random numbers in [from, from + scale); the sequence is not the chip's.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

ALWI void rand_tile_init(std::uint32_t seed = 0, std::uint32_t stream_id = 0, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init_with(tt_emulator::SfpuInit::rand_tile_init, seed + stream_id * 0x9E3779B9u, 0, line);
}

ALWI void rand_tile(std::uint32_t idst, std::uint32_t from, std::uint32_t scale, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_random(idst, from, scale, line);
}

}  // namespace ckernel
