// Sixteen lanes at a time with the vector extension of GCC and clang. Comparisons give -1 or 0 per lane.
#pragma once

#include <cstdint>

namespace tt_emulator {

constexpr std::uint32_t vector_lanes = 16;
typedef std::int32_t Int __attribute__((vector_size(64), may_alias));
typedef std::uint32_t Bits __attribute__((vector_size(64), may_alias));
typedef float Float __attribute__((vector_size(64), may_alias));

#define TT_EMULATOR_LANES inline __attribute__((always_inline))

TT_EMULATOR_LANES Int splat(std::int32_t value) { return Int{} + value; }
TT_EMULATOR_LANES Bits splat(std::uint32_t value) { return Bits{} + value; }
TT_EMULATOR_LANES Float splat(float value) { return Float{} + value; }

// The same bits as another type.
TT_EMULATOR_LANES Int as_int(const Bits& bits) { return reinterpret_cast<const Int&>(bits); }
TT_EMULATOR_LANES Bits as_bits(const Int& value) { return reinterpret_cast<const Bits&>(value); }
TT_EMULATOR_LANES Bits as_bits(const Float& value) { return reinterpret_cast<const Bits&>(value); }
TT_EMULATOR_LANES Float as_float(const Bits& bits) { return reinterpret_cast<const Float&>(bits); }

TT_EMULATOR_LANES Int select(const Int& mask, const Int& yes, const Int& no) { return (mask & yes) | (~mask & no); }
TT_EMULATOR_LANES Bits select(const Int& mask, const Bits& yes, const Bits& no) {
    return (as_bits(mask) & yes) | (~as_bits(mask) & no);
}
TT_EMULATOR_LANES Int larger(const Int& a, const Int& b) { return select(a > b, a, b); }
TT_EMULATOR_LANES Int smaller(const Int& a, const Int& b) { return select(a < b, a, b); }
TT_EMULATOR_LANES Bits larger(const Bits& a, const Bits& b) { return select(a > b, a, b); }
TT_EMULATOR_LANES Int magnitude_of(const Int& value) { return select(value < 0, -value, value); }

TT_EMULATOR_LANES Bits load_bits(const std::uint32_t* lanes) { return *reinterpret_cast<const Bits*>(lanes); }
TT_EMULATOR_LANES void store_bits(std::uint32_t* lanes, const Bits& value) { *reinterpret_cast<Bits*>(lanes) = value; }

TT_EMULATOR_LANES bool any(const Int& mask) {
    std::int32_t found = 0;
    for (std::uint32_t i = 0; i < vector_lanes; ++i) found |= mask[i];
    return found != 0;
}

}  // namespace tt_emulator
