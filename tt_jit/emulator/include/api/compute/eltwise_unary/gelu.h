// GELU, exact and by tanh, and its derivative.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

template <bool fast_and_approx = true, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void gelu_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::gelu_tile_init, fast_and_approx, line);
}

template <bool fast_and_approx = true, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void gelu_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(tt_emulator::sfpu::gelu, idst, VectorMode::RC, {}, fast_and_approx, "gelu_tile", line);
}

template <bool fast_and_approx = true, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void gelu_tile_init_pack(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init_pack(tt_emulator::SfpuInit::gelu_tile_init, fast_and_approx, line);
}

template <bool fast_and_approx = true, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void gelu_tile_pack(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary_pack(tt_emulator::sfpu::gelu, idst, {}, fast_and_approx, "gelu_tile_pack", line);
}

template <bool fast = false>
ALWI void gelu_tanh_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::gelu_tanh_tile_init, fast, line);
}

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE, bool fast = false>
ALWI void gelu_tanh_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(tt_emulator::sfpu::gelu_tanh, idst, VectorMode::RC, {}, fast, "gelu_tanh_tile", line);
}

template <bool fast = false>
ALWI void gelu_tanh_tile_init_pack(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init_pack(tt_emulator::SfpuInit::gelu_tanh_tile_init, fast, line);
}

template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE, bool fast = false>
ALWI void gelu_tanh_tile_pack(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary_pack(tt_emulator::sfpu::gelu_tanh, idst, {}, fast, "gelu_tanh_tile_pack", line);
}

template <bool fast_and_approx = false>
ALWI void gelu_derivative_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::gelu_derivative_tile_init, fast_and_approx, line);
}

template <bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void gelu_derivative_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(
        tt_emulator::sfpu::gelu_derivative, idst, VectorMode::RC, {}, fast_and_approx, "gelu_derivative_tile", line);
}

}  // namespace ckernel
