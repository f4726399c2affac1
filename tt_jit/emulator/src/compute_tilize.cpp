// Row-major sticks into tiles (unpacker) and back (packer).
#include <cstring>

#include "compute_engine.h"

namespace tt_emulator {
namespace {

constexpr std::uint32_t tile_rows = 32;

std::uint32_t element_bytes(DataFormat format) { return tile_bytes(format) / tile_elements; }

FpuInit tilize_description(std::uint32_t block) { return {.op = FpuOp::tilize, .columns = block}; }

void require_no_block_format(std::uint32_t cb, const char* call, std::uint32_t line) {
    const DataFormat format = circular_buffer(cb, line).format;
    if (format != DataFormat::Bfp8_b && format != DataFormat::Bfp4_b) return;
    fail(line, cb, "use Float16_b or Float32 rows", "%s: %s has no row-major form", call, format_name(format));
}

// `block` tiles side by side are 32 sticks of block * 32 elements, without gaps from the front of the buffer.
const std::uint8_t* sticks(std::uint32_t cb, std::uint32_t bytes, std::uint32_t line) {
    const CircularBuffer& buffer = circular_buffer(cb, line);
    for (std::uint32_t page = 1; page * buffer.page_size < bytes; ++page) readable_page(cb, page, line);
    return readable_page(cb, 0, line);
}

std::uint8_t* stick_space(std::uint32_t cb, std::uint32_t bytes, std::uint32_t line) {
    const CircularBuffer& buffer = circular_buffer(cb, line);
    for (std::uint32_t page = 1; page * buffer.page_size < bytes; ++page) writable_page(cb, page, line);
    return writable_page(cb, 0, line);
}

// A page in tile order that holds columns [32 * tile, 32 * tile + 32) of the sticks.
void gather_tile(const std::uint8_t* rows, std::uint32_t row_bytes, std::uint32_t tile, std::uint32_t element,
                 std::uint8_t* page) {
    for (std::uint32_t row = 0; row < tile_rows; ++row) {
        for (std::uint32_t half = 0; half < 2; ++half) {
            const std::uint8_t* source = rows + row * row_bytes + (tile * 32 + half * 16) * element;
            std::memcpy(page + tile_offset(row, half * 16) * element, source, 16 * element);
        }
    }
}

void scatter_tile(const std::uint8_t* page, std::uint32_t row_bytes, std::uint32_t tile, std::uint32_t element,
                  std::uint8_t* rows) {
    for (std::uint32_t row = 0; row < tile_rows; ++row) {
        for (std::uint32_t half = 0; half < 2; ++half) {
            std::uint8_t* target = rows + row * row_bytes + (tile * 32 + half * 16) * element;
            std::memcpy(target, page + tile_offset(row, half * 16) * element, 16 * element);
        }
    }
}

void keep_source_bits(const CircularBuffer& buffer, Tile& tile) {
    if (buffer.format != DataFormat::Float32 || goes_to_dest(buffer)) return;
    const std::uint32_t kept = state().config.fp32_dest_acc_en ? 0xffffe000u : 0xffff0000u;
    for (std::uint32_t i = 0; i < tile_elements; ++i) tile.u[i] &= kept;
}

void require_untilize(std::uint32_t columns, std::uint32_t full_columns, std::uint32_t cb, std::uint32_t line) {
    const ComputeState& s = state();
    if (s.untilize_columns == columns && s.untilize_full_columns == full_columns) return;
    fail(line, cb, "call pack_untilize_init or pack_untilize_dest_init with the same block_ct_dim and full_ct_dim",
         "pack_untilize of blocks of %u in %u tiles, but the packer is set up for %u in %u", columns, full_columns,
         s.untilize_columns, s.untilize_full_columns);
}

}  // namespace

void tilize_init(std::uint32_t cb, std::uint32_t block, std::uint32_t out_cb, std::uint32_t line) {
    circular_buffer(cb, line);
    circular_buffer(out_cb, line);
    set_fpu_init(tilize_description(block), line);
}

void tilize_block(std::uint32_t cb, std::uint32_t block, std::uint32_t out_cb, std::uint32_t input_tile,
                  std::uint32_t output_tile, std::uint32_t line) {
    require_fpu_init(tilize_description(block), "tilize_block", "call tilize_init with the same block", line);
    require_source_a(cb, "tilize_block", line);
    require_no_block_format(cb, "tilize_block", line);
    const CircularBuffer& buffer = circular_buffer(cb, line);
    const std::uint32_t element = element_bytes(buffer.format);
    const std::uint32_t row_bytes = block * 32 * element;
    const std::uint8_t* rows = sticks(cb, tile_rows * row_bytes, line);
    for (std::uint32_t tile = 0; tile < block; ++tile) {
        alignas(64) std::uint8_t page[sizeof(Tile)];
        gather_tile(rows, row_bytes, tile + input_tile, element, page);
        dst_acquire(line);
        Tile& out = overwritten_dst(0, line);
        decode_tile(page, buffer.format, out);
        keep_source_bits(buffer, out);
        dst_commit(line);
        dst_wait(line);
        pack_at(0, out_cb, tile + output_tile, line);
        dst_release(line);
        ++core->counters.copy_tiles;
    }
}

void tilize_uninit(std::uint32_t cb, std::uint32_t out_cb, std::uint32_t line) {
    circular_buffer(cb, line);
    circular_buffer(out_cb, line);
    if (state().fpu.op != FpuOp::tilize) {
        fail(line, cb, "call tilize_init first", "tilize_uninit without tilize_init");
    }
    state().fpu = FpuInit{};
}

void untilize_init(std::uint32_t columns, std::uint32_t full_columns, std::uint32_t out_cb, std::uint32_t line) {
    require_started("pack_untilize_init", line);
    require_no_block_format(out_cb, "pack_untilize_init", line);
    if (columns == 0 || columns > state().config.dst_tiles() || full_columns % columns != 0) {
        fail(line, out_cb, "choose a block_ct_dim within DST that divides full_ct_dim",
             "pack_untilize of blocks of %u in %u tiles: DST holds %u", columns, full_columns,
             state().config.dst_tiles());
    }
    state().pack_format = circular_buffer(out_cb, line).format;
    state().untilize_line = line;
    state().untilize_columns = columns;
    state().untilize_full_columns = full_columns;
}

void untilize_dst(std::uint32_t columns, std::uint32_t full_columns, std::uint32_t out_cb, std::uint32_t rows,
                  std::uint32_t column_block, std::uint32_t line) {
    require_untilize(columns, full_columns, out_cb, line);
    require_packer(out_cb, "pack_untilize", line);
    const std::uint32_t element = element_bytes(circular_buffer(out_cb, line).format);
    const std::uint32_t row_bytes = full_columns * 32 * element;
    std::uint8_t* space = stick_space(out_cb, rows * tile_rows * row_bytes, line);
    for (std::uint32_t row = 0; row < rows; ++row) {
        for (std::uint32_t column = 0; column < columns; ++column) {
            alignas(64) std::uint8_t page[sizeof(Tile)];
            encode_tile(packed_dst(row * columns + column, line), pack_settings(), page);
            scatter_tile(page, row_bytes, column_block * columns + column, element,
                         space + row * tile_rows * row_bytes);
            ++core->counters.pack_tiles;
        }
    }
}

void untilize_block(std::uint32_t columns, std::uint32_t full_columns, std::uint32_t cb, std::uint32_t rows,
                    std::uint32_t out_cb, std::uint32_t column_block, std::uint32_t line) {
    if (rows != 1) {
        fail(line, cb, "call pack_untilize_block once per row of tiles and pop the row in between",
             "pack_untilize_block reads the tiles at the front for each of its %u rows", rows);
    }
    dst_acquire(line);
    copy_tiles(cb, 0, 0, columns, line);
    dst_commit(line);
    dst_wait(line);
    untilize_dst(columns, full_columns, out_cb, 1, column_block, line);
    dst_release(line);
}

void untilize_uninit(std::uint32_t out_cb, std::uint32_t line) {
    if (state().untilize_columns == 0) {
        fail(line, out_cb, "call pack_untilize_init first", "pack_untilize_uninit without pack_untilize_init");
    }
    state().untilize_columns = state().untilize_full_columns = 0;
    state().pack_format = circular_buffer(out_cb, line).format;
}

}  // namespace tt_emulator
