#include "compute_formats.h"

#include <algorithm>
#include <cstring>

namespace tt_emulator {
namespace {

constexpr std::uint32_t sign_bit = 0x80000000u;
constexpr std::uint32_t magnitude_bits = 0x7fffffffu;
constexpr std::uint32_t exponent_bits = 0x7f800000u;
constexpr std::uint32_t tf32_bits = 0xffffe000u;
constexpr std::uint32_t bf16_bits = 0xffff0000u;
constexpr std::uint32_t block_exponents = 64;

struct FormatName {
    DataFormat format;
    const char* name;
};
constexpr FormatName format_names[] = {
    {DataFormat::Float32, "Float32"}, {DataFormat::Float16, "Float16"},   {DataFormat::Tf32, "Tf32"},
    {DataFormat::Float16_b, "Float16_b"}, {DataFormat::Bfp8_b, "Bfp8_b"}, {DataFormat::Bfp4_b, "Bfp4_b"},
    {DataFormat::Int32, "Int32"},     {DataFormat::UInt32, "UInt32"},     {DataFormat::UInt16, "UInt16"},
    {DataFormat::UInt8, "UInt8"},     {DataFormat::Int8, "Int8"},         {DataFormat::Fp8_e4m3, "Fp8_e4m3"},
};

const std::uint16_t* half_words(const std::uint8_t* page) { return reinterpret_cast<const std::uint16_t*>(page); }
const std::uint32_t* words(const std::uint8_t* page) { return reinterpret_cast<const std::uint32_t*>(page); }

std::uint32_t widen_fp16(std::uint32_t half) {
    const std::uint32_t magnitude = half & 0x7fffu;
    const std::uint32_t wide = magnitude >= 0x400u ? (magnitude << 13) + (112u << 23) : 0;
    return (half & 0x8000u) << 16 | wide;
}

// A block float magnitude of 7 bits with its shared exponent; a zero magnitude with the sign set stands for -inf.
std::uint32_t widen_block_float(std::uint32_t sign_magnitude, std::uint32_t exponent) {
    const std::uint32_t sign = sign_magnitude >> 7;
    const std::uint32_t magnitude = sign_magnitude << 1 & 0xffu;
    if (magnitude == 0) return sign ? 0xff800000u : 0;
    const std::uint32_t leading = static_cast<std::uint32_t>(__builtin_clz(magnitude)) - 24;
    const std::uint32_t normal = magnitude << leading & 0x7eu;
    return sign << 31 | ((exponent - leading) & 0xffu) << 23 | normal << 16;
}

void decode_block_float(const std::uint8_t* page, std::uint32_t bits, Tile& tile) {
    const std::uint8_t* mantissas = page + block_exponents;
    for (std::uint32_t i = 0; i < tile_elements; ++i) {
        std::uint32_t value = bits == 8 ? mantissas[i] : (mantissas[i / 2] >> (i % 2 * 4) & 15u) << 4;
        tile.u[i] = widen_block_float(value, page[i / 16]);
    }
}

// 16 values, already rounded to sign, exponent and 7 bits, share the largest exponent.
void encode_block_float_row(const std::uint32_t* row, std::uint32_t bits, std::uint8_t* exponent,
                            std::uint8_t* mantissas) {
    std::uint32_t shared = 0;
    for (std::uint32_t i = 0; i < 16; ++i) shared = std::max(shared, row[i] >> 7 & 0xffu);
    *exponent = static_cast<std::uint8_t>(shared);
    for (std::uint32_t i = 0; i < 16; ++i) {
        const std::uint32_t value_exponent = row[i] >> 7 & 0xffu;
        const std::uint32_t hidden = value_exponent ? 128u : 0u;
        const std::uint32_t shift = shared - value_exponent;
        std::uint32_t magnitude = (row[i] & 127u) | hidden;
        magnitude = shift >= 8 ? 0 : std::min((magnitude + (1u << shift)) >> (shift + 1), 127u);
        magnitude >>= 8 - bits;
        if (magnitude) magnitude |= (row[i] >> 15 & 1u) << (bits - 1);
        if (bits == 8) {
            mantissas[i] = static_cast<std::uint8_t>(magnitude);
        } else {
            const std::uint32_t shift_in_byte = i % 2 * 4;
            const std::uint32_t other = mantissas[i / 2] & ~(15u << shift_in_byte);
            mantissas[i / 2] = static_cast<std::uint8_t>(other | magnitude << shift_in_byte);
        }
    }
}

void encode_block_float(const Tile& rounded, std::uint32_t bits, std::uint8_t* page) {
    for (std::uint32_t row = 0; row < block_exponents; ++row) {
        std::uint32_t values[16];
        for (std::uint32_t i = 0; i < 16; ++i) {
            const std::uint32_t bf16 = rounded.u[row * 16 + i] >> 16;
            values[i] = (bf16 & 0x7fffu) < 0x80u ? 0 : bf16;
        }
        encode_block_float_row(values, bits, page + row, page + block_exponents + row * 2 * bits);
    }
}

void apply_relu(Tile& tile, ReluMode mode, std::uint16_t threshold_bf16) {
    const std::uint32_t threshold = static_cast<std::uint32_t>(threshold_bf16) << 16;
    for (std::uint32_t i = 0; i < tile_elements; ++i) {
        std::uint32_t value = tile.u[i] & sign_bit ? 0 : tile.u[i];
        if (mode == ReluMode::min_threshold) value = value <= threshold ? 0 : value;
        if (mode == ReluMode::max_threshold) value = value > threshold ? threshold : value;
        tile.u[i] = value;
    }
}

std::uint32_t round_away_to_bf16(std::uint32_t value) {
    const std::uint32_t finite = (value & magnitude_bits) > exponent_bits ? (value & sign_bit) | exponent_bits : value;
    const std::uint32_t rounded = (finite + 0x8000u) & bf16_bits;
    return (rounded & magnitude_bits) < 0x00800000u ? 0 : rounded;
}

// The 6 fraction bits of a block float are cut from the bf16 pattern with ties upwards.
std::uint32_t round_to_block_float(std::uint32_t value) {
    const std::uint32_t finite = (value & magnitude_bits) > exponent_bits ? (value & sign_bit) | exponent_bits : value;
    return (((finite >> 16) + 1u) & ~1u) << 16;
}

std::uint32_t flush(std::uint32_t value) { return value & exponent_bits ? value : value & sign_bit; }

float as_float(std::uint32_t value) {
    float result;
    std::memcpy(&result, &value, sizeof result);
    return result;
}

std::uint32_t as_bits(float value) {
    std::uint32_t result;
    std::memcpy(&result, &value, sizeof result);
    return result;
}

void accumulate_fp32(const Tile& tile, std::uint32_t* page) {
    for (std::uint32_t i = 0; i < tile_elements; ++i) {
        const std::uint32_t sum = as_bits(as_float(flush(page[i])) + as_float(flush(tile.u[i])));
        page[i] = (sum & magnitude_bits) > exponent_bits ? 0x7fc00000u : flush(sum);
    }
}

// The exact sum of two bf16, rounded once, to even: the float sum is made odd where it is not exact, so that the second
// rounding sees which side it lies on.
void accumulate_bf16(const Tile& tile, std::uint16_t* page) {
    for (std::uint32_t i = 0; i < tile_elements; ++i) {
        const float held = as_float(flush(static_cast<std::uint32_t>(page[i]) << 16));
        const float added = as_float(flush(tile.u[i]));
        const float sum = held + added;
        const float share = sum - held;
        const float error = (held - (sum - share)) + (added - share);
        const std::uint32_t bits = as_bits(sum);
        const bool inexact = error != 0.0f && (bits & magnitude_bits) < exponent_bits;
        const std::uint32_t beyond = (as_bits(error) ^ bits) >> 31;  // the float sum lies beyond the exact one
        const std::uint32_t odd = inexact ? (bits - beyond) | 1u : bits;
        const std::uint32_t rounded = (odd + 0x7fffu + (odd >> 16 & 1u)) & bf16_bits;
        const std::uint32_t result = (bits & magnitude_bits) > exponent_bits ? 0x7fc00000u : flush(rounded);
        page[i] = static_cast<std::uint16_t>(result >> 16);
    }
}

// The usual packs, without a detour over a converted tile.
bool encode_plain(const Tile& tile, const PackSettings& settings, std::uint8_t* page) {
    if (settings.relu != ReluMode::none || settings.l1_accumulate) return false;
    if (settings.format == DataFormat::Float32 && settings.fp32_dest) {
        std::memcpy(page, tile.u, sizeof tile.u);
        return true;
    }
    if (settings.format != DataFormat::Float16_b) return false;
    auto* out = reinterpret_cast<std::uint16_t*>(page);
    for (std::uint32_t i = 0; i < tile_elements; ++i)
        out[i] = static_cast<std::uint16_t>(round_away_to_bf16(tile.u[i]) >> 16);
    return true;
}

void encode_float(const Tile& tile, const PackSettings& settings, std::uint8_t* page) {
    if (encode_plain(tile, settings, page)) return;
    Tile value;
    const bool block = settings.format == DataFormat::Bfp8_b || settings.format == DataFormat::Bfp4_b;
    if (settings.format == DataFormat::Float32 && settings.fp32_dest) {
        value = tile;
    } else if (block) {
        for (std::uint32_t i = 0; i < tile_elements; ++i) value.u[i] = round_to_block_float(tile.u[i]);
    } else {
        for (std::uint32_t i = 0; i < tile_elements; ++i) value.u[i] = round_away_to_bf16(tile.u[i]);
    }
    if (settings.relu != ReluMode::none) apply_relu(value, settings.relu, settings.relu_threshold);
    if (block) {
        encode_block_float(value, settings.format == DataFormat::Bfp8_b ? 8 : 4, page);
    } else if (settings.format == DataFormat::Float32) {
        auto* out = reinterpret_cast<std::uint32_t*>(page);
        if (settings.l1_accumulate) accumulate_fp32(value, out);
        else std::memcpy(out, value.u, sizeof value.u);
    } else {
        auto* out = reinterpret_cast<std::uint16_t*>(page);
        if (settings.l1_accumulate) accumulate_bf16(value, out);
        else for (std::uint32_t i = 0; i < tile_elements; ++i) out[i] = static_cast<std::uint16_t>(value.u[i] >> 16);
    }
}

}  // namespace

const char* format_name(DataFormat format) {
    for (const FormatName& entry : format_names) {
        if (entry.format == format) return entry.name;
    }
    return "unknown";
}

DataFormat format_from_name(const char* name) {
    for (const FormatName& entry : format_names) {
        if (std::strcmp(entry.name, name) == 0) return entry.format;
    }
    return DataFormat::Invalid;
}

void decode_tile(const std::uint8_t* page, DataFormat format, Tile& tile) {
    switch (format) {
        case DataFormat::Float32:
        case DataFormat::Int32:
        case DataFormat::UInt32: std::memcpy(tile.u, page, sizeof tile.u); break;
        case DataFormat::Float16_b:
            for (std::uint32_t i = 0; i < tile_elements; ++i)
                tile.u[i] = static_cast<std::uint32_t>(half_words(page)[i]) << 16;
            break;
        case DataFormat::Float16:
            for (std::uint32_t i = 0; i < tile_elements; ++i) tile.u[i] = widen_fp16(half_words(page)[i]);
            break;
        case DataFormat::UInt16:
            for (std::uint32_t i = 0; i < tile_elements; ++i) tile.u[i] = half_words(page)[i];
            break;
        case DataFormat::UInt8:
            for (std::uint32_t i = 0; i < tile_elements; ++i) tile.u[i] = page[i];
            break;
        case DataFormat::Bfp8_b: decode_block_float(page, 8, tile); break;
        case DataFormat::Bfp4_b: decode_block_float(page, 4, tile); break;
        default: std::memset(tile.u, 0, sizeof tile.u); break;
    }
}

void decode_source(const std::uint8_t* page, DataFormat format, bool fp32_dest, Tile& tile) {
    if (format == DataFormat::Float32) {
        const std::uint32_t kept = fp32_dest ? tf32_bits : bf16_bits;
        for (std::uint32_t i = 0; i < tile_elements; ++i) {
            const std::uint32_t value = words(page)[i];
            tile.u[i] = value & exponent_bits ? value & kept : 0;
        }
    } else if (format == DataFormat::Float16_b) {
        for (std::uint32_t i = 0; i < tile_elements; ++i) {
            const std::uint32_t value = static_cast<std::uint32_t>(half_words(page)[i]) << 16;
            tile.u[i] = value & exponent_bits ? value : 0;
        }
    } else {
        decode_tile(page, format, tile);
        for (std::uint32_t i = 0; i < tile_elements; ++i) tile.u[i] = tile.u[i] & exponent_bits ? tile.u[i] : 0;
    }
}

void encode_tile(const Tile& tile, const PackSettings& settings, std::uint8_t* page) {
    switch (settings.format) {
        case DataFormat::Int32:
        case DataFormat::UInt32: {
            auto* out = reinterpret_cast<std::uint32_t*>(page);
            const bool relu = settings.relu != ReluMode::none;
            for (std::uint32_t i = 0; i < tile_elements; ++i) out[i] = relu && tile.i[i] < 0 ? 0 : tile.u[i];
            break;
        }
        case DataFormat::UInt16: {
            auto* out = reinterpret_cast<std::uint16_t*>(page);
            for (std::uint32_t i = 0; i < tile_elements; ++i) out[i] = static_cast<std::uint16_t>(tile.u[i]);
            break;
        }
        case DataFormat::UInt8:
            for (std::uint32_t i = 0; i < tile_elements; ++i) {
                page[i] = static_cast<std::uint8_t>(std::clamp<std::int32_t>(tile.i[i], 0, 255));
            }
            break;
        default: encode_float(tile, settings, page); break;
    }
}

void round_to_bf16_nearest_even(float* values, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t value = as_bits(values[i]);
        const std::uint32_t rounded = (value + 0x7fffu + (value >> 16 & 1u)) & bf16_bits;
        const std::uint32_t kept = (value & magnitude_bits) > exponent_bits ? (value & bf16_bits) | 0x400000u : rounded;
        values[i] = as_float(flush(kept));
    }
}

void truncate_to_bf16(float* values, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) values[i] = as_float(flush(as_bits(values[i]) & bf16_bits));
}

void add_zero(float* values, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t value = as_bits(values[i]);
        const std::uint32_t exponent = value & exponent_bits;
        const std::uint32_t number = exponent == exponent_bits ? value & (sign_bit | exponent_bits) : value;
        values[i] = as_float(exponent == 0 ? 0u : number);
    }
}

void flush_denormals(float* values, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) values[i] = as_float(flush(as_bits(values[i])));
}

}  // namespace tt_emulator
