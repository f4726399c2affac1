// ReLU and its relatives.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, relu_tile_init, relu_tile_init)
TT_SFPU_UNARY(, relu_tile, relu)
TT_SFPU_UNARY(, relu_tile_int32, relu_int32)
TT_SFPU_INIT(, relu_min_tile_init, relu_min_tile_init)
TT_SFPU_UNARY_1(, relu_min_tile, relu_min)
TT_SFPU_INIT(, relu_max_tile_init, relu_max_tile_init)
TT_SFPU_UNARY_1(, relu_max_tile, relu_max)
TT_SFPU_UNARY_1(, relu_max_tile_int32, relu_max_int32)
TT_SFPU_UNARY_1(, relu_max_tile_uint32, relu_max_uint32)
TT_SFPU_UNARY_1(, relu_max_tile_uint16, relu_max_uint16)
TT_SFPU_UNARY_1(, relu_min_tile_int32, relu_min_int32)
TT_SFPU_UNARY_1(, relu_min_tile_uint32, relu_min_uint32)
TT_SFPU_UNARY_1(, relu_min_tile_uint16, relu_min_uint16)
TT_SFPU_INIT(, leaky_relu_tile_init, leaky_relu_tile_init)
TT_SFPU_INIT_PACK(, relu_max_tile_init_pack, relu_max_tile_init)

ALWI void leaky_relu_tile(std::uint32_t idst, std::uint32_t slope = 0, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary(
        tt_emulator::sfpu::leaky_relu, idst, VectorMode::RC, {{slope, 0, 0}}, 0, "leaky_relu_tile", line);
}

ALWI void relu_max_tile_pack(std::uint32_t idst, std::uint32_t param0, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::sfpu_unary_pack(tt_emulator::sfpu::relu_max, idst, {{param0, 0, 0}}, 0, "relu_max_tile_pack", line);
}

}  // namespace ckernel
