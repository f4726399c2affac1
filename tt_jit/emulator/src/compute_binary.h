// FPU element-wise arithmetic on whole tiles, bit exact with the hardware's.
#pragma once

#include <cstdint>

#include "tt_emulator/tile.h"

namespace tt_emulator {

enum class BinaryOp : std::uint8_t { multiply, add, subtract };

struct BinarySettings {
    BinaryOp op = BinaryOp::add;
    std::uint32_t fidelity = 4;  // passes of a multiplication
    bool fp32_dest = false;
    bool accumulate = false;  // an addition onto what `dst` holds; multiplications always accumulate
    bool fresh = false;       // what `dst` holds counts as zero
};

void binary_tile(const Tile& a, const Tile& b, const BinarySettings& settings, Tile& dst);

// The same through the arithmetic of fpu_lane.h, which covers every value; slower.
void binary_tile_reference(const Tile& a, const Tile& b, const BinarySettings& settings, Tile& dst);

enum class Broadcast : std::uint8_t { none, column, row, scalar };
void broadcast_tile(const Tile& source, Broadcast broadcast, std::uint32_t row, Tile& result);
void transpose_tile_faces(const Tile& source, bool swap_faces, bool within_faces, Tile& result);

}  // namespace tt_emulator
