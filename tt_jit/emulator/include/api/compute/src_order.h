#pragma once

#include <cstdint>

namespace ckernel {

// Which operand enters which source register: Regular icb0 -> SrcA, icb1 -> SrcB; Reverse (matmul) the other way round.
enum class SrcOrder : std::uint8_t { Regular = 0, Reverse = 1 };

}  // namespace ckernel
