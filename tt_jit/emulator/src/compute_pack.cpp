// DST into circular buffers.
#include <cstring>

#include "compute_engine.h"

namespace tt_emulator {
namespace {

using ckernel::ReduceDim;

void require_packable(std::uint32_t cb, const char* call, std::uint32_t line) {
    const DataFormat format = circular_buffer(cb, line).format;
    const bool wide = state().config.fp32_dest_acc_en;
    switch (format) {
        case DataFormat::Float32:
        case DataFormat::Float16_b:
        case DataFormat::Bfp8_b:
        case DataFormat::Bfp4_b:
        case DataFormat::UInt16: return;
        case DataFormat::Int32:
        case DataFormat::UInt32:
        case DataFormat::UInt8:
            if (wide) return;
            fail(line, cb, "set fp32_dest_acc_en in the compute configuration", "%s of %s needs a 32-bit DST", call,
                 format_name(format));
        default:
            fail(line, cb, "use Float16_b or Float32 pages", "%s: the emulator does not pack %s", call,
                 format_name(format));
    }
}

void require_own_accumulation(std::uint32_t cb, std::uint32_t page, const char* call, std::uint32_t line) {
    ComputeState& s = state();
    if (s.l1_accumulate_line == 0) return;
    const CircularBuffer& buffer = circular_buffer(cb, line);
    if (s.l1_accumulate_cb == kNoCircularBuffer) s.l1_accumulate_cb = cb;
    if (s.l1_accumulate_cb != cb) {
        fail(line, cb, "call pack_reconfig_l1_acc(0) in front of packs to another buffer",
             "%s while L1 accumulation is still on for buffer %u (switched on in line %u)", call, s.l1_accumulate_cb,
             s.l1_accumulate_line);
    }
    if (buffer.format != DataFormat::Float32 && buffer.format != DataFormat::Float16_b) {
        fail(line, cb, "accumulate in Float32 or Float16_b pages", "the packer cannot accumulate in %s",
             format_name(buffer.format));
    }
    const std::uint32_t ring_page = buffer.back + page;
    if (ring_page < buffer.pages && !(buffer.page_flags[ring_page] & kWritten)) {
        fail(line, cb, "pack the first block with pack_reconfig_l1_acc(0)",
             "%s adds to page %u, which nobody has written yet", call, page);
    }
}

// With the edge mask of a reduction on, the packer writes zero outside of the result's row or column.
void apply_reduce_mask(const Tile& tile, ReduceDim dim, Tile& masked) {
    std::memset(masked.u, 0, sizeof masked.u);
    if (dim == ReduceDim::REDUCE_SCALAR) {
        masked.u[0] = tile.u[0];
        return;
    }
    for (std::uint32_t i = 0; i < 32; ++i) {
        const std::uint32_t offset = dim == ReduceDim::REDUCE_ROW ? tile_offset(i, 0) : tile_offset(0, i);
        masked.u[offset] = tile.u[offset];
    }
}

void pack_tile_to(std::uint32_t dst, std::uint32_t cb, std::uint32_t page, const char* call, std::uint32_t line) {
    require_own_accumulation(cb, page, call, line);
    const Tile& tile = packed_dst(dst, line);
    std::uint8_t* target = writable_page(cb, page, line);
    const ComputeState& s = state();
    if (s.pack_mask_line == 0) {
        encode_tile(tile, pack_settings(), target);
    } else {
        if (!packed_dst_is_reduced(dst)) {
            fail(line, cb, "call reduce_uninit() after the reduction",
                 "%s of a tile that is no reduction's result while the packer masks for the reduce_init in line %u",
                 call, s.pack_mask_line);
        }
        Tile masked;
        apply_reduce_mask(tile, static_cast<ReduceDim>(s.pack_mask_dimension), masked);
        encode_tile(masked, pack_settings(), target);
    }
    ++core->counters.pack_tiles;
}

}  // namespace

PackSettings pack_settings() {
    const ComputeState& s = state();
    return {.format = s.pack_format, .fp32_dest = s.config.fp32_dest_acc_en, .l1_accumulate = s.l1_accumulate_line != 0,
            .relu = static_cast<ReluMode>(s.relu_mode), .relu_threshold = s.relu_threshold};
}

void require_packer(std::uint32_t cb, const char* call, std::uint32_t line) {
    require_started(call, line);
    const DataFormat needed = circular_buffer(cb, line).format;
    if (needed != state().pack_format) {
        fail(line, cb, "emit pack_reconfig_data_format(cb) after the last pack to the other buffer",
             "%s writes %s, but the packer is configured for %s", call, format_name(needed),
             format_name(state().pack_format));
    }
    require_packable(cb, call, line);
}

void pack_init(std::uint32_t cb, std::uint32_t line) {
    require_started("pack_init", line);
    circular_buffer(cb, line);
}

void pack_next(std::uint32_t dst, std::uint32_t cb, std::uint32_t count, std::uint32_t line) {
    require_packer(cb, "pack_tile", line);
    if (state().untilize_columns) {
        fail(line, cb, "call pack_untilize_uninit(cb) first", "pack_tile while the packer still untilizes");
    }
    CircularBuffer& buffer = circular_buffer(cb, line);
    for (std::uint32_t i = 0; i < count; ++i) pack_tile_to(dst + i, cb, buffer.packed++, "pack_tile", line);
}

void pack_at(std::uint32_t dst, std::uint32_t cb, std::uint32_t index, std::uint32_t line) {
    require_packer(cb, "pack_tile<true>", line);
    if (state().untilize_columns) {
        fail(line, cb, "call pack_untilize_uninit(cb) first", "pack_tile<true> while the packer still untilizes");
    }
    pack_tile_to(dst, cb, index, "pack_tile<true>", line);
}

void pack_l1_accumulate(bool on, std::uint32_t line) {
    ComputeState& s = state();
    require_started("pack_reconfig_l1_acc", line);
    if (on && s.l1_accumulate_line != 0) return;
    s.l1_accumulate_line = on ? line : 0;
    s.l1_accumulate_cb = kNoCircularBuffer;
}

void pack_relu(const ckernel::ReluConfig& config, std::uint32_t line) {
    require_started("pack_relu_config", line);
    if (config.get_threshold() & 0x8000u) {
        fail(line, kNoCircularBuffer, "use a threshold of at least 0", "pack_relu_config with a negative threshold");
    }
    state().relu_line = line;
    state().relu_mode = static_cast<std::uint8_t>(config.get_mode());
    state().relu_threshold = static_cast<std::uint16_t>(config.get_threshold());
}

}  // namespace tt_emulator
