// 1 where a lane is zero, else 0.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, logical_not_tile_init, logical_not_tile_init)

template <DataFormat DATA_FORMAT>
ALWI void logical_not_tile(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {
    const tt_emulator::UnaryOperation& operation =
        DATA_FORMAT == DataFormat::UInt16                                         ? tt_emulator::sfpu::logical_not_uint16
        : DATA_FORMAT == DataFormat::Int32 || DATA_FORMAT == DataFormat::UInt32   ? tt_emulator::sfpu::logical_not_int32
                                                                                  : tt_emulator::sfpu::logical_not;
    tt_emulator::sfpu_unary(operation, idst, VectorMode::RC, {}, 0, "logical_not_tile", line);
}

}  // namespace ckernel
