#include "tt_emulator/circular_buffers.h"

#include <algorithm>
#include <cstring>

#include "run.h"

namespace tt_emulator {

namespace {

// Marks pages that nobody has written yet, so that pointer writes (which the emulator does not see) can be told.
constexpr std::uint64_t kCanary = 0x7ff7c0ffee15bad1;

std::uint64_t load_word(const std::uint8_t* address) {
    std::uint64_t word;
    std::memcpy(&word, address, sizeof word);
    return word;
}

void claim(Role& owner, const char* what, std::uint32_t cb, std::uint32_t line) {
    if (owner == core->role) return;
    if (owner != Role::None) {
        fail(line, cb, "a circular buffer has exactly one producer and one consumer; use a second circular buffer",
             "%s is a second %s of %s: the %s kernel already is one", role_name(core->role), what,
             core->circular_buffers[cb].name, role_name(owner));
    }
    owner = core->role;
}

void check_count(std::uint32_t pages, const CircularBuffer& buffer, std::uint32_t cb, std::uint32_t line) {
    if (pages > buffer.pages) {
        fail(line, cb, "ask for fewer pages at a time or give the circular buffer more",
             "asks for %u pages of %s, which has %u: this would wait for ever", pages, buffer.name, buffer.pages);
    }
}

bool overlaps(const std::uint8_t* start, std::size_t bytes, const std::uint8_t* other, std::size_t other_bytes) {
    return start < other + other_bytes && other < start + bytes;
}

// A page that the data-movement role wrote through a pointer shows by its canaries.
void mark_written(const CircularBuffer& buffer, std::uint32_t pages) {
    for (std::uint32_t page = buffer.back; page < buffer.back + pages; ++page) {
        if (!(buffer.page_flags[page] & kWritten) && page_holds_data(buffer, page)) {
            buffer.page_flags[page] |= kWritten;
        }
    }
}

}  // namespace

bool page_holds_data(const CircularBuffer& buffer, std::uint32_t ring_page) {
    if (buffer.page_flags[ring_page] & kWritten) return true;
    const std::uint8_t* page = page_pointer(buffer, ring_page);
    return load_word(page) != kCanary || load_word(page + buffer.page_size - sizeof kCanary) != kCanary;
}

void reset_circular_buffers(CoreRun& run) {
    std::uint32_t total = 0;
    for (CircularBuffer& buffer : run.circular_buffers) buffer = CircularBuffer{};
    run.circular_buffer_limit = 0;
    for (const CircularBufferSpec& spec : run.program->circular_buffers) {
        total += spec.pages;
        run.circular_buffer_limit = std::max(run.circular_buffer_limit, spec.id + 1);
    }
    run.flags.assign(total, 0);
    std::uint8_t* flags = run.flags.data();
    for (const CircularBufferSpec& spec : run.program->circular_buffers) {
        CircularBuffer& buffer = run.circular_buffers[spec.id];
        buffer.address = run.l1_address + run.device->config.l1_base + spec.offset;
        buffer.page_size = spec.page_size;
        buffer.pages = spec.pages;
        buffer.format = spec.format;
        buffer.unpack_to_dest_fp32 = spec.unpack_to_dest_fp32;
        buffer.name = spec.name.c_str();
        buffer.page_flags = flags;
        flags += spec.pages;
        for (std::uint32_t page = 0; page < spec.pages; ++page) {
            std::uint8_t* start = page_pointer(buffer, page);
            std::memcpy(start, &kCanary, sizeof kCanary);
            std::memcpy(start + spec.page_size - sizeof kCanary, &kCanary, sizeof kCanary);
        }
    }
    // Two names of the same pages: data written through one can be read through the other.
    for (const CircularBufferSpec& spec : run.program->circular_buffers) {
        if (spec.alias_of < 0) continue;
        CircularBuffer& alias = run.circular_buffers[spec.id];
        const CircularBuffer& original = run.circular_buffers[spec.alias_of];
        if (alias.page_size == original.page_size && alias.pages <= original.pages) {
            alias.page_flags = original.page_flags;
        }
    }
}

bool check_drained(CoreRun& run) {
    for (const CircularBuffer& buffer : run.circular_buffers) {
        if (buffer.received == buffer.acked) continue;
        Failure& failure = run.failure;
        failure.kind = FailureKind::Contract;
        failure.core_x = run.logical_x;
        failure.core_y = run.logical_y;
        failure.role = buffer.producer;
        failure.circular_buffer = buffer.name;
        failure.message = std::to_string(buffer.received - buffer.acked) + " of " + std::to_string(buffer.received) +
                          " pages pushed to " + buffer.name + " were never popped";
        failure.hint = "push and pop the same number of pages on every path, or the next program hangs";
        for (const Kernel& kernel : run.program->kernels) {
            if (kernel.role == buffer.producer) failure.file = kernel.file;
        }
        return false;
    }
    return true;
}

}  // namespace tt_emulator

using namespace tt_emulator;

void cb_reserve_back(std::uint32_t cb, std::uint32_t pages, std::uint32_t line) {
    tt_emulator::CircularBuffer& buffer = circular_buffer(cb, line);
    claim(buffer.producer, "producer", cb, line);
    check_count(pages, buffer, cb, line);
    if (buffer.pages - (buffer.received - buffer.acked) < pages) {
        ++core->counters.cb_reserve_stalls;
        wait_until({WaitKind::PagesFree, cb, pages, nullptr, line});
    }
    buffer.reserved = std::max(buffer.reserved, pages);
}

void cb_push_back(std::uint32_t cb, std::uint32_t pages, std::uint32_t line) {
    tt_emulator::CircularBuffer& buffer = circular_buffer(cb, line);
    claim(buffer.producer, "producer", cb, line);
    if (pages > buffer.reserved) {
        fail(line, cb, "call cb_reserve_back for as many pages first",
             "pushes %u pages to %s, but only %u are reserved", pages, buffer.name, buffer.reserved);
    }
    if (buffer.back + pages > buffer.pages) {
        fail(line, cb, "make the number of pages of the circular buffer a multiple of the block",
             "pushes %u pages to %s from page %u of %u: the block wraps", pages, buffer.name, buffer.back,
             buffer.pages);
    }
    if (core->role != Role::Compute) {
        const std::uint8_t* start = page_pointer(buffer, buffer.back);
        const std::size_t bytes = static_cast<std::size_t>(pages) * buffer.page_size;
        for (const Transfer& read : core->mover->reads) {
            if (overlaps(start, bytes, read.target, read.size)) {
                fail(line, cb, "call noc_async_read_barrier before cb_push_back",
                     "pushes to %s while the NoC read of line %u into it is in flight", buffer.name, read.line);
            }
        }
        mark_written(buffer, pages);
    }
    buffer.received += pages;
    buffer.back += pages;
    if (buffer.back == buffer.pages) buffer.back = 0;
    buffer.reserved -= pages;
    buffer.packed = 0;
}

void cb_wait_front(std::uint32_t cb, std::uint32_t pages, std::uint32_t line) {
    tt_emulator::CircularBuffer& buffer = circular_buffer(cb, line);
    claim(buffer.consumer, "consumer", cb, line);
    check_count(pages, buffer, cb, line);
    if (buffer.received - buffer.acked < pages) {
        ++core->counters.cb_wait_stalls;
        wait_until({WaitKind::PagesAvailable, cb, pages, nullptr, line});
    }
    buffer.waited = std::max(buffer.waited, pages);
}

void cb_pop_front(std::uint32_t cb, std::uint32_t pages, std::uint32_t line) {
    tt_emulator::CircularBuffer& buffer = circular_buffer(cb, line);
    claim(buffer.consumer, "consumer", cb, line);
    if (pages > buffer.waited) {
        fail(line, cb, "call cb_wait_front for as many pages first",
             "pops %u pages from %s, but only %u have been waited for", pages, buffer.name, buffer.waited);
    }
    if (buffer.front + pages > buffer.pages) {
        fail(line, cb, "make the number of pages of the circular buffer a multiple of the block",
             "pops %u pages from %s from page %u of %u: the block wraps", pages, buffer.name, buffer.front,
             buffer.pages);
    }
    if (core->role != Role::Compute) {
        const std::uint8_t* start = page_pointer(buffer, buffer.front);
        const std::size_t bytes = static_cast<std::size_t>(pages) * buffer.page_size;
        for (const Transfer& write : core->mover->writes) {
            if (overlaps(start, bytes, write.source, write.size)) {
                fail(line, cb, "call noc_async_writes_flushed (or noc_async_write_barrier) before cb_pop_front",
                     "pops pages of %s while the NoC write of line %u still reads them", buffer.name, write.line);
            }
        }
    }
    buffer.acked += pages;
    buffer.front += pages;
    if (buffer.front == buffer.pages) buffer.front = 0;
    buffer.waited -= pages;
}

bool cb_pages_reservable_at_back(std::uint32_t cb, std::uint32_t pages, std::uint32_t line) {
    circular_buffer(cb, line);
    return poll({WaitKind::PagesFree, cb, pages, nullptr, line});
}

bool cb_pages_available_at_front(std::uint32_t cb, std::uint32_t pages, std::uint32_t line) {
    circular_buffer(cb, line);
    return poll({WaitKind::PagesAvailable, cb, pages, nullptr, line});
}
