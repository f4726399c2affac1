#include "compute_engine.h"

#include <cstring>

namespace tt_emulator {
namespace {

std::uint32_t section_count() { return state().config.dst_full_sync_en ? 1 : 2; }

Tile& tile_of_section(std::uint32_t section, std::uint32_t dst) {
    return state().dst[section * state().config.dst_tiles() + dst];
}

void require_dst_index(std::uint32_t dst, std::uint32_t line) {
    const std::uint32_t limit = state().config.dst_tiles();
    if (dst < limit) return;
    fail(line, kNoCircularBuffer, "split the work into smaller batches between tile_regs_acquire and tile_regs_release",
         "DST tile %u is out of range: DST holds %u tiles (%s, %s sync)", dst, limit,
         state().config.fp32_dest_acc_en ? "fp32" : "16-bit", state().config.dst_full_sync_en ? "full" : "half");
}

void require_acquired(std::uint32_t line) {
    if (state().acquired) return;
    fail(line, kNoCircularBuffer, "math belongs between tile_regs_acquire() and tile_regs_commit()",
         "DST is used by math outside of tile_regs_acquire and tile_regs_commit");
}

Tile& math_tile(std::uint32_t dst, std::uint32_t line) {
    require_acquired(line);
    require_dst_index(dst, line);
    return tile_of_section(state().math_section, dst);
}

void zero_if_unwritten(Tile& tile, DstSection& section, std::uint32_t dst) {
    if (section.written >> dst & 1u) return;
    std::memset(tile.u, 0, sizeof tile.u);
    section.written |= 1u << dst;
}

const char* init_name(FpuOp op) {
    switch (op) {
        case FpuOp::copy: return "copy_init";
        case FpuOp::matmul: return "matmul_init or matmul_block_init";
        case FpuOp::binary: return "add_init, sub_init, mul_init or their bcast forms";
        case FpuOp::binary_reuse_dest: return "a *_reuse_dest_init";
        case FpuOp::unary_broadcast: return "unary_bcast_init";
        case FpuOp::reduce: return "reduce_init";
        case FpuOp::transpose: return "transpose_init";
        case FpuOp::transpose_dest: return "transpose_dest_init";
        case FpuOp::tilize: return "tilize_init";
        default: return "none";
    }
}

SourceFormat source_format(const CircularBuffer& buffer) { return {buffer.format, goes_to_dest(buffer)}; }

void require_source(std::uint32_t cb, const SourceFormat& configured, const char* source, const char* call,
                    std::uint32_t line) {
    const SourceFormat needed = source_format(circular_buffer(cb, line));
    if (needed == configured) return;
    fail(line, cb, "emit reconfig_data_format (or its _srca / _srcb form) in front of the operation's init",
         "%s reads %s%s through %s, which is configured for %s%s", call, format_name(needed.format),
         needed.to_dest ? " (unpacked to DST)" : "", source, format_name(configured.format),
         configured.to_dest ? " (unpacked to DST)" : "");
}

void require_old_format(const SourceFormat& configured, std::uint32_t old_cb, const char* source, std::uint32_t line) {
    if (source_format(circular_buffer(old_cb, line)) == configured) return;
    fail(line, old_cb, "pass the buffer that the source was last configured for, or use the form without it",
         "reconfig_data_format takes the buffer for what %s is configured for, but that is %s", source,
         format_name(configured.format));
}

}  // namespace

void ComputeState::reset(const ComputeConfig& program_config) {
    config = program_config;
    sections[0] = sections[1] = DstSection{};
    math_section = pack_section = committed = 0;
    acquired = waited = started = fpu_accumulate = false;
    source_a = source_b = SourceFormat{};
    fpu = FpuInit{};
    fpu_init_line = sfpu_init = sfpu_init_pack = sfpu_init_line = random_state = 0;
    sfpu_parameter[0] = sfpu_parameter[1] = 0;
    pack_format = DataFormat::Invalid;
    pack_mask_line = untilize_columns = untilize_full_columns = l1_accumulate_line = l1_accumulate_cb = 0;
    pack_mask_dimension = relu_mode = 0;
    acquire_line = relu_line = untilize_line = 0;
    relu_threshold = 0;
}

void dst_acquire(std::uint32_t line) {
    ComputeState& s = state();
    require_started("tile_regs_acquire", line);
    if (s.acquired) {
        fail(line, kNoCircularBuffer, "call tile_regs_commit() first", "tile_regs_acquire is called twice");
    }
    if (s.committed == section_count()) {
        fail(line, kNoCircularBuffer, "pack the results and call tile_regs_release() first",
             "tile_regs_acquire finds no free part of DST: %u committed and not released", s.committed);
    }
    s.acquired = true;
    s.acquire_line = line;
    s.sections[s.math_section] = DstSection{};
}

void dst_commit(std::uint32_t line) {
    ComputeState& s = state();
    if (!s.acquired) {
        fail(line, kNoCircularBuffer, "call tile_regs_acquire() in front of the math",
             "tile_regs_commit without tile_regs_acquire");
    }
    s.acquired = false;
    ++s.committed;
    s.math_section = (s.math_section + 1) % section_count();
}

void dst_wait(std::uint32_t line) {
    ComputeState& s = state();
    if (s.waited) fail(line, kNoCircularBuffer, "call tile_regs_release() first", "tile_regs_wait is called twice");
    if (s.committed == 0) {
        fail(line, kNoCircularBuffer, "call tile_regs_commit() after the math and before tile_regs_wait()",
             "tile_regs_wait would never return: nothing is committed");
    }
    s.waited = true;
}

void dst_release(std::uint32_t line) {
    ComputeState& s = state();
    if (!s.waited) {
        fail(line, kNoCircularBuffer, "call tile_regs_wait() in front of the packs",
             "tile_regs_release without tile_regs_wait");
    }
    s.waited = false;
    --s.committed;
    s.pack_section = (s.pack_section + 1) % section_count();
}

Tile& overwritten_dst(std::uint32_t dst, std::uint32_t line) {
    Tile& tile = math_tile(dst, line);
    DstSection& section = state().sections[state().math_section];
    section.written |= 1u << dst;
    section.reduced &= ~(1u << dst);
    return tile;
}

Tile& updated_dst(std::uint32_t dst, std::uint32_t line) {
    Tile& tile = math_tile(dst, line);
    zero_if_unwritten(tile, state().sections[state().math_section], dst);
    return tile;
}

const Tile& read_dst(std::uint32_t dst, std::uint32_t line) { return updated_dst(dst, line); }

bool dst_is_written(std::uint32_t dst) {
    return dst < kMaxDstTiles && (state().sections[state().math_section].written >> dst & 1u);
}

void mark_reduced(std::uint32_t dst) { state().sections[state().math_section].reduced |= 1u << dst; }

Tile& packed_dst(std::uint32_t dst, std::uint32_t line) {
    if (!state().waited) {
        fail(line, kNoCircularBuffer, "packs belong between tile_regs_wait() and tile_regs_release()",
             "DST is used by the packer outside of tile_regs_wait and tile_regs_release");
    }
    require_dst_index(dst, line);
    Tile& tile = tile_of_section(state().pack_section, dst);
    zero_if_unwritten(tile, state().sections[state().pack_section], dst);
    return tile;
}

bool packed_dst_is_reduced(std::uint32_t dst) { return state().sections[state().pack_section].reduced >> dst & 1u; }

void require_started(const char* call, std::uint32_t line) {
    if (state().started) return;
    fail(line, kNoCircularBuffer, "make compute_kernel_hw_startup(...) the first statement of kernel_main",
         "%s before compute_kernel_hw_startup", call);
}

void set_fpu_init(const FpuInit& init, std::uint32_t line) {
    require_started(init_name(init.op), line);
    if (state().fpu.op == FpuOp::tilize && init.op != FpuOp::tilize) {
        fail(line, kNoCircularBuffer, "call tilize_uninit first", "%s while the unpacker still tilizes",
             init_name(init.op));
    }
    state().fpu = init;
    state().fpu_init_line = line;
}

void require_fpu_init(const FpuInit& init, const char* call, const char* hint, std::uint32_t line) {
    const ComputeState& s = state();
    if (s.fpu == init) return;
    require_started(call, line);
    if (s.fpu.op == FpuOp::none) fail(line, kNoCircularBuffer, hint, "%s without its init", call);
    if (s.fpu.op != init.op) {
        fail(line, kNoCircularBuffer, hint, "%s without its init: the last one was %s in line %u", call,
             init_name(s.fpu.op), s.fpu_init_line);
    }
    fail(line, kNoCircularBuffer, hint,
         "%s and its init in line %u disagree (operation %u/%u, dimension %u/%u, flags %u/%u, "
         "ct %u/%u, rt %u/%u, kt %u/%u)",
         call, s.fpu_init_line, init.kind, s.fpu.kind, init.dimension, s.fpu.dimension, init.flags,
         s.fpu.flags, init.columns, s.fpu.columns, init.rows, s.fpu.rows, init.depth, s.fpu.depth);
}

bool goes_to_dest(const CircularBuffer& buffer) {
    return buffer.format == DataFormat::Int32 || buffer.format == DataFormat::UInt32 ||
           (buffer.format == DataFormat::Float32 && buffer.unpack_to_dest_fp32);
}

void require_source_a(std::uint32_t cb, const char* call, std::uint32_t line) {
    require_source(cb, state().source_a, "SrcA", call, line);
}

void require_source_b(std::uint32_t cb, const char* call, std::uint32_t line) {
    require_source(cb, state().source_b, "SrcB", call, line);
}

void require_fpu_operand(std::uint32_t cb, const char* call, std::uint32_t line) {
    const CircularBuffer& buffer = circular_buffer(cb, line);
    if (is_integer_format(buffer.format)) {
        fail(line, cb, "copy integers to DST and use the SFPU's integer operations",
             "%s cannot read %s: the FPU computes on floats", call, format_name(buffer.format));
    }
    if (buffer.unpack_to_dest_fp32) {
        fail(line, cb, "give the same memory a second buffer id without unpack_to_dest_fp32",
             "%s cannot read this buffer: it is set up to unpack straight to DST (unpack_to_dest_fp32)", call);
    }
}

void load_source(std::uint32_t cb, std::uint32_t tile, Tile& result, std::uint32_t line) {
    const std::uint8_t* page = readable_page(cb, tile, line);
    decode_source(page, core->circular_buffers[cb].format, state().config.fp32_dest_acc_en, result);
}

void truncate_to_source(const Tile& dst, const SourceFormat& format, Tile& result) {
    const bool wide = format.format == DataFormat::Float32 && state().config.fp32_dest_acc_en;
    const std::uint32_t kept = wide ? 0xffffe000u : 0xffff0000u;
    for (std::uint32_t i = 0; i < tile_elements; ++i) {
        result.u[i] = dst.u[i] & 0x7f800000u ? dst.u[i] & kept : 0;
    }
}

void store_float_result(Tile& dst) {
    if (state().config.fp32_dest_acc_en) return;
    for (std::uint32_t i = 0; i < tile_elements; ++i) dst.u[i] = (dst.u[i] + 0x8000u) & 0xffff0000u;
}

void check_compute_end() {
    const ComputeState& s = state();
    struct Leftover {
        bool on;
        std::uint32_t line;
        const char* what;
        const char* hint;
    };
    const Leftover leftovers[] = {
        {s.acquired, s.acquire_line, "DST acquired and not committed", "call tile_regs_commit(), and pack"},
        {s.committed != 0, s.acquire_line, "DST committed and not released",
         "call tile_regs_wait(), pack, and tile_regs_release()"},
        {s.pack_mask_line != 0, s.pack_mask_line, "the packer's mask of a reduction on", "call reduce_uninit()"},
        {s.l1_accumulate_line != 0, s.l1_accumulate_line, "L1 accumulation on", "call pack_reconfig_l1_acc(0)"},
        {s.relu_mode != 0, s.relu_line, "the packer's ReLU on", "call pack_relu_config(ReluConfig::none())"},
        {s.untilize_columns != 0, s.untilize_line, "the packer set to untilize", "call pack_untilize_uninit(cb)"},
        {s.fpu.op == FpuOp::tilize, s.fpu_init_line, "the unpacker set to tilize", "call tilize_uninit"},
    };
    for (const Leftover& leftover : leftovers) {
        if (leftover.on) fail(leftover.line, kNoCircularBuffer, leftover.hint, "the kernel ends with %s",
                              leftover.what);
    }
}

void hw_startup(std::uint32_t source_a_cb, std::uint32_t source_b_cb, std::uint32_t pack_cb, std::uint32_t line) {
    ComputeState& s = state();
    if (s.started) {
        fail(line, kNoCircularBuffer, "use reconfig_data_format and pack_reconfig_data_format in mid-kernel",
             "compute_kernel_hw_startup is called twice; the engines may be busy");
    }
    s.started = true;
    s.source_a = source_format(circular_buffer(source_a_cb, line));
    s.source_b = source_format(circular_buffer(source_b_cb, line));
    s.pack_format = circular_buffer(pack_cb, line).format;
}

void reconfig_source_a(std::uint32_t cb, std::uint32_t line) {
    require_started("reconfig_data_format", line);
    state().source_a = source_format(circular_buffer(cb, line));
}

void reconfig_source_b(std::uint32_t cb, std::uint32_t line) {
    require_started("reconfig_data_format", line);
    state().source_b = source_format(circular_buffer(cb, line));
}

void reconfig_pack(std::uint32_t cb, std::uint32_t line) {
    require_started("pack_reconfig_data_format", line);
    state().pack_format = circular_buffer(cb, line).format;
}

void reconfig_source_a_from(std::uint32_t old_cb, std::uint32_t cb, std::uint32_t line) {
    require_old_format(state().source_a, old_cb, "SrcA", line);
    reconfig_source_a(cb, line);
}

void reconfig_source_b_from(std::uint32_t old_cb, std::uint32_t cb, std::uint32_t line) {
    require_old_format(state().source_b, old_cb, "SrcB", line);
    reconfig_source_b(cb, line);
}

void reconfig_pack_from(std::uint32_t old_cb, std::uint32_t cb, std::uint32_t line) {
    if (circular_buffer(old_cb, line).format != state().pack_format) {
        fail(line, old_cb, "pass the buffer that was packed last, or use the form without it",
             "pack_reconfig_data_format takes the buffer the packer is configured for, but that is %s",
             format_name(state().pack_format));
    }
    reconfig_pack(cb, line);
}

}  // namespace tt_emulator
