// Operations of the matrix unit: matmul, element-wise arithmetic, reductions.
#include "compute_binary.h"
#include "compute_engine.h"
#include "compute_matmul.h"
#include "compute_reduce.h"

namespace tt_emulator {
namespace {

FpuInit matmul_description(const MatmulBlock& block) {
    return {.op = FpuOp::matmul,
            .flags = block.transpose,
            .columns = block.columns,
            .rows = block.rows,
            .depth = block.depth};
}

FpuInit binary_description(EltwiseBinaryType type, BroadcastType broadcast) {
    return {.op = FpuOp::binary,
            .kind = static_cast<std::uint8_t>(type),
            .dimension = static_cast<std::uint8_t>(broadcast)};
}

FpuInit reuse_description(EltwiseBinaryType type, EltwiseBinaryReuseDestType reuse) {
    return {.op = FpuOp::binary_reuse_dest,
            .kind = static_cast<std::uint8_t>(type),
            .dimension = static_cast<std::uint8_t>(reuse)};
}

FpuInit reduce_description(PoolType pool, ReduceDim dim) {
    return {.op = FpuOp::reduce, .kind = static_cast<std::uint8_t>(pool), .dimension = static_cast<std::uint8_t>(dim)};
}

BinaryOp binary_op(EltwiseBinaryType type) {
    switch (type) {
        case EltwiseBinaryType::ELWMUL: return BinaryOp::multiply;
        case EltwiseBinaryType::ELWSUB: return BinaryOp::subtract;
        default: return BinaryOp::add;
    }
}

BinarySettings binary_settings(EltwiseBinaryType type, bool accumulate, bool fresh) {
    return {.op = binary_op(type),
            .fidelity = state().config.math_fidelity,
            .fp32_dest = state().config.fp32_dest_acc_en,
            .accumulate = accumulate,
            .fresh = fresh};
}

// One matmul per DST tile. Operands are decoded once per call.
void multiply_block(std::uint32_t in0, std::uint32_t in1, std::uint32_t tile0, std::uint32_t tile1, std::uint32_t dst,
                    const MatmulBlock& block, std::uint32_t line) {
    const ComputeConfig& config = state().config;
    const std::uint32_t passes = config.exact_matmul ? 4 : config.math_fidelity;
    MatmulOperand left;
    MatmulOperand right[kMaxDstTiles];
    for (std::uint32_t c = 0; c < block.columns; ++c) {
        Tile& source = right[c].part[0];
        load_source(in1, tile1 + c, source, line);
        if (block.transpose) transpose_tile_faces(Tile(source), true, true, source);
        if (!config.exact_matmul) split_right(passes, right[c]);
    }
    for (std::uint32_t r = 0; r < block.rows; ++r) {
        load_source(in0, tile0 + r * block.depth, left.part[0], line);
        if (!config.exact_matmul) split_left(passes, left);
        for (std::uint32_t c = 0; c < block.columns; ++c) {
            const std::uint32_t index = dst + r * block.columns + c;
            const bool fresh = !dst_is_written(index);
            if (config.exact_matmul) {
                matmul_tile_exact(left.part[0], right[c].part[0], config.math_fidelity, config.fp32_dest_acc_en,
                                  updated_dst(index, line));
                continue;
            }
            Tile& sum = overwritten_dst(index, line);
            for (std::uint32_t part = 0; part < matmul_parts(passes); ++part) {
                matmul_tile(left.part[part], right[c].part[part], fresh && part == 0, sum);
            }
            store_float_result(sum);
        }
    }
    core->counters.matmul_tiles += block.rows * block.columns;
}

void require_block_fits(std::uint32_t dst, const MatmulBlock& block, std::uint32_t line) {
    const std::uint32_t limit = state().config.dst_tiles();
    if (block.rows >= 1 && block.columns >= 1 && dst + block.rows * block.columns <= limit) return;
    fail(line, kNoCircularBuffer, "choose ct_dim * rt_dim within DST",
         "a matmul block of %u x %u tiles at DST tile %u does not fit DST's %u tiles", block.rows, block.columns, dst,
         limit);
}

void multiply(std::uint32_t in0, std::uint32_t in1, std::uint32_t tile0, std::uint32_t tile1, std::uint32_t dst,
              const MatmulBlock& block, const char* call, const char* hint, std::uint32_t line) {
    require_fpu_init(matmul_description(block), call, hint, line);
    require_fpu_operand(in0, call, line);
    require_fpu_operand(in1, call, line);
    require_source_a(in1, call, line);
    require_source_b(in0, call, line);
    require_block_fits(dst, block, line);
    multiply_block(in0, in1, tile0, tile1, dst, block, line);
}

void require_two_operands(std::uint32_t cb0, std::uint32_t cb1, const char* call, std::uint32_t line) {
    require_fpu_operand(cb0, call, line);
    require_fpu_operand(cb1, call, line);
    require_source_a(cb0, call, line);
    require_source_b(cb1, call, line);
}

}  // namespace

void matmul_init(std::uint32_t in0, std::uint32_t in1, const MatmulBlock& block, std::uint32_t line) {
    circular_buffer(in0, line);
    circular_buffer(in1, line);
    set_fpu_init(matmul_description(block), line);
}

void matmul(std::uint32_t in0, std::uint32_t in1, std::uint32_t tile0, std::uint32_t tile1, std::uint32_t dst,
            const MatmulBlock& block, std::uint32_t line) {
    multiply(in0, in1, tile0, tile1, dst, block, "matmul_block",
             "call matmul_block_init with the same transpose, ct, rt and kt", line);
}

void matmul_single(std::uint32_t in0, std::uint32_t in1, std::uint32_t tile0, std::uint32_t tile1, std::uint32_t dst,
                   std::uint32_t line) {
    const MatmulBlock block{state().fpu.flags != 0, 1, 1, 1};
    multiply(in0, in1, tile0, tile1, dst, block, "matmul_tiles", "call matmul_init(in0, in1)", line);
}

void binary_init(EltwiseBinaryType type, BroadcastType broadcast, std::uint32_t cb0, std::uint32_t cb1, bool accumulate,
                 std::uint32_t line) {
    circular_buffer(cb0, line);
    circular_buffer(cb1, line);
    set_fpu_init(binary_description(type, broadcast), line);
    state().fpu_accumulate = accumulate;
}

void binary_tiles(EltwiseBinaryType type, BroadcastType broadcast, std::uint32_t cb0, std::uint32_t cb1,
                  std::uint32_t tile0, std::uint32_t tile1, std::uint32_t dst, std::uint32_t broadcast_row,
                  std::uint32_t line) {
    const char* call = broadcast == BroadcastType::NONE ? "add_tiles, sub_tiles or mul_tiles" : "a *_tiles_bcast";
    require_fpu_init(binary_description(type, broadcast), call,
                     "call the init of the same operation and broadcast, e.g. add_init or mul_bcast_cols_init", line);
    require_two_operands(cb0, cb1, call, line);
    if (broadcast_row >= 32) {
        fail(line, cb1, "a tile has rows 0 to 31", "broadcast of row %u", broadcast_row);
    }
    const bool accumulate = type == EltwiseBinaryType::ELWMUL || state().fpu_accumulate;
    const bool fresh = !dst_is_written(dst);
    Tile& out = overwritten_dst(dst, line);
    Tile a, b;
    load_source(cb0, tile0, a, line);
    load_source(cb1, tile1, b, line);
    const BinarySettings settings = binary_settings(type, accumulate, fresh);
    if (broadcast == BroadcastType::NONE) {
        binary_tile(a, b, settings, out);
    } else {
        Tile spread;
        broadcast_tile(b, static_cast<Broadcast>(broadcast), broadcast_row, spread);
        binary_tile(a, spread, settings, out);
    }
    ++core->counters.fpu_tiles;
}

void reuse_dest_init(EltwiseBinaryType type, EltwiseBinaryReuseDestType reuse, std::uint32_t cb, std::uint32_t line) {
    circular_buffer(cb, line);
    set_fpu_init(reuse_description(type, reuse), line);
}

void reuse_dest_tiles(EltwiseBinaryType type, EltwiseBinaryReuseDestType reuse, std::uint32_t cb, std::uint32_t tile,
                      std::uint32_t dst, std::uint32_t line) {
    const char* call = "a *_reuse_dest_tiles";
    require_fpu_init(reuse_description(type, reuse), call, "call the *_reuse_dest_init of the same operation", line);
    require_fpu_operand(cb, call, line);
    const bool dst_is_a = reuse == EltwiseBinaryReuseDestType::DEST_TO_SRCA;
    if (dst_is_a) require_source_b(cb, call, line);
    else require_source_a(cb, call, line);
    Tile& out = updated_dst(dst, line);
    Tile operand, held;
    load_source(cb, tile, operand, line);
    truncate_to_source(out, state().source_a, held);
    binary_tile(dst_is_a ? held : operand, dst_is_a ? operand : held, binary_settings(type, false, true), out);
    ++core->counters.fpu_tiles;
}

void reduce_init(PoolType pool, ReduceDim dim, std::uint32_t cb, std::uint32_t scaler_cb, std::uint32_t out_cb,
                 std::uint32_t line) {
    circular_buffer(cb, line);
    circular_buffer(scaler_cb, line);
    circular_buffer(out_cb, line);
    set_fpu_init(reduce_description(pool, dim), line);
    state().pack_mask_line = line;
    state().pack_mask_dimension = static_cast<std::uint8_t>(dim);
}

void reduce_tiles(PoolType pool, ReduceDim dim, std::uint32_t cb, std::uint32_t scaler_cb, std::uint32_t tile,
                  std::uint32_t scaler_tile, std::uint32_t dst, std::uint32_t line) {
    const char* call = "reduce_tile";
    require_fpu_init(reduce_description(pool, dim), call, "call reduce_init<same pool, same dimension>", line);
    const bool swapped = dim == ReduceDim::REDUCE_ROW && pool != PoolType::MAX;
    require_two_operands(swapped ? scaler_cb : cb, swapped ? cb : scaler_cb, call, line);
    Tile data, scaler;
    load_source(cb, tile, data, line);
    load_source(scaler_cb, scaler_tile, scaler, line);
    const bool fresh = !dst_is_written(dst);
    Tile& out = updated_dst(dst, line);
    const ReduceSettings settings{.dim = dim,
                                  .fidelity = state().config.math_fidelity,
                                  .fp32_dest = state().config.fp32_dest_acc_en,
                                  .exact = state().config.exact_matmul,
                                  .source_a = state().source_a};
    if (pool == PoolType::MAX) {
        if (!scaler_is_one(scaler)) {
            fail(line, scaler_cb, "fill row 0 of each of the four faces with 1.0",
                 "reduce_tile<MAX> needs a scaler of 1.0");
        }
        reduce_max_tile(data, settings, fresh, out);
    } else {
        reduce_sum_tile(data, scaler, settings, out);
    }
    mark_reduced(dst);
    ++core->counters.fpu_tiles;
}

void reduce_uninit(std::uint32_t line) {
    require_started("reduce_uninit", line);
    state().pack_mask_line = 0;
}

}  // namespace tt_emulator
