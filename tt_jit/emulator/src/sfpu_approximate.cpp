// Functions that the chip itself approximates: the same formulas, so that kernels meet the same errors here.
#include <array>

#include "sfpu_loops.h"

namespace tt_emulator::sfpu {
namespace {

namespace m = tt_emulator::sfpu_math;

// Schraudolph's exponential: 2^8 / ln(2) x + 127 2^8 - C is the upper half of a float's bits, but for the sign.
// Relative error 3.2e-2; inputs below -88 give 0, above 88.7 no number. Ties are rounded away from zero.
float exp_of(float x) {
    const float bounded = m::ordered(x) > m::ordered(-88.5f) ? x : -88.5f;
    const float bits = m::fma(369.329925537109375f, bounded, 32500.818359375f);
    const float limited = m::is_nan(bits) ? 65535.0f : m::limited(bits, 0.0f, 65535.0f);
    return m::float_of(static_cast<std::uint32_t>(limited + 0.5f) << 15);
}
float exp_times(float x, float factor) { return exp_of(x * factor); }

// Blackhole's table of 128 reciprocals: that of the middle of an interval, to 7 bits. Relative error 5.6e-3.
float reciprocal_of_7_bits(float x) {
    const std::uint32_t bits = m::bits_of(x), exponent = bits >> 23 & 0xffu;
    if (exponent == 0) return m::copy_sign(m::infinity, x);
    if (exponent >= 253) return m::copy_sign(0.0f, x);
    const float middle = 1.0f + (static_cast<float>(bits >> 16 & 0x7fu) + 0.5f) / 128.0f;
    const auto mantissa = static_cast<std::uint32_t>(m::nearest_integer((2.0f / middle - 1.0f) * 128.0f).integer);
    return m::float_of((bits & 0x80000000u) | (253u - exponent) << 23 | mantissa << 16);
}

// Wormhole's parabola and one step of Newton's method. Relative error 1.1e-4.
float reciprocal_of_one_step(float x) {
    const std::uint32_t bits = m::bits_of(x), exponent = bits >> 23 & 0xffu;
    if (exponent == 0) return m::copy_sign(m::infinity, x);
    if (exponent == 255) return m::copy_sign(0.0f, x);
    const float negative = -m::float_of((bits & 0x7fffffu) | 0x3f800000u);
    const float slope = m::fma(0.3232325017452239990234375f, negative, 1.4545459747314453125f);
    const float guess = m::fma(slope, negative, 2.121212482452392578125f);
    const float refined = m::fma(guess, m::fma(negative, guess, 1.0f), guess);
    return m::copy_sign(m::flush(m::scale(refined, 127 - static_cast<std::int32_t>(exponent))), x);
}
float exact_reciprocal(float x) { return 1.0f / x; }

// The reciprocal root of 10 bits of Kokosinski et al. (2024). Relative error 8.8e-4.
struct Root {
    float y, product, factor;
};
Root root_of(float x) {
    const float y = m::float_of(0x5f0b3892u - (m::bits_of(x) >> 1));
    const float product = x * y;
    return {y, product, m::fma(-y, product, 1.89099014875f)};
}
float square_root(float x) {
    if (x == 0.0f || x == m::infinity) return x;
    const Root root = root_of(x);
    return x < 0.0f || m::is_nan(x) ? m::not_a_number : root.product * root.factor;
}
float reciprocal_root(float x) {
    if (x == 0.0f) return m::copy_sign(m::infinity, x);
    if (x == m::infinity) return 0.0f;
    const Root root = root_of(x);
    return x < 0.0f || m::is_nan(x) ? m::not_a_number : root.y * root.factor;
}

// Odd over even polynomials in x, coefficients from the constant one on.
template <std::size_t N, std::size_t D>
struct Rational {
    std::array<float, N> numerator;
    std::array<float, D> denominator;
};
constexpr Rational<4, 5> erf_of_bfloat16{
    {1.1280932447e+00f, 2.7609212279e-01f, 4.5400281738e-02f, 7.4481184425e-04f},
    {1.0000000000e+00f, 5.7439188334e-01f, 1.3675764810e-01f, 8.2844606784e-03f, 2.4813862145e-05f}};
constexpr Rational<8, 9> erf_of_float32{
    {1.1283791065e+00f, 2.1477432549e-01f, 6.2133435160e-02f, 5.6230435148e-03f, 6.1307044234e-04f, 1.7678321456e-05f,
     2.7384647439e-08f, -2.8632063387e-10f},
    {1.0000000000e+00f, 5.2367275953e-01f, 1.2961706519e-01f, 1.9642570987e-02f, 1.9545555115e-03f, 1.3179056987e-04f,
     1.3156344494e-06f, -3.5153888689e-09f, -6.7350725691e-12f}};

template <std::size_t N>
float polynomial(const std::array<float, N>& coefficients, float x) {
    float result = coefficients[N - 1];
    for (std::size_t i = N - 1; i-- > 0;) result = m::fma(result, x, coefficients[i]);
    return result;
}

template <const auto& rational, float (*reciprocal)(float)>
float erf_of(float x) {
    const float bounded = m::is_nan(x) ? 10.0f : m::limited(x, -10.0f, 10.0f);
    const float square = bounded * bounded;
    const float numerator = polynomial(rational.numerator, square) * bounded;
    return m::limited(numerator * reciprocal(polynomial(rational.denominator, square)), -1.0f, 1.0f);
}

constexpr LaneStore nearest = LaneStore::nearest, truncate = LaneStore::truncate;

}  // namespace

#define INIT(name) SfpuInit::name
const UnaryOperation erf_bfloat16{INIT(erf_tile_init), truncate, lanes<erf_of<erf_of_bfloat16, exact_reciprocal>>};
const UnaryOperation erf_bfloat16_7_bits{
    INIT(erf_tile_init), truncate, lanes<erf_of<erf_of_bfloat16, reciprocal_of_7_bits>>};
const UnaryOperation erf_bfloat16_one_step{
    INIT(erf_tile_init), truncate, lanes<erf_of<erf_of_bfloat16, reciprocal_of_one_step>>};
const UnaryOperation erf_float32{INIT(erf_tile_init), truncate, lanes<erf_of<erf_of_float32, exact_reciprocal>>};
const UnaryOperation erf_float32_7_bits{
    INIT(erf_tile_init), truncate, lanes<erf_of<erf_of_float32, reciprocal_of_7_bits>>};
const UnaryOperation erf_float32_one_step{
    INIT(erf_tile_init), truncate, lanes<erf_of<erf_of_float32, reciprocal_of_one_step>>};
const UnaryOperation exp_approximate{INIT(exp_tile_init), truncate, lanes<exp_of>};
const UnaryOperation exp_approximate_scaled{INIT(exp_tile_init), truncate, lanes_1<exp_times>};
const UnaryOperation recip_7_bits{INIT(recip_tile_init), truncate, lanes<reciprocal_of_7_bits>};
const UnaryOperation recip_one_step{INIT(recip_tile_init), truncate, lanes<reciprocal_of_one_step>};
const UnaryOperation rsqrt_approximate{INIT(rsqrt_tile_init), nearest, lanes<reciprocal_root>};
const UnaryOperation sqrt_approximate{INIT(sqrt_tile_init), nearest, lanes<square_root>};
#undef INIT

}  // namespace tt_emulator::sfpu
