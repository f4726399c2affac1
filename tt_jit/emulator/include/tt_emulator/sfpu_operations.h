// The names of all SFPU operations.
#pragma once

#include "tt_emulator/sfpu.h"

#define TT_EMULATOR_UNARY_OPERATIONS(X)                                                                                \
    X(abs) X(acos) X(acosh) X(add_unary) X(alt_complex_rotate90) X(asin) X(asinh) X(atan) X(atanh) X(cbrt) X(ceil)     \
    X(celu) X(clamp) X(cos) X(cosh) X(digamma) X(div_unary) X(elu) X(eqz) X(erf_bfloat16)            \
    X(erf_bfloat16_7_bits) X(erf_bfloat16_one_step) X(erf_float32) X(erf_float32_7_bits) X(erf_float32_one_step)       \
    X(erfc) X(erfinv) X(exp) X(exp2) X(exp_approximate) X(exp_approximate_scaled) X(recip_7_bits) X(recip_one_step)    \
    X(rsqrt_approximate) X(sqrt_approximate)                                                                           \
    X(exp_scaled) X(expm1) X(fill) X(floor) X(fmod) X(frac) X(gelu) X(gelu_derivative) X(gelu_tanh) X(gez) X(gtz)      \
    X(hardmish) X(hardshrink) X(hardsigmoid) X(hardtanh) X(heaviside) X(i0) X(i1) X(identity) X(isfinite) X(isinf)     \
    X(isnan) X(isneginf) X(isposinf) X(leaky_relu) X(lez) X(lgamma_stirling) X(log) X(log1p) X(log_with_base)          \
    X(logical_not) X(ltz) X(mish) X(mul_unary) X(negative) X(nez) X(polygamma) X(power) X(power_iterative) X(prelu)    \
    X(rdiv) X(rdiv_floor) X(rdiv_trunc) X(recip) X(relu) X(relu_max) X(relu_min) X(remainder) X(round) X(rpow)         \
    X(rsqrt) X(rsub) X(rsub_unary) X(selu) X(sigmoid) X(sign) X(signbit) X(silu) X(sin) X(sinh) X(softcap)             \
    X(softplus) X(softshrink) X(softsign) X(sqrt) X(square) X(stochastic_round) X(sub_unary) X(tan) X(tanh)            \
    X(tanh_derivative) X(tanhshrink) X(threshold) X(trunc) X(unary_eq) X(unary_ge) X(unary_gt) X(unary_le)             \
    X(unary_lt) X(unary_max) X(unary_min) X(unary_ne) X(xielu)

#define TT_EMULATOR_INTEGER_UNARY_OPERATIONS(X)                                                                        \
    X(abs_int32) X(add_unary_int32) X(bitwise_and_int32) X(bitwise_and_uint16) X(bitwise_not) X(bitwise_or_int32)      \
    X(bitwise_or_uint16) X(bitwise_xor_int32) X(bitwise_xor_uint16) X(clamp_int32) X(eqz_int32) X(eqz_uint16)          \
    X(fill_bits) X(fill_int32) X(fill_uint16) X(gez_int32) X(gtz_int32) X(identity_uint32) X(left_shift_int32)         \
    X(left_shift_uint16) X(lez_int32) X(logical_not_int32) X(logical_not_uint16) X(ltz_int32) X(negative_int32)        \
    X(nez_int32) X(nez_uint16) X(relu_int32) X(relu_max_int32) X(relu_max_uint16) X(relu_max_uint32)                   \
    X(relu_min_int32) X(relu_min_uint16) X(relu_min_uint32) X(remainder_unary_uint32) X(right_shift_int32)             \
    X(right_shift_uint16) X(right_shift_uint32) X(rsub_unary_int32) X(signbit_int32) X(sub_unary_int32)                \
    X(unary_eq_int32) X(unary_ge_int32) X(unary_gt_int32) X(unary_le_int32) X(unary_lt_int32) X(unary_max_int32)       \
    X(unary_max_uint32) X(unary_min_int32) X(unary_min_uint32) X(unary_ne_int32)

#define TT_EMULATOR_BINARY_OPERATIONS(X)                                                                               \
    X(add_binary) X(add_binary_nearest) X(atan2_binary) X(div_binary) X(eq_binary) X(fmod_binary) X(ge_binary)         \
    X(gt_binary) X(isclose_binary) X(isclose_binary_equal_nan) X(le_binary) X(lgamma_stirling_float)                   \
    X(logaddexp2_binary) X(logaddexp_binary) X(logsigmoid) X(lt_binary) X(binary_max) X(binary_min) X(mul_binary)      \
    X(ne_binary) X(nextafter_bf16_binary) X(nextafter_binary) X(power_binary) X(remainder_binary) X(rsub_binary)       \
    X(rsub_binary_nearest) X(sub_binary) X(sub_binary_nearest) X(xlogy_binary)

#define TT_EMULATOR_INTEGER_BINARY_OPERATIONS(X)                                                                       \
    X(add_int32) X(add_uint16) X(binary_left_shift_int32) X(binary_left_shift_uint16)                                  \
    X(binary_logical_right_shift_int32) X(binary_logical_right_shift_uint16) X(binary_max_int32) X(binary_max_uint32)  \
    X(binary_min_int32) X(binary_min_uint32) X(binary_right_shift_int32) X(binary_right_shift_uint16)                  \
    X(binary_right_shift_uint32) X(bitwise_and_binary_int32) X(bitwise_and_binary_uint16) X(bitwise_or_binary_int32)   \
    X(bitwise_or_binary_uint16) X(bitwise_xor_binary_int32) X(bitwise_xor_binary_uint16) X(div_int32)                  \
    X(div_int32_floor) X(div_int32_trunc) X(eq_int32) X(eq_uint16) X(fmod_int32) X(gcd) X(ge_int32) X(ge_uint32)       \
    X(ge_uint16) X(gt_int32) X(gt_uint32) X(gt_uint16) X(lcm) X(le_int32) X(le_uint32) X(le_uint16) X(lt_int32)        \
    X(lt_uint32) X(lt_uint16) X(mul_int32) X(mul_uint16) X(ne_int32) X(ne_uint16) X(remainder_int32)                   \
    X(remainder_uint32) X(rsub_int32) X(rsub_uint16) X(sub_int32) X(sub_uint16)

#define TT_EMULATOR_TERNARY_OPERATIONS(X)                                                                              \
    X(addcdiv) X(addcmul) X(lerp) X(lgamma_adjusted) X(mac) X(snake_beta) X(where) X(where_int32)

namespace tt_emulator::sfpu {

#define TT_EMULATOR_DECLARE_UNARY(name) extern const UnaryOperation name;
#define TT_EMULATOR_DECLARE_BINARY(name) extern const BinaryOperation name;
#define TT_EMULATOR_DECLARE_TERNARY(name) extern const TernaryOperation name;
TT_EMULATOR_UNARY_OPERATIONS(TT_EMULATOR_DECLARE_UNARY)
TT_EMULATOR_INTEGER_UNARY_OPERATIONS(TT_EMULATOR_DECLARE_UNARY)
TT_EMULATOR_BINARY_OPERATIONS(TT_EMULATOR_DECLARE_BINARY)
TT_EMULATOR_INTEGER_BINARY_OPERATIONS(TT_EMULATOR_DECLARE_BINARY)
TT_EMULATOR_TERNARY_OPERATIONS(TT_EMULATOR_DECLARE_TERNARY)
#undef TT_EMULATOR_DECLARE_UNARY
#undef TT_EMULATOR_DECLARE_BINARY
#undef TT_EMULATOR_DECLARE_TERNARY

}  // namespace tt_emulator::sfpu
