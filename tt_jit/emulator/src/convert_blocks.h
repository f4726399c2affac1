// Tiles of block floats, as the host packs and unpacks them: the 16 elements of a row of a face share an exponent byte.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "tt_emulator/data_format.h"

namespace tt_emulator {

constexpr std::uint32_t kBlockElements = 16;
constexpr std::uint32_t kBlocksOfTile = 64;

constexpr bool is_block_format(DataFormat format) {
    return format == DataFormat::Bfp8_b || format == DataFormat::Bfp4_b;
}

// Sign and magnitude in `bits` bits, the magnitude in units of the block's exponent: rounded to nearest, ties to even,
// never beyond the largest magnitude. Denormals are zero, and zero has no sign.
inline std::uint32_t to_block_element(float value, std::uint32_t shared_exponent, std::uint32_t bits) {
    const std::uint32_t word = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t exponent = word >> 23 & 0xffu;
    if (exponent == 0) return 0;
    const std::uint32_t significand = (word & 0x7fffffu) | 0x800000u;
    const std::uint32_t aligned = significand >> std::min(shared_exponent - exponent, 31u);
    const std::uint32_t cut = 25 - bits;
    const std::uint32_t rest = aligned & ((1u << cut) - 1);
    const std::uint32_t half = 1u << (cut - 1);
    std::uint32_t magnitude = aligned >> cut;
    if (rest > half || (rest == half && (magnitude & 1u))) ++magnitude;
    magnitude = std::min(magnitude, (1u << (bits - 1)) - 1);
    return magnitude == 0 ? 0 : magnitude | (word >> 31) << (bits - 1);
}

inline float from_block_element(std::uint32_t element, std::uint32_t shared_exponent, std::uint32_t bits) {
    const std::uint32_t magnitude = element & ((1u << (bits - 1)) - 1);
    const float sign = element >> (bits - 1) ? -1.0f : 1.0f;
    if (shared_exponent == 255 && magnitude >> (bits - 2)) {  // an infinity or NaN has the whole block to itself
        return magnitude == 1u << (bits - 2) ? sign * INFINITY : std::copysign(NAN, sign);
    }
    const int exponent = static_cast<int>(shared_exponent) - 127 - (static_cast<int>(bits) - 2);
    return sign * std::ldexp(static_cast<float>(magnitude), exponent);
}

// Elements in the order of the page: four faces, each row by row.
inline void encode_block_tile(const float* elements, DataFormat format, std::uint8_t* page) {
    const std::uint32_t bits = format == DataFormat::Bfp8_b ? 8 : 4;
    std::uint8_t* mantissas = page + kBlocksOfTile;
    for (std::uint32_t block = 0; block < kBlocksOfTile; ++block) {
        const float* values = elements + block * kBlockElements;
        std::uint32_t shared = 0;
        for (std::uint32_t i = 0; i < kBlockElements; ++i) {
            shared = std::max(shared, std::bit_cast<std::uint32_t>(values[i]) >> 23 & 0xffu);
        }
        page[block] = static_cast<std::uint8_t>(shared);
        for (std::uint32_t i = 0; i < kBlockElements; ++i) {
            const std::uint32_t element = to_block_element(values[i], shared, bits);
            std::uint8_t& byte = mantissas[(block * kBlockElements + i) * bits / 8];
            const bool upper_half = bits == 4 && i % 2 == 1;
            byte = static_cast<std::uint8_t>(upper_half ? byte | element << 4 : element);
        }
    }
}

inline void decode_block_tile(const std::uint8_t* page, DataFormat format, float* elements) {
    const std::uint32_t bits = format == DataFormat::Bfp8_b ? 8 : 4;
    const std::uint8_t* mantissas = page + kBlocksOfTile;
    for (std::uint32_t i = 0; i < kBlocksOfTile * kBlockElements; ++i) {
        const std::uint32_t byte = mantissas[i * bits / 8];
        const std::uint32_t element = bits == 8 ? byte : byte >> (i % 2 * 4) & 15u;
        elements[i] = from_block_element(element, page[i / kBlockElements], bits);
    }
}

}  // namespace tt_emulator
