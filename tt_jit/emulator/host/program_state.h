// What a Program of the host API holds until it is enqueued, and how its kernels are compiled for this machine.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tt-metalium/host_api.hpp"
#include "tt_emulator/device.h"

namespace tt::tt_metal {

struct KernelState {
    tt_emulator::Role role = tt_emulator::Role::None;
    std::string file;
    CoreRangeSet cores;
    void (*entry)() = nullptr;
    std::vector<std::uint32_t> common_args;
    std::map<CoreCoord, std::vector<std::uint32_t>> core_args;
};

struct CircularBufferState {
    CoreRangeSet cores;
    CircularBufferConfig config;
};

struct ProgramState {
    std::vector<KernelState> kernels;
    std::vector<CircularBufferState> circular_buffers;
    std::vector<std::uint32_t> semaphores;
    ComputeConfig compute_config;
};

std::vector<CoreCoord> cores_of(const CoreRangeSet& ranges);

}  // namespace tt::tt_metal

namespace tt_emulator {

// The chip that this project was generated for; defined by the project, not by the emulator.
struct ChipSettings {
    DeviceConfig device;
    std::vector<std::string> kernel_flags;  // compiler flags that kernels need on this chip
};
ChipSettings chip_settings();

// Compiles `file` with the system's compiler and loads it; returns its kernel_main.
void (*build_kernel(
    const std::string& file,
    Role role,
    const std::vector<std::uint32_t>& compile_args,
    const std::map<std::string, std::string>& defines))();

}  // namespace tt_emulator
