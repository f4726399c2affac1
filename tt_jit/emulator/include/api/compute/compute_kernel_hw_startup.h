// Configures unpack, math and pack once, as the first statement of a compute kernel.
#pragma once

#include "api/compute/common_globals.h"
#include "api/compute/src_order.h"

namespace ckernel {

template <SrcOrder src_order = SrcOrder::Regular>
ALWI void compute_kernel_hw_startup(
    std::uint32_t icb0, std::uint32_t icb1, std::uint32_t ocb, std::uint32_t line = __builtin_LINE()) {
    constexpr bool reverse = src_order == SrcOrder::Reverse;
    tt_emulator::hw_startup(reverse ? icb1 : icb0, reverse ? icb0 : icb1, ocb, line);
}

ALWI void compute_kernel_hw_startup(
    std::uint32_t icb0, std::uint32_t ocb, tt_emulator::Line line = tt_emulator::Line(__builtin_LINE())) {
    tt_emulator::hw_startup(icb0, icb0, ocb, line.number);
}

}  // namespace ckernel
