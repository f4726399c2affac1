#include "fiber.h"

#include <sys/mman.h>

#include <new>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

namespace tt_emulator {

namespace {
constexpr std::size_t kGuardBytes = 64 * 1024;  // a page on every Linux, 64 KiB pages included
}

std::uint8_t* allocate_stack() {
    void* memory = mmap(
        nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mprotect(memory, kGuardBytes, PROT_NONE);
    return static_cast<std::uint8_t*>(memory) + kGuardBytes;
}

void free_stack(std::uint8_t* stack) {
    if (stack) munmap(stack - kGuardBytes, kGuardBytes + kStackBytes);
}

#if defined(__x86_64__)

extern "C" void tt_emulator_switch(void** from, void* to);

// Callee-saved registers of the System V ABI go to the old stack; rdi = where to keep its pointer, rsi = the new one.
asm(R"(
.text
.p2align 4
.globl tt_emulator_switch
.hidden tt_emulator_switch
.type tt_emulator_switch,@function
tt_emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size tt_emulator_switch, .-tt_emulator_switch
)");

void prepare_context(Context& context, std::uint8_t* stack, void (*entry)()) {
    void** top = reinterpret_cast<void**>(stack + kStackBytes);
    *--top = nullptr;  // the return address of `entry`; keeps rsp + 8 a multiple of 16 at its start
    *--top = reinterpret_cast<void*>(entry);
    for (int saved = 0; saved < 6; ++saved) *--top = nullptr;
    context.stack_pointer = top;
}

void switch_context(Context& from, Context& to) { tt_emulator_switch(&from.stack_pointer, to.stack_pointer); }

#elif defined(__aarch64__)

extern "C" void tt_emulator_switch(void** from, void* to);

asm(R"(
.text
.p2align 4
.globl tt_emulator_switch
.hidden tt_emulator_switch
.type tt_emulator_switch,%function
tt_emulator_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
.size tt_emulator_switch, .-tt_emulator_switch
)");

void prepare_context(Context& context, std::uint8_t* stack, void (*entry)()) {
    void** frame = reinterpret_cast<void**>(stack + kStackBytes - 160);
    for (int slot = 0; slot < 20; ++slot) frame[slot] = nullptr;
    frame[11] = reinterpret_cast<void*>(entry);  // x30, the link register
    context.stack_pointer = frame;
}

void switch_context(Context& from, Context& to) { tt_emulator_switch(&from.stack_pointer, to.stack_pointer); }

#else

// Elsewhere the C library's contexts: correct, but every switch is a system call.
void prepare_context(Context& context, std::uint8_t* stack, void (*entry)()) {
    ucontext_t* state = reinterpret_cast<ucontext_t*>(stack);
    getcontext(state);
    state->uc_stack.ss_sp = stack + sizeof(ucontext_t);
    state->uc_stack.ss_size = kStackBytes - sizeof(ucontext_t);
    state->uc_link = nullptr;
    makecontext(state, entry, 0);
    context.stack_pointer = state;
}

void switch_context(Context& from, Context& to) {
    ucontext_t here;
    from.stack_pointer = &here;
    swapcontext(&here, static_cast<ucontext_t*>(to.stack_pointer));
}

#endif

}  // namespace tt_emulator
