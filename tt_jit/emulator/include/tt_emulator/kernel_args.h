// Run-time arguments and the place of a core in the grid; the same for data-movement and compute kernels.
#pragma once

#include <cstdint>
#include <cstring>

#include "internal/risc_attribs.h"
#include "tt_emulator/core.h"

namespace tt_emulator {
[[noreturn]] TT_EMULATOR_COLD void fail_arg_index(bool common, int index, std::uint32_t line);
}

template <typename T>
FORCE_INLINE T get_arg_val(int arg_idx, std::uint32_t line = __builtin_LINE()) {
    static_assert(sizeof(T) == 4, "Error: only 4B args are supported");
    if (static_cast<std::uint32_t>(arg_idx) >= tt_emulator::core->num_args) {
        tt_emulator::fail_arg_index(false, arg_idx, line);
    }
    T value;
    std::memcpy(&value, tt_emulator::core->args + arg_idx, sizeof value);
    return value;
}

template <typename T>
FORCE_INLINE T get_common_arg_val(int arg_idx, std::uint32_t line = __builtin_LINE()) {
    static_assert(sizeof(T) == 4, "Error: only 4B args are supported");
    if (static_cast<std::uint32_t>(arg_idx) >= tt_emulator::core->num_common_args) {
        tt_emulator::fail_arg_index(true, arg_idx, line);
    }
    T value;
    std::memcpy(&value, tt_emulator::core->common_args + arg_idx, sizeof value);
    return value;
}

inline std::uintptr_t get_arg_addr(int arg_idx) {
    return reinterpret_cast<std::uintptr_t>(tt_emulator::core->args + arg_idx);
}
inline std::uintptr_t get_common_arg_addr(int arg_idx) {
    return reinterpret_cast<std::uintptr_t>(tt_emulator::core->common_args + arg_idx);
}

inline std::uint8_t get_absolute_logical_x() { return static_cast<std::uint8_t>(tt_emulator::core->logical_x); }
inline std::uint8_t get_absolute_logical_y() { return static_cast<std::uint8_t>(tt_emulator::core->logical_y); }
inline std::uint8_t get_relative_logical_x() { return get_absolute_logical_x(); }
inline std::uint8_t get_relative_logical_y() { return get_absolute_logical_y(); }
