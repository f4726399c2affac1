// exp(x), exp(x * scale). Template arguments of the init and of the calls must agree.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

enum class InputClamping : std::uint8_t { ClampToNegative = 1, None = 0 };

template <
    bool approx = false, std::uint32_t scale = 0x3F800000,
    InputClamping input_clamping = InputClamping::ClampToNegative, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void exp_tile_init(std::uint32_t line = __builtin_LINE()) {
    static_assert(approx || scale == 0x3F800000, "the exact form takes its scale at the call");
    constexpr std::uint32_t variant = approx | static_cast<std::uint32_t>(input_clamping) << 1;
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::exp_tile_init, variant, line);
}

// `scale`, the upper half of an fp32, counts with scale_en only.
template <
    bool approx = false, bool scale_en = false, InputClamping input_clamping = InputClamping::ClampToNegative,
    int iterations = 8, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void exp_tile(
    std::uint32_t idst, VectorMode vector_mode = VectorMode::RC, [[maybe_unused]] std::uint16_t scale = 0x3F80,
    std::uint32_t line = __builtin_LINE()) {
    constexpr std::uint32_t variant = approx | static_cast<std::uint32_t>(input_clamping) << 1;
    if constexpr (scale_en) {
        const std::uint32_t factor = static_cast<std::uint32_t>(scale) << 16;
        const auto& operation = approx ? tt_emulator::sfpu::exp_approximate_scaled : tt_emulator::sfpu::exp_scaled;
        tt_emulator::sfpu_unary(operation, idst, vector_mode, {{factor, 0, 0}}, variant, "exp_tile", line);
    } else {
        const auto& operation = approx ? tt_emulator::sfpu::exp_approximate : tt_emulator::sfpu::exp;
        tt_emulator::sfpu_unary(operation, idst, vector_mode, {}, variant, "exp_tile", line);
    }
}

// The same on the pack thread, between tile_regs_wait and pack_tile.
template <
    bool approx = false, std::uint32_t scale = 0x3F800000,
    InputClamping input_clamping = InputClamping::ClampToNegative, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void exp_packthread_tile_init(std::uint32_t line = __builtin_LINE()) {
    constexpr std::uint32_t variant = approx | static_cast<std::uint32_t>(input_clamping) << 1;
    tt_emulator::sfpu_init_pack(tt_emulator::SfpuInit::exp_tile_init, variant, line);
}

template <
    bool approx = false, bool scale_en = false, InputClamping input_clamping = InputClamping::ClampToNegative,
    int iterations = 8, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void exp_packthread_tile(
    std::uint32_t idst, [[maybe_unused]] VectorMode vector_mode = VectorMode::RC,
    [[maybe_unused]] std::uint16_t scale = 0x3F80, std::uint32_t line = __builtin_LINE()) {
    constexpr std::uint32_t variant = approx | static_cast<std::uint32_t>(input_clamping) << 1;
    const std::uint32_t factor = scale_en ? static_cast<std::uint32_t>(scale) << 16 : 0x3F800000u;
    const auto& operation = approx ? tt_emulator::sfpu::exp_approximate_scaled : tt_emulator::sfpu::exp_scaled;
    tt_emulator::sfpu_unary_pack(operation, idst, {{factor, 0, 0}}, variant, "exp_packthread_tile", line);
}

}  // namespace ckernel
