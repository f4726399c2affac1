// The emulated chip as a host sees it: DRAM buffers, programs and the run of a program over the cores.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tt_emulator/core.h"

namespace tt_emulator {

struct DeviceConfig {
    std::uint32_t grid_x = 8;
    std::uint32_t grid_y = 8;
    std::uint32_t worker_x = 18;  // NoC coordinates of logical core (0, 0)
    std::uint32_t worker_y = 18;
    std::uint32_t l1_bytes = 1464 * 1024;
    std::uint32_t l1_base = 104 * 1024;  // first address for circular buffers; semaphores lie just below
    std::uint32_t l1_usable_bytes = 1360 * 1024;
    std::uint32_t dram_banks = 12;
    std::uint32_t dram_read_alignment = 32;
    std::uint32_t l1_alignment = 16;
    std::uint32_t noc_max_burst = 8192;
};

struct Device;

// A tensor in DRAM: page i lives in bank i % banks at `address` + (i / banks) * page_size.
struct Buffer {
    std::string name;
    Device* device = nullptr;
    std::uint32_t address = 0;
    std::uint32_t page_size = 0;
    std::uint32_t pages = 0;
    std::uint32_t bank_bytes = 0;
    bool writable = true;
    bool filled = true;  // by the host before the launch; else a page holds data once a kernel has written to it
    std::vector<std::uint8_t> page_written;  // 1: a kernel has written to the page since clear_written

    std::uint8_t* page(std::uint32_t index) const;
    void clear_written() { page_written.assign(pages, 0); }
};

struct Kernel {
    Role role = Role::None;
    void (*entry)() = nullptr;
    std::string file;  // for messages
    std::vector<std::uint32_t> common_args;
    std::uint32_t args_per_core = 0;
    std::vector<std::uint32_t> core_args;  // args_per_core for each core of the program, in order
};

struct CircularBufferSpec {
    std::uint32_t id = 0;
    std::string name;
    DataFormat format = DataFormat::Invalid;
    std::uint32_t page_size = 0;
    std::uint32_t pages = 0;
    bool unpack_to_dest_fp32 = false;
    std::int32_t alias_of = -1;  // id of the circular buffer whose memory it shares
    std::uint32_t offset = 0;    // from l1_base; set by layout_circular_buffers
};

struct Program {
    std::string name;
    std::vector<std::uint32_t> cores;  // linear ids: y * grid_x + x
    std::vector<Kernel> kernels;       // at most one per role
    std::vector<CircularBufferSpec> circular_buffers;
    std::vector<std::uint32_t> semaphores;  // initial values, by id
    ComputeConfig compute;
};

enum class FailureKind : std::uint8_t { None, Contract, Deadlock, L1Overflow, Interrupted };

struct Failure {
    FailureKind kind = FailureKind::None;
    std::uint32_t core_x = 0;
    std::uint32_t core_y = 0;
    Role role = Role::None;
    std::string file;
    std::uint32_t line = 0;
    std::string circular_buffer;
    std::string message;
    std::string hint;
};

struct CoreRun;
struct Worker;

struct Device {
    DeviceConfig config;
    std::uint32_t l1_windows = 0;    // address of the first core's L1
    std::uint8_t* dram = nullptr;
    std::uint64_t bank_bytes = 0;
    std::uint64_t bank_stride = 0;
    std::vector<Buffer*> buffers;    // live ones, by address
    std::vector<std::uint16_t> nodes;  // NoC coordinate -> kWorkerNode + core id, kDramNode + bank, or 0
    std::vector<std::unique_ptr<CoreRun>> runs;
    std::vector<CoreRun*> active;    // by core id, while a program with cross-core traffic runs
    std::vector<Counters> counters;  // by core id, of the last launch
    std::mutex mutex;

    explicit Device(const DeviceConfig& device_config);
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    std::uint32_t cores() const { return config.grid_x * config.grid_y; }
    CoreRun& run(std::uint32_t slot);
};

constexpr std::uint16_t kWorkerNode = 0x4000;
constexpr std::uint16_t kDramNode = 0x8000;
constexpr std::uint16_t kNodeIndexMask = 0x3fff;
constexpr std::uint32_t kMaxSemaphores = 16;
constexpr std::uint32_t kSemaphoreBytes = 16;

// Returns null when the banks are full. Page sizes must be multiples of the DRAM alignment.
std::unique_ptr<Buffer> allocate_buffer(
    Device& device, const std::string& name, std::uint32_t page_size, std::uint32_t pages);
void free_buffer(Buffer& buffer);

// Places the circular buffers in L1 in order of id. False (and `failure`) when they do not fit.
bool layout_circular_buffers(const Device& device, Program& program, Failure& failure);

// Runs the program to its end on all of its cores. False (and `failure`) when a kernel broke a contract.
bool run_program(Device& device, const Program& program, std::uint32_t threads, Failure& failure);

inline std::uint8_t* Buffer::page(std::uint32_t index) const {
    const std::uint32_t banks = device->config.dram_banks;
    const std::uint32_t row = index / banks;
    return device->dram + (index - row * banks) * device->bank_stride + address +
           static_cast<std::uint64_t>(row) * page_size;
}

}  // namespace tt_emulator
