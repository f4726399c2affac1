// SFPU functions without a header of their own.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

template <bool fast_and_approx = false>
ALWI void sigmoid_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::sigmoid_tile_init, fast_and_approx, line);
}

template <
    VectorMode vec_mode = VectorMode::RC, bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void sigmoid_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(tt_emulator::sfpu::sigmoid, idst, vec_mode, {}, fast_and_approx, "sigmoid_tile", line);
}

template <bool fast_and_approx = false>
ALWI void sigmoid_tile_init_pack(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init_pack(tt_emulator::SfpuInit::sigmoid_tile_init, fast_and_approx, line);
}

template <
    VectorMode vec_mode = VectorMode::RC, bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void sigmoid_tile_pack(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary_pack(tt_emulator::sfpu::sigmoid, idst, {}, fast_and_approx, "sigmoid_tile_pack", line);
}

TT_SFPU_INIT(, silu_tile_init, silu_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, silu_tile, silu)
TT_SFPU_INIT_PACK(, silu_tile_init_pack, silu_tile_init)
TT_SFPU_UNARY_PACK(TT_ANY_DEST, silu_tile_pack, silu)

template <bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void tanh_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::tanh_tile_init, fast_and_approx, line);
}

template <bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void tanh_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(tt_emulator::sfpu::tanh, idst, VectorMode::RC, {}, fast_and_approx, "tanh_tile", line);
}

template <bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void tanh_tile_init_pack(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init_pack(tt_emulator::SfpuInit::tanh_tile_init, fast_and_approx, line);
}

template <bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void tanh_tile_pack(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary_pack(tt_emulator::sfpu::tanh, idst, {}, fast_and_approx, "tanh_tile_pack", line);
}

template <bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void log_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::log_tile_init, fast_and_approx, line);
}

template <bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void log_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(tt_emulator::sfpu::log, idst, VectorMode::RC, {}, fast_and_approx, "log_tile", line);
}

template <bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void log_with_base_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::log_with_base_tile_init, fast_and_approx, line);
}

// base_scale: the bits of 1 / ln(base), as fp32.
template <bool fast_and_approx = false, bool base_is_two = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void log_with_base_tile(std::uint32_t idst, std::uint32_t base_scale, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(
        tt_emulator::sfpu::log_with_base, idst, VectorMode::RC, {{base_scale, 0, 0}}, fast_and_approx,
        "log_with_base_tile", line);
}

template <bool approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void expm1_tile_init(std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::expm1_tile_init, approx, line);
}

template <bool approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void expm1_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(tt_emulator::sfpu::expm1, idst, VectorMode::RC, {}, approx, "expm1_tile", line);
}

TT_SFPU_INIT(TT_ANY_DEST, exp2_tile_init, exp2_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, exp2_tile, exp2)
TT_SFPU_INIT(, square_tile_init, square_tile_init)
TT_SFPU_UNARY(TT_ANY_DEST, square_tile, square)
TT_SFPU_INIT(, abs_tile_init, abs_tile_init)
TT_SFPU_UNARY(, abs_tile, abs)
TT_SFPU_UNARY(, abs_tile_int32, abs_int32)
TT_SFPU_INIT(, sign_tile_init, sign_tile_init)
TT_SFPU_UNARY(, sign_tile, sign)
TT_SFPU_INIT(, signbit_tile_init, signbit_tile_init)
TT_SFPU_UNARY(, signbit_tile, signbit)
TT_SFPU_INIT(, signbit_tile_int32_init, signbit_tile_int32_init)
TT_SFPU_UNARY(, signbit_tile_int32, signbit_int32)
TT_SFPU_INIT(, power_tile_init, power_tile_init)
TT_SFPU_UNARY_1(TT_ANY_DEST, power_tile, power)
TT_SFPU_INIT(, power_iterative_tile_init, power_iterative_tile_init)
TT_SFPU_UNARY_1(, power_iterative_tile, power_iterative)
TT_SFPU_INIT(, heaviside_tile_init, heaviside_tile_init)
TT_SFPU_UNARY_1(, heaviside_tile, heaviside)
TT_SFPU_INIT(, alt_complex_rotate90_tile_init, alt_complex_rotate90_tile_init)
TT_SFPU_UNARY(, alt_complex_rotate90_tile, alt_complex_rotate90)
TT_SFPU_INIT(, unary_max_tile_init, unary_max_tile_init)
TT_SFPU_UNARY_1(, unary_max_tile, unary_max)
TT_SFPU_INIT(, unary_max_int32_tile_init, unary_max_int32_tile_init)
TT_SFPU_UNARY_1(, unary_max_int32_tile, unary_max_int32)
TT_SFPU_INIT(, unary_max_uint32_tile_init, unary_max_uint32_tile_init)
TT_SFPU_UNARY_1(, unary_max_uint32_tile, unary_max_uint32)
TT_SFPU_INIT(, unary_min_tile_init, unary_min_tile_init)
TT_SFPU_UNARY_1(, unary_min_tile, unary_min)
TT_SFPU_INIT(, unary_min_int32_tile_init, unary_min_int32_tile_init)
TT_SFPU_UNARY_1(, unary_min_int32_tile, unary_min_int32)
TT_SFPU_INIT(, unary_min_uint32_tile_init, unary_min_uint32_tile_init)
TT_SFPU_UNARY_1(, unary_min_uint32_tile, unary_min_uint32)

constexpr bool sfpu_reduce_format_supported(DataFormat format) {
    return format == DataFormat::Float32 || format == DataFormat::Int32 || format == DataFormat::UInt32 ||
           format == DataFormat::UInt16 || format == DataFormat::Float16_b;
}

template <PoolType pool_type, DataFormat format, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void sfpu_reduce_init(std::uint32_t line = __builtin_LINE()) {
    static_assert(
        sfpu_reduce_format_supported(format),
        "Unsupported data format. Supported formats: Float32, Int32, UInt32, UInt16, Float16_b");
    constexpr auto variant = static_cast<std::uint32_t>(pool_type) | static_cast<std::uint32_t>(format) << 4;
    tt_emulator::sfpu_init(tt_emulator::SfpuInit::sfpu_reduce_init, variant, line);
}

template <
    PoolType pool_type, DataFormat format, ReduceDim reduce_dim = ReduceDim::REDUCE_COL,
    bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void sfpu_reduce(
    std::uint32_t idst, std::uint32_t ct_dim = 1, std::uint32_t rt_dim = 1, std::uint32_t line = __builtin_LINE()) {
    static_assert(
        reduce_dim == ReduceDim::REDUCE_COL || (reduce_dim == ReduceDim::REDUCE_ROW && pool_type != PoolType::AVG),
        "Only column reduction (REDUCE_COL) is supported for all pool types; row reduction (REDUCE_ROW) is only "
        "supported for SUM, MAX and MIN");
    static_assert(
        sfpu_reduce_format_supported(format),
        "Unsupported data format. Supported formats: Float32, Int32, UInt32, UInt16, Float16_b");
    tt_emulator::sfpu_reduce(pool_type, format, reduce_dim, idst, ct_dim, rt_dim, line);
}

}  // namespace ckernel
