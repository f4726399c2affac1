// DST[32x32] += A[32x32] * B[32x32] on face-ordered tiles.
#pragma once

#include <cstdint>

#include "tt_emulator/tile.h"

namespace tt_emulator {

// The tiles of SrcB (the left operand) and SrcA (the right one) of one matmul, cut to what `fidelity` passes see of
// them.
// HiFi3 leaves out low times low bits, which takes two products per tile.
struct MatmulOperand {
    Tile part[2];
};

// How many parts each operand has at this fidelity.
constexpr std::uint32_t matmul_parts(std::uint32_t fidelity) { return fidelity == 3 ? 2 : 1; }
void split_left(std::uint32_t fidelity, MatmulOperand& operand);   // in: part[0] holds the source
void split_right(std::uint32_t fidelity, MatmulOperand& operand);  // in: part[0] holds the source

// Sums in float, K in order; `fresh` ignores what `dst` holds.
void matmul_tile(const Tile& left, const Tile& right, bool fresh, Tile& dst);

// The hardware's own arithmetic: groups of eight products aligned to their largest, one rounding per pass. Bit exact,
// slow.
void matmul_tile_exact(const Tile& left, const Tile& right, std::uint32_t fidelity, bool fp32_dest, Tile& dst);

}  // namespace tt_emulator
