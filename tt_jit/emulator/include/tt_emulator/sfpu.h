// The SFPU's operations on DST tiles: one constant per operation, and the functions that check the kernel's contract and
// run it. api/compute/** only names them.
#pragma once

#include <cstdint>

#include "tt_emulator/compute.h"

// Every init function of the API that prepares SFPU operations. Operations that share an init name the same one.
#define TT_EMULATOR_SFPU_INITS(X)                                                                                      \
    X(abs_tile_init) X(acos_tile_init) X(acosh_tile_init) X(add_binary_tile_init) X(add_int_tile_init)                 \
    X(addcdiv_tile_init) X(addcmul_tile_init) X(alt_complex_rotate90_tile_init) X(asin_tile_init) X(asinh_tile_init)   \
    X(atan2_binary_tile_init) X(atan_tile_init) X(atanh_tile_init) X(binary_bitwise_tile_init)                         \
    X(binary_max_int32_tile_init) X(binary_max_tile_init) X(binary_max_uint32_tile_init)                               \
    X(binary_min_int32_tile_init) X(binary_min_tile_init) X(binary_min_uint32_tile_init) X(binary_shift_tile_init)     \
    X(binop_with_scalar_tile_init) X(bitwise_and_tile_init) X(bitwise_not_tile_init) X(bitwise_or_tile_init)           \
    X(bitwise_xor_tile_init) X(cbrt_tile_init) X(celu_tile_init) X(clamp_tile_init) X(copy_dest_values_init)           \
    X(cos_tile_init) X(cosh_tile_init) X(cumsum_tile_init) X(digamma_tile_init) X(div_binary_tile_init)                \
    X(div_int32_floor_tile_init) X(div_int32_tile_init) X(div_int32_trunc_tile_init) X(dropout_kernel_init)            \
    X(elu_tile_init) X(eq_binary_tile_init) X(eq_int_tile_init) X(eqz_tile_init) X(erf_tile_init) X(erfc_tile_init)    \
    X(erfinv_tile_init) X(exp2_tile_init) X(exp_tile_init) X(expm1_tile_init) X(fill_tile_init)                        \
    X(fmod_binary_tile_init) X(fmod_int32_tile_init) X(fmod_tile_init) X(gcd_tile_init) X(ge_binary_tile_init)         \
    X(ge_int_tile_init) X(gelu_derivative_tile_init) X(gelu_tanh_tile_init) X(gelu_tile_init) X(gez_tile_init)         \
    X(gt_binary_tile_init) X(gt_int_tile_init) X(gtz_tile_init) X(hardmish_tile_init) X(hardshrink_tile_init)          \
    X(hardsigmoid_tile_init) X(hardtanh_tile_init) X(heaviside_tile_init) X(i0_tile_init) X(i1_tile_init)              \
    X(identity_tile_init) X(isclose_binary_tile_init) X(isfinite_tile_init) X(isinf_tile_init) X(isnan_tile_init)      \
    X(isneginf_tile_init) X(isposinf_tile_init) X(lcm_tile_init) X(le_binary_tile_init) X(le_int_tile_init)            \
    X(leaky_relu_tile_init) X(left_shift_tile_init) X(lerp_tile_init) X(lez_tile_init) X(lgamma_adjusted_tile_init)    \
    X(lgamma_stirling_float_tile_init) X(lgamma_stirling_tile_init) X(log1p_tile_init) X(log_tile_init)                \
    X(log_with_base_tile_init) X(logaddexp2_binary_tile_init) X(logaddexp_binary_tile_init) X(logical_not_tile_init)   \
    X(logsigmoid_tile_init) X(lt_binary_tile_init) X(lt_int_tile_init) X(ltz_tile_init) X(mac_tile_init)               \
    X(mask_tile_init) X(mish_tile_init) X(mul_binary_tile_init) X(mul_int_tile_init) X(ne_binary_tile_init)            \
    X(ne_int_tile_init) X(negative_tile_init) X(nextafter_bf16_binary_tile_init) X(nextafter_binary_tile_init)         \
    X(nez_tile_init) X(polygamma_tile_init) X(power_binary_tile_init) X(power_iterative_tile_init)                     \
    X(power_tile_init) X(prelu_tile_init) X(rand_tile_init) X(rdiv_tile_init) X(recip_tile_init) X(relu_max_tile_init) \
    X(relu_min_tile_init) X(relu_tile_init) X(remainder_binary_tile_init) X(remainder_int32_tile_init)                 \
    X(remainder_tile_init) X(remainder_tile_uint32_init) X(remainder_uint32_tile_init) X(right_shift_tile_init)        \
    X(rounding_op_tile_init) X(rpow_tile_init) X(rsqrt_tile_init) X(rsub_binary_tile_init) X(rsub_int_tile_init)       \
    X(rsub_tile_init) X(rsub_unary_int32_tile_init) X(selu_tile_init)                         \
    X(sfpu_bcast_col_init) X(sfpu_bcast_row_init) X(sfpu_reduce_init) X(sigmoid_tile_init)        \
    X(sign_tile_init) X(signbit_tile_init) X(signbit_tile_int32_init) X(silu_tile_init) X(sin_tile_init)               \
    X(sinh_tile_init) X(snake_beta_tile_init) X(softcap_tile_init) X(softplus_tile_init) X(softshrink_tile_init)       \
    X(softsign_tile_init) X(sqrt_tile_init) X(square_tile_init) X(sub_binary_tile_init) X(sub_int_tile_init)           \
    X(tan_tile_init) X(tanh_derivative_tile_init) X(tanh_tile_init) X(tanhshrink_tile_init) X(threshold_tile_init)     \
    X(typecast_tile_init) X(unary_eq_tile_init) X(unary_ge_tile_init) X(unary_gt_tile_init)    \
    X(unary_le_tile_init) X(unary_lt_tile_init) X(unary_max_int32_tile_init) X(unary_max_tile_init)                    \
    X(unary_max_uint32_tile_init) X(unary_min_int32_tile_init) X(unary_min_tile_init) X(unary_min_uint32_tile_init)    \
    X(unary_ne_tile_init) X(where_tile_init) X(xielu_tile_init) X(xlogy_binary_tile_init)

namespace tt_emulator {

enum class SfpuInit : std::uint16_t {
    none,
#define TT_EMULATOR_SFPU_INIT(name) name,
    TT_EMULATOR_SFPU_INITS(TT_EMULATOR_SFPU_INIT)
#undef TT_EMULATOR_SFPU_INIT
};

// How a lane is stored. In a 16-bit DST the SFPU's store cuts the lower half off; many operations round before it.
enum class LaneStore : std::uint8_t {
    exact,     // the result has no more bits than the operands
    nearest,   // to even
    truncate,
    int32,     // needs a 32-bit DST
    uint16,
};

struct SfpuParameters {
    std::uint32_t word[3] = {0, 0, 0};
};

// A run of lanes [begin, begin + count) of whole tiles; results may overwrite operands.
struct UnaryOperation {
    SfpuInit init;
    LaneStore store;
    void (*run)(Tile& tile, std::uint32_t begin, std::uint32_t count, const SfpuParameters& parameters);
};
struct BinaryOperation {
    SfpuInit init;
    LaneStore store;
    void (*run)(const Tile& a, const Tile& b, Tile& out, std::uint32_t begin, std::uint32_t count,
                const SfpuParameters& parameters);
};
struct TernaryOperation {
    SfpuInit init;
    LaneStore store;
    void (*run)(const Tile& a, const Tile& b, const Tile& c, Tile& out, const SfpuParameters& parameters);
};

// `variant`: the template arguments in which an init and its calls must agree.
void sfpu_init(SfpuInit init, std::uint32_t variant, std::uint32_t line);
void sfpu_init_with(SfpuInit init, std::uint32_t first, std::uint32_t second, std::uint32_t line);
void sfpu_init_pack(SfpuInit init, std::uint32_t variant, std::uint32_t line);

// Whether the compute configuration asks for approximate functions (math_approx_mode).
bool sfpu_approximates();

void sfpu_unary(const UnaryOperation& operation, std::uint32_t dst, VectorMode mode, const SfpuParameters& parameters,
                std::uint32_t variant, const char* call, std::uint32_t line);
void sfpu_unary_pack(const UnaryOperation& operation, std::uint32_t dst, const SfpuParameters& parameters,
                     std::uint32_t variant, const char* call, std::uint32_t line);
void sfpu_binary(const BinaryOperation& operation, std::uint32_t dst0, std::uint32_t dst1, std::uint32_t out,
                 VectorMode mode, const SfpuParameters& parameters, std::uint32_t variant, const char* call,
                 std::uint32_t line);
void sfpu_ternary(const TernaryOperation& operation, std::uint32_t dst0, std::uint32_t dst1, std::uint32_t dst2,
                  std::uint32_t out, const SfpuParameters& parameters, std::uint32_t variant, const char* call,
                  std::uint32_t line);

void sfpu_broadcast(EltwiseBinaryType type, BroadcastType broadcast, std::uint32_t data, std::uint32_t vector,
                    std::uint32_t line);
void sfpu_reduce(PoolType pool, DataFormat format, ReduceDim dim, std::uint32_t dst, std::uint32_t columns,
                 std::uint32_t rows, std::uint32_t line);
void sfpu_cumsum(std::uint32_t dst, bool first, std::uint32_t line);
void sfpu_copy_dst(DataFormat format, std::uint32_t source, std::uint32_t target, std::uint32_t line);
void sfpu_mask(std::uint32_t data, std::uint32_t mask, DataFormat format, std::uint32_t fill, std::uint32_t line);
void sfpu_random(std::uint32_t dst, std::uint32_t from, std::uint32_t scale, std::uint32_t line);
void sfpu_dropout(std::uint32_t dst, std::uint32_t probability, std::uint32_t scale, std::uint32_t line);
void sfpu_typecast(DataFormat from, DataFormat to, std::uint32_t dst, std::uint32_t line);

}  // namespace tt_emulator
