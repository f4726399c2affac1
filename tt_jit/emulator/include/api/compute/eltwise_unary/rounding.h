// Rounding to integers or decimals; one init for all.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, rounding_op_tile_init, rounding_op_tile_init)
TT_SFPU_UNARY(, ceil_tile, ceil)
TT_SFPU_UNARY(, floor_tile, floor)
TT_SFPU_UNARY(, trunc_tile, trunc)
TT_SFPU_UNARY(, frac_tile, frac)
TT_SFPU_UNARY(, stochastic_round_tile, stochastic_round)

// 10^n in fp32; 0 and infinity outside of its range.
constexpr float power_of_ten(std::int32_t exponent) {
    double power = 1.0;
    for (std::int32_t i = 0; i < (exponent < 0 ? -exponent : exponent) && i < 60; ++i) power *= 10.0;
    if (exponent > 38) return __builtin_inff();
    return exponent < -45 ? 0.0f : static_cast<float>(exponent < 0 ? 1.0 / power : power);
}

ALWI void round_tile(std::uint32_t idst, std::int32_t decimals, std::uint32_t line = __builtin_LINE()) {
    const auto coefficient = __builtin_bit_cast(std::uint32_t, power_of_ten(decimals));
    const auto inverse = __builtin_bit_cast(std::uint32_t, power_of_ten(-decimals));
    tt_emulator::sfpu_unary(
        tt_emulator::sfpu::round, idst, VectorMode::RC, {{coefficient, inverse, 0}}, 0, "round_tile", line);
}

}  // namespace ckernel
