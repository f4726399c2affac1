// How one element of a host type becomes one element of a page, and back.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace tt_emulator {

inline float bfloat16_to_float(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

inline std::uint16_t float_to_bfloat16(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
    return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline float half_to_float(std::uint16_t half) {
#if defined(__F16C__)
    return _cvtsh_ss(half);
#else
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
    const std::uint32_t rest = half & 0x7fff;
    if (rest < 0x0400) {  // zero and subnormals
        const float magnitude = static_cast<float>(rest) * 0x1p-24f;
        return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
    }
    const std::uint32_t exponent = rest >= 0x7c00 ? 0x70000000u : 0x38000000u;
    return std::bit_cast<float>(((rest << 13) + exponent) | sign);
#endif
}

inline std::uint16_t float_to_half(float value) {
#if defined(__F16C__)
    return static_cast<std::uint16_t>(_cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT));
#else
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const std::uint16_t sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000);
    const std::uint32_t rest = bits & 0x7fffffff;
    if (rest > 0x7f800000) return sign | 0x7e00;
    if (rest >= 0x477ff000) return sign | 0x7c00;
    if (rest < 0x38800000) {  // below the smallest normal half: round in steps of 2^-24
        return sign | static_cast<std::uint16_t>(std::nearbyint(std::bit_cast<float>(rest) * 0x1p24f));
    }
    return sign | static_cast<std::uint16_t>((rest - 0x38000000 + 0xfff + ((rest >> 13) & 1)) >> 13);
#endif
}

// An 8-bit float with `MantissaBits`; E4M3 has no infinities, and S.1111.111 is its NaN.
template <int MantissaBits>
inline float float8_to_float(std::uint8_t bits) {
    constexpr int kExponentBits = 7 - MantissaBits;
    constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
    const int exponent = (bits >> MantissaBits) & ((1 << kExponentBits) - 1);
    const int mantissa = bits & ((1 << MantissaBits) - 1);
    const float sign = bits & 0x80 ? -1.0f : 1.0f;
    if (MantissaBits == 3 && (bits & 0x7f) == 0x7f) return std::copysign(NAN, sign);
    if (MantissaBits == 2 && exponent == 31) return mantissa ? std::copysign(NAN, sign) : sign * INFINITY;
    if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), 1 - kBias - MantissaBits);
    return sign * std::ldexp(static_cast<float>(mantissa + (1 << MantissaBits)), exponent - kBias - MantissaBits);
}

// Round to nearest even; values beyond the largest finite one saturate, as the conversions of CUDA do.
template <int MantissaBits>
inline std::uint8_t float_to_float8(float value) {
    constexpr int kBias = (1 << (6 - MantissaBits)) - 1;
    constexpr std::uint8_t kLargest = MantissaBits == 3 ? 0x7e : 0x7b;
    const std::uint8_t sign = std::signbit(value) ? 0x80 : 0;
    if (std::isnan(value)) return sign | 0x7f;
    const float magnitude = std::fabs(value);
    if (std::isinf(value)) return sign | (MantissaBits == 3 ? kLargest : 0x7c);
    if (magnitude == 0.0f) return sign;
    const int exponent = std::max(std::ilogb(magnitude), 1 - kBias);
    const int steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, MantissaBits - exponent)));
    const int code = steps + ((exponent + kBias - 1) << MantissaBits);
    return sign | static_cast<std::uint8_t>(std::min<int>(code, kLargest));
}

template <typename Value>
struct Copy {
    using Host = Value;
    using Page = Value;
    static Value to_page(Value value) { return value; }
    static Value to_host(Value value) { return value; }
};

struct Boolean {
    using Host = std::uint8_t;
    using Page = std::uint8_t;
    static std::uint8_t to_page(std::uint8_t value) { return value; }
    static std::uint8_t to_host(std::uint8_t value) { return value != 0; }
};

template <typename Narrow>
struct Widen {  // small integers in Int32 pages
    using Host = Narrow;
    using Page = std::int32_t;
    static std::int32_t to_page(Narrow value) { return value; }
    static Narrow to_host(std::int32_t value) { return static_cast<Narrow>(value); }
};

struct HalfInFloat {
    using Host = std::uint16_t;
    using Page = float;
    static float to_page(std::uint16_t value) { return half_to_float(value); }
    static std::uint16_t to_host(float value) { return float_to_half(value); }
};

struct Bfloat16InFloat {
    using Host = std::uint16_t;
    using Page = float;
    static float to_page(std::uint16_t value) { return bfloat16_to_float(value); }
    static std::uint16_t to_host(float value) { return float_to_bfloat16(value); }
};

struct HalfInBfloat16 {
    using Host = std::uint16_t;
    using Page = std::uint16_t;
    static std::uint16_t to_page(std::uint16_t value) { return float_to_bfloat16(half_to_float(value)); }
    static std::uint16_t to_host(std::uint16_t value) { return float_to_half(bfloat16_to_float(value)); }
};

struct FloatInBfloat16 {
    using Host = float;
    using Page = std::uint16_t;
    static std::uint16_t to_page(float value) { return float_to_bfloat16(value); }
    static float to_host(std::uint16_t value) { return bfloat16_to_float(value); }
};

template <int MantissaBits>
struct Float8InBfloat16 {
    using Host = std::uint8_t;
    using Page = std::uint16_t;
    static std::uint16_t to_page(std::uint8_t value) {
        static const std::array<std::uint16_t, 256> table = [] {
            std::array<std::uint16_t, 256> values{};
            for (int code = 0; code < 256; ++code) {
                values[code] = float_to_bfloat16(float8_to_float<MantissaBits>(static_cast<std::uint8_t>(code)));
            }
            return values;
        }();
        return table[value];
    }
    static std::uint8_t to_host(std::uint16_t value) {
        static const std::vector<std::uint8_t> table = [] {
            std::vector<std::uint8_t> codes(1 << 16);
            for (std::uint32_t bits = 0; bits < codes.size(); ++bits) {
                codes[bits] = float_to_float8<MantissaBits>(bfloat16_to_float(static_cast<std::uint16_t>(bits)));
            }
            return codes;
        }();
        return table[value];
    }
};

}  // namespace tt_emulator
