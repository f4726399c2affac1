// condition != 0 ? a : b.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, where_tile_init, where_tile_init)

template <DataFormat data_format>
ALWI void where_tile(
    std::uint32_t idst0, std::uint32_t idst1, std::uint32_t idst2, std::uint32_t odst,
    std::uint32_t line = __builtin_LINE()) {
    static_assert(
        data_format == DataFormat::Float32 || data_format == DataFormat::Float16_b || data_format == DataFormat::Int32 ||
            data_format == DataFormat::UInt32,
        "Only Float32, Int32, UInt32, and Float16_b are allowed");
    const tt_emulator::TernaryOperation& operation =
        data_format == DataFormat::Float16_b ? tt_emulator::sfpu::where : tt_emulator::sfpu::where_int32;
    tt_emulator::sfpu_ternary(operation, idst0, idst1, idst2, odst, {}, 0, "where_tile", line);
}

}  // namespace ckernel
