// Tiles from circular buffers into DST unchanged: copies, transposes, broadcasts.
#include <cstring>

#include "compute_binary.h"
#include "compute_engine.h"

namespace tt_emulator {
namespace {

enum CopyFlag : std::uint8_t { swaps_faces = 1, within_faces = 2 };

FpuInit copy_description(const CircularBuffer& buffer, std::uint8_t flags) {
    return {.op = FpuOp::copy, .kind = goes_to_dest(buffer), .flags = flags};
}

void require_wide_dest(std::uint32_t cb, const char* call, std::uint32_t line) {
    if (state().config.fp32_dest_acc_en) return;
    fail(line, cb, "set fp32_dest_acc_en in the compute configuration", "%s of %s needs a 32-bit DST", call,
         format_name(circular_buffer(cb, line).format));
}

// The page as a copy puts it into DST: exact where the unpacker writes DST itself. What passes through SrcA goes to a
// 32-bit DST by way of the adder, which knows no denormals, no NaN and no negative zero.
void load_for_copy(std::uint32_t cb, std::uint32_t tile, const char* call, Tile& result, std::uint32_t line) {
    const CircularBuffer& buffer = circular_buffer(cb, line);
    const std::uint8_t* page = readable_page(cb, tile, line);
    const bool wide = state().config.fp32_dest_acc_en;
    if (goes_to_dest(buffer) || buffer.format == DataFormat::UInt8) require_wide_dest(cb, call, line);
    decode_tile(page, buffer.format, result);
    if (buffer.format == DataFormat::Float32 && !goes_to_dest(buffer)) {
        const std::uint32_t kept = wide ? 0xffffe000u : 0xffff0000u;
        for (std::uint32_t i = 0; i < tile_elements; ++i) result.u[i] &= kept;
        if (!wide) flush_denormals(result.f, tile_elements);
    }
    if (wide && !goes_to_dest(buffer) && !is_integer_format(buffer.format)) add_zero(result.f, tile_elements);
}

// Into a 32-bit DST a copy adds SrcB, which is zero; the adder takes 8-bit integers on both sides or on none.
void require_source_b_like(const CircularBuffer& buffer, std::uint32_t cb, const char* call, std::uint32_t line) {
    if (goes_to_dest(buffer) || !state().config.fp32_dest_acc_en) return;
    const DataFormat other = state().source_b.format;
    if ((buffer.format == DataFormat::UInt8) == (other == DataFormat::UInt8)) return;
    fail(line, cb, "call reconfig_data_format_srcb(cb) as well as reconfig_data_format_srca(cb)",
         "%s of %s adds SrcB, which is configured for %s: 8-bit integers do not mix with other formats", call,
         format_name(buffer.format), format_name(other));
}

std::uint8_t broadcast_kind(const CircularBuffer& buffer) { return goes_to_dest(buffer) ? 1 : 0; }

Broadcast broadcast_of(BroadcastType type) { return static_cast<Broadcast>(type); }

}  // namespace

void copy_init(std::uint32_t cb, bool transpose_faces, bool transpose_within_faces, std::uint32_t line) {
    const CircularBuffer& buffer = circular_buffer(cb, line);
    if (transpose_within_faces && goes_to_dest(buffer)) {
        fail(line, cb, "use transpose_init and transpose_tile",
             "copy_init cannot transpose within faces on the way to DST");
    }
    const int flags = (transpose_faces ? swaps_faces : 0) | (transpose_within_faces ? within_faces : 0);
    set_fpu_init(copy_description(buffer, static_cast<std::uint8_t>(flags)), line);
}

void copy_tiles(std::uint32_t cb, std::uint32_t tile, std::uint32_t dst, std::uint32_t count, std::uint32_t line) {
    const CircularBuffer& buffer = circular_buffer(cb, line);
    const std::uint8_t flags = state().fpu.op == FpuOp::copy ? state().fpu.flags : std::uint8_t{0};
    require_fpu_init(copy_description(buffer, flags), "copy_tile",
                     "call copy_init(cb) after the last init of another operation, "
                     "and again when the buffer's path to DST changes",
                     line);
    require_source_a(cb, "copy_tile", line);
    require_source_b_like(buffer, cb, "copy_tile", line);
    for (std::uint32_t i = 0; i < count; ++i) {
        Tile& out = overwritten_dst(dst + i, line);
        if (flags == 0) {
            load_for_copy(cb, tile + i, "copy_tile", out, line);
            continue;
        }
        Tile source;
        load_for_copy(cb, tile + i, "copy_tile", source, line);
        transpose_tile_faces(source, flags & swaps_faces, flags & within_faces, out);
    }
    core->counters.copy_tiles += count;
}

void unary_broadcast_init(BroadcastType broadcast, std::uint32_t cb, std::uint32_t line) {
    const CircularBuffer& buffer = circular_buffer(cb, line);
    set_fpu_init({.op = FpuOp::unary_broadcast, .kind = broadcast_kind(buffer),
                 .dimension = static_cast<std::uint8_t>(broadcast)}, line);
}

void unary_broadcast(BroadcastType broadcast, std::uint32_t cb, std::uint32_t tile, std::uint32_t dst,
                     std::uint32_t line) {
    const CircularBuffer& buffer = circular_buffer(cb, line);
    require_fpu_init({.op = FpuOp::unary_broadcast, .kind = broadcast_kind(buffer),
                     .dimension = static_cast<std::uint8_t>(broadcast)}, "unary_bcast",
                     "call unary_bcast_init<same type>(cb)", line);
    require_source_a(cb, "unary_bcast", line);
    if (broadcast != BroadcastType::NONE && !goes_to_dest(buffer)) require_source_b(cb, "unary_bcast", line);
    Tile& out = overwritten_dst(dst, line);
    Tile source;
    load_for_copy(cb, tile, "unary_bcast", source, line);
    if (broadcast == BroadcastType::NONE) out = source;
    else broadcast_tile(source, broadcast_of(broadcast), 0, out);
    ++core->counters.copy_tiles;
}

void unary_broadcast_uninit(BroadcastType, std::uint32_t cb, std::uint32_t line) { circular_buffer(cb, line); }

void transpose_init(std::uint32_t cb, std::uint32_t line) {
    set_fpu_init({.op = FpuOp::transpose, .kind = goes_to_dest(circular_buffer(cb, line))}, line);
}

void transpose(std::uint32_t cb, std::uint32_t tile, std::uint32_t dst, std::uint32_t line) {
    const CircularBuffer& buffer = circular_buffer(cb, line);
    require_fpu_init({.op = FpuOp::transpose, .kind = goes_to_dest(buffer)}, "transpose_tile",
                     "call transpose_init(cb)", line);
    require_source_a(cb, "transpose_tile", line);
    Tile& out = overwritten_dst(dst, line);
    Tile source;
    load_for_copy(cb, tile, "transpose_tile", source, line);
    transpose_tile_faces(source, true, true, out);
    ++core->counters.copy_tiles;
}

void transpose_dest_init(bool is_32bit, bool of_faces, std::uint32_t line) {
    set_fpu_init({.op = FpuOp::transpose_dest, .kind = is_32bit, .flags = of_faces}, line);
}

void transpose_dest(bool is_32bit, bool of_faces, std::uint32_t dst, std::uint32_t line) {
    require_fpu_init({.op = FpuOp::transpose_dest, .kind = is_32bit, .flags = of_faces}, "transpose_dest",
                     "call transpose_dest_init<same arguments>()", line);
    if (is_32bit && !state().config.fp32_dest_acc_en) {
        fail(line, kNoCircularBuffer, "use transpose_dest<false> or set fp32_dest_acc_en",
             "transpose_dest<true> needs a 32-bit DST");
    }
    Tile& tile = updated_dst(dst, line);
    const Tile source = tile;
    transpose_tile_faces(source, of_faces, true, tile);
    if (!is_32bit && state().config.fp32_dest_acc_en) truncate_to_source(Tile(tile), {DataFormat::Float16_b, false},
                                                                         tile);
    ++core->counters.copy_tiles;
}

}  // namespace tt_emulator
