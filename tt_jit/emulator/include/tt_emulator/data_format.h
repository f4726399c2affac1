// Data formats of pages in L1, with the numbers the real headers give them.
#pragma once

#include <cstdint>

enum class DataFormat : std::uint8_t {
    Float32 = 0,
    Float16 = 1,
    Bfp8 = 2,
    Bfp4 = 3,
    Tf32 = 4,
    Float16_b = 5,
    Bfp8_b = 6,
    Bfp4_b = 7,
    Int32 = 8,
    UInt16 = 9,
    Lf8 = 10,
    Bfp2 = 11,
    Int8 = 14,
    Bfp2_b = 15,
    UInt32 = 24,
    Fp8_e4m3 = 26,
    UInt8 = 30,
    Invalid = 0xff,
};

constexpr bool is_uint32_format(DataFormat format) { return format == DataFormat::UInt32; }
constexpr bool is_bfp8_b_format(DataFormat format) { return format == DataFormat::Bfp8_b; }
constexpr bool is_bfp4_b_format(DataFormat format) { return format == DataFormat::Bfp4_b; }

namespace tt_emulator {

constexpr bool is_integer_format(DataFormat format) {
    return format == DataFormat::Int32 || format == DataFormat::UInt32 || format == DataFormat::UInt16 ||
           format == DataFormat::Int8 || format == DataFormat::UInt8;
}

constexpr bool is_32bit_format(DataFormat format) {
    return format == DataFormat::Float32 || format == DataFormat::Int32 || format == DataFormat::UInt32;
}

// Bytes of a 32x32 tile; block formats carry 64 shared exponents in front of the mantissas. 0: the
// emulator has no such tile.
constexpr std::uint32_t tile_bytes(DataFormat format) {
    switch (format) {
        case DataFormat::Float32:
        case DataFormat::Tf32:
        case DataFormat::Int32:
        case DataFormat::UInt32: return 4096;
        case DataFormat::Float16:
        case DataFormat::Float16_b:
        case DataFormat::UInt16: return 2048;
        case DataFormat::Bfp8_b: return 1088;
        case DataFormat::Bfp4_b: return 576;
        case DataFormat::Int8:
        case DataFormat::UInt8: return 1024;
        default: return 0;
    }
}

const char* format_name(DataFormat format);
DataFormat format_from_name(const char* name);  // Invalid for an unknown name

}  // namespace tt_emulator
