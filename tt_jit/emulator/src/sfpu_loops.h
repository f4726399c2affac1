// Loops over lanes for operations given as scalar functions; each instantiation vectorises on its own.
#pragma once

#include "sfpu_math.h"
#include "tt_emulator/sfpu_operations.h"

// A result may lie in the very tile of an operand, lane upon lane; compilers take that for a reason not to vectorise.
#if defined(__clang__)
#define TT_EMULATOR_LANES_APART _Pragma("clang loop vectorize(assume_safety)")
#pragma clang diagnostic ignored "-Wpass-failed"  // loops that call the C library stay as they are
#else
#define TT_EMULATOR_LANES_APART _Pragma("GCC ivdep")
#endif

namespace tt_emulator {

inline float float_parameter(const SfpuParameters& parameters, int index) {
    return sfpu_math::float_of(parameters.word[index]);
}

// The SFPU's float store turns denormals into zeros.
template <float (*function)(float)>
void lanes(Tile& tile, std::uint32_t begin, std::uint32_t count, const SfpuParameters&) {
    float* x = tile.f + begin;
    for (std::uint32_t i = 0; i < count; ++i) x[i] = sfpu_math::flush(function(x[i]));
}

template <float (*function)(float, float)>
void lanes_1(Tile& tile, std::uint32_t begin, std::uint32_t count, const SfpuParameters& parameters) {
    const float a = float_parameter(parameters, 0);
    float* x = tile.f + begin;
    for (std::uint32_t i = 0; i < count; ++i) x[i] = sfpu_math::flush(function(x[i], a));
}

template <float (*function)(float, float, float)>
void lanes_2(Tile& tile, std::uint32_t begin, std::uint32_t count, const SfpuParameters& parameters) {
    const float a = float_parameter(parameters, 0), b = float_parameter(parameters, 1);
    float* x = tile.f + begin;
    for (std::uint32_t i = 0; i < count; ++i) x[i] = sfpu_math::flush(function(x[i], a, b));
}

template <float (*function)(float, float, float, float)>
void lanes_3(Tile& tile, std::uint32_t begin, std::uint32_t count, const SfpuParameters& parameters) {
    const float a = float_parameter(parameters, 0), b = float_parameter(parameters, 1), c = float_parameter(parameters,
                                                                                                            2);
    float* x = tile.f + begin;
    for (std::uint32_t i = 0; i < count; ++i) x[i] = sfpu_math::flush(function(x[i], a, b, c));
}

template <std::int32_t (*function)(std::int32_t)>
void integers(Tile& tile, std::uint32_t begin, std::uint32_t count, const SfpuParameters&) {
    std::int32_t* x = tile.i + begin;
    for (std::uint32_t i = 0; i < count; ++i) x[i] = function(x[i]);
}

template <std::int32_t (*function)(std::int32_t, std::int32_t)>
void integers_1(Tile& tile, std::uint32_t begin, std::uint32_t count, const SfpuParameters& parameters) {
    const auto a = static_cast<std::int32_t>(parameters.word[0]);
    std::int32_t* x = tile.i + begin;
    for (std::uint32_t i = 0; i < count; ++i) x[i] = function(x[i], a);
}

template <std::int32_t (*function)(std::int32_t, std::int32_t, std::int32_t)>
void integers_2(Tile& tile, std::uint32_t begin, std::uint32_t count, const SfpuParameters& parameters) {
    const auto a = static_cast<std::int32_t>(parameters.word[0]), b = static_cast<std::int32_t>(parameters.word[1]);
    std::int32_t* x = tile.i + begin;
    for (std::uint32_t i = 0; i < count; ++i) x[i] = function(x[i], a, b);
}

template <float (*function)(float, float)>
void pairs(const Tile& a, const Tile& b, Tile& out, std::uint32_t begin, std::uint32_t count, const SfpuParameters&) {
    TT_EMULATOR_LANES_APART
    for (std::uint32_t i = begin; i < begin + count; ++i) out.f[i] = sfpu_math::flush(function(a.f[i], b.f[i]));
}

template <float (*function)(float, float, float, float)>
void pairs_2(const Tile& a, const Tile& b, Tile& out, std::uint32_t begin, std::uint32_t count,
             const SfpuParameters& parameters) {
    const float p = float_parameter(parameters, 0), q = float_parameter(parameters, 1);
    TT_EMULATOR_LANES_APART
    for (std::uint32_t i = begin; i < begin + count; ++i) out.f[i] = sfpu_math::flush(function(a.f[i], b.f[i], p, q));
}

template <std::int32_t (*function)(std::int32_t, std::int32_t)>
void integer_pairs(const Tile& a, const Tile& b, Tile& out, std::uint32_t begin, std::uint32_t count,
                   const SfpuParameters&) {
    TT_EMULATOR_LANES_APART
    for (std::uint32_t i = begin; i < begin + count; ++i) out.i[i] = function(a.i[i], b.i[i]);
}

template <float (*function)(float, float, float, float)>
void triples(const Tile& a, const Tile& b, const Tile& c, Tile& out, const SfpuParameters& parameters) {
    const float value = float_parameter(parameters, 0);
    TT_EMULATOR_LANES_APART
    for (std::uint32_t i = 0; i < tile_elements; ++i)
        out.f[i] = sfpu_math::flush(function(a.f[i], b.f[i], c.f[i], value));
}

}  // namespace tt_emulator
