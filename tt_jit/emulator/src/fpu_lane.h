// The arithmetic of the FPU, sixteen lanes at a time.
//
// Sources are floats of at most 11 significant bits (TF32) whose denormals are already zero. The FPU does not know
// infinities or NaN: exponent 255 is one more binade, and a result that reaches it becomes infinity.
#pragma once

#include <cstdint>

#include "vector.h"

namespace tt_emulator::fpu {

constexpr std::uint32_t sign_bit = 0x80000000u;
constexpr std::uint32_t magnitude_bits = 0x7fffffffu;
constexpr std::int32_t bias = 127;

// One term of a sum: sign (1 or 0), biased exponent and a magnitude whose bit 23 has the weight 2^(exponent - 127).
struct Term {
    Int negative, exponent, magnitude;
};

TT_EMULATOR_LANES Int sign_of(const Bits& value) { return as_int(value >> 31); }
TT_EMULATOR_LANES Int exponent_of(const Bits& value) { return as_int(value >> 23 & 255u); }

// Shifts the magnitude to a larger exponent. Ties go up, except that those of negative products go down.
TT_EMULATOR_LANES Int align(const Term& term, const Int& exponent) {
    const Int distance = exponent - term.exponent;
    const Int shift = smaller(larger(distance, splat(1)), splat(30));
    const Int shifted = (term.magnitude + (splat(1) << (shift - 1)) - term.negative) >> shift;
    return select(distance <= 0, term.magnitude, shifted) & (distance < 31);
}

TT_EMULATOR_LANES Int with_sign(const Int& negative, const Int& magnitude) {
    return (magnitude ^ -negative) + negative;
}

// DST += first + second, rounded as the accumulator does: 24 bits, or 8 bits in a 16-bit DST.
template <bool fp32_dest, bool two_terms>
TT_EMULATOR_LANES Bits accumulate(const Bits& dst, const Term& first, const Term& second) {
    const Int dst_exponent = exponent_of(dst);
    const Int dst_magnitude = as_int((dst & 0x7fffffu) | 0x800000u) & (dst_exponent != 0);
    Int exponent = larger(first.exponent, dst_exponent);
    if constexpr (two_terms) exponent = larger(exponent, second.exponent);

    Int a = align(first, exponent);
    Int b = two_terms ? align(second, exponent) : Int{};
    Int d = align(Term{Int{}, dst_exponent, dst_magnitude}, exponent);
    if constexpr (!fp32_dest) {
        a = (a + 0x1000 - first.negative) & ~0x1fff;
        b = two_terms ? (b + 0x1000 - second.negative) & ~0x1fff : b;
        d = (d + 0x1000) & ~0x1fff;
    }
    Int sum = with_sign(first.negative, a) + with_sign(sign_of(dst), d);
    if constexpr (two_terms) sum += with_sign(second.negative, b);
    const Int magnitude = magnitude_of(sum);

    // Up to 29 bits: round to 24 (ties up) before the conversion, which is then exact and normalises. A
    // comparison is -1.
    Int excess = Int{} - (magnitude >= 1 << 24) - (magnitude >= 1 << 25);
    if constexpr (two_terms) excess -= (magnitude >= 1 << 26) + (magnitude >= 1 << 27) + (magnitude >= 1 << 28);
    const Int rounded = ((magnitude + ((splat(1) << excess) >> 1)) >> excess) << excess;
    Bits normal = as_bits(__builtin_convertvector(rounded, Float));
    if constexpr (!fp32_dest) normal = (normal + 0x8000u) & 0xffff0000u;
    const Int result_exponent = as_int(normal >> 23) + exponent - (bias + 23);
    const Bits finite = as_bits(result_exponent << 23) | (normal & 0x7fffffu);
    const Bits bounded = select(result_exponent >= 255, splat(0x7f800000u), finite);
    const Int nonzero = (magnitude != 0) & (result_exponent > 0) & (exponent > 0);
    return (bounded | (as_bits(sum) & sign_bit)) & as_bits(nonzero);
}

// How one fidelity pass sees the operands: 5 of SrcA's bits, 7 or 4 of SrcB's, and a scale of 2^-drop.
struct Pass {
    std::int32_t a_shift, b_right, b_mask, b_left, drop;
};
constexpr Pass passes[4] = {
    {6, 4, 127, 0, 0},
    {1, 4, 127, 0, 5},
    {6, 0, 15, 3, 7},
    {1, 0, 15, 3, 12},
};

TT_EMULATOR_LANES Int fraction_of(const Bits& value) { return as_int((value >> 13 & 1023u) | 1024u); }
TT_EMULATOR_LANES Int part_of_a(const Bits& value, const Pass& pass) { return fraction_of(value) >> pass.a_shift & 31; }
TT_EMULATOR_LANES Int part_of_b(const Bits& value, const Pass& pass) {
    return (fraction_of(value) >> pass.b_right & pass.b_mask) << pass.b_left;
}

template <bool fp32_dest>
TT_EMULATOR_LANES Bits multiply_accumulate(const Bits& dst, const Bits& a, const Bits& b, const Pass& pass) {
    const Int exponent_a = exponent_of(a), exponent_b = exponent_of(b);
    const Int exponent = exponent_a + exponent_b - (bias + pass.drop);
    const Int counts = (exponent_a != 0) & (exponent_b != 0) & (exponent > 0);
    const Int product = part_of_a(a, pass) * part_of_b(b, pass);
    const Term term{sign_of(a ^ b) & counts, exponent & counts, product << 13 & counts};
    return accumulate<fp32_dest, false>(dst, term, Term{});
}

// DST (if accumulating) + a + b: the smaller operand is rounded to the larger one's 11 bits first.
template <bool fp32_dest>
TT_EMULATOR_LANES Bits add(const Bits& dst, const Bits& a, const Bits& b) {
    const Int swap = as_int(a & magnitude_bits) < as_int(b & magnitude_bits);
    const Bits large = select(swap, b, a), small = select(swap, a, b);
    const Int exponent = exponent_of(large), small_exponent = exponent_of(small);
    const Int large_fraction = fraction_of(large) & (exponent != 0);
    const Int small_fraction = fraction_of(small) & (small_exponent != 0);
    const Int distance = smaller(exponent - small_exponent, splat(12));
    const Int aligned = (small_fraction + ((splat(1) << distance) >> 1)) >> distance;
    const Int sum = large_fraction + with_sign(sign_of(large ^ small), aligned);
    return accumulate<fp32_dest, false>(dst, Term{sign_of(large), exponent, sum << 13}, Term{});
}

}  // namespace tt_emulator::fpu
