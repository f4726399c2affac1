#include "compute_binary.h"

#include <cstring>

#include "fpu_lane.h"

namespace tt_emulator {
namespace {

constexpr std::uint32_t exponent_bits = 0x7f800000u;

template <bool fp32_dest>
TT_EMULATOR_LANES Bits to_dst(const Bits& value) {
    const Bits rounded = fp32_dest ? value : (value + 0x8000u) & 0xffff0000u;
    return rounded & as_bits(as_int(rounded & exponent_bits) != 0);
}

// The value on a grid: adding and subtracting a number whose last bit is the grid's rounds to it. One unit in the last
// place, added before, decides the ties; sources and their products have too few bits for it to do more.
TT_EMULATOR_LANES Float on_grid(const Bits& nudged, const Float& magic) { return (as_float(nudged) + magic) - magic; }
// 1.5 * 2^13 times the power of two in `exponent`: the grid is 2^-10 of that power.
TT_EMULATOR_LANES Float grid_of(const Bits& exponent) { return as_float(exponent + (13u << 23) + 0x400000u); }
constexpr std::uint32_t largest_grid_exponent = 240u << 23;

// a + b where both operands are rounded to 11 bits of the larger one, ties away from zero; the float sum is exact then.
// False where exponents come near the top, which includes infinities and NaN.
template <bool fp32_dest>
bool add_ordinary(const Tile& a, const Tile& b, std::uint32_t flip, Tile& dst) {
    Bits largest{};
    for (std::uint32_t i = 0; i < tile_elements; i += vector_lanes) {
        const Bits left = load_bits(a.u + i), right = load_bits(b.u + i) ^ flip;
        const Bits exponent = larger(left & exponent_bits, right & exponent_bits);
        largest = larger(largest, exponent);
        const Float magic = grid_of(exponent);
        const Float sum = on_grid(left + 1u, magic) + on_grid(right + 1u, magic);
        store_bits(dst.u + i, to_dst<fp32_dest>(as_bits(sum)));
    }
    return !any(largest > largest_grid_exponent);
}

// SrcA enters a multiplication with its upper 5 and next 5 bits, SrcB with its upper 7 and lower 4.
constexpr std::uint32_t a_high = 0xfff80000u, a_kept = 0xffffc000u, b_high = 0xfffe0000u;

// Products that overflow, that come from infinities or NaN, or that underflow in some pass.
TT_EMULATOR_LANES Int is_extreme(const Bits& left, const Bits& right, const Float& product) {
    const Int magnitude = as_int(as_bits(product) & fpu::magnitude_bits);
    const Int both = (as_int(left << 1) != 0) & (as_int(right << 1) != 0);
    return (both & (magnitude < (14 << 23))) | (magnitude >= (240 << 23));
}

// The part of a * b that the passes compute; in a fresh fp32 DST they add up without rounding. False for
// extreme products.
template <int passes>
bool multiply_wide(const Tile& a, const Tile& b, Tile& dst) {
    Int extreme{};
    for (std::uint32_t i = 0; i < tile_elements; i += vector_lanes) {
        const Bits left = load_bits(a.u + i) & (passes == 1 ? a_high : a_kept), right = load_bits(b.u + i);
        const Float right_high = as_float(right & b_high);
        Float product = as_float(left) * (passes <= 2 ? right_high : as_float(right));
        if constexpr (passes == 3) {
            product = as_float(left) * right_high + as_float(left & a_high) * (as_float(right) - right_high);
        }
        extreme |= is_extreme(left, right, product);
        store_bits(dst.u + i, as_bits(product) & as_bits(as_int(as_bits(product) << 1) != 0));
    }
    return !any(extreme);
}

// bf16 products in a fresh 16-bit DST: every pass is rounded to 11 bits of the sum (ties upwards), the sum to 8 bits.
template <int passes>
bool multiply_narrow(const Tile& a, const Tile& b, Tile& dst) {
    Int extreme{};
    for (std::uint32_t i = 0; i < tile_elements; i += vector_lanes) {
        const Bits left = load_bits(a.u + i), right = load_bits(b.u + i);
        const Float high_a = as_float(left & a_high), low_a = as_float(left) - high_a;
        const Float high_b = as_float(right & b_high), low_b = as_float(right) - high_b;
        const Float product = high_a * high_b;
        const Float rest[3] = {low_a * high_b, high_a * low_b, low_a * low_b};
        extreme |= is_extreme(left, right, product);
        Bits sum = to_dst<false>(as_bits(product));
        for (int pass = 1; pass < passes; ++pass) {
            const Bits term = as_bits(rest[pass - 1]);
            const Bits towards = as_bits((as_int(term) >> 31) | 1);  // +1 or -1: up in either case
            const Bits upwards = term + (towards & as_bits(as_int(term << 1) != 0));
            sum = to_dst<false>(as_bits(as_float(sum) + on_grid(upwards, grid_of(sum & exponent_bits))));
        }
        store_bits(dst.u + i, sum);
    }
    return !any(extreme);
}

template <int passes>
bool multiply_fresh(const Tile& a, const Tile& b, bool fp32_dest, Tile& dst) {
    return fp32_dest ? multiply_wide<passes>(a, b, dst) : multiply_narrow<passes>(a, b, dst);
}

bool multiply_fresh(const Tile& a, const Tile& b, const BinarySettings& settings, Tile& dst) {
    switch (settings.fidelity) {
        case 1: return multiply_fresh<1>(a, b, settings.fp32_dest, dst);
        case 2: return multiply_fresh<2>(a, b, settings.fp32_dest, dst);
        case 3: return multiply_fresh<3>(a, b, settings.fp32_dest, dst);
        default: return multiply_fresh<4>(a, b, settings.fp32_dest, dst);
    }
}

// All passes of a lane after each other: lanes do not mix, so the order of the hardware's loops does not matter.
template <bool fp32_dest>
void multiply_reference(const Tile& a, const Tile& b, std::uint32_t passes, Tile& dst) {
    for (std::uint32_t i = 0; i < tile_elements; i += vector_lanes) {
        const Bits left = load_bits(a.u + i), right = load_bits(b.u + i);
        Bits sum = load_bits(dst.u + i);
        for (std::uint32_t pass = 0; pass < passes; ++pass) {
            sum = fpu::multiply_accumulate<fp32_dest>(sum, left, right, fpu::passes[pass]);
        }
        store_bits(dst.u + i, sum);
    }
}

template <bool fp32_dest>
void add_reference(const Tile& a, const Tile& b, std::uint32_t flip, std::uint32_t keep, Tile& dst) {
    for (std::uint32_t i = 0; i < tile_elements; i += vector_lanes) {
        const Bits held = load_bits(dst.u + i) & keep;
        store_bits(dst.u + i, fpu::add<fp32_dest>(held, load_bits(a.u + i), load_bits(b.u + i) ^ flip));
    }
}

std::uint32_t sign_flip(BinaryOp op) { return op == BinaryOp::subtract ? fpu::sign_bit : 0u; }

}  // namespace

void binary_tile_reference(const Tile& a, const Tile& b, const BinarySettings& settings, Tile& dst) {
    if (settings.op == BinaryOp::multiply) {
        if (settings.fresh) std::memset(dst.u, 0, sizeof dst.u);
        const auto multiply = settings.fp32_dest ? multiply_reference<true> : multiply_reference<false>;
        multiply(a, b, settings.fidelity, dst);
    } else {
        const std::uint32_t keep = settings.accumulate && !settings.fresh ? ~0u : 0u;
        const auto add = settings.fp32_dest ? add_reference<true> : add_reference<false>;
        add(a, b, sign_flip(settings.op), keep, dst);
    }
}

void binary_tile(const Tile& a, const Tile& b, const BinarySettings& settings, Tile& dst) {
    if (settings.op == BinaryOp::multiply) {
        if (settings.fresh && multiply_fresh(a, b, settings, dst)) return;
    } else if (settings.fresh || !settings.accumulate) {
        const auto add = settings.fp32_dest ? add_ordinary<true> : add_ordinary<false>;
        if (add(a, b, sign_flip(settings.op), dst)) return;
    }
    binary_tile_reference(a, b, settings, dst);
}

void broadcast_tile(const Tile& source, Broadcast broadcast, std::uint32_t row, Tile& result) {
    for (std::uint32_t face = 0; face < 4; ++face) {
        std::uint32_t* out = result.u + face * face_elements;
        const std::uint32_t* column_source = source.u + face / 2 * 2 * face_elements;
        const Bits spread_row = load_bits(source.u + tile_offset(row, face % 2 * 16));
        for (std::uint32_t r = 0; r < 16; ++r) {
            const std::uint32_t first = broadcast == Broadcast::scalar ? source.u[0] : column_source[r * 16];
            store_bits(out + r * 16, broadcast == Broadcast::row ? spread_row : splat(first));
        }
    }
}

void transpose_tile_faces(const Tile& source, bool swap_faces, bool within_faces, Tile& result) {
    constexpr std::uint32_t swapped[4] = {0, 2, 1, 3};
    for (std::uint32_t face = 0; face < 4; ++face) {
        const std::uint32_t* in = source.u + (swap_faces ? swapped[face] : face) * face_elements;
        std::uint32_t* out = result.u + face * face_elements;
        if (!within_faces) {
            std::memcpy(out, in, face_elements * sizeof *in);
            continue;
        }
        for (std::uint32_t r = 0; r < 16; ++r) {
            for (std::uint32_t c = 0; c < 16; ++c) out[r * 16 + c] = in[c * 16 + r];
        }
    }
}

}  // namespace tt_emulator
