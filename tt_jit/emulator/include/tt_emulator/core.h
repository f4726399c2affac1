// Shared internals of the emulator: one Tensix core as the kernels' API functions see it.
//
// `core` is the core whose kernel runs on this thread. Kernels run as fibers, one per role; a call that has to wait
// (`wait_until`) switches to another fiber. A broken contract calls `fail`, which unwinds the fiber and ends the launch.
// API functions take a last parameter `std::uint32_t line = __builtin_LINE()`, so that messages name the kernel's line.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tt_emulator/compute_state.h"
#include "tt_emulator/data_format.h"

namespace tt_emulator {

constexpr std::uint32_t kMaxCircularBuffers = 64;
// Every core's L1 is mapped at a multiple of 2 MiB below 4 GiB: an L1 address is a valid pointer of this process, and
// its low 21 bits are the address on the chip.
constexpr std::uint32_t kL1WindowBytes = 1u << 21;
constexpr std::uint32_t kL1OffsetMask = kL1WindowBytes - 1;

enum class Role : std::uint8_t { Reader, Compute, Writer, None };
constexpr std::uint32_t kRoles = 3;
const char* role_name(Role role);

struct CircularBuffer {
    std::uint32_t address = 0;  // of page 0 in L1
    std::uint32_t page_size = 0;
    std::uint32_t pages = 0;  // 0: the plan has no such circular buffer
    DataFormat format = DataFormat::Invalid;
    bool unpack_to_dest_fp32 = false;
    Role producer = Role::None;  // who reserves and pushes; the first to do so
    Role consumer = Role::None;  // who waits and pops
    std::uint32_t received = 0;  // pages pushed since the program started
    std::uint32_t acked = 0;     // pages popped since the program started
    std::uint32_t front = 0;     // ring index of the oldest page
    std::uint32_t back = 0;      // ring index of the next page to push
    std::uint32_t waited = 0;    // pages from `front` that the consumer may read
    std::uint32_t reserved = 0;  // pages from `back` that the producer may write
    std::uint32_t packed = 0;    // pages from `back` that pack_tile has filled in order (its internal offset)
    std::uint8_t* page_flags = nullptr;  // per ring page: PageFlag bits
    const char* name = "";
};

enum PageFlag : std::uint8_t {
    kWritten = 1,  // holds data of a NoC transfer, a pack or (seen when pushed, by its canaries) a pointer write
};

struct Counters {
    std::uint64_t noc_reads = 0;  // transactions
    std::uint64_t noc_read_bytes = 0;
    std::uint64_t noc_writes = 0;
    std::uint64_t noc_write_bytes = 0;
    std::uint64_t cb_wait_stalls = 0;     // times a consumer had to wait
    std::uint64_t cb_reserve_stalls = 0;  // times a producer had to wait
    std::uint64_t semaphore_stalls = 0;
    std::uint64_t matmul_tiles = 0;  // tile operations, counted by the compute part
    std::uint64_t fpu_tiles = 0;
    std::uint64_t sfpu_tiles = 0;
    std::uint64_t copy_tiles = 0;
    std::uint64_t pack_tiles = 0;
};

struct Device;
struct Fiber;
struct DataMover;

struct Core {
    std::uint32_t logical_x = 0;
    std::uint32_t logical_y = 0;
    std::uint32_t l1_address = 0;  // of this core's window; an L1 address is l1_address + the chip's address
    std::uint32_t l1_bytes = 0;
    Role role = Role::None;  // of the fiber that runs now
    Fiber* fiber = nullptr;
    Device* device = nullptr;
    DataMover* mover = nullptr;  // NoC state of the running data-movement role
    const std::uint32_t* args = nullptr;
    const std::uint32_t* common_args = nullptr;
    std::uint32_t num_args = 0;
    std::uint32_t num_common_args = 0;
    std::uint32_t circular_buffer_limit = 0;  // the highest id in use, plus one
    CircularBuffer circular_buffers[kMaxCircularBuffers];
    Counters counters;
    ComputeState compute;
};

#define TT_EMULATOR_EXPORT __attribute__((visibility("default")))
#define TT_EMULATOR_COLD __attribute__((cold, noinline))
#define TT_EMULATOR_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))

// initial-exec: one load instead of a call per access from a kernel's shared object. The whole library then lives in
// static TLS, which torch leaves little of: no large thread_local anywhere (fibers have 512 KiB of stack for scratch).
extern thread_local Core* core __attribute__((tls_model("initial-exec")));

// Ends the launch with an EmulatorError: what happened (printf), where, and how to mend it. `cb` may be kNoCircularBuffer.
constexpr std::uint32_t kNoCircularBuffer = ~0u;
[[noreturn]] TT_EMULATOR_COLD void fail(
    std::uint32_t line, std::uint32_t cb, const char* hint, const char* message, ...) TT_EMULATOR_PRINTF(4, 5);

// The circular buffer `cb`, which the plan must have declared.
inline CircularBuffer& circular_buffer(std::uint32_t cb, std::uint32_t line);
[[noreturn]] TT_EMULATOR_COLD void fail_unknown_cb(std::uint32_t cb, std::uint32_t line);
[[noreturn]] TT_EMULATOR_COLD void fail_page_read(std::uint32_t cb, std::uint32_t page, std::uint32_t line);
[[noreturn]] TT_EMULATOR_COLD void fail_page_write(std::uint32_t cb, std::uint32_t page, std::uint32_t line);

inline CircularBuffer& circular_buffer(std::uint32_t cb, std::uint32_t line) {
    if (cb >= kMaxCircularBuffers || core->circular_buffers[cb].pages == 0) fail_unknown_cb(cb, line);
    return core->circular_buffers[cb];
}

inline std::uint8_t* page_pointer(const CircularBuffer& buffer, std::uint32_t ring_page) {
    return reinterpret_cast<std::uint8_t*>(
        static_cast<std::uintptr_t>(buffer.address) + static_cast<std::uintptr_t>(ring_page) * buffer.page_size);
}

// Page `page` counted from the front, for the unpacker: it must have been waited for, must not wrap and must hold data.
inline const std::uint8_t* readable_page(std::uint32_t cb, std::uint32_t page, std::uint32_t line) {
    const CircularBuffer& buffer = circular_buffer(cb, line);
    const std::uint32_t ring_page = buffer.front + page;
    if (page >= buffer.waited || ring_page >= buffer.pages || !(buffer.page_flags[ring_page] & kWritten)) {
        fail_page_read(cb, page, line);
    }
    return page_pointer(buffer, ring_page);
}

// Page `page` counted from the back, for the packer: it must have been reserved and must not wrap. Marks it written.
inline std::uint8_t* writable_page(std::uint32_t cb, std::uint32_t page, std::uint32_t line) {
    const CircularBuffer& buffer = circular_buffer(cb, line);
    const std::uint32_t ring_page = buffer.back + page;
    if (page >= buffer.reserved || ring_page >= buffer.pages) fail_page_write(cb, page, line);
    buffer.page_flags[ring_page] |= kWritten;
    return page_pointer(buffer, ring_page);
}

}  // namespace tt_emulator
