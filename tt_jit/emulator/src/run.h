// One core's run of a program: its fibers, NoC state and first failure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fiber.h"
#include "tt_emulator/core.h"
#include "tt_emulator/device.h"

namespace tt_emulator {

// Poll: the fiber asked without waiting and was told no; the others go first, then it asks again.
enum class WaitKind : std::uint8_t { None, PagesAvailable, PagesFree, SemaphoreEquals, SemaphoreAtLeast, Poll };

struct Wait {
    WaitKind kind = WaitKind::None;
    std::uint32_t cb = 0;
    std::uint32_t amount = 0;  // pages, or the semaphore's value
    const volatile std::uint32_t* semaphore = nullptr;
    std::uint32_t line = 0;
};

enum class FiberState : std::uint8_t { Absent, Runnable, Waiting, Done };

struct Fiber {
    Context context;
    std::uint8_t* stack = nullptr;
    FiberState state = FiberState::Absent;
    Role role = Role::None;
    const Kernel* kernel = nullptr;
    std::uint32_t core_index = 0;  // of the core in the program, for its arguments
    Wait wait;
    std::uint32_t polls = 0;  // in vain, since it last got what it asked for
};

struct Transfer {
    std::uint8_t* target;
    const std::uint8_t* source;
    std::uint32_t size;
    std::uint32_t line;
    std::uint32_t transaction_id;
};

// Outstanding transfers of one data-movement role.
struct DataMover {
    std::vector<Transfer> reads;      // wait for a read barrier
    std::vector<Transfer> writes;     // not flushed yet; the first `delivered` have reached their target
    std::size_t delivered = 0;
    std::uint32_t unacknowledged = 0;  // flushed, but no write barrier yet
    std::uint32_t last_write_line = 0;
    std::uint32_t atomics = 0;
    std::uint32_t last_atomic_line = 0;
    std::uint32_t transaction_id = 0;
    std::uint64_t read_state = 0;
    std::uint32_t read_state_size = 0;
    std::uint64_t write_state = 0;
    std::uint32_t write_state_size = 0;

    void reset();
    void deliver_writes();
};

struct CoreRun : Core {
    const Program* program = nullptr;
    std::uint32_t slot = 0;
    bool cross_core = false;
    Context scheduler;
    Fiber fibers[kRoles];
    DataMover movers[kRoles];
    std::vector<std::uint8_t> flags;  // page_flags of all circular buffers
    Failure failure;

    ~CoreRun();
};

inline CoreRun& current_run() { return *static_cast<CoreRun*>(core); }

// Switches to another fiber until `wait` is satisfied.
void wait_until(const Wait& wait);
// Reports whether `wait` is satisfied; if it is not, lets other fibers run first.
bool poll(const Wait& wait);
bool satisfied(const Core& owner, const Wait& wait);

// Text for messages.
std::string describe_wait(const CoreRun& run, const Fiber& fiber);
Failure deadlock(const std::vector<CoreRun*>& runs);

// circular_buffer.cpp
void reset_circular_buffers(CoreRun& run);
bool page_holds_data(const CircularBuffer& buffer, std::uint32_t ring_page);
bool check_drained(CoreRun& run);

// signals.cpp: turns a kernel's bad memory access into a failure while programs run.
void use_alternate_stack();  // once per thread that runs kernels
void guard_kernels();
void unguard_kernels();
bool launch_interrupted();

}  // namespace tt_emulator
