// Explains a deadlock: who waits for what, and why it will not come.
#include <algorithm>

#include "run.h"

namespace tt_emulator {

namespace {

std::string plural(std::uint32_t count, const char* noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

const Fiber* fiber_of(const CoreRun& run, Role role) {
    for (const Fiber& fiber : run.fibers) {
        if (fiber.state != FiberState::Absent && fiber.role == role) return &fiber;
    }
    return nullptr;
}

bool waits_for_pages(const Wait& wait) {
    return wait.kind == WaitKind::PagesAvailable || wait.kind == WaitKind::PagesFree;
}

std::string explain_pages(const CoreRun& run, const Wait& wait) {
    const CircularBuffer& buffer = run.circular_buffers[wait.cb];
    const bool wants_data = wait.kind == WaitKind::PagesAvailable;
    const Role other = wants_data ? buffer.producer : buffer.consumer;
    const std::string verb = wants_data ? "push" : "pop";
    if (other == Role::None) {
        return std::string("no kernel ") + verb + (wants_data ? "es" : "s") + " pages " + (wants_data ? "to " : "of ") +
               buffer.name + " on this core";
    }
    const Fiber* fiber = fiber_of(run, other);
    if (fiber && fiber->state == FiberState::Done) {
        return std::string("the ") + role_name(other) + " has ended after " + verb + "ing " +
               plural(wants_data ? buffer.received : buffer.acked, "page");
    }
    if (fiber && fiber->state == FiberState::Waiting) {
        return std::string("the ") + role_name(other) + ", which " + verb + (wants_data ? "es" : "s") + " them, waits itself";
    }
    return "";
}

// What to do about the first wait that explains itself; empty when this core shows only a chain of waits.
std::string remedy(const CoreRun& run) {
    for (const Fiber& fiber : run.fibers) {
        if (fiber.state != FiberState::Waiting || !waits_for_pages(fiber.wait)) continue;
        const Wait& wait = fiber.wait;
        const CircularBuffer& buffer = run.circular_buffers[wait.cb];
        const bool wants_data = wait.kind == WaitKind::PagesAvailable;
        const Role other = wants_data ? buffer.producer : buffer.consumer;
        const Fiber* partner = fiber_of(run, other);
        if (other == Role::None || (partner && partner->state == FiberState::Done)) {
            return std::string("make both sides of ") + buffer.name + " agree: the " + role_name(fiber.role) +
                   (wants_data ? " waits for more pages than are ever pushed" : " pushes more pages than are ever popped");
        }
        if (partner == &fiber) {
            return std::string("the ") + role_name(fiber.role) + " is producer and consumer of " + buffer.name +
                   (wants_data ? ": push the pages before waiting for them" : ": pop pages before reserving more");
        }
        const Wait& theirs = partner ? partner->wait : wait;
        if (partner && theirs.kind != wait.kind && waits_for_pages(theirs) && theirs.cb == wait.cb) {
            const std::uint32_t held = buffer.received - buffer.acked;
            const std::uint32_t room = wants_data ? theirs.amount : wait.amount;
            return std::string("give ") + buffer.name + " at least " + plural(held + room, "page") +
                   ": its consumer waits for more than what fits beside the next block";
        }
    }
    for (const Fiber& fiber : run.fibers) {
        if (fiber.state == FiberState::Waiting && waits_for_pages(fiber.wait)) {
            return "the kernels wait for each other: reserve and wait in the same order on both sides, or add pages";
        }
    }
    return "";
}

}  // namespace

std::string describe_wait(const CoreRun& run, const Fiber& fiber) {
    const Wait& wait = fiber.wait;
    std::string text = "core (" + std::to_string(run.logical_x) + ", " + std::to_string(run.logical_y) + ") " +
                       role_name(fiber.role) + ", " + fiber.kernel->file + ":" + std::to_string(wait.line) + ": ";
    const CircularBuffer& buffer = run.circular_buffers[wait.cb];
    const std::uint32_t available = buffer.received - buffer.acked;
    switch (wait.kind) {
        case WaitKind::PagesAvailable:
            text += "cb_wait_front wants " + plural(wait.amount, "page") + " of " + buffer.name + ", " +
                    std::to_string(available) + " available";
            break;
        case WaitKind::PagesFree:
            text += "cb_reserve_back wants " + plural(wait.amount, "free page") + " of " + buffer.name + ", " +
                    std::to_string(buffer.pages - available) + " of " + std::to_string(buffer.pages) + " free";
            break;
        case WaitKind::SemaphoreEquals:
        case WaitKind::SemaphoreAtLeast:
            text += std::string("semaphore wants ") + (wait.kind == WaitKind::SemaphoreEquals ? "" : "at least ") +
                    std::to_string(wait.amount) + ", holds " + std::to_string(*wait.semaphore);
            break;
        case WaitKind::Poll: text += "asks again and again for " + plural(wait.amount, "page"); break;
        case WaitKind::None: break;
    }
    if (waits_for_pages(wait)) {
        const std::string why = explain_pages(run, wait);
        if (!why.empty()) text += "; " + why;
    }
    return text;
}

Failure deadlock(const std::vector<CoreRun*>& runs) {
    constexpr std::size_t kShown = 12;
    Failure failure;
    failure.kind = FailureKind::Deadlock;
    failure.message = "deadlock: every kernel waits";
    for (const CoreRun* run : runs) {
        if (failure.hint.empty()) failure.hint = remedy(*run);
    }
    if (failure.hint.empty()) {
        failure.hint = "no core raises the semaphore: check who increments it, how often, and at whose coordinates";
    }
    std::size_t waiting = 0;
    for (const CoreRun* run : runs) {
        for (const Fiber& fiber : run->fibers) {
            if (fiber.state != FiberState::Waiting) continue;
            if (waiting == 0) {
                failure.core_x = run->logical_x;
                failure.core_y = run->logical_y;
                failure.role = fiber.role;
                failure.file = fiber.kernel->file;
                failure.line = fiber.wait.line;
                if (waits_for_pages(fiber.wait)) failure.circular_buffer = run->circular_buffers[fiber.wait.cb].name;
            }
            if (waiting < kShown) failure.message += "\n  " + describe_wait(*run, fiber);
            ++waiting;
        }
    }
    if (waiting > kShown) failure.message += "\n  and " + std::to_string(waiting - kShown) + " more";
    return failure;
}

}  // namespace tt_emulator
