"""C++ of the helpers of code for single elements: arrays in L1, narrow floating-point types, mathematical functions.

A data-movement core has no floating-point unit and no library of mathematical functions; the compiler's software
arithmetic does ``+ - *``, what goes beyond it is here. Each function is within a few units in the last place of
float32 (the tests hold it to that).
"""

from __future__ import annotations

PUT_ELEMENT = """\
// Writes one element of a row-major tensor and keeps the line that was read last up to date.
template <typename Tensor>
inline void put_element(
    const Tensor& tensor, uint32_t page, uint32_t element, uint32_t bytes, uint32_t line, uint32_t value) {
    auto tag = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(line);
    const uint32_t offset = element * bytes;
    if (tag[0] != page || tag[1] != (offset & ~63u)) {
        tag[0] = 0xffffffff;
    }
    store_element(tensor, page, element, bytes, line, value);
}
"""

COPY_TILES = """\
// Copies a block of tiles within L1.
inline void copy_tiles(uint32_t source, uint32_t destination, uint32_t bytes) {
    auto from = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(source);
    auto to = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(destination);
    for (uint32_t word = 0; word < bytes / 4; ++word) {
        to[word] = from[word];
    }
}
"""

CHOICES = """\
template <typename Value>
inline Value smaller(Value a, Value b) {
    return a < b ? a : b;
}

template <typename Value>
inline Value larger(Value a, Value b) {
    return a > b ? a : b;
}
"""

FLOOR_QUOTIENT = """\
template <typename Value>
inline Value floor_quotient(Value a, Value b) {
    const Value quotient = a / b;
    return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;
}
"""

FLOOR_REST = """\
template <typename Value>
inline Value floor_rest(Value a, Value b) {
    const Value rest = a % b;
    return (rest != 0 && (rest < 0) != (b < 0)) ? rest + b : rest;
}
"""

ROUND_TO = """\
// The nearest value with `digits` bits behind the leading one and exponents from `smallest` on, ties to even.
inline float round_to(float value, int32_t digits, int32_t smallest) {
    const uint32_t bits = as_bits(value);
    const int32_t exponent = static_cast<int32_t>((bits >> 23) & 255) - 127;
    if (exponent == 128) {
        return value;
    }
    const int32_t dropped = 23 - digits + (exponent < smallest ? smallest - exponent : 0);
    if (dropped > 24) {
        return as_float(bits & 0x80000000u);
    }
    const uint32_t mantissa = (bits & 0x007fffffu) | 0x00800000u;
    uint32_t kept = dropped > 0 ? mantissa >> dropped : mantissa;
    const uint32_t rest = dropped > 0 ? mantissa & ((1u << dropped) - 1) : 0;
    const uint32_t half = dropped > 0 ? 1u << (dropped - 1) : 1;
    kept += rest > half || (rest == half && (kept & 1) != 0) ? 1 : 0;
    // The unit of `kept` is 2^(exponent - 23 + dropped), made in two steps that cannot underflow.
    const int32_t scale = exponent - 23 + dropped;
    const float magnitude = static_cast<float>(kept) * as_float(static_cast<uint32_t>(scale / 2 + 127) << 23) *
                            as_float(static_cast<uint32_t>(scale - scale / 2 + 127) << 23);
    return (bits >> 31) != 0 ? -magnitude : magnitude;
}
"""

TO_BFLOAT16 = """\
inline float to_bfloat16(float value) {
    return value != value ? value : as_float(round_bfloat16(value) << 16);
}
"""

TO_FLOAT16 = """\
inline float to_float16(float value) {
    const float rounded = round_to(value, 10, -14);
    return rounded > 65504.0f ? as_float(0x7f800000u) : rounded < -65504.0f ? as_float(0xff800000u) : rounded;
}
"""

TO_FLOAT8_E4M3FN = """\
// Values beyond the largest become the largest, as conversions to this type do elsewhere.
inline float to_float8_e4m3fn(float value) {
    const float rounded = round_to(value, 3, -6);
    return rounded > 448.0f ? 448.0f : rounded < -448.0f ? -448.0f : rounded;
}
"""

TO_FLOAT8_E5M2 = """\
inline float to_float8_e5m2(float value) {
    const float rounded = round_to(value, 2, -14);
    return rounded > 57344.0f ? as_float(0x7f800000u) : rounded < -57344.0f ? as_float(0xff800000u) : rounded;
}
"""

FLOAT16_BITS = """\
// The 16 bits of a float16 value that is held as a float.
inline uint16_t float16_bits(float value) {
    const uint32_t bits = as_bits(to_float16(value));
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t exponent = (bits >> 23) & 255;
    if (exponent == 255) {
        return static_cast<uint16_t>(sign | 0x7c00u | ((bits & 0x007fffffu) != 0 ? 0x0200u : 0u));
    }
    if (exponent < 113) {
        const float steps = as_float(bits & 0x7fffffffu) * 16777216.0f;
        return static_cast<uint16_t>(sign | static_cast<uint32_t>(steps));
    }
    return static_cast<uint16_t>(sign | ((exponent - 112) << 10) | ((bits >> 13) & 0x3ffu));
}
"""

FLOAT16_FROM_BITS = """\
inline float float16_from_bits(uint16_t half) {
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
    const uint32_t exponent = (half >> 10) & 31;
    const uint32_t mantissa = half & 0x3ffu;
    if (exponent == 0) {
        const float magnitude = static_cast<float>(mantissa) * as_float(0x33800000u);
        return sign != 0 ? -magnitude : magnitude;
    }
    return as_float(sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | (mantissa << 13));
}
"""

QUOTIENT = """\
// a / b rounded to nearest, ties to even. The compiler's own division branches through a table of addresses, which
// programs of a data-movement core cannot have.
inline float quotient(float a, float b) {
    const uint32_t sign = (as_bits(a) ^ as_bits(b)) & 0x80000000u;
    uint32_t rest = as_bits(a) & 0x7fffffffu, divisor = as_bits(b) & 0x7fffffffu;
    const bool both_infinite = rest == 0x7f800000u && divisor == 0x7f800000u;
    if (rest > 0x7f800000u || divisor > 0x7f800000u || both_infinite || (rest == 0 && divisor == 0)) {
        return as_float(0x7fc00000u);
    }
    if (rest == 0x7f800000u || divisor == 0) {
        return as_float(sign | 0x7f800000u);
    }
    if (rest == 0 || divisor == 0x7f800000u) {
        return as_float(sign);
    }
    int32_t exponent = 127;
    auto mantissa_of = [&exponent](uint32_t bits, int32_t direction) {
        uint32_t mantissa = bits & 0x007fffffu;
        int32_t own = static_cast<int32_t>(bits >> 23);
        if (own != 0) {
            mantissa |= 0x00800000u;
        } else {
            own = 1;
            for (; mantissa < 0x00800000u; mantissa <<= 1) {
                --own;
            }
        }
        exponent += direction * own;
        return mantissa;
    };
    rest = mantissa_of(rest, 1);
    divisor = mantissa_of(divisor, -1);
    if (rest < divisor) {
        rest <<= 1;
        --exponent;
    }
    // 24 bits of the result and two more, by which it is rounded.
    uint32_t digits = 0;
    for (uint32_t bit = 0; bit < 26; ++bit) {
        digits <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            digits |= 1;
        }
        rest <<= 1;
    }
    bool inexact = rest != 0;
    if (exponent >= 255) {
        return as_float(sign | 0x7f800000u);
    }
    if (exponent <= 0) {
        const int32_t shift = exponent < -26 ? 27 : 1 - exponent;
        inexact = inexact || (digits & ((1u << shift) - 1)) != 0;
        digits >>= shift;
    }
    uint32_t result = digits >> 2;
    if ((digits & 2) != 0 && ((digits & 1) != 0 || inexact || (result & 1) != 0)) {
        ++result;
    }
    return as_float(sign | (result + (exponent > 0 ? static_cast<uint32_t>(exponent - 1) << 23 : 0)));
}
"""

EXPONENTIAL = """\
// 2^(whole + rest) for a small rest: a polynomial, then the exponent in two steps.
inline float power_of_two(int32_t whole, float rest) {
    const float x = rest * 0.6931471805599453f;
    const float value = 1.0f + x * (1.0f + x * (0.5f + x * (0.16666667f + x * (0.041666668f + x * (0.008333334f +
                        x * (0.0013888889f + x * 0.0001984127f))))));
    const int32_t half = whole / 2;
    return value * as_float(static_cast<uint32_t>(half + 127) << 23) *
           as_float(static_cast<uint32_t>(whole - half + 127) << 23);
}

inline int32_t nearest_integer(float value) {
    return static_cast<int32_t>(value < 0.0f ? value - 0.5f : value + 0.5f);
}

inline float exp2_of(float value) {
    if (value != value) {
        return value;
    }
    if (value > 128.0f || value < -150.0f) {
        return value > 0.0f ? as_float(0x7f800000u) : 0.0f;
    }
    const int32_t whole = nearest_integer(value);
    return power_of_two(whole, value - static_cast<float>(whole));
}

inline float exp_of(float value) {
    if (value != value) {
        return value;
    }
    if (value > 88.8f || value < -104.0f) {
        return value > 0.0f ? as_float(0x7f800000u) : 0.0f;
    }
    const int32_t whole = nearest_integer(value * 1.4426950408889634f);
    // ln 2 in two parts, of which the first has few digits: the rest keeps its precision.
    const float rest = (value - static_cast<float>(whole) * 0.693359375f) - static_cast<float>(whole) * -2.12194440e-4f;
    return power_of_two(whole, rest * 1.4426950408889634f);
}
"""

LOGARITHM = """\
// value = mantissa * 2^exponent with the mantissa near 1; ln of it by an odd polynomial.
inline float log_of(float value) {
    if (value != value || value < 0.0f) {
        return as_float(0x7fc00000u);
    }
    if (value == 0.0f) {
        return as_float(0xff800000u);
    }
    int32_t exponent = 0;
    if (value < as_float(0x00800000u)) {
        value *= 8388608.0f;
        exponent = -23;
    }
    const uint32_t bits = as_bits(value);
    if ((bits >> 23) == 255) {
        return value;
    }
    exponent += static_cast<int32_t>(bits >> 23) - 127;
    float mantissa = as_float((bits & 0x007fffffu) | 0x3f800000u);
    if (mantissa > 1.41421356f) {
        mantissa *= 0.5f;
        ++exponent;
    }
    const float s = quotient(mantissa - 1.0f, mantissa + 1.0f);
    const float z = s * s;
    const float series = z * (0.33333334f + z * (0.2f + z * (0.14285715f + z * (0.11111111f + z * 0.09090909f))));
    const float scale = static_cast<float>(exponent);
    return scale * 0.693359375f + (2.0f * s + (2.0f * s * series + scale * -2.12194440e-4f));
}
"""

SQUARE_ROOT = """\
inline float sqrt_of(float value) {
    const uint32_t bits = as_bits(value);
    if (value == 0.0f || value != value || bits == 0x7f800000u) {
        return value;
    }
    if (value < 0.0f) {
        return as_float(0x7fc00000u);
    }
    float root = as_float((bits >> 1) + 0x1fbd1df5u);
    for (uint32_t step = 0; step < 4; ++step) {
        root = 0.5f * (root + quotient(value, root));
    }
    return root;
}
"""

TANH = """\
inline float tanh_of(float value) {
    const float magnitude = value < 0.0f ? -value : value;
    if (magnitude < 0.25f) {
        const float z = value * value;
        return value * (1.0f + z * (-0.33333334f + z * (0.13333334f + z * (-0.053968254f + z * 0.021869488f))));
    }
    const float power = exp_of(-2.0f * magnitude);
    const float result = quotient(1.0f - power, 1.0f + power);
    return value < 0.0f ? -result : result;
}
"""

FLOOR_OF = """\
inline float floor_of(float value) {
    if (!(value > -8388608.0f && value < 8388608.0f)) {
        return value;
    }
    const float whole = static_cast<float>(static_cast<int32_t>(value));
    return whole > value ? whole - 1.0f : whole;
}
"""

SCALAR_HELPERS = {
    "put_element": PUT_ELEMENT,
    "copy_tiles": COPY_TILES,
    "choices": CHOICES,
    "floor_quotient": FLOOR_QUOTIENT,
    "floor_rest": FLOOR_REST,
    "round_to": ROUND_TO,
    "to_bfloat16": TO_BFLOAT16,
    "to_float16": TO_FLOAT16,
    "to_float8_e4m3fn": TO_FLOAT8_E4M3FN,
    "to_float8_e5m2": TO_FLOAT8_E5M2,
    "float16_bits": FLOAT16_BITS,
    "float16_from_bits": FLOAT16_FROM_BITS,
    "quotient": QUOTIENT,
    "exponential": EXPONENTIAL,
    "log_of": LOGARITHM,
    "sqrt_of": SQUARE_ROOT,
    "tanh_of": TANH,
    "floor_of": FLOOR_OF,
}
SCALAR_NEEDS: dict[str, tuple[str, ...]] = {
    "put_element": ("store_element",),
    "round_to": ("as_bits", "as_float"),
    "to_bfloat16": ("as_bits", "as_float", "round_bfloat16"),
    "to_float16": ("round_to", "as_bits", "as_float"),
    "to_float8_e4m3fn": ("round_to", "as_bits", "as_float"),
    "to_float8_e5m2": ("round_to", "as_bits", "as_float"),
    "float16_bits": ("to_float16", "round_to", "as_bits", "as_float"),
    "float16_from_bits": ("as_float",),
    "quotient": ("as_float", "as_bits"),
    "exponential": ("as_float",),
    "log_of": ("quotient", "as_float", "as_bits"),
    "sqrt_of": ("quotient", "as_float", "as_bits"),
    "tanh_of": ("exponential", "quotient", "as_float", "as_bits"),
}
"""What each helper needs, all the way down."""
