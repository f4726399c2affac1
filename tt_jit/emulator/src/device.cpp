// Memory of the emulated chip: DRAM banks, L1 windows and the map of the NoC.
#include "tt_emulator/device.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "run.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace tt_emulator {

namespace {

constexpr std::uint32_t kNodes = 64 * 64;
constexpr std::uint64_t kPopulateBytes = 1u << 18;
constexpr std::uint32_t kDramBase = 1u << 20;  // the chip keeps the start of every bank for itself

// L1 windows must lie below 4 GiB, where a program has its heap and little else.
std::uint32_t map_l1_windows(std::size_t bytes) {
    constexpr std::uintptr_t kStep = 0x10000000;
    for (std::uintptr_t candidate = 0xf0000000; candidate >= kStep; candidate -= kStep) {
        if (candidate + bytes > 1ull << 32) continue;
        void* wanted = reinterpret_cast<void*>(candidate);
        void* memory = mmap(
            wanted, bytes, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        if (memory == wanted) return static_cast<std::uint32_t>(candidate);
        if (memory != MAP_FAILED) munmap(memory, bytes);  // kernels before 4.17 take the address as a wish
    }
    throw std::bad_alloc();
}

std::uint64_t round_up(std::uint64_t value, std::uint64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

std::uint8_t* bank_memory(const Device& device, std::uint32_t bank) {
    return device.dram + bank * device.bank_stride;
}

// madvise for the whole system pages inside a range; advice that the system does not know is no loss.
void advise(std::uint8_t* start, std::uint64_t bytes, int advice) {
    constexpr std::uint64_t kPage = 4096;
    const std::uint64_t first = round_up(reinterpret_cast<std::uintptr_t>(start), kPage);
    const std::uint64_t end = (reinterpret_cast<std::uintptr_t>(start) + bytes) / kPage * kPage;
    if (first < end) madvise(reinterpret_cast<void*>(first), end - first, advice);
}

}  // namespace

Device::Device(const DeviceConfig& device_config) : config(device_config) {
    l1_windows = map_l1_windows(static_cast<std::size_t>(cores()) * kL1WindowBytes);
    // Banks are address space, not memory, until pages are touched. The odd stride keeps pages of different banks
    // from competing for the same cache sets.
    for (bank_bytes = 1ull << 30; bank_bytes >= 1ull << 24; bank_bytes /= 2) {
        bank_stride = bank_bytes + 67 * 1024;
        void* memory = mmap(
            nullptr, bank_stride * config.dram_banks, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) continue;
        dram = static_cast<std::uint8_t*>(memory);
        break;
    }
    if (!dram) {
        munmap(reinterpret_cast<void*>(static_cast<std::uintptr_t>(l1_windows)), static_cast<std::size_t>(cores()) * kL1WindowBytes);
        throw std::bad_alloc();
    }
    nodes.assign(kNodes, 0);
    for (std::uint32_t id = 0; id < cores(); ++id) {
        const std::uint32_t x = config.worker_x + id % config.grid_x;
        const std::uint32_t y = config.worker_y + id / config.grid_x;
        nodes[y * 64 + x] = static_cast<std::uint16_t>(kWorkerNode + id);
    }
    for (std::uint32_t bank = 0; bank < config.dram_banks; ++bank) {
        nodes[bank * 64] = static_cast<std::uint16_t>(kDramNode + bank);
    }
    counters.resize(cores());
}

Device::~Device() {
    runs.clear();
    munmap(dram, bank_stride * config.dram_banks);
    munmap(reinterpret_cast<void*>(static_cast<std::uintptr_t>(l1_windows)), static_cast<std::size_t>(cores()) * kL1WindowBytes);
}

CoreRun& Device::run(std::uint32_t slot) {
    while (runs.size() <= slot) {
        auto run = std::make_unique<CoreRun>();
        run->slot = static_cast<std::uint32_t>(runs.size());
        run->device = this;
        run->l1_address = l1_windows + run->slot * kL1WindowBytes;
        run->l1_bytes = config.l1_bytes;
        runs.push_back(std::move(run));
    }
    return *runs[slot];
}

std::unique_ptr<Buffer> allocate_buffer(
    Device& device, const std::string& name, std::uint32_t page_size, std::uint32_t pages) {
    const std::uint32_t banks = device.config.dram_banks;
    const std::uint64_t rows = (static_cast<std::uint64_t>(pages) + banks - 1) / banks;
    const std::uint64_t bytes = round_up(std::max<std::uint64_t>(rows * page_size, 64), 64);
    const std::lock_guard<std::mutex> lock(device.mutex);
    std::uint64_t address = kDramBase;
    auto place = device.buffers.begin();
    for (; place != device.buffers.end(); ++place) {  // first gap that is large enough
        if (address + bytes <= (*place)->address) break;
        address = static_cast<std::uint64_t>((*place)->address) + (*place)->bank_bytes;
    }
    if (address + bytes > device.bank_bytes) return nullptr;
    auto buffer = std::make_unique<Buffer>();
    buffer->name = name;
    buffer->device = &device;
    buffer->address = static_cast<std::uint32_t>(address);
    buffer->page_size = page_size;
    buffer->pages = pages;
    buffer->bank_bytes = static_cast<std::uint32_t>(bytes);
    buffer->clear_written();
    device.buffers.insert(place, buffer.get());
    if (bytes >= kPopulateBytes) {
        for (std::uint32_t bank = 0; bank < banks; ++bank) {  // one call instead of a page fault per 4 KiB
            advise(bank_memory(device, bank) + address, bytes, MADV_POPULATE_WRITE);
        }
    }
    return buffer;
}

void free_buffer(Buffer& buffer) {
    Device& device = *buffer.device;
    const std::lock_guard<std::mutex> lock(device.mutex);
    device.buffers.erase(std::find(device.buffers.begin(), device.buffers.end(), &buffer));
    for (std::uint32_t bank = 0; bank < device.config.dram_banks; ++bank) {
        advise(bank_memory(device, bank) + buffer.address, buffer.bank_bytes, MADV_DONTNEED);
    }
}

bool layout_circular_buffers(const Device& device, Program& program, Failure& failure) {
    std::sort(
        program.circular_buffers.begin(), program.circular_buffers.end(),
        [](const CircularBufferSpec& a, const CircularBufferSpec& b) { return a.id < b.id; });
    std::uint64_t offset = 0;
    std::string table;
    for (CircularBufferSpec& spec : program.circular_buffers) {
        if (spec.alias_of >= 0) continue;
        spec.offset = static_cast<std::uint32_t>(offset);
        const std::uint64_t bytes = static_cast<std::uint64_t>(spec.pages) * spec.page_size;
        table += "\n  " + spec.name + ": " + std::to_string(spec.pages) + " pages of " + std::to_string(spec.page_size) +
                 " bytes = " + std::to_string(bytes);
        offset = round_up(offset + bytes, device.config.dram_read_alignment);
    }
    for (CircularBufferSpec& spec : program.circular_buffers) {
        if (spec.alias_of < 0) continue;
        for (const CircularBufferSpec& original : program.circular_buffers) {
            if (original.id == static_cast<std::uint32_t>(spec.alias_of)) spec.offset = original.offset;
        }
    }
    if (offset <= device.config.l1_usable_bytes) return true;
    failure = Failure{};
    failure.kind = FailureKind::L1Overflow;
    failure.message = "the circular buffers of " + program.name + " need " + std::to_string(offset) +
                      " bytes of L1, but a core has " + std::to_string(device.config.l1_usable_bytes) + table;
    failure.hint = "use smaller blocks or fewer pipeline stages";
    return false;
}

}  // namespace tt_emulator
