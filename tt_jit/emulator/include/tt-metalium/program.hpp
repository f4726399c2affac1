// Kernels, circular buffers and semaphores that run together.
#pragma once

#include <memory>

namespace tt::tt_metal {

struct ProgramState;  // the emulator's

class Program {
public:
    Program();
    ~Program();
    Program(Program&& other) noexcept;
    Program& operator=(Program&& other) noexcept;
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    ProgramState& state() const { return *state_; }

private:
    std::unique_ptr<ProgramState> state_;
};

}  // namespace tt::tt_metal
