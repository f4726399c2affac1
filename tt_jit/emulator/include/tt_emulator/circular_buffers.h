// The circular-buffer calls of data-movement and compute kernels.
#pragma once

#include <cstdint>

#include "hostdevcommon/kernel_structs.h"
#include "internal/risc_attribs.h"
#include "tt_emulator/core.h"

void cb_reserve_back(std::uint32_t cb, std::uint32_t pages, std::uint32_t line = __builtin_LINE());
void cb_push_back(std::uint32_t cb, std::uint32_t pages, std::uint32_t line = __builtin_LINE());
void cb_wait_front(std::uint32_t cb, std::uint32_t pages, std::uint32_t line = __builtin_LINE());
void cb_pop_front(std::uint32_t cb, std::uint32_t pages, std::uint32_t line = __builtin_LINE());
bool cb_pages_reservable_at_back(std::uint32_t cb, std::uint32_t pages, std::uint32_t line = __builtin_LINE());
bool cb_pages_available_at_front(std::uint32_t cb, std::uint32_t pages, std::uint32_t line = __builtin_LINE());

FORCE_INLINE std::uint32_t get_write_ptr(std::uint32_t cb, std::uint32_t line = __builtin_LINE()) {
    const tt_emulator::CircularBuffer& buffer = tt_emulator::circular_buffer(cb, line);
    return buffer.address + buffer.back * buffer.page_size;
}

FORCE_INLINE std::uint32_t get_read_ptr(std::uint32_t cb, std::uint32_t line = __builtin_LINE()) {
    const tt_emulator::CircularBuffer& buffer = tt_emulator::circular_buffer(cb, line);
    return buffer.address + buffer.front * buffer.page_size;
}

FORCE_INLINE std::uint32_t get_tile_size(std::uint32_t cb, std::uint32_t line = __builtin_LINE()) {
    return tt_emulator::tile_bytes(tt_emulator::circular_buffer(cb, line).format);
}

FORCE_INLINE DataFormat get_dataformat(std::uint32_t cb, std::uint32_t line = __builtin_LINE()) {
    return tt_emulator::circular_buffer(cb, line).format;
}

inline std::uint32_t get_tile_hw(std::uint32_t) { return 1024; }
inline std::uint32_t get_tile_num_faces(std::uint32_t) { return 4; }
