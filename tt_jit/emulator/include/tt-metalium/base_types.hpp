// Modes of the compute engine.
#pragma once

#include <cstdint>

namespace tt::tt_metal {

enum class MathFidelity : std::uint8_t { LoFi = 0, HiFi2 = 2, HiFi3 = 3, HiFi4 = 4, Invalid = 0xff };

// UnpackToDestFp32: copies of a Float32 buffer go to DST exactly, past SrcA's TF32.
enum class UnpackToDestMode : std::uint8_t { UnpackToDestFp32, Default };

}  // namespace tt::tt_metal
