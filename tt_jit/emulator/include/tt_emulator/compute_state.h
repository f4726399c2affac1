// The Tensix engines' state of one core: DST registers and the unpack / math / pack configuration.
// Owned by the compute part of the emulator; the core resets it (ComputeState::reset) before a program starts.
#pragma once

#include <cstdint>

#include "tt_emulator/data_format.h"
#include "tt_emulator/tile.h"

namespace tt_emulator {

constexpr std::uint32_t kMaxDstTiles = 16;

// From the plan's compute_config; fixed while a program runs.
struct ComputeConfig {
    std::uint8_t math_fidelity = 4;  // passes: LoFi 1, HiFi2 2, HiFi3 3, HiFi4 4
    bool fp32_dest_acc_en = false;
    bool dst_full_sync_en = false;
    bool math_approx_mode = false;
    // Not part of the plan: matmul and sums with the matrix unit's own rounding, about 70 times slower.
    bool exact_matmul = false;

    std::uint32_t dst_tiles() const { return (fp32_dest_acc_en ? 4u : 8u) * (dst_full_sync_en ? 2u : 1u); }
};

// What an unpacker is configured for. A 32-bit page that goes straight to DST needs another setting than one for SrcA.
struct SourceFormat {
    DataFormat format = DataFormat::Invalid;
    bool to_dest = false;
    bool operator==(const SourceFormat&) const = default;
};

enum class FpuOp : std::uint8_t {
    none,
    copy,
    matmul,
    binary,
    binary_reuse_dest,
    unary_broadcast,
    reduce,
    transpose,
    transpose_dest,
    tilize,
};

// The operation that unpack and math were last initialised for; calls must agree with it in every field but the line.
struct FpuInit {
    FpuOp op = FpuOp::none;
    std::uint8_t kind = 0;       // EltwiseBinaryType, PoolType, DataFormat width: whatever the operation distinguishes
    std::uint8_t dimension = 0;  // BroadcastType, ReduceDim, EltwiseBinaryReuseDestType
    std::uint8_t flags = 0;      // transposes
    std::uint32_t columns = 1, rows = 1, depth = 1;  // a matmul block's ct, rt and kt
    bool operator==(const FpuInit&) const = default;
};

// Tiles of one half of DST (or of all of it, in full sync).
struct DstSection {
    std::uint32_t written = 0;  // bit per tile; a tile nobody wrote since the section was acquired reads as zero
    std::uint32_t reduced = 0;  // bit per tile: only the reduction's row or column holds data
};

struct ComputeState {
    ComputeConfig config;

    Tile dst[kMaxDstTiles];
    DstSection sections[2];
    std::uint32_t math_section = 0, pack_section = 0;
    std::uint32_t committed = 0;  // sections handed to the packer and not yet released
    bool acquired = false;        // math may use its section
    bool waited = false;          // the packer may use its section
    std::uint32_t acquire_line = 0;

    bool started = false;
    SourceFormat source_a, source_b;
    FpuInit fpu;
    bool fpu_accumulate = false;  // add_init(..., acc_to_dest)
    std::uint32_t fpu_init_line = 0;
    std::uint32_t sfpu_init = 0;  // of the math thread: SfpuInit and its template arguments
    std::uint32_t sfpu_init_pack = 0;
    std::uint32_t sfpu_init_line = 0;
    std::uint32_t sfpu_parameter[2] = {0, 0};  // fmod_tile_init and its kind leave operands in the SFPU
    std::uint32_t random_state = 0;
    float column_sums[32] = {};  // cumsum_tile carries them from tile to tile

    DataFormat pack_format = DataFormat::Invalid;
    std::uint32_t pack_mask_line = 0;  // of the reduce_init whose edge mask is on; 0: none
    std::uint8_t pack_mask_dimension = 0;
    std::uint32_t untilize_columns = 0, untilize_full_columns = 0;  // pack_untilize is on when not 0
    std::uint32_t l1_accumulate_line = 0;                           // 0: off
    std::uint32_t l1_accumulate_cb = 0;  // the buffer of the first pack since it was switched on
    std::uint8_t relu_mode = 0;
    std::uint32_t relu_line = 0, untilize_line = 0;
    std::uint16_t relu_threshold = 0;

    void reset(const ComputeConfig& program_config);
};

}  // namespace tt_emulator
