// The arithmetic of one FPU lane, branch free so that loops over a tile vectorise.
//
// Sources are floats of at most 11 significant bits (TF32) whose denormals are already zero. The FPU does not know
// infinities or NaN: exponent 255 is one more binade, and a result that reaches it becomes infinity.
#pragma once

#include <cstdint>

namespace tt_emulator::fpu {

constexpr std::uint32_t sign_bit = 0x80000000u;
constexpr std::uint32_t magnitude_bits = 0x7fffffffu;
constexpr std::int32_t bias = 127;

// One term of a sum: sign, biased exponent and a magnitude whose bit 23 has the weight 2^(exponent - 127).
struct Term {
    std::uint32_t negative;
    std::int32_t exponent;
    std::int32_t magnitude;
};

inline std::int32_t at_least(std::int32_t a, std::int32_t b) { return a > b ? a : b; }
inline std::int32_t at_most(std::int32_t a, std::int32_t b) { return a < b ? a : b; }

// Shifts the magnitude to a larger exponent. Ties go up, except that those of negative products go down.
inline std::int32_t align(const Term& term, std::int32_t exponent, std::uint32_t tie) {
    const std::int32_t distance = exponent - term.exponent;
    const std::int32_t shift = at_most(at_least(distance, 1), 30);
    const std::int32_t half = 1 << (shift - 1);
    const std::int32_t shifted = (term.magnitude + half - static_cast<std::int32_t>(tie)) >> shift;
    const std::int32_t near = distance <= 0 ? term.magnitude : shifted;
    return distance >= 31 ? 0 : near;
}

// DST += first + second, rounded as the accumulator does: 24 bits, or 8 bits in a 16-bit DST.
inline std::uint32_t accumulate(std::uint32_t dst, const Term& first, const Term& second, bool fp32_dest) {
    const std::int32_t dst_exponent = static_cast<std::int32_t>(dst >> 23 & 255u);
    const std::int32_t dst_magnitude = dst_exponent ? static_cast<std::int32_t>((dst & 0x7fffffu) | 0x800000u) : 0;
    const std::int32_t exponent = at_least(at_least(first.exponent, second.exponent), dst_exponent);

    std::int32_t a = align(first, exponent, first.negative);
    std::int32_t b = align(second, exponent, second.negative);
    std::int32_t d = align(Term{0, dst_exponent, dst_magnitude}, exponent, 0);
    if (!fp32_dest) {
        a = (a + 0x1000 - static_cast<std::int32_t>(first.negative)) & ~0x1fff;
        b = (b + 0x1000 - static_cast<std::int32_t>(second.negative)) & ~0x1fff;
        d = (d + 0x1000) & ~0x1fff;
    }
    const std::int32_t sum = (first.negative ? -a : a) + (second.negative ? -b : b) + (dst & sign_bit ? -d : d);
    const std::int32_t magnitude = sum < 0 ? -sum : sum;

    // Up to 29 bits: round to 24 (ties up) before the conversion, which is then exact and normalises.
    std::int32_t excess = 0;
    for (std::int32_t bit = 24; bit < 29; ++bit) excess += magnitude >= (1 << bit) ? 1 : 0;
    const std::int32_t rounded = ((magnitude + ((1 << excess) >> 1)) >> excess) << excess;
    union {
        float value;
        std::uint32_t bits;
    } normal = {static_cast<float>(rounded)};
    const std::uint32_t fraction = fp32_dest ? normal.bits : (normal.bits + 0x8000u) & 0xffff0000u;
    const std::int32_t result_exponent = static_cast<std::int32_t>(fraction >> 23) + exponent - (bias + 23);
    const std::uint32_t finite = static_cast<std::uint32_t>(result_exponent) << 23 | (fraction & 0x7fffffu);
    const std::uint32_t bounded = result_exponent >= 255 ? 0x7f800000u : finite;
    const bool zero = magnitude == 0 || result_exponent <= 0 || exponent <= 0;
    return zero ? 0u : bounded | (sum < 0 ? sign_bit : 0u);
}

// How one fidelity pass sees the operands: 5 of SrcA's bits, 7 or 4 of SrcB's, and a scale of 2^-drop.
struct Pass {
    std::uint32_t a_shift, a_mask;
    std::uint32_t b_right, b_mask, b_left;
    std::int32_t drop;
};
constexpr Pass passes[4] = {
    {6, 31, 4, 127, 0, 0},
    {1, 31, 4, 127, 0, 5},
    {6, 31, 0, 15, 3, 7},
    {1, 31, 0, 15, 3, 12},
};

// The product of two sources in one pass: 12 bits at the top of the term.
inline Term product(std::uint32_t a, std::uint32_t b, const Pass& pass) {
    const std::int32_t exponent_a = static_cast<std::int32_t>(a >> 23 & 255u);
    const std::int32_t exponent_b = static_cast<std::int32_t>(b >> 23 & 255u);
    const std::uint32_t fraction_a = (a >> 13 & 1023u) | 1024u;
    const std::uint32_t fraction_b = (b >> 13 & 1023u) | 1024u;
    const std::uint32_t part_a = fraction_a >> pass.a_shift & pass.a_mask;
    const std::uint32_t part_b = (fraction_b >> pass.b_right & pass.b_mask) << pass.b_left;
    const std::int32_t exponent = exponent_a + exponent_b - bias - pass.drop;
    const bool zero = exponent_a == 0 || exponent_b == 0;
    return Term{zero ? 0u : (a ^ b) >> 31, zero ? 0 : exponent, zero ? 0 : static_cast<std::int32_t>(part_a * part_b)};
}

inline std::uint32_t multiply_accumulate(std::uint32_t dst, std::uint32_t a, std::uint32_t b, const Pass& pass, bool fp32_dest) {
    const Term term = product(a, b, pass);
    const bool lost = term.exponent <= 0;
    const Term kept{lost ? 0u : term.negative, lost ? 0 : term.exponent, lost ? 0 : term.magnitude << 13};
    return accumulate(dst, kept, Term{0, 0, 0}, fp32_dest);
}

// DST (if accumulating) + a + b: the smaller operand is rounded to the larger one's 11 bits first.
inline std::uint32_t add(std::uint32_t dst, std::uint32_t a, std::uint32_t b, bool fp32_dest) {
    const bool swap = (a & magnitude_bits) < (b & magnitude_bits);
    const std::uint32_t large = swap ? b : a;
    const std::uint32_t small = swap ? a : b;
    const std::int32_t exponent = static_cast<std::int32_t>(large >> 23 & 255u);
    const std::int32_t small_exponent = static_cast<std::int32_t>(small >> 23 & 255u);
    const std::int32_t large_fraction = exponent ? static_cast<std::int32_t>((large >> 13 & 1023u) | 1024u) : 0;
    const std::int32_t small_fraction = small_exponent ? static_cast<std::int32_t>((small >> 13 & 1023u) | 1024u) : 0;
    const std::int32_t distance = at_most(exponent - small_exponent, 12);
    const std::int32_t aligned = (small_fraction + ((1 << distance) >> 1)) >> distance;
    const std::int32_t difference = (large ^ small) & sign_bit ? -aligned : aligned;
    return accumulate(dst, Term{large >> 31, exponent, (large_fraction + difference) << 13}, Term{0, 0, 0}, fp32_dest);
}

}  // namespace tt_emulator::fpu
