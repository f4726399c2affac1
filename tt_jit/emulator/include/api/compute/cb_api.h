#pragma once

#include "api/compute/common_globals.h"
#include "tt_emulator/circular_buffers.h"

namespace ckernel {
using ::cb_pop_front;
using ::cb_push_back;
using ::cb_reserve_back;
using ::cb_wait_front;
}  // namespace ckernel

ALWI std::uint32_t get_tile_address(
    std::uint32_t cb_id, std::uint32_t tile_index, std::uint32_t line = __builtin_LINE()) {
    return static_cast<std::uint32_t>(
        reinterpret_cast<std::uintptr_t>(tt_emulator::readable_page(cb_id, tile_index, line)));
}

ALWI std::uint32_t read_tile_value(
    std::uint32_t cb_id, std::uint32_t tile_index, std::uint32_t element_offset,
    std::uint32_t line = __builtin_LINE()) {
    return reinterpret_cast<const std::uint32_t*>(
        tt_emulator::readable_page(cb_id, tile_index, line))[element_offset];
}
