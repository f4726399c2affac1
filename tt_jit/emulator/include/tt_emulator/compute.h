// The compute engine behind api/compute: every function checks the kernel's contract, then works on DST.
// Enumerations arrive as the API's own types (llk_defs.h).
#pragma once

#include <cstdint>

#include "llk_defs.h"
#include "tt_emulator/core.h"

namespace tt_emulator {

void dst_acquire(std::uint32_t line);
void dst_commit(std::uint32_t line);
void dst_wait(std::uint32_t line);
void dst_release(std::uint32_t line);

// The compute kernel has returned: nothing may be left on for the next program.
void check_compute_end();

void hw_startup(std::uint32_t source_a_cb, std::uint32_t source_b_cb, std::uint32_t pack_cb, std::uint32_t line);
void reconfig_source_a(std::uint32_t cb, std::uint32_t line);
void reconfig_source_b(std::uint32_t cb, std::uint32_t line);
void reconfig_pack(std::uint32_t cb, std::uint32_t line);

// `old_cb` must be what the engine is configured for: the hardware skips the change when old and new formats agree.
void reconfig_source_a_from(std::uint32_t old_cb, std::uint32_t cb, std::uint32_t line);
void reconfig_source_b_from(std::uint32_t old_cb, std::uint32_t cb, std::uint32_t line);
void reconfig_pack_from(std::uint32_t old_cb, std::uint32_t cb, std::uint32_t line);

void copy_init(std::uint32_t cb, bool transpose_faces, bool transpose_within_faces, std::uint32_t line);
void copy_tiles(std::uint32_t cb, std::uint32_t tile, std::uint32_t dst, std::uint32_t count, std::uint32_t line);

struct MatmulBlock {
    bool transpose;
    std::uint32_t columns, rows, depth;
};
void matmul_init(std::uint32_t in0, std::uint32_t in1, const MatmulBlock& block, std::uint32_t line);
void matmul(std::uint32_t in0, std::uint32_t in1, std::uint32_t tile0, std::uint32_t tile1, std::uint32_t dst,
            const MatmulBlock& block, std::uint32_t line);
void matmul_single(std::uint32_t in0, std::uint32_t in1, std::uint32_t tile0, std::uint32_t tile1, std::uint32_t dst,
                   std::uint32_t line);

using ckernel::BroadcastType;
using ckernel::EltwiseBinaryReuseDestType;
using ckernel::EltwiseBinaryType;
using ckernel::PoolType;
using ckernel::ReduceDim;
using ckernel::VectorMode;

void binary_init(EltwiseBinaryType type, BroadcastType broadcast, std::uint32_t cb0, std::uint32_t cb1, bool accumulate,
                 std::uint32_t line);
void binary_tiles(EltwiseBinaryType type, BroadcastType broadcast, std::uint32_t cb0, std::uint32_t cb1,
                  std::uint32_t tile0, std::uint32_t tile1, std::uint32_t dst, std::uint32_t broadcast_row,
                  std::uint32_t line);
void reuse_dest_init(EltwiseBinaryType type, EltwiseBinaryReuseDestType reuse, std::uint32_t cb, std::uint32_t line);
void reuse_dest_tiles(EltwiseBinaryType type, EltwiseBinaryReuseDestType reuse, std::uint32_t cb, std::uint32_t tile,
                      std::uint32_t dst, std::uint32_t line);

void unary_broadcast_init(BroadcastType broadcast, std::uint32_t cb, std::uint32_t line);
void unary_broadcast(BroadcastType broadcast, std::uint32_t cb, std::uint32_t tile, std::uint32_t dst,
                     std::uint32_t line);
void unary_broadcast_uninit(BroadcastType broadcast, std::uint32_t cb, std::uint32_t line);

void reduce_init(PoolType pool, ReduceDim dim, std::uint32_t cb, std::uint32_t scaler_cb, std::uint32_t out_cb,
                 std::uint32_t line);
void reduce_tiles(PoolType pool, ReduceDim dim, std::uint32_t cb, std::uint32_t scaler_cb, std::uint32_t tile,
                  std::uint32_t scaler_tile, std::uint32_t dst, std::uint32_t line);
void reduce_uninit(std::uint32_t line);

void transpose_init(std::uint32_t cb, std::uint32_t line);
void transpose(std::uint32_t cb, std::uint32_t tile, std::uint32_t dst, std::uint32_t line);
void transpose_dest_init(bool is_32bit, bool of_faces, std::uint32_t line);
void transpose_dest(bool is_32bit, bool of_faces, std::uint32_t dst, std::uint32_t line);

void pack_init(std::uint32_t cb, std::uint32_t line);
void pack_next(std::uint32_t dst, std::uint32_t cb, std::uint32_t count, std::uint32_t line);
void pack_at(std::uint32_t dst, std::uint32_t cb, std::uint32_t index, std::uint32_t line);
void pack_l1_accumulate(bool on, std::uint32_t line);
void pack_relu(const ckernel::ReluConfig& config, std::uint32_t line);

void tilize_init(std::uint32_t cb, std::uint32_t block, std::uint32_t out_cb, std::uint32_t line);
void tilize_block(std::uint32_t cb, std::uint32_t block, std::uint32_t out_cb, std::uint32_t input_tile,
                  std::uint32_t output_tile, std::uint32_t line);
void tilize_uninit(std::uint32_t cb, std::uint32_t out_cb, std::uint32_t line);

void untilize_init(std::uint32_t columns, std::uint32_t full_columns, std::uint32_t out_cb, std::uint32_t line);
void untilize_dst(std::uint32_t columns, std::uint32_t full_columns, std::uint32_t out_cb, std::uint32_t rows,
                  std::uint32_t column_block, std::uint32_t line);
void untilize_block(std::uint32_t columns, std::uint32_t full_columns, std::uint32_t cb, std::uint32_t rows,
                    std::uint32_t out_cb, std::uint32_t column_block, std::uint32_t line);
void untilize_uninit(std::uint32_t out_cb, std::uint32_t line);

}  // namespace tt_emulator
