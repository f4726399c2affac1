// The Tensix engines' state of one core: DST registers and the unpack / math / pack configuration.
// Owned by the compute part of the emulator; the core resets it (ComputeState::reset) before a program starts.
#pragma once

#include <cstdint>

#include "tt_emulator/data_format.h"

namespace tt_emulator {

constexpr std::uint32_t kTileElements = 1024;
constexpr std::uint32_t kMaxDstTiles = 16;

// From the plan's compute_config; fixed while a program runs.
struct ComputeConfig {
    std::uint8_t math_fidelity = 4;  // passes: LoFi 1, HiFi2 2, HiFi3 3, HiFi4 4
    bool fp32_dest_acc_en = false;
    bool dst_full_sync_en = false;
    bool math_approx_mode = false;

    std::uint32_t dst_tiles() const { return (fp32_dest_acc_en ? 4u : 8u) * (dst_full_sync_en ? 2u : 1u); }
};

struct ComputeState {
    ComputeConfig config;
    // One 32-bit lane per element whatever the DST mode; element order inside a tile is the compute part's choice.
    alignas(64) std::uint32_t dst[kMaxDstTiles * kTileElements];

    void reset(const ComputeConfig& program_config);  // src/compute*.cpp
};

}  // namespace tt_emulator
