// Elementary functions in fp32, branch free so that loops over lanes vectorise. Errors are within 2 units in the last
// place where nothing else is said; infinities, NaN and signed zeros come out as IEEE wants them.
#pragma once

#include <cstdint>
#include <limits>

namespace tt_emulator::sfpu_math {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

inline std::uint32_t bits_of(float value) { return __builtin_bit_cast(std::uint32_t, value); }
inline float float_of(std::uint32_t bits) { return __builtin_bit_cast(float, bits); }

inline float fma(float a, float b, float c) {
#ifdef __FMA__
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

inline float absolute(float x) { return float_of(bits_of(x) & 0x7fffffffu); }
inline float copy_sign(float magnitude, float sign) {
    return float_of((bits_of(magnitude) & 0x7fffffffu) | (bits_of(sign) & 0x80000000u));
}
inline float smaller(float a, float b) { return a < b ? a : b; }
inline float larger(float a, float b) { return a > b ? a : b; }
inline float square_root(float x) { return __builtin_sqrtf(x); }
inline bool is_nan(float x) { return x != x; }

// The order of the SFPU's min and max: by sign and magnitude, so -0 < +0 and NaN lies beyond infinity.
inline std::int32_t ordered(float x) {
    const auto bits = static_cast<std::int32_t>(bits_of(x));
    return bits < 0 ? bits ^ 0x7fffffff : bits;
}

// NaN passes.
inline float limited(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

// Nearest integer (ties to even) of |x| < 2^22, as float and as int.
struct Rounded {
    float value;
    std::int32_t integer;
};
inline Rounded nearest_integer(float x) {
    constexpr float magic = 12582912.0f;  // 1.5 * 2^23: the sum's last bit has weight one
    const float shifted = x + magic;
    return {shifted - magic, static_cast<std::int32_t>(bits_of(shifted) - bits_of(magic))};
}

inline float power_of_two(std::int32_t exponent) { return float_of(static_cast<std::uint32_t>(exponent + 127) << 23); }

// 2^n * x in two steps, so that n may leave the range of one exponent.
inline float scale(float x, std::int32_t n) {
    const std::int32_t half = n >> 1;
    return x * power_of_two(half) * power_of_two(n - half);
}

// e^r - 1 - r for |r| <= ln(2) / 2, divided by r^2.
inline float exp_remainder(float r) {
    float p = 1.9875691500e-4f;
    p = fma(p, r, 1.3981999507e-3f);
    p = fma(p, r, 8.3334519073e-3f);
    p = fma(p, r, 4.1665795894e-2f);
    p = fma(p, r, 1.6666665459e-1f);
    return fma(p, r, 5.0000001201e-1f);
}

struct ExpParts {
    float r;
    std::int32_t n;
};
inline ExpParts split_exp(float x) {
    const Rounded n = nearest_integer(x * 1.44269504088896341f);
    float r = fma(n.value, -0.693359375f, x);
    r = fma(n.value, 2.12194440e-4f, r);
    return {r, n.integer};
}

inline float exp(float x) {
    const ExpParts parts = split_exp(limited(x, -104.0f, 89.0f));
    return scale(fma(exp_remainder(parts.r), parts.r * parts.r, parts.r) + 1.0f, parts.n);
}

inline float exp2(float x) {
    const float bounded = limited(x, -151.0f, 129.0f);
    const Rounded n = nearest_integer(bounded);
    const float r = (bounded - n.value) * 0.693147180559945309f;
    return scale(fma(exp_remainder(r), r * r, r) + 1.0f, n.integer);
}

inline float expm1(float x) {
    const ExpParts parts = split_exp(limited(x, -17.5f, 89.0f));
    const float q = fma(exp_remainder(parts.r), parts.r * parts.r, parts.r);
    const float half = power_of_two(parts.n - 1);
    const float result = 2.0f * fma(half, q, half - 0.5f);
    return parts.n == 0 ? q : result;
}

inline float log(float x) {
    const std::uint32_t bits = bits_of(x) - 0x3f3504f3u;  // of sqrt(1/2): the fraction ends up in [sqrt(1/2), sqrt(2))
    const float exponent = static_cast<float>(static_cast<std::int32_t>(bits) >> 23);
    const float f = float_of((bits & 0x7fffffu) + 0x3f3504f3u) - 1.0f;
    const float square = f * f;
    float p = 7.0376836292e-2f;
    p = fma(p, f, -1.1514610310e-1f);
    p = fma(p, f, 1.1676998740e-1f);
    p = fma(p, f, -1.2420140846e-1f);
    p = fma(p, f, 1.4249322787e-1f);
    p = fma(p, f, -1.6668057665e-1f);
    p = fma(p, f, 2.0000714765e-1f);
    p = fma(p, f, -2.4999993993e-1f);
    p = fma(p, f, 3.3333331174e-1f);
    p = p * f * square;
    p = fma(exponent, -2.12194440e-4f, p);
    p = fma(square, -0.5f, p);
    const float finite = fma(exponent, 0.693359375f, f + p);
    const bool zero = absolute(x) < 1.17549435e-38f;
    const float below = x < 0.0f ? not_a_number : finite;
    const float special = zero ? -infinity : below;
    return x < infinity ? special : x;  // +inf and NaN
}

// Kahan's correction of log(1 + x) for the rounding of 1 + x.
inline float log1p(float x) {
    const float u = 1.0f + x;
    const float corrected = log(u) * (x / (u - 1.0f));
    const float result = u == 1.0f ? x : corrected;
    return x < infinity ? (x == -1.0f ? -infinity : result) : x;
}

inline float tanh(float x) {
    const float e = expm1(2.0f * smaller(absolute(x), 20.0f));
    return is_nan(x) ? x : copy_sign(e / (e + 2.0f), x);
}

// The chip loses NaN here.
inline float sigmoid(float x) {
    const float e = exp(-absolute(x));
    const float large = 1.0f / (1.0f + e);
    return is_nan(x) ? 0.0f : x < 0.0f ? e * large : large;
}

inline float erf(float x) {
    const float t = absolute(x);
    const float s = x * x;
    float tail = fma(-1.72853470e-5f, t, 3.83197126e-4f);
    const float u = fma(-3.88396438e-3f, t, 2.42546219e-2f);
    tail = fma(tail, s, u);
    tail = fma(tail, t, -1.06777877e-1f);
    tail = fma(tail, t, -6.34846687e-1f);
    tail = fma(tail, t, -1.28717512e-1f);
    tail = fma(tail, t, -t);
    const float outer = copy_sign(1.0f - exp(tail), x);
    float p = -5.96761703e-4f;
    p = fma(p, s, 4.99119423e-3f);
    p = fma(p, s, -2.67681349e-2f);
    p = fma(p, s, 1.12819925e-1f);
    p = fma(p, s, -3.76125336e-1f);
    p = fma(p, s, 1.28379166e-1f);
    const float inner = fma(p, x, x);
    const float bounded = t > 4.0f ? copy_sign(1.0f, x) : outer;
    return is_nan(x) ? x : t > 0.927734375f ? bounded : inner;
}

// Quadrant and remainder of an angle, in double; good for |x| up to about 1e9.
struct Angle {
    double r;
    std::int32_t quadrant;
};
inline Angle split_angle(float x) {
    constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
    const double wide = static_cast<double>(absolute(x) < 1e9f ? x : 0.0f);
    const double shifted = wide * 0.63661977236758134308 + magic;
    const double k = shifted - magic;
    const double r = (wide - k * 1.57079632673412561417e+00) - k * 6.07710050650619224932e-11;
    return {r, static_cast<std::int32_t>(__builtin_bit_cast(std::uint64_t, shifted))};
}
inline double sine_polynomial(double r) {
    const double s = r * r;
    const double p = ((((2.7557316103728802e-6 * s - 1.9841269836761127e-4) * s + 8.3333333333320002e-3) * s -
                       1.6666666666666616e-1) * s);
    return r + r * p;
}
inline double cosine_polynomial(double r) {
    const double s = r * r;
    return 1.0 + s * (-0.5 + s * (4.1666666666666019e-2 + s * (-1.3888888888741096e-3 + s * (2.4801587289476729e-5 +
                                                                                       s * -2.7557314351390663e-7))));
}
inline float angle_domain(float x, float result) { return absolute(x) < infinity ? result : not_a_number; }

inline float sine_of_quadrant(float x, std::int32_t shift) {
    const Angle angle = split_angle(x);
    const std::int32_t quadrant = angle.quadrant + shift;
    const double value = quadrant & 1 ? cosine_polynomial(angle.r) : sine_polynomial(angle.r);
    return angle_domain(x, static_cast<float>(quadrant & 2 ? -value : value));
}
inline float sin(float x) { return x == 0.0f ? x : sine_of_quadrant(x, 0); }
inline float cos(float x) { return sine_of_quadrant(x, 1); }
inline float tan(float x) {
    const Angle angle = split_angle(x);
    const double sine = sine_polynomial(angle.r), cosine = cosine_polynomial(angle.r);
    const double value = angle.quadrant & 1 ? -cosine / sine : sine / cosine;
    return x == 0.0f ? x : angle_domain(x, static_cast<float>(value));
}

// |x|^y in double through log2 and exp2.
inline float power_of_magnitude(float x, float y) {
    const double wide = static_cast<double>(x);
    const std::uint64_t bits = __builtin_bit_cast(std::uint64_t, wide) - 0x3fe6a09e667f3bcdull;
    const double exponent = static_cast<double>(static_cast<std::int32_t>(static_cast<std::int64_t>(bits) >> 52));
    const double m = __builtin_bit_cast(double, (bits & 0xfffffffffffffull) + 0x3fe6a09e667f3bcdull);
    const double s = (m - 1.0) / (m + 1.0), q = s * s;
    const double series =
        1.0 + q * (1.0 / 3 + q * (1.0 / 5 + q * (1.0 / 7 + q * (1.0 / 9 + q * (1.0 / 11 + q * (1.0 / 13))))));
    const double log2 = exponent + 2.8853900817779268147 * s * series;
    const double t = static_cast<double>(y) * log2;
    const double bounded = t < -200.0 ? -200.0 : t > 200.0 ? 200.0 : t;
    constexpr double magic = 6755399441055744.0;
    const double n = (bounded + magic) - magic;
    const double r = (bounded - n) * 0.69314718055994530942;
    const double r4 = 1.0 / 24 + r * (1.0 / 120 + r * (1.0 / 720 + r * (1.0 / 5040 + r * (1.0 / 40320))));
    const double e = 1.0 + r * (1.0 + r * (1.0 / 2 + r * (1.0 / 6 + r * r4)));
    const std::int64_t exponent_bits = static_cast<std::int64_t>(static_cast<std::int32_t>(n)) + 1023;
    return static_cast<float>(e * __builtin_bit_cast(double, exponent_bits << 52));
}

// IEEE pow. Zero and infinite bases are not covered by the logarithm.
inline float pow(float x, float y) {
    const float magnitude = absolute(x);
    const bool integer =
        absolute(y) >= 16777216.0f || static_cast<float>(static_cast<std::int32_t>(limited(y, -2e7f, 2e7f))) == y;
    const bool odd = integer && absolute(y) < 16777216.0f && (static_cast<std::int32_t>(limited(y, -2e7f, 2e7f)) & 1);
    const bool tiny = magnitude < 1.17549435e-38f;
    const float of_zero = y > 0.0f ? 0.0f : infinity;
    const float of_infinity = y > 0.0f ? infinity : 0.0f;
    const float finite = power_of_magnitude(tiny ? 1.0f : magnitude, y);
    const float positive = tiny ? of_zero : magnitude == infinity ? of_infinity : finite;
    const float signed_result = x < 0.0f && !integer && magnitude < infinity ? not_a_number : positive;
    const bool negative = (bits_of(x) >> 31 & 1u) && odd;
    const float result = negative ? -signed_result : signed_result;
    const float special = is_nan(x) || is_nan(y) ? not_a_number : result;
    return y == 0.0f || x == 1.0f ? 1.0f : special;
}

inline float flush(float x) {
    const std::uint32_t bits = bits_of(x);
    return float_of(bits & 0x7f800000u ? bits : bits & 0x80000000u);
}

}  // namespace tt_emulator::sfpu_math
