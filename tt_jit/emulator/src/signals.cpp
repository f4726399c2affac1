// A kernel that follows a bad pointer (or divides by zero) ends its launch like any other broken contract: the signal
// handler sends the fiber to `bad_access`, which reports it. Signals from elsewhere go to the previous handlers.
// Ctrl-C ends the launch when fibers are next switched.
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <atomic>
#include <mutex>

#include "run.h"

namespace tt_emulator {

namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE};
constexpr int kSignalCount = 3;
struct sigaction previous[kSignalCount];
struct sigaction previous_interrupt;
std::atomic<bool> interrupted{false};
int guards = 0;
std::mutex guards_mutex;

thread_local int caught_signal;
thread_local const void* caught_address;

void bad_access() {
    if (caught_signal == SIGFPE) {
        fail(0, kNoCircularBuffer, "guard the division; the RISC-V cores of the chip give -1 instead of stopping",
             "the kernel divides by zero");
    }
    fail(0, kNoCircularBuffer,
         "pointers must lie in this core's L1: use get_write_ptr, get_read_ptr or get_semaphore to form them",
         "the kernel accesses address %p, which is outside L1", caught_address);
}

void on_signal(int signal, siginfo_t* info, void* context) {
    if (core && core->fiber) {
        caught_signal = signal;
        caught_address = info->si_addr;
        // The interrupted frames are abandoned: `bad_access` starts on a fresh stack and never returns.
        mcontext_t& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
        const std::uintptr_t top = reinterpret_cast<std::uintptr_t>(core->fiber->stack) + kStackBytes;
#if defined(__x86_64__)
        machine.gregs[REG_RSP] = static_cast<greg_t>(top - 8);
        machine.gregs[REG_RIP] = reinterpret_cast<greg_t>(bad_access);
        return;
#elif defined(__aarch64__)
        machine.sp = top;
        machine.pc = reinterpret_cast<std::uintptr_t>(bad_access);
        return;
#else
        (void)machine;
        (void)top;
#endif
    }
    for (int index = 0; index < kSignalCount; ++index) {
        if (kSignals[index] != signal) continue;
        sigaction(signal, &previous[index], nullptr);  // the instruction repeats and meets the previous handler
    }
}

void on_interrupt(int signal) {
    interrupted = true;
    if (previous_interrupt.sa_handler != SIG_IGN) previous_interrupt.sa_handler(signal);
}

// Whether somebody (Python) handles Ctrl-C and will go on; by default the process ends at once, as it should.
bool interrupt_is_handled(const struct sigaction& action) {
    return !(action.sa_flags & SA_SIGINFO) && action.sa_handler != SIG_DFL;
}

// The handler needs a stack of its own: a kernel's may just have overflowed.
struct AlternateStack {
    static constexpr std::size_t kBytes = 64 * 1024;
    void* memory = nullptr;

    AlternateStack() {
        stack_t current;
        if (sigaltstack(nullptr, &current) == 0 && !(current.ss_flags & SS_DISABLE)) return;
        memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            memory = nullptr;
            return;
        }
        stack_t stack{};
        stack.ss_sp = memory;
        stack.ss_size = kBytes;
        sigaltstack(&stack, nullptr);
    }
    ~AlternateStack() {
        if (!memory) return;
        stack_t stack{};
        stack.ss_flags = SS_DISABLE;
        sigaltstack(&stack, nullptr);
        munmap(memory, kBytes);
    }
};

}  // namespace

bool launch_interrupted() { return interrupted; }

void use_alternate_stack() { thread_local AlternateStack stack; }

void guard_kernels() {
    const std::lock_guard<std::mutex> lock(guards_mutex);
    if (guards++) return;
    struct sigaction action {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (int index = 0; index < kSignalCount; ++index) sigaction(kSignals[index], &action, &previous[index]);
    interrupted = false;
    sigaction(SIGINT, nullptr, &previous_interrupt);
    if (!interrupt_is_handled(previous_interrupt)) return;
    struct sigaction interrupt {};
    interrupt.sa_handler = on_interrupt;
    sigaction(SIGINT, &interrupt, nullptr);
}

void unguard_kernels() {
    const std::lock_guard<std::mutex> lock(guards_mutex);
    if (--guards) return;
    for (int index = 0; index < kSignalCount; ++index) sigaction(kSignals[index], &previous[index], nullptr);
    if (interrupt_is_handled(previous_interrupt)) sigaction(SIGINT, &previous_interrupt, nullptr);
}

}  // namespace tt_emulator
