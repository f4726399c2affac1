// Conversions between pages in L1 and tiles, as the unpackers and the packer make them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tt_emulator/data_format.h"
#include "tt_emulator/tile.h"

namespace tt_emulator {

// Float formats become floats, integer formats integers; every value exactly.
void decode_tile(const std::uint8_t* page, DataFormat format, Tile& tile);

// What SrcA or SrcB holds of a float page: 19 bits (TF32) at most, bf16 where a Float32 page meets a 16-bit DST.
// Values without an exponent are zero to the FPU, so they become +0.
void decode_source(const std::uint8_t* page, DataFormat format, bool fp32_dest, Tile& tile);

enum class ReluMode : std::uint8_t { none, zero, min_threshold, max_threshold };

struct PackSettings {
    DataFormat format = DataFormat::Invalid;
    bool fp32_dest = false;
    bool l1_accumulate = false;
    ReluMode relu = ReluMode::none;
    std::uint16_t relu_threshold = 0;  // bf16
};

// Tile -> page with the packer's rounding: to nearest, ties away from zero; NaN becomes infinity, denormals +0.
// With l1_accumulate the result is added to what the page holds.
void encode_tile(const Tile& tile, const PackSettings& settings, std::uint8_t* page);

// Rounding of lanes that are stored in a 16-bit DST.
void round_to_bf16_nearest_even(float* values, std::size_t count);
void truncate_to_bf16(float* values, std::size_t count);
// What the matrix unit's adder makes of a number and zero: NaN is infinity of its sign, denormals and -0 are +0.
void add_zero(float* values, std::size_t count);
void flush_denormals(float* values, std::size_t count);  // keeps the sign

}  // namespace tt_emulator
