// Array sizes on the host: the largest number of circular buffers of any chip.
#pragma once

#include <cstdint>

inline constexpr std::uint32_t NUM_CIRCULAR_BUFFERS = 64;
