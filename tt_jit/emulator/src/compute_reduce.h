// Reductions of one tile by the matrix unit and its pooling instructions.
#pragma once

#include <cstdint>

#include "llk_defs.h"
#include "tt_emulator/compute_state.h"
#include "tt_emulator/tile.h"

namespace tt_emulator {

struct ReduceSettings {
    ckernel::ReduceDim dim = ckernel::ReduceDim::REDUCE_ROW;
    std::uint32_t fidelity = 4;
    bool fp32_dest = false;
    bool exact = false;           // the matrix unit's own rounding instead of float sums
    SourceFormat source_a;        // a scalar reduction sends partial results through SrcA
};

// Adds scaler * data to `dst`: column 0 (row sums), row 0 (column sums) or element 0.
void reduce_sum_tile(const Tile& data, const Tile& scaler, const ReduceSettings& settings, Tile& dst);

// The maximum with what `dst` holds; `fresh` DST counts as lower than everything.
void reduce_max_tile(const Tile& data, const ReduceSettings& settings, bool fresh, Tile& dst);

// The maximum instruction accepts no other scaler than one.
bool scaler_is_one(const Tile& scaler);

}  // namespace tt_emulator
