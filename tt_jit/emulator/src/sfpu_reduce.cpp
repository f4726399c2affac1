// Reductions, random numbers and conversions in DST.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "compute_binary.h"
#include "compute_engine.h"
#include "sfpu_math.h"
#include "tt_emulator/sfpu.h"

namespace tt_emulator {
namespace {

void require_init(SfpuInit init, std::uint32_t variant, const char* call, const char* hint, std::uint32_t line) {
    const std::uint32_t needed = static_cast<std::uint32_t>(init) | variant << 16;
    if (state().sfpu_init == needed) return;
    require_started(call, line);
    fail(line, kNoCircularBuffer, hint,
         "%s without its init, or with other template arguments (last SFPU init in line %u)", call,
         state().sfpu_init_line);
}

// What is prepared once rows have been reduced: Wormhole's maxima of rows record over the instructions of columns
// (record_horizontal_reduce_max in ckernel_sfpu_reduce.h).
constexpr std::uint32_t reduced_rows(std::uint32_t variant) {
    return static_cast<std::uint32_t>(SfpuInit::sfpu_reduce_init) | (variant | 1u << 15) << 16;
}

template <typename Value>
bool lies_above(Value a, Value b) {
    if constexpr (std::is_same_v<Value, float>) return sfpu_math::ordered(a) > sfpu_math::ordered(b);
    else return a > b;
}

template <typename Value>
Value combine(PoolType pool, Value a, Value b) {
    switch (pool) {
        case PoolType::MAX: return lies_above(a, b) ? a : b;
        case PoolType::MIN: return lies_above(a, b) ? b : a;
        default: return static_cast<Value>(a + b);
    }
}

// Folds the 32 rows of a tile into `sums`, one per column.
template <PoolType pool, typename Value>
void fold_rows(const Tile& tile, Value* sums) {
    const auto* values = reinterpret_cast<const Value*>(tile.u);
    for (std::uint32_t row = 0; row < 32; ++row) {
        for (std::uint32_t half = 0; half < 2; ++half) {
            const Value* source = values + tile_offset(row, half * 16);
            for (std::uint32_t i = 0; i < 16; ++i) sums[half * 16 + i] = combine(pool, sums[half * 16 + i], source[i]);
        }
    }
}

template <PoolType pool, typename Value>
void first_row(const Tile& tile, Value* sums) {
    const auto* values = reinterpret_cast<const Value*>(tile.u);
    for (std::uint32_t i = 0; i < 32; ++i) sums[i] = pool == PoolType::SUM ? Value{} : values[tile_offset(0, i)];
}

template <PoolType pool, typename Value>
void reduce_columns(Tile* tiles, std::uint32_t rows, Value divisor) {
    Value sums[32];
    first_row<pool>(tiles[0], sums);
    for (std::uint32_t row = 0; row < rows; ++row) fold_rows<pool>(tiles[row], sums);
    auto* out = reinterpret_cast<Value*>(tiles[0].u);
    for (std::uint32_t i = 0; i < 32; ++i) out[tile_offset(0, i)] = static_cast<Value>(sums[i] / divisor);
}

template <PoolType pool, typename Value>
void reduce_row(Tile* tiles, std::uint32_t columns, Value divisor) {
    Value sums[32];
    for (std::uint32_t column = 0; column < columns; ++column) {
        Tile turned;
        transpose_tile_faces(tiles[column], true, true, turned);
        if (column == 0) first_row<pool>(turned, sums);
        fold_rows<pool>(turned, sums);
    }
    auto* out = reinterpret_cast<Value*>(tiles[0].u);
    for (std::uint32_t i = 0; i < 32; ++i) out[tile_offset(i, 0)] = static_cast<Value>(sums[i] / divisor);
}

// Rows of tiles are reduced one by one into their first tile; a column of tiles into the topmost one.
template <PoolType pool, typename Value>
void reduce_block(ReduceDim dim, bool average, Tile* tiles, std::uint32_t columns, std::uint32_t rows) {
    if (dim == ReduceDim::REDUCE_COL) {
        reduce_columns<pool>(tiles, rows, static_cast<Value>(average ? 32 * rows : 1));
        return;
    }
    for (std::uint32_t row = 0; row < rows; ++row) {
        reduce_row<pool>(tiles + row * columns, columns, static_cast<Value>(average ? 32 * columns : 1));
    }
}

template <typename Value>
void reduce_typed(PoolType pool, ReduceDim dim, Tile* tiles, std::uint32_t columns, std::uint32_t rows) {
    switch (pool) {
        case PoolType::MAX: reduce_block<PoolType::MAX, Value>(dim, false, tiles, columns, rows); break;
        case PoolType::MIN: reduce_block<PoolType::MIN, Value>(dim, false, tiles, columns, rows); break;
        default: reduce_block<PoolType::SUM, Value>(dim, pool == PoolType::AVG, tiles, columns, rows); break;
    }
}

std::uint32_t next_random(std::uint32_t& state_word) {
    state_word += 0x9e3779b9u;
    std::uint32_t x = state_word;
    x = (x ^ x >> 16) * 0x21f0aaadu;
    x = (x ^ x >> 15) * 0x735a2d97u;
    return x ^ x >> 15;
}

enum class Kind : std::uint8_t { real, bf16, int32, uint32, uint16, uint8, none };

Kind kind_of(DataFormat format) {
    switch (format) {
        case DataFormat::Float32: return Kind::real;
        case DataFormat::Float16_b:
        case DataFormat::Bfp8_b:
        case DataFormat::Bfp4_b: return Kind::bf16;
        case DataFormat::Int32: return Kind::int32;
        case DataFormat::UInt32: return Kind::uint32;
        case DataFormat::UInt16: return Kind::uint16;
        case DataFormat::UInt8: return Kind::uint8;
        default: return Kind::none;
    }
}

bool is_real(Kind kind) { return kind == Kind::real || kind == Kind::bf16; }

// Integers of 32 bits are cut towards zero and saturate, 16 bits round to even and saturate, 8 bits wrap.
std::uint32_t integer_of(float value, Kind to) {
    switch (to) {
        case Kind::int32: {
            if (!(value > -2147483648.0f)) return value < 0.0f ? 0x80000000u : 0x7fffffffu;
            return value >= 2147483648.0f ? 0x7fffffffu : static_cast<std::uint32_t>(static_cast<std::int32_t>(value));
        }
        case Kind::uint32: {
            if (value <= 0.0f) return 0;
            return value < 4294967296.0f ? static_cast<std::uint32_t>(value) : 0xffffffffu;  // NaN, too
        }
        case Kind::uint16:
            return static_cast<std::uint32_t>(
                sfpu_math::nearest_integer(sfpu_math::limited(value, 0.0f, 65535.0f)).integer);
        default: {
            const bool in_range = sfpu_math::absolute(value) < 2147483648.0f;
            return in_range ? static_cast<std::uint32_t>(static_cast<std::int32_t>(value)) & 0xffu : 0u;
        }
    }
}

std::uint32_t integer_of_integer(std::uint32_t value, Kind from, Kind to) {
    const bool negative = from == Kind::int32 && (value >> 31);
    switch (to) {
        case Kind::uint16: return negative ? 0 : std::min(value, 65535u);
        case Kind::uint8: return value & 0xffu;
        default: return value;
    }
}

void convert_lanes(Tile& tile, Kind from, Kind to) {
    for (std::uint32_t i = 0; i < tile_elements; ++i) {
        if (is_real(from)) tile.u[i] = integer_of(tile.f[i], to);
        else if (!is_real(to)) tile.u[i] = integer_of_integer(tile.u[i], from, to);
        else tile.f[i] = from == Kind::int32 ? static_cast<float>(tile.i[i]) : static_cast<float>(tile.u[i]);
    }
}

}  // namespace

void sfpu_reduce(PoolType pool, DataFormat format, ReduceDim dim, std::uint32_t dst, std::uint32_t columns,
                 std::uint32_t rows, std::uint32_t line) {
    const auto variant = static_cast<std::uint32_t>(pool) | static_cast<std::uint32_t>(format) << 4;
    const bool is_extreme = pool == PoolType::MAX || pool == PoolType::MIN;
    if (state().sfpu_init != reduced_rows(variant)) {
        require_init(SfpuInit::sfpu_reduce_init, variant, "sfpu_reduce",
                     "call sfpu_reduce_init<same pool, same format>()", line);
    } else if (dim == ReduceDim::REDUCE_COL) {
        fail(line, kNoCircularBuffer, "call sfpu_reduce_init once more between the two",
             "sfpu_reduce of columns after a maximum or minimum of rows, which overwrites what the init has recorded");
    }
    if (format == DataFormat::Float32 && !state().config.fp32_dest_acc_en) {
        fail(line, kNoCircularBuffer, "reduce DataFormat::Float16_b, or set fp32_dest_acc_en in the configuration",
             "sfpu_reduce works on 32-bit lanes, DST holds 16");
    }
    const bool extreme_of_floats = is_extreme && is_real(kind_of(format));
    if (dim == ReduceDim::REDUCE_COL && (columns != 1 || (rows != 1 && !extreme_of_floats))) {
        fail(line, kNoCircularBuffer, "reduce tile by tile", "sfpu_reduce along columns of %u x %u tiles", rows,
             columns);
    }
    for (std::uint32_t i = 0; i < columns * rows; ++i) updated_dst(dst + i, line);
    Tile* tiles = &updated_dst(dst, line);
    switch (kind_of(format)) {
        case Kind::int32: reduce_typed<std::int32_t>(pool, dim, tiles, columns, rows); break;
        case Kind::uint32:
        case Kind::uint16: reduce_typed<std::uint32_t>(pool, dim, tiles, columns, rows); break;
        default: reduce_typed<float>(pool, dim, tiles, columns, rows); break;
    }
    if (!state().config.fp32_dest_acc_en && is_real(kind_of(format))) {
        for (std::uint32_t i = 0; i < columns * rows; ++i) round_to_bf16_nearest_even(tiles[i].f, tile_elements);
    }
    if (is_extreme && dim == ReduceDim::REDUCE_ROW) state().sfpu_init = reduced_rows(variant);
    core->counters.sfpu_tiles += columns * rows;
}

void sfpu_random(std::uint32_t dst, std::uint32_t from, std::uint32_t scale, std::uint32_t line) {
    require_init(SfpuInit::rand_tile_init, 0, "rand_tile", "call rand_tile_init(seed)", line);
    Tile& tile = updated_dst(dst, line);
    const float low = sfpu_math::float_of(from), factor = sfpu_math::float_of(scale);
    for (std::uint32_t i = 0; i < tile_elements; ++i) {
        const float unit = static_cast<float>(next_random(state().random_state) >> 8) * 0x1p-24f;
        tile.f[i] = low + factor * unit;
    }
    if (!state().config.fp32_dest_acc_en) truncate_to_bf16(tile.f, tile_elements);
    ++core->counters.sfpu_tiles;
}

void sfpu_dropout(std::uint32_t dst, std::uint32_t probability, std::uint32_t scale, std::uint32_t line) {
    require_init(SfpuInit::dropout_kernel_init, 0, "dropout_tile", "call dropout_kernel_init(seed)", line);
    Tile& tile = updated_dst(dst, line);
    const float factor = sfpu_math::float_of(scale);
    for (std::uint32_t i = 0; i < tile_elements; ++i) {
        const bool dropped = next_random(state().random_state) >> 1 < probability;
        tile.f[i] = dropped ? 0.0f : tile.f[i] * factor;
    }
    if (!state().config.fp32_dest_acc_en) truncate_to_bf16(tile.f, tile_elements);
    ++core->counters.sfpu_tiles;
}

void sfpu_typecast(DataFormat from_format, DataFormat to_format, std::uint32_t dst, std::uint32_t line) {
    const auto variant = static_cast<std::uint32_t>(from_format) | static_cast<std::uint32_t>(to_format) << 5;
    require_init(SfpuInit::typecast_tile_init, variant, "typecast_tile", "call typecast_tile_init<same formats>()",
                 line);
    const Kind from = kind_of(from_format), to = kind_of(to_format);
    if (from == Kind::none || to == Kind::none) {
        fail(line, kNoCircularBuffer, "cast through Int32", "typecast_tile: the emulator does not cast %s to %s",
             format_name(from_format), format_name(to_format));
    }
    const bool wide = from == Kind::real || from == Kind::int32 || from == Kind::uint32 || to == Kind::int32 ||
                      to == Kind::uint32;
    if (wide && !state().config.fp32_dest_acc_en) {
        fail(line, kNoCircularBuffer, "set fp32_dest_acc_en in the compute configuration",
             "typecast_tile from %s to %s needs a 32-bit DST", format_name(from_format), format_name(to_format));
    }
    Tile& tile = updated_dst(dst, line);
    if (!(is_real(from) && is_real(to)) && from != to) convert_lanes(tile, from, to);
    // The packer narrows block floats; bf16 is rounded here, to even.
    const bool rounds = to == Kind::bf16 && !(is_real(from) && to_format != DataFormat::Float16_b);
    if (rounds || (is_real(to) && !state().config.fp32_dest_acc_en)) round_to_bf16_nearest_even(tile.f, tile_elements);
    ++core->counters.sfpu_tiles;
}

}  // namespace tt_emulator
