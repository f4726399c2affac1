// Cooperative contexts: one per kernel role of a core, switched without a system call.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tt_emulator {

constexpr std::size_t kStackBytes = 512 * 1024;

struct Context {
    void* stack_pointer = nullptr;
};

// A stack with a guard page below it; never returned to the system while the device lives.
std::uint8_t* allocate_stack();
void free_stack(std::uint8_t* stack);

// Makes `context` start `entry` on `stack` (its lowest address) when it is first switched to. `entry` must not return.
void prepare_context(Context& context, std::uint8_t* stack, void (*entry)());

// Saves the running context in `from` and continues `to`.
void switch_context(Context& from, Context& to);

}  // namespace tt_emulator
