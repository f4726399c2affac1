// Matrix multiplication: DST[idst] += in0 * in1. SrcA holds in1, SrcB in0.
#pragma once

#include "api/compute/common.h"

namespace ckernel {

ALWI void matmul_init(
    std::uint32_t in0_cb_id, std::uint32_t in1_cb_id, const std::uint32_t transpose = 0,
    std::uint32_t call_line = __builtin_LINE()) {
    tt_emulator::matmul_init(in0_cb_id, in1_cb_id, {transpose != 0, 1, 1, 1}, call_line);
}

ALWI void mm_uninit(std::uint32_t, std::uint32_t) {}

ALWI void matmul_tiles(
    std::uint32_t in0_cb_id, std::uint32_t in1_cb_id, std::uint32_t in0_tile_index, std::uint32_t in1_tile_index,
    std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::matmul_single(in0_cb_id, in1_cb_id, in0_tile_index, in1_tile_index, idst, line);
}

ALWI void matmul_block_init(
    std::uint32_t in0_cb_id, std::uint32_t in1_cb_id, const std::uint32_t transpose = 0, std::uint32_t ct_dim = 1,
    std::uint32_t rt_dim = 1, std::uint32_t kt_dim = 1, std::uint32_t call_line = __builtin_LINE()) {
    tt_emulator::matmul_init(in0_cb_id, in1_cb_id, {transpose != 0, ct_dim, rt_dim, kt_dim}, call_line);
}

ALWI void matmul_block(
    std::uint32_t in0_cb_id, std::uint32_t in1_cb_id, std::uint32_t in0_tile_index, std::uint32_t in1_tile_index,
    std::uint32_t idst, const std::uint32_t transpose, std::uint32_t ct_dim, std::uint32_t rt_dim, std::uint32_t kt_dim,
    std::uint32_t call_line = __builtin_LINE()) {
    tt_emulator::matmul(
        in0_cb_id, in1_cb_id, in0_tile_index, in1_tile_index, idst, {transpose != 0, ct_dim, rt_dim, kt_dim}, call_line);
}

}  // namespace ckernel
