// |a - b| <= atol + rtol * |b|; the tolerances are the bits of an fp32.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, isclose_binary_tile_init, isclose_binary_tile_init)

template <bool EQUAL_NAN = false>
ALWI void isclose_binary_tile(
    std::uint32_t idst0, std::uint32_t idst1, std::uint32_t odst, std::uint32_t rtol_bits, std::uint32_t atol_bits,
    std::uint32_t line = __builtin_LINE()) {
    const tt_emulator::BinaryOperation& operation =
        EQUAL_NAN ? tt_emulator::sfpu::isclose_binary_equal_nan : tt_emulator::sfpu::isclose_binary;
    tt_emulator::sfpu_binary(
        operation, idst0, idst1, odst, VectorMode::RC, {{rtol_bits, atol_bits, 0}}, 0, "isclose_binary_tile", line);
}

}  // namespace ckernel
