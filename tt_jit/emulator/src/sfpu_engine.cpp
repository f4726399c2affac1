// Contract checks of SFPU calls, and the operations that are more than a function of lanes.
#include <algorithm>
#include <cstring>

#include "compute_binary.h"
#include "compute_engine.h"
#include "sfpu_math.h"
#include "tt_emulator/sfpu.h"

namespace tt_emulator {
namespace {

constexpr const char* init_names[] = {
    "none",
#define TT_EMULATOR_SFPU_INIT(name) #name,
    TT_EMULATOR_SFPU_INITS(TT_EMULATOR_SFPU_INIT)
#undef TT_EMULATOR_SFPU_INIT
};

constexpr std::uint32_t packed_init(SfpuInit init, std::uint32_t variant) {
    return static_cast<std::uint32_t>(init) | variant << 16;
}
const char* init_name(std::uint32_t packed) { return init_names[packed & 0xffffu]; }

void require_init(std::uint32_t held, SfpuInit init, std::uint32_t variant, const char* suffix, const char* call,
                  std::uint32_t line) {
    const std::uint32_t needed = packed_init(init, variant);
    if (held == needed) return;
    require_started(call, line);
    const char* name = init_name(needed);
    char hint[160] = "call ";
    std::strncat(hint, name, 80);
    std::strncat(hint, suffix, 16);
    std::strncat(hint, " in front of it, after the last init of another SFPU operation", 64);
    if (held == 0) fail(line, kNoCircularBuffer, hint, "%s without %s%s", call, name, suffix);
    if ((held ^ needed) & 0xffffu) {
        fail(line, kNoCircularBuffer, hint, "%s without %s%s: the last SFPU init was %s in line %u", call, name, suffix,
             init_name(held), state().sfpu_init_line);
    }
    fail(line, kNoCircularBuffer, "give the init and its calls the same template arguments",
         "%s and its %s%s in line %u have different template arguments", call, name, suffix, state().sfpu_init_line);
}

void require_math_init(SfpuInit init, std::uint32_t variant, const char* call, std::uint32_t line) {
    require_init(state().sfpu_init, init, variant, "", call, line);
}

void require_lane_width(LaneStore store, const char* call, std::uint32_t line) {
    if (store != LaneStore::int32 || state().config.fp32_dest_acc_en) return;
    fail(line, kNoCircularBuffer, "set fp32_dest_acc_en in the compute configuration",
         "%s works on 32-bit lanes, DST holds 16", call);
}

// The call moves whole registers of this format, or takes them for it.
void require_float_width(DataFormat format, const char* call, std::uint32_t line) {
    if (format != DataFormat::Float32 || state().config.fp32_dest_acc_en) return;
    fail(line, kNoCircularBuffer, "give it DataFormat::Float16_b, or set fp32_dest_acc_en in the compute configuration",
         "%s works on 32-bit lanes, DST holds 16", call);
}

void store_lanes(Tile& tile, LaneStore store, std::uint32_t begin, std::uint32_t count) {
    if (store == LaneStore::uint16) {
        for (std::uint32_t i = begin; i < begin + count; ++i) tile.u[i] &= 0xffffu;
    }
    if (state().config.fp32_dest_acc_en) return;
    if (store == LaneStore::nearest) round_to_bf16_nearest_even(tile.f + begin, count);
    if (store == LaneStore::truncate) truncate_to_bf16(tile.f + begin, count);
}

struct LaneRange {
    std::uint32_t begin, count;
};
struct LaneRanges {
    LaneRange range[2];
    std::uint32_t size;
};

// R: the upper two faces (rows 0-15), C: the left two (columns 0-15).
LaneRanges ranges_of(VectorMode mode, const char* call, std::uint32_t line) {
    switch (mode) {
        case VectorMode::RC: return {{{0, tile_elements}, {}}, 1};
        case VectorMode::R: return {{{0, 2 * face_elements}, {}}, 1};
        case VectorMode::C: return {{{0, face_elements}, {2 * face_elements, face_elements}}, 2};
        default: fail(line, kNoCircularBuffer, "use VectorMode::RC, R or C", "%s with an unsupported vector mode",
                      call);
    }
}

void run_unary(const UnaryOperation& operation, Tile& tile, const LaneRanges& ranges,
               const SfpuParameters& parameters) {
    for (std::uint32_t i = 0; i < ranges.size; ++i) {
        const LaneRange range = ranges.range[i];
        operation.run(tile, range.begin, range.count, parameters);
        store_lanes(tile, operation.store, range.begin, range.count);
    }
    ++core->counters.sfpu_tiles;
}

// The mark of a reduction's result survives what the SFPU makes of it.
Tile& result_dst(std::uint32_t out, std::uint32_t in0, std::uint32_t in1, std::uint32_t line) {
    DstSection& section = state().sections[state().math_section];
    const bool reduced = (section.reduced >> in0 & 1u) && (section.reduced >> in1 & 1u);
    Tile& tile = updated_dst(out, line);
    section.reduced = (section.reduced & ~(1u << out)) | (reduced ? 1u << out : 0u);
    return tile;
}

// The init functions that take operands leave them in the SFPU for the calls.
bool uses_init_operands(SfpuInit init) {
    return init == SfpuInit::fmod_tile_init || init == SfpuInit::remainder_tile_init;
}

}  // namespace

bool sfpu_approximates() { return state().config.math_approx_mode; }

void sfpu_init(SfpuInit init, std::uint32_t variant, std::uint32_t line) {
    require_started(init_names[static_cast<std::uint32_t>(init)], line);
    state().sfpu_init = packed_init(init, variant);
    state().sfpu_init_line = line;
}

void sfpu_init_with(SfpuInit init, std::uint32_t first, std::uint32_t second, std::uint32_t line) {
    sfpu_init(init, 0, line);
    state().sfpu_parameter[0] = first;
    state().sfpu_parameter[1] = second;
    if (init == SfpuInit::rand_tile_init || init == SfpuInit::dropout_kernel_init) state().random_state = first;
}

void sfpu_init_pack(SfpuInit init, std::uint32_t variant, std::uint32_t line) {
    require_started(init_names[static_cast<std::uint32_t>(init)], line);
    state().sfpu_init_pack = packed_init(init, variant);
    state().sfpu_init_line = line;
}

void sfpu_unary(const UnaryOperation& operation, std::uint32_t dst, VectorMode mode, const SfpuParameters& parameters,
                std::uint32_t variant, const char* call, std::uint32_t line) {
    require_math_init(operation.init, variant, call, line);
    require_lane_width(operation.store, call, line);
    const LaneRanges ranges = ranges_of(mode, call, line);
    Tile& tile = updated_dst(dst, line);
    if (!uses_init_operands(operation.init)) return run_unary(operation, tile, ranges, parameters);
    run_unary(operation, tile, ranges, {{state().sfpu_parameter[0], state().sfpu_parameter[1], 0}});
}

void sfpu_unary_pack(const UnaryOperation& operation, std::uint32_t dst, const SfpuParameters& parameters,
                     std::uint32_t variant, const char* call, std::uint32_t line) {
    require_init(state().sfpu_init_pack, operation.init, variant, "_pack", call, line);
    Tile& tile = packed_dst(dst, line);
    run_unary(operation, tile, ranges_of(VectorMode::RC, call, line), parameters);
}

void sfpu_binary(const BinaryOperation& operation, std::uint32_t dst0, std::uint32_t dst1, std::uint32_t out,
                 VectorMode mode, const SfpuParameters& parameters, std::uint32_t variant, const char* call,
                 std::uint32_t line) {
    require_math_init(operation.init, variant, call, line);
    require_lane_width(operation.store, call, line);
    const LaneRanges ranges = ranges_of(mode, call, line);
    const Tile& a = read_dst(dst0, line);
    const Tile& b = read_dst(dst1, line);
    Tile& result = result_dst(out, dst0, dst1, line);
    for (std::uint32_t i = 0; i < ranges.size; ++i) {
        const LaneRange range = ranges.range[i];
        operation.run(a, b, result, range.begin, range.count, parameters);
        store_lanes(result, operation.store, range.begin, range.count);
    }
    ++core->counters.sfpu_tiles;
}

void sfpu_ternary(const TernaryOperation& operation, std::uint32_t dst0, std::uint32_t dst1, std::uint32_t dst2,
                  std::uint32_t out, const SfpuParameters& parameters, std::uint32_t variant, const char* call,
                  std::uint32_t line) {
    require_math_init(operation.init, variant, call, line);
    require_lane_width(operation.store, call, line);
    const Tile& a = read_dst(dst0, line);
    const Tile& b = read_dst(dst1, line);
    const Tile& c = read_dst(dst2, line);
    Tile& result = result_dst(out, dst1, dst2, line);
    operation.run(a, b, c, result, parameters);
    store_lanes(result, operation.store, 0, tile_elements);
    ++core->counters.sfpu_tiles;
}

void sfpu_broadcast(EltwiseBinaryType type, BroadcastType broadcast, std::uint32_t data, std::uint32_t vector,
                    std::uint32_t line) {
    const bool column = broadcast == BroadcastType::COL;
    require_math_init(column ? SfpuInit::sfpu_bcast_col_init : SfpuInit::sfpu_bcast_row_init, 0,
                      column ? "a sfpu_*_bcast_col" : "a sfpu_*_bcast_row", line);
    if (!state().config.fp32_dest_acc_en) {
        fail(line, kNoCircularBuffer, "broadcast on the way into DST, with unary_bcast",
             "a broadcast inside of DST works on 32-bit lanes, DST holds 16");
    }
    Tile spread;
    broadcast_tile(read_dst(vector, line), column ? Broadcast::column : Broadcast::row, 0, spread);
    Tile& tile = updated_dst(data, line);
    for (std::uint32_t i = 0; i < tile_elements; ++i) {
        const float a = tile.f[i], b = spread.f[i];
        const float value = type == EltwiseBinaryType::ELWADD   ? a + b
                            : type == EltwiseBinaryType::ELWSUB ? a - b
                                                                : a * b;
        tile.f[i] = sfpu_math::flush(value);
    }
    store_lanes(tile, LaneStore::truncate, 0, tile_elements);
    ++core->counters.sfpu_tiles;
}

void sfpu_cumsum(std::uint32_t dst, bool first, std::uint32_t line) {
    require_math_init(SfpuInit::cumsum_tile_init, 0, "cumsum_tile", line);
    float* carried = state().column_sums;
    if (first) std::fill(carried, carried + 32, 0.0f);
    Tile& tile = updated_dst(dst, line);
    for (std::uint32_t row = 0; row < 32; ++row) {
        for (std::uint32_t column = 0; column < 32; ++column) {
            float& value = tile.f[tile_offset(row, column)];
            carried[column] += value;
            value = carried[column];
        }
    }
    store_lanes(tile, LaneStore::truncate, 0, tile_elements);
    ++core->counters.sfpu_tiles;
}

void sfpu_copy_dst(DataFormat format, std::uint32_t source, std::uint32_t target, std::uint32_t line) {
    require_math_init(SfpuInit::copy_dest_values_init, 0, "copy_dest_values", line);
    require_float_width(format, "copy_dest_values", line);
    const Tile& from = read_dst(source, line);
    result_dst(target, source, source, line) = from;
    ++core->counters.sfpu_tiles;
}

void sfpu_mask(std::uint32_t data, std::uint32_t mask, DataFormat format, std::uint32_t fill, std::uint32_t line) {
    require_math_init(SfpuInit::mask_tile_init, 0, "mask_tile", line);
    if (mask != data + 1) {
        fail(line, kNoCircularBuffer, "put the mask into the DST tile after the data",
             "mask_tile(%u, %u): the mask has to be tile %u", data, mask, data + 1);
    }
    const Tile& where = read_dst(mask, line);
    Tile& tile = updated_dst(data, line);
    const std::uint32_t significant = is_integer_format(format) ? ~0u : 0x7fffffffu;
    for (std::uint32_t i = 0; i < tile_elements; ++i) tile.u[i] = where.u[i] & significant ? tile.u[i] : fill;
    ++core->counters.sfpu_tiles;
}

}  // namespace tt_emulator
