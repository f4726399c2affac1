// Runs a program: every core's roles are fibers that take turns whenever one has to wait. Cores that do not talk to
// each other run one after another (or spread over threads); with semaphores all cores take turns. The order never
// depends on time, so results are the same in every run.
#include <algorithm>
#include <atomic>
#include <thread>

#include "run.h"
#include "tt_emulator/compute.h"

namespace tt_emulator {

void DataMover::reset() {
    reads.clear();
    writes.clear();
    delivered = 0;
    unacknowledged = 0;
    atomics = 0;
    transaction_id = 0;
}

CoreRun::~CoreRun() {
    for (Fiber& fiber : fibers) free_stack(fiber.stack);
}

bool satisfied(const Core& owner, const Wait& wait) {
    const CircularBuffer& buffer = owner.circular_buffers[wait.cb];
    switch (wait.kind) {
        case WaitKind::None:
        case WaitKind::Poll: return true;
        case WaitKind::PagesAvailable: return buffer.received - buffer.acked >= wait.amount;
        case WaitKind::PagesFree: return buffer.pages - (buffer.received - buffer.acked) >= wait.amount;
        case WaitKind::SemaphoreEquals: return *wait.semaphore == wait.amount;
        case WaitKind::SemaphoreAtLeast: return *wait.semaphore >= wait.amount;
    }
    return false;
}

void wait_until(const Wait& wait) {
    CoreRun& run = current_run();
    // On the chip issued writes arrive without further ado, and whoever is waited for may be waiting for them.
    for (DataMover& mover : run.movers) mover.deliver_writes();
    if (satisfied(run, wait)) return;
    run.fiber->wait = wait;
    run.fiber->state = FiberState::Waiting;
    switch_context(run.fiber->context, run.scheduler);
}

bool poll(const Wait& wait) {
    constexpr std::uint32_t kPatience = 1000000;
    CoreRun& run = current_run();
    Fiber& fiber = *run.fiber;
    if (satisfied(run, wait)) {
        fiber.polls = 0;
        return true;
    }
    if (++fiber.polls > kPatience) {
        fail(wait.line, wait.cb, "wait with cb_wait_front or cb_reserve_back, which tell who is missing",
             "asked %u times for %u pages in vain", kPatience, wait.amount);
    }
    fiber.wait = {WaitKind::Poll, wait.cb, wait.amount, nullptr, wait.line};
    fiber.state = FiberState::Waiting;
    switch_context(fiber.context, run.scheduler);
    return satisfied(run, wait);
}

namespace {

void end_kernel(std::uint32_t line, const char* hint, const char* what, std::size_t count) {
    fail(line, kNoCircularBuffer, hint, "the kernel ends with %zu %s", count, what);
}

void check_outstanding(const DataMover& mover) {
    if (!mover.reads.empty()) {
        end_kernel(mover.reads[0].line, "call noc_async_read_barrier before the kernel returns",
                   "NoC reads in flight", mover.reads.size());
    }
    if (!mover.writes.empty() || mover.unacknowledged) {
        end_kernel(mover.last_write_line, "call noc_async_write_barrier before the kernel returns",
                   "NoC writes not acknowledged", mover.writes.size() + mover.unacknowledged);
    }
    if (mover.atomics) {
        end_kernel(mover.last_atomic_line, "call noc_async_atomic_barrier before the kernel returns",
                   "semaphore increments not acknowledged", mover.atomics);
    }
}

void fiber_main() {
    core->fiber->kernel->entry();
    CoreRun& run = current_run();
    if (run.role == Role::Compute) check_compute_end();
    else check_outstanding(*run.mover);
    run.fiber->state = FiberState::Done;
    switch_context(run.fiber->context, run.scheduler);
}

void start_core(CoreRun& run, const Program& program, std::uint32_t core_index) {
    const DeviceConfig& config = run.device->config;
    const std::uint32_t id = program.cores[core_index];
    run.program = &program;
    run.logical_x = id % config.grid_x;
    run.logical_y = id / config.grid_x;
    run.failure = Failure{};
    run.counters = Counters{};
    reset_circular_buffers(run);
    run.compute.reset(program.compute);
    const std::uint32_t semaphores = run.l1_address + config.l1_base - kMaxSemaphores * kSemaphoreBytes;
    for (std::uint32_t id = 0; id < program.semaphores.size(); ++id) {
        *reinterpret_cast<std::uint32_t*>(static_cast<std::uintptr_t>(semaphores + id * kSemaphoreBytes)) =
            program.semaphores[id];
    }
    for (std::uint32_t role = 0; role < kRoles; ++role) {
        run.movers[role].reset();
        run.fibers[role].state = FiberState::Absent;
    }
    for (const Kernel& kernel : program.kernels) {
        Fiber& fiber = run.fibers[static_cast<std::uint32_t>(kernel.role)];
        if (!fiber.stack) fiber.stack = allocate_stack();
        fiber.kernel = &kernel;
        fiber.role = kernel.role;
        fiber.core_index = core_index;
        fiber.state = FiberState::Runnable;
        fiber.polls = 0;
        prepare_context(fiber.context, fiber.stack, fiber_main);
    }
}

void resume(CoreRun& run, Fiber& fiber) {
    const Kernel& kernel = *fiber.kernel;
    core = &run;
    run.fiber = &fiber;
    run.role = fiber.role;
    run.mover = &run.movers[static_cast<std::uint32_t>(fiber.role)];
    run.args = kernel.core_args.data() + static_cast<std::size_t>(fiber.core_index) * kernel.args_per_core;
    run.num_args = kernel.args_per_core;
    run.common_args = kernel.common_args.data();
    run.num_common_args = static_cast<std::uint32_t>(kernel.common_args.size());
    fiber.state = FiberState::Runnable;
    switch_context(run.scheduler, fiber.context);
    run.fiber = nullptr;
    core = nullptr;
}

struct Turn {
    bool failed = false;
    bool advanced = false;  // some fiber ran
    bool done = false;      // no fiber is left
};

// Lets the core's fibers take turns until all of them wait or are done.
Turn advance(CoreRun& run) {
    Turn turn;
    for (bool again = true; again;) {
        again = false;
        for (Fiber& fiber : run.fibers) {
            const bool ready = fiber.state == FiberState::Runnable ||
                               (fiber.state == FiberState::Waiting && satisfied(run, fiber.wait));
            if (!ready) continue;
            if (launch_interrupted()) run.failure.kind = FailureKind::Interrupted;
            if (run.failure.kind == FailureKind::None) resume(run, fiber);
            turn.advanced = true;
            again |= fiber.wait.kind != WaitKind::Poll || fiber.state != FiberState::Waiting;
            turn.failed = run.failure.kind != FailureKind::None;
            if (turn.failed) return turn;
        }
    }
    turn.done = std::none_of(std::begin(run.fibers), std::end(run.fibers), [](const Fiber& fiber) {
        return fiber.state == FiberState::Waiting;
    });
    return turn;
}

bool finish_core(CoreRun& run) {
    const std::uint32_t id = run.logical_y * run.device->config.grid_x + run.logical_x;
    run.device->counters[id] = run.counters;
    return check_drained(run);
}

bool run_core(CoreRun& run, const Program& program, std::uint32_t core_index) {
    start_core(run, program, core_index);
    for (;;) {  // more than one turn only where a fiber polls
        const Turn turn = advance(run);
        if (turn.failed) return false;
        if (turn.done) return finish_core(run);
        if (turn.advanced) continue;
        run.failure = deadlock({&run});
        return false;
    }
}

// Cores that do not talk to each other: any thread may take the next one.
bool run_independent(Device& device, const Program& program, std::uint32_t threads, Failure& failure) {
    const std::uint32_t cores = static_cast<std::uint32_t>(program.cores.size());
    threads = std::max(1u, std::min(threads, cores));
    std::atomic<std::uint32_t> next{0};
    std::uint32_t first_failed = cores;
    auto work = [&](std::uint32_t slot) {
        use_alternate_stack();
        CoreRun& run = device.run(slot);
        run.cross_core = false;
        for (std::uint32_t index = next++; index < cores; index = next++) {
            if (run_core(run, program, index)) continue;
            next = cores;
            const std::lock_guard<std::mutex> lock(device.mutex);
            if (index < first_failed) {
                first_failed = index;
                failure = run.failure;
            }
        }
    };
    std::vector<std::thread> others;
    for (std::uint32_t slot = 0; slot < threads; ++slot) device.run(slot);  // created before threads look at them
    for (std::uint32_t slot = 1; slot < threads; ++slot) others.emplace_back(work, slot);
    work(0);
    for (std::thread& thread : others) thread.join();
    return first_failed == cores;
}

bool run_together(Device& device, const Program& program, Failure& failure) {
    use_alternate_stack();
    std::vector<CoreRun*> runs;
    device.active.assign(device.cores(), nullptr);
    for (std::uint32_t index = 0; index < program.cores.size(); ++index) {
        CoreRun& run = device.run(index);
        run.cross_core = true;
        device.active[program.cores[index]] = &run;
        start_core(run, program, index);
        runs.push_back(&run);
    }
    for (bool done = false; !done;) {
        bool advanced = false;
        done = true;
        for (CoreRun* run : runs) {
            const Turn turn = advance(*run);
            if (turn.failed) {
                failure = run->failure;
                return false;
            }
            advanced |= turn.advanced;
            done &= turn.done;
        }
        if (!done && !advanced) {
            failure = deadlock(runs);
            return false;
        }
    }
    for (CoreRun* run : runs) {
        if (!finish_core(*run)) {
            failure = run->failure;
            return false;
        }
    }
    return true;
}

}  // namespace

bool run_program(Device& device, const Program& program, std::uint32_t threads, Failure& failure) {
    guard_kernels();
    const bool passed = program.semaphores.empty() ? run_independent(device, program, threads, failure)
                                                   : run_together(device, program, failure);
    device.active.clear();
    unguard_kernels();
    return passed;
}

}  // namespace tt_emulator
