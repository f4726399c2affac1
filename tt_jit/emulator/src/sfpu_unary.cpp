// Float operations on one tile.
#include "sfpu_loops.h"
#include "sfpu_special.h"

namespace tt_emulator::sfpu {
namespace {

namespace m = tt_emulator::sfpu_math;

float one_if(bool condition) { return condition ? 1.0f : 0.0f; }

float square_of(float x) { return x * x; }
float sign_of(float x) { return x == 0.0f ? 0.0f : m::copy_sign(1.0f, x); }
float signbit_of(float x) { return static_cast<float>(m::bits_of(x) >> 31); }
float negated(float x) { return m::float_of(m::bits_of(x) ^ 0x80000000u); }
float same(float x) { return x; }
// The chip loses NaN here: its reciprocal is 0.
float reciprocal(float x) { return m::is_nan(x) ? 0.0f : 1.0f / x; }
float square_root_of(float x) { return x < 0.0f ? m::not_a_number : m::square_root(m::flush(x)); }
float reciprocal_root(float x) { return 1.0f / square_root_of(x); }
float silu_of(float x) { return x * m::sigmoid(x); }
float exp_times(float x, float factor) { return m::exp(x * factor); }
float log_times(float x, float factor) { return m::log(x) * factor; }
float power_of(float x, float exponent) { return m::pow(x, exponent); }
float power_with_base(float x, float base) { return m::pow(base, x); }

float power_of_integer(float x, float exponent_bits) {
    float result = 1.0f;
    for (std::uint32_t n = m::bits_of(exponent_bits); n != 0; n >>= 1) {
        result = n & 1u ? result * x : result;
        x *= x;
    }
    return result;
}

float gelu_of(float x) { return 0.5f * x * (1.0f + m::erf(x * 0.70710678118654752f)); }
float gelu_tanh_of(float x) { return 0.5f * x * (1.0f + m::tanh(0.79788456080286536f * (x + 0.044715f * x * x * x))); }
float gelu_derivative_of(float x) {
    return 0.5f * (1.0f + m::erf(x * 0.70710678118654752f)) + x * 0.39894228040143268f * m::exp(-0.5f * x * x);
}
float tanh_derivative_of(float x) {
    const float t = m::tanh(x);
    return (1.0f - t) * (1.0f + t);
}

float relu_of(float x) { return x > 0.0f ? x : 0.0f; }
float at_most_and_positive(float x, float limit) { return m::limited(x > limit ? limit : x, 0.0f, m::infinity); }
float leaky(float x, float slope) { return x < 0.0f ? x * slope : x; }
float elu_of(float x, float alpha) { return x < 0.0f ? alpha * m::expm1(x) : x; }
float selu_of(float x, float factor, float alpha) { return factor * elu_of(x, alpha); }
float celu_of(float x, float alpha, float inverse) { return x < 0.0f ? alpha * m::expm1(x * inverse) : x; }
float hardtanh_of(float x, float low, float high) { return m::limited(x, low, high); }
float hardsigmoid_of(float x) { return m::limited(x * 0.16666667f + 0.5f, 0.0f, 1.0f); }
float hardmish_of(float x) { return x * m::limited(x * 0.5f + 1.0f, 0.0f, 1.0f); }
float softplus_above_zero(float x) { return m::larger(x, 0.0f) + m::log1p(m::exp(-m::absolute(x))); }
float mish_of(float x) { return x * m::tanh(softplus_above_zero(x)); }
float softplus_of(float x, float beta, float inverse, float threshold) {
    const float t = beta * x;
    return t <= threshold ? inverse * softplus_above_zero(t) : x;
}
float softsign_of(float x) { return x / (1.0f + m::absolute(x)); }
float softshrink_of(float x, float lambda) { return x > lambda ? x - lambda : x < -lambda ? x + lambda : 0.0f; }
float hardshrink_of(float x, float lambda) { return x > lambda || x < -lambda ? x : 0.0f; }
float tanhshrink_of(float x) { return x - m::tanh(x); }
float softcap_of(float x, float beta, float inverse) { return beta * m::tanh(x * inverse); }
float xielu_of(float x, float positive, float negative) {
    const float below = negative * (m::expm1(m::smaller(x, 0.0f)) - x) + 0.5f * x;
    return x > 0.0f ? positive * x * x + 0.5f * x : below;
}
float threshold_of(float x, float threshold, float value) { return x <= threshold ? value : x; }
float heaviside_of(float x, float at_zero) { return x == 0.0f ? at_zero : one_if(!(m::bits_of(x) >> 31)); }

float trunc_of(float x) { return __builtin_truncf(x); }
float floor_of(float x) { return __builtin_floorf(x); }
float ceil_of(float x) { return __builtin_ceilf(x); }
float frac_of(float x) { return x - __builtin_truncf(x); }
float round_scaled(float x, float coefficient, float inverse) {
    const float scaled = x * coefficient;
    const float magnitude = m::absolute(scaled);
    const float nearest = m::copy_sign((magnitude + 8388608.0f) - 8388608.0f, scaled);
    return inverse * (magnitude < 8388608.0f ? nearest : scaled);
}
float round_to_bf16(float x) {
    const std::uint32_t bits = m::bits_of(x);
    return m::is_nan(x) ? x : m::float_of((bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u);
}

bool is_infinite(float x) { return m::absolute(x) == m::infinity; }
float isinf_of(float x) { return one_if(is_infinite(x)); }
float isposinf_of(float x) { return one_if(x == m::infinity); }
float isneginf_of(float x) { return one_if(x == -m::infinity); }
float isnan_of(float x) { return one_if(m::is_nan(x)); }
float isfinite_of(float x) { return one_if(m::absolute(x) < m::infinity); }
// The comparisons with a scalar look at the sign of a difference: -0 lies below +0 and does not equal it, equal infinities
// do not equal each other, and NaN is above or below by its sign.
std::uint32_t difference(float x, float y) {
    if (m::is_nan(x) || m::is_nan(y)) return m::bits_of(m::is_nan(x) ? x : -y);
    const bool same_infinity = x == y && is_infinite(x);
    return same_infinity ? m::bits_of(m::not_a_number) : m::bits_of(m::flush(m::flush(x) - m::flush(y)));
}
float no_difference(float x, float y) { return one_if(difference(x, y) == 0); }
float some_difference(float x, float y) { return one_if(difference(x, y) != 0); }
float above(float x, float y) { return one_if(difference(y, x) >> 31); }
float not_below(float x, float y) { return one_if(!(difference(x, y) >> 31)); }
float below(float x, float y) { return one_if(difference(x, y) >> 31); }
float not_above(float x, float y) { return one_if(!(difference(y, x) >> 31)); }
float is_zero(float x) { return one_if(x == 0.0f); }
float is_not_zero(float x) { return one_if(x != 0.0f); }
float is_positive(float x) { return one_if(x > 0.0f); }
float is_not_negative(float x) { return one_if(x >= 0.0f); }
float is_negative(float x) { return one_if(x < 0.0f); }
float is_not_positive(float x) { return one_if(x <= 0.0f); }

// The vector unit's adder and multiplier take denormals for zeros.
float plus(float x, float y) { return m::flush(x) + m::flush(y); }
float minus(float x, float y) { return m::flush(x) - m::flush(y); }
float times(float x, float y) { return m::flush(x) * m::flush(y); }
float from(float x, float y) { return m::flush(y) - m::flush(x); }
float maximum(float x, float y) { return m::ordered(x) > m::ordered(y) ? x : y; }
float minimum(float x, float y) { return m::ordered(x) < m::ordered(y) ? x : y; }
float divided_into(float x, float value) { return value / x; }
float divided_into_trunc(float x, float value) { return trunc_of(value / x); }
float divided_into_floor(float x, float value) { return floor_of(value / x); }
float filled(float, float value) { return value; }
float fmod_of(float x, float y) { return y == 0.0f ? m::not_a_number : m::fmod(x, y); }
float remainder_of(float x, float y) {
    const float r = fmod_of(x, y);
    return r != 0.0f && (r < 0.0f) != (y < 0.0f) ? r + y : r;
}

// Pairs (re, im) become (im, -re).
void rotate_pairs(Tile& tile, std::uint32_t begin, std::uint32_t count, const SfpuParameters&) {
    for (std::uint32_t i = begin; i < begin + count; i += 2) {
        const float re = tile.f[i];
        tile.f[i] = tile.f[i + 1];
        tile.f[i + 1] = -re;
    }
}

constexpr LaneStore exact = LaneStore::exact, nearest = LaneStore::nearest, truncate = LaneStore::truncate;

}  // namespace

#define INIT(name) SfpuInit::name
const UnaryOperation abs{INIT(abs_tile_init), exact, lanes<m::absolute>};
const UnaryOperation acos{INIT(acos_tile_init), nearest, lanes<m::acos>};
const UnaryOperation acosh{INIT(acosh_tile_init), nearest, lanes<m::acosh>};
const UnaryOperation add_unary{INIT(binop_with_scalar_tile_init), truncate, lanes_1<plus>};
const UnaryOperation alt_complex_rotate90{INIT(alt_complex_rotate90_tile_init), exact, rotate_pairs};
const UnaryOperation asin{INIT(asin_tile_init), nearest, lanes<m::asin>};
const UnaryOperation asinh{INIT(asinh_tile_init), nearest, lanes<m::asinh>};
const UnaryOperation atan{INIT(atan_tile_init), nearest, lanes<m::atan>};
const UnaryOperation atanh{INIT(atanh_tile_init), nearest, lanes<m::atanh>};
const UnaryOperation cbrt{INIT(cbrt_tile_init), nearest, lanes<m::cbrt>};
const UnaryOperation ceil{INIT(rounding_op_tile_init), truncate, lanes<ceil_of>};
const UnaryOperation celu{INIT(celu_tile_init), nearest, lanes_2<celu_of>};
const UnaryOperation clamp{INIT(clamp_tile_init), truncate, lanes_2<hardtanh_of>};
const UnaryOperation cos{INIT(cos_tile_init), nearest, lanes<m::cos>};
const UnaryOperation cosh{INIT(cosh_tile_init), nearest, lanes<m::cosh>};
const UnaryOperation digamma{INIT(digamma_tile_init), truncate, lanes<m::digamma>};
const UnaryOperation div_unary{INIT(binop_with_scalar_tile_init), truncate, lanes_1<times>};
const UnaryOperation elu{INIT(elu_tile_init), nearest, lanes_1<elu_of>};
const UnaryOperation eqz{INIT(eqz_tile_init), exact, lanes<is_zero>};
const UnaryOperation erfc{INIT(erfc_tile_init), truncate, lanes<m::erfc>};
const UnaryOperation erfinv{INIT(erfinv_tile_init), truncate, lanes<m::erfinv>};
const UnaryOperation exp{INIT(exp_tile_init), nearest, lanes<m::exp>};
const UnaryOperation exp2{INIT(exp2_tile_init), nearest, lanes<m::exp2>};
const UnaryOperation exp_scaled{INIT(exp_tile_init), nearest, lanes_1<exp_times>};
const UnaryOperation expm1{INIT(expm1_tile_init), nearest, lanes<m::expm1>};
const UnaryOperation fill{INIT(fill_tile_init), truncate, lanes_1<filled>};
const UnaryOperation floor{INIT(rounding_op_tile_init), truncate, lanes<floor_of>};
const UnaryOperation fmod{INIT(fmod_tile_init), truncate, lanes_1<fmod_of>};
const UnaryOperation frac{INIT(rounding_op_tile_init), truncate, lanes<frac_of>};
const UnaryOperation gelu{INIT(gelu_tile_init), nearest, lanes<gelu_of>};
const UnaryOperation gelu_derivative{INIT(gelu_derivative_tile_init), nearest, lanes<gelu_derivative_of>};
const UnaryOperation gelu_tanh{INIT(gelu_tanh_tile_init), nearest, lanes<gelu_tanh_of>};
const UnaryOperation gez{INIT(gez_tile_init), exact, lanes<is_not_negative>};
const UnaryOperation gtz{INIT(gtz_tile_init), exact, lanes<is_positive>};
const UnaryOperation hardmish{INIT(hardmish_tile_init), truncate, lanes<hardmish_of>};
const UnaryOperation hardshrink{INIT(hardshrink_tile_init), exact, lanes_1<hardshrink_of>};
const UnaryOperation hardsigmoid{INIT(hardsigmoid_tile_init), truncate, lanes<hardsigmoid_of>};
const UnaryOperation hardtanh{INIT(hardtanh_tile_init), truncate, lanes_2<hardtanh_of>};
const UnaryOperation heaviside{INIT(heaviside_tile_init), truncate, lanes_1<heaviside_of>};
const UnaryOperation i0{INIT(i0_tile_init), truncate, lanes<m::i0>};
const UnaryOperation i1{INIT(i1_tile_init), nearest, lanes<m::i1>};
const UnaryOperation identity{INIT(identity_tile_init), exact, lanes<same>};
const UnaryOperation isfinite{INIT(isfinite_tile_init), exact, lanes<isfinite_of>};
const UnaryOperation isinf{INIT(isinf_tile_init), exact, lanes<isinf_of>};
const UnaryOperation isnan{INIT(isnan_tile_init), exact, lanes<isnan_of>};
const UnaryOperation isneginf{INIT(isneginf_tile_init), exact, lanes<isneginf_of>};
const UnaryOperation isposinf{INIT(isposinf_tile_init), exact, lanes<isposinf_of>};
const UnaryOperation leaky_relu{INIT(leaky_relu_tile_init), truncate, lanes_1<leaky>};
const UnaryOperation lez{INIT(lez_tile_init), exact, lanes<is_not_positive>};
const UnaryOperation log{INIT(log_tile_init), nearest, lanes<m::log>};
const UnaryOperation log1p{INIT(log1p_tile_init), nearest, lanes<m::log1p>};
const UnaryOperation log_with_base{INIT(log_with_base_tile_init), nearest, lanes_1<log_times>};
const UnaryOperation logical_not{INIT(logical_not_tile_init), exact, lanes<is_zero>};
const UnaryOperation ltz{INIT(ltz_tile_init), exact, lanes<is_negative>};
const UnaryOperation mish{INIT(mish_tile_init), nearest, lanes<mish_of>};
const UnaryOperation mul_unary{INIT(binop_with_scalar_tile_init), truncate, lanes_1<times>};
const UnaryOperation negative{INIT(negative_tile_init), exact, lanes<negated>};
const UnaryOperation nez{INIT(nez_tile_init), exact, lanes<is_not_zero>};
const UnaryOperation polygamma{INIT(polygamma_tile_init), nearest, lanes_2<m::polygamma>};
const UnaryOperation power{INIT(power_tile_init), nearest, lanes_1<power_of>};
const UnaryOperation power_iterative{INIT(power_iterative_tile_init), truncate, lanes_1<power_of_integer>};
const UnaryOperation prelu{INIT(prelu_tile_init), truncate, lanes_1<leaky>};
const UnaryOperation rdiv{INIT(rdiv_tile_init), truncate, lanes_1<divided_into>};
const UnaryOperation rdiv_floor{INIT(rdiv_tile_init), truncate, lanes_1<divided_into_floor>};
const UnaryOperation rdiv_trunc{INIT(rdiv_tile_init), truncate, lanes_1<divided_into_trunc>};
const UnaryOperation recip{INIT(recip_tile_init), nearest, lanes<reciprocal>};
const UnaryOperation relu{INIT(relu_tile_init), exact, lanes<relu_of>};
const UnaryOperation relu_max{INIT(relu_max_tile_init), truncate, lanes_1<at_most_and_positive>};
const UnaryOperation relu_min{INIT(relu_min_tile_init), truncate, lanes_1<maximum>};
const UnaryOperation remainder{INIT(remainder_tile_init), truncate, lanes_1<remainder_of>};
const UnaryOperation round{INIT(rounding_op_tile_init), truncate, lanes_2<round_scaled>};
const UnaryOperation rpow{INIT(rpow_tile_init), nearest, lanes_1<power_with_base>};
const UnaryOperation rsqrt{INIT(rsqrt_tile_init), nearest, lanes<reciprocal_root>};
const UnaryOperation rsub{INIT(rsub_tile_init), nearest, lanes_1<from>};
const UnaryOperation rsub_unary{INIT(binop_with_scalar_tile_init), nearest, lanes_1<from>};
const UnaryOperation selu{INIT(selu_tile_init), nearest, lanes_2<selu_of>};
const UnaryOperation sigmoid{INIT(sigmoid_tile_init), nearest, lanes<m::sigmoid>};
const UnaryOperation sign{INIT(sign_tile_init), exact, lanes<sign_of>};
const UnaryOperation signbit{INIT(signbit_tile_init), exact, lanes<signbit_of>};
const UnaryOperation silu{INIT(silu_tile_init), nearest, lanes<silu_of>};
const UnaryOperation sin{INIT(sin_tile_init), nearest, lanes<m::sin>};
const UnaryOperation sinh{INIT(sinh_tile_init), nearest, lanes<m::sinh>};
const UnaryOperation lgamma_stirling{INIT(lgamma_stirling_tile_init), nearest, lanes<m::lgamma>};
const UnaryOperation softcap{INIT(softcap_tile_init), truncate, lanes_2<softcap_of>};
const UnaryOperation softplus{INIT(softplus_tile_init), nearest, lanes_3<softplus_of>};
const UnaryOperation softshrink{INIT(softshrink_tile_init), truncate, lanes_1<softshrink_of>};
const UnaryOperation softsign{INIT(softsign_tile_init), truncate, lanes<softsign_of>};
const UnaryOperation sqrt{INIT(sqrt_tile_init), nearest, lanes<square_root_of>};
const UnaryOperation square{INIT(square_tile_init), nearest, lanes<square_of>};
const UnaryOperation stochastic_round{INIT(rounding_op_tile_init), nearest, lanes<round_to_bf16>};
const UnaryOperation sub_unary{INIT(binop_with_scalar_tile_init), truncate, lanes_1<minus>};
const UnaryOperation tan{INIT(tan_tile_init), nearest, lanes<m::tan>};
const UnaryOperation tanh{INIT(tanh_tile_init), nearest, lanes<m::tanh>};
const UnaryOperation tanh_derivative{INIT(tanh_derivative_tile_init), nearest, lanes<tanh_derivative_of>};
const UnaryOperation tanhshrink{INIT(tanhshrink_tile_init), nearest, lanes<tanhshrink_of>};
const UnaryOperation threshold{INIT(threshold_tile_init), truncate, lanes_2<threshold_of>};
const UnaryOperation trunc{INIT(rounding_op_tile_init), truncate, lanes<trunc_of>};
const UnaryOperation unary_eq{INIT(unary_eq_tile_init), exact, lanes_1<no_difference>};
const UnaryOperation unary_ge{INIT(unary_ge_tile_init), exact, lanes_1<not_below>};
const UnaryOperation unary_gt{INIT(unary_gt_tile_init), exact, lanes_1<above>};
const UnaryOperation unary_le{INIT(unary_le_tile_init), exact, lanes_1<not_above>};
const UnaryOperation unary_lt{INIT(unary_lt_tile_init), exact, lanes_1<below>};
const UnaryOperation unary_max{INIT(unary_max_tile_init), truncate, lanes_1<maximum>};
const UnaryOperation unary_min{INIT(unary_min_tile_init), truncate, lanes_1<minimum>};
const UnaryOperation unary_ne{INIT(unary_ne_tile_init), exact, lanes_1<some_difference>};
const UnaryOperation xielu{INIT(xielu_tile_init), nearest, lanes_2<xielu_of>};
#undef INIT

}  // namespace tt_emulator::sfpu
