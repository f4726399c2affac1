// Error function and its complement. INP_FLOAT32, defined in front of the header, selects the longer polynomials:
// absolute errors of 3e-7 instead of 3.2e-3, and of 8e-3 at most with fast_and_approx.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

template <bool fast_and_approx = true>
ALWI void erf_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::erf_tile_init, fast_and_approx, line);
}

#ifdef INP_FLOAT32
#define TT_ERF(suffix) tt_emulator::sfpu::erf_float32##suffix
#else
#define TT_ERF(suffix) tt_emulator::sfpu::erf_bfloat16##suffix
#endif

template <bool fast_and_approx = true>
ALWI void erf_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
#ifdef ARCH_BLACKHOLE
    const auto& rough = TT_ERF(_7_bits);
#else
    const auto& rough = TT_ERF(_one_step);
#endif
    tt_emulator::sfpu_unary(
        fast_and_approx ? rough : TT_ERF(), idst, VectorMode::RC, {}, fast_and_approx, "erf_tile", line);
}

#undef TT_ERF

TT_SFPU_INIT(, erfc_tile_init, erfc_tile_init)
TT_SFPU_UNARY(, erfc_tile, erfc)

}  // namespace ckernel
