// 1 / x. Template arguments of the init and of the calls must agree.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

enum class ReciprocalDestAcc { BF16, FP32 };
enum class ReciprocalApproxMode { Default, Precise, Approximate };

constexpr std::uint32_t recip_variant(ReciprocalDestAcc dest_acc, ReciprocalApproxMode approximation) {
    return static_cast<std::uint32_t>(dest_acc) | static_cast<std::uint32_t>(approximation) << 1;
}

template <
    ReciprocalDestAcc dest_acc = DST_ACCUM_MODE ? ReciprocalDestAcc::FP32 : ReciprocalDestAcc::BF16,
    ReciprocalApproxMode approximation = ReciprocalApproxMode::Default>
ALWI void recip_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::recip_tile_init, recip_variant(dest_acc, approximation), line);
}

template <
    ReciprocalDestAcc dest_acc = DST_ACCUM_MODE ? ReciprocalDestAcc::FP32 : ReciprocalDestAcc::BF16,
    ReciprocalApproxMode approximation = ReciprocalApproxMode::Default>
ALWI void recip_tile(
    std::uint32_t idst, VectorMode vector_mode = VectorMode::RC, std::uint32_t line = __builtin_LINE()) {
#ifdef ARCH_BLACKHOLE
    const auto& rough = tt_emulator::sfpu::recip_7_bits;
#else
    const auto& rough = tt_emulator::sfpu::recip_one_step;
#endif
    const bool is_rough = approximation == ReciprocalApproxMode::Default
                              ? tt_emulator::sfpu_approximates()
                              : approximation == ReciprocalApproxMode::Approximate;
    tt_emulator::sfpu_unary(
        is_rough ? rough : tt_emulator::sfpu::recip, idst, vector_mode, {}, recip_variant(dest_acc, approximation),
        "recip_tile", line);
}

}  // namespace ckernel
