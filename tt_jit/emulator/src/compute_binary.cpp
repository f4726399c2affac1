#include "compute_binary.h"

#include <cstring>

#include "fpu_lane.h"

namespace tt_emulator {
namespace {

constexpr std::uint32_t exponent_bits = 0x7f800000u;

// Whether some lane holds exponent 255, which only the reference arithmetic treats as the hardware does.
bool has_special(const Tile& tile) {
    std::uint32_t special = 0;
    for (std::uint32_t i = 0; i < tile_elements; ++i) special |= (tile.u[i] & exponent_bits) == exponent_bits ? 1u : 0u;
    return special != 0;
}

std::uint32_t to_dst(std::uint32_t value, bool fp32_dest) {
    const std::uint32_t rounded = fp32_dest ? value : (value + 0x8000u) & 0xffff0000u;
    return rounded & exponent_bits ? rounded : 0u;
}

// a + b for ordinary numbers: once the smaller operand is rounded to the larger one's 11 bits the float sum is exact.
template <bool fp32_dest>
void add_ordinary(const Tile& a, const Tile& b, std::uint32_t flip, Tile& dst) {
    for (std::uint32_t i = 0; i < tile_elements; ++i) {
        const std::uint32_t left = a.u[i];
        const std::uint32_t right = b.u[i] ^ flip;
        const bool swap = (left & fpu::magnitude_bits) < (right & fpu::magnitude_bits);
        union {
            std::uint32_t bits;
            float value;
        } large = {swap ? right : left}, small = {swap ? left : right}, sum;
        const std::uint32_t exponent = small.bits >> 23 & 255u;
        const std::uint32_t distance = (large.bits >> 23 & 255u) - exponent;
        const std::uint32_t bounded = distance > 10u ? 10u : distance;
        const std::uint32_t rounded = (small.bits + (0x1000u << bounded)) & ~((0x2000u << bounded) - 1u);
        // 11 binades apart the smaller operand is half a unit and rounds up to one, further apart to nothing.
        const std::uint32_t sign = small.bits & fpu::sign_bit;
        const std::uint32_t far = distance == 11u && exponent ? sign | (exponent + 1u) << 23 : sign;
        small.bits = distance > 10u ? far : rounded;
        sum.value = large.value + small.value;
        dst.u[i] = to_dst(sum.bits, fp32_dest);
    }
}

// The part of a * b that the passes compute, exact in float; fails (returns false) where a pass would underflow.
// SrcA enters with its upper 5 and next 5 bits, SrcB with its upper 7 and lower 4.
template <int passes>
bool multiply_ordinary(const Tile& a, const Tile& b, Tile& dst) {
    constexpr std::uint32_t a_high = 0xfff80000u, a_kept = 0xffffc000u, b_high = 0xfffe0000u;
    std::uint32_t tiny = 0;
    for (std::uint32_t i = 0; i < tile_elements; ++i) {
        union {
            std::uint32_t bits;
            float value;
        } left = {a.u[i] & (passes == 1 ? a_high : a_kept)}, left_high = {a.u[i] & a_high}, right = {b.u[i]},
          right_high = {b.u[i] & b_high}, product;
        if constexpr (passes <= 2) {
            product.value = left.value * right_high.value;
        } else if constexpr (passes == 3) {
            product.value = left.value * right_high.value + left_high.value * (right.value - right_high.value);
        } else {
            product.value = left.value * right.value;
        }
        const std::uint32_t magnitude = product.bits & fpu::magnitude_bits;
        const bool both = left.bits << 1 != 0 && right.bits << 1 != 0;
        tiny |= both && magnitude < (14u << 23) ? 1u : 0u;
        dst.u[i] = magnitude ? product.bits : 0u;
    }
    return tiny == 0;
}

bool multiply_fresh(const Tile& a, const Tile& b, std::uint32_t passes, Tile& dst) {
    switch (passes) {
        case 1: return multiply_ordinary<1>(a, b, dst);
        case 2: return multiply_ordinary<2>(a, b, dst);
        case 3: return multiply_ordinary<3>(a, b, dst);
        default: return multiply_ordinary<4>(a, b, dst);
    }
}

bool is_zero(const Tile& tile) {
    std::uint32_t any = 0;
    for (std::uint32_t i = 0; i < tile_elements; ++i) any |= tile.u[i];
    return any == 0;
}

template <bool fp32_dest>
void multiply_pass(const Tile& a, const Tile& b, const fpu::Pass& pass, Tile& dst) {
    for (std::uint32_t i = 0; i < tile_elements; ++i) {
        dst.u[i] = fpu::multiply_accumulate(dst.u[i], a.u[i], b.u[i], pass, fp32_dest);
    }
}

template <bool fp32_dest>
void add_reference(const Tile& a, const Tile& b, std::uint32_t flip, std::uint32_t keep, Tile& dst) {
    for (std::uint32_t i = 0; i < tile_elements; ++i) {
        dst.u[i] = fpu::add(dst.u[i] & keep, a.u[i], b.u[i] ^ flip, fp32_dest);
    }
}

std::uint32_t sign_flip(BinaryOp op) { return op == BinaryOp::subtract ? fpu::sign_bit : 0u; }

}  // namespace

void binary_tile_reference(const Tile& a, const Tile& b, const BinarySettings& settings, Tile& dst) {
    if (settings.op != BinaryOp::multiply) {
        const std::uint32_t keep = settings.accumulate ? ~0u : 0u;
        const auto reference = settings.fp32_dest ? add_reference<true> : add_reference<false>;
        reference(a, b, sign_flip(settings.op), keep, dst);
        return;
    }
    const auto pass = settings.fp32_dest ? multiply_pass<true> : multiply_pass<false>;
    for (std::uint32_t i = 0; i < settings.fidelity; ++i) pass(a, b, fpu::passes[i], dst);
}

void binary_tile(const Tile& a, const Tile& b, const BinarySettings& settings, Tile& dst) {
    const bool ordinary = !has_special(a) && !has_special(b);
    if (settings.op == BinaryOp::multiply) {
        // In a fresh fp32 DST the passes add up without rounding; a 16-bit DST rounds after each of them.
        if (settings.fp32_dest && ordinary && is_zero(dst)) {
            Tile product;
            if (multiply_fresh(a, b, settings.fidelity, product)) {
                dst = product;
                return;
            }
        }
    } else if (ordinary && !settings.accumulate) {
        const auto add = settings.fp32_dest ? add_ordinary<true> : add_ordinary<false>;
        add(a, b, sign_flip(settings.op), dst);
        return;
    }
    binary_tile_reference(a, b, settings, dst);
}

void broadcast_tile(const Tile& source, Broadcast broadcast, std::uint32_t row, Tile& result) {
    for (std::uint32_t face = 0; face < 4; ++face) {
        float* out = result.f + face * face_elements;
        const float* row_source = source.f + tile_offset(row, face % 2 * 16);
        const float* column_source = source.f + face / 2 * 2 * face_elements;
        for (std::uint32_t r = 0; r < 16; ++r) {
            const float first = broadcast == Broadcast::scalar ? source.f[0] : column_source[r * 16];
            for (std::uint32_t c = 0; c < 16; ++c) out[r * 16 + c] = broadcast == Broadcast::row ? row_source[c] : first;
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
