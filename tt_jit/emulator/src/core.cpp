#include "tt_emulator/core.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "run.h"
#include "tt_emulator/kernel_args.h"

namespace tt_emulator {

thread_local Core* core = nullptr;

const char* role_name(Role role) {
    switch (role) {
        case Role::Reader: return "reader";
        case Role::Compute: return "compute";
        case Role::Writer: return "writer";
        case Role::None: break;
    }
    return "host";
}

namespace {

// Everything that owns memory happens here, because `fail` leaves its fiber without unwinding it.
void record_failure(std::uint32_t line, std::uint32_t cb, const char* hint, const char* message, std::va_list args) {
    char text[1024];
    std::vsnprintf(text, sizeof text, message, args);
    CoreRun& run = current_run();
    Failure& failure = run.failure;
    failure.kind = FailureKind::Contract;
    failure.core_x = run.logical_x;
    failure.core_y = run.logical_y;
    failure.role = run.role;
    failure.file = run.fiber->kernel->file;
    failure.line = line;
    failure.circular_buffer = cb < kMaxCircularBuffers ? run.circular_buffers[cb].name : "";
    failure.message = text;
    failure.hint = hint;
}

}  // namespace

void fail(std::uint32_t line, std::uint32_t cb, const char* hint, const char* message, ...) {
    std::va_list args;
    va_start(args, message);
    if (!core || !core->fiber) {  // a defect of the emulator itself: there is no launch to end
        std::vfprintf(stderr, message, args);
        std::abort();
    }
    record_failure(line, cb, hint, message, args);
    va_end(args);
    CoreRun& run = current_run();
    run.fiber->state = FiberState::Done;
    switch_context(run.fiber->context, run.scheduler);
    __builtin_unreachable();
}

void fail_unknown_cb(std::uint32_t cb, std::uint32_t line) {
    fail(line, kNoCircularBuffer, "declare it under circular_buffers of the plan, or use an id that is declared",
         "the plan has no circular buffer %u", cb);
}

void fail_page_read(std::uint32_t cb, std::uint32_t page, std::uint32_t line) {
    const CircularBuffer& buffer = core->circular_buffers[cb];
    if (page >= buffer.waited) {
        fail(line, cb, "call cb_wait_front for all pages up to this one before reading it",
             "reads page %u of %s, but only %u pages have been waited for", page, buffer.name, buffer.waited);
    }
    if (buffer.front + page >= buffer.pages) {
        fail(line, cb, "make the number of pages of the circular buffer a multiple of the block",
             "reads page %u of %s past its end: the block starts at page %u of %u and wraps", page, buffer.name,
             buffer.front, buffer.pages);
    }
    fail(line, cb, "its producer pushed the page without writing to it",
         "reads page %u of %s, which was never written", page, buffer.name);
}

void fail_page_write(std::uint32_t cb, std::uint32_t page, std::uint32_t line) {
    const CircularBuffer& buffer = core->circular_buffers[cb];
    if (page >= buffer.reserved) {
        fail(line, cb, "call cb_reserve_back for all pages up to this one before writing it",
             "writes page %u of %s, but only %u pages are reserved", page, buffer.name, buffer.reserved);
    }
    fail(line, cb, "make the number of pages of the circular buffer a multiple of the block",
         "writes page %u of %s past its end: the block starts at page %u of %u and wraps", page, buffer.name,
         buffer.back, buffer.pages);
}

void fail_arg_index(bool common, int index, std::uint32_t line) {
    fail(line, kNoCircularBuffer, "the plan lists the arguments of this kernel in order",
         "%s(%d): the kernel has %u %s arguments", common ? "get_common_arg_val" : "get_arg_val", index,
         common ? core->num_common_args : core->num_args, common ? "common" : "per-core");
}

}  // namespace tt_emulator
