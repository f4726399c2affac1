#include "tt_emulator/noc.h"

#include <algorithm>
#include <cstring>

#include "run.h"

namespace tt_emulator {

namespace {

constexpr std::uint64_t kLocalMask = (1ull << NOC_ADDR_LOCAL_BITS) - 1;
constexpr std::uint32_t kNodeBits = 2 * NOC_ADDR_NODE_ID_BITS;
constexpr std::uint32_t kNodeMask = (1u << kNodeBits) - 1;

// Where a NoC address leads on the host.
struct Place {
    std::uint8_t* memory;
    std::uint32_t alignment;  // of reads
    CoreRun* worker;          // null for DRAM
    Buffer* buffer;           // null for L1
};

struct Rectangle {
    std::uint32_t x_start, y_start, x_end, y_end;
};

void check_data_mover(std::uint32_t line) {
    if (core->role == Role::Compute) {
        fail(line, kNoCircularBuffer, "move data in the reader or the writer",
             "a compute kernel cannot use the NoC");
    }
}

// The part of `buffer` that lies at `l1`, as an offset from page `first`; false when it is outside.
bool inside(const CircularBuffer& buffer, std::uint32_t first, std::uint32_t pages, std::uint32_t l1,
            std::uint32_t size) {
    const std::uint32_t last = std::min(first + pages, buffer.pages);
    const std::uint32_t start = buffer.address + first * buffer.page_size;
    return l1 >= start && l1 + size <= buffer.address + last * buffer.page_size;
}

bool touches(const CircularBuffer& buffer, std::uint32_t l1, std::uint32_t size) {
    return buffer.pages && l1 < buffer.address + buffer.pages * buffer.page_size && l1 + size > buffer.address;
}

bool wraps(const CircularBuffer& buffer, std::uint32_t l1, std::uint32_t size) {
    return l1 >= buffer.address && l1 + size > buffer.address + buffer.pages * buffer.page_size;
}

void check_l1_range(std::uint32_t l1, std::uint32_t size, std::uint32_t line) {
    if (size == 0) {
        fail(line, kNoCircularBuffer, "skip the transfer when there is nothing to move", "a NoC transfer of 0 bytes");
    }
    const std::uint64_t offset = static_cast<std::uint64_t>(l1) - core->l1_address;
    if (l1 < core->l1_address || offset + size > core->l1_bytes) {
        fail(line, kNoCircularBuffer, "take local addresses from get_write_ptr, get_read_ptr or get_semaphore",
             "L1 address 0x%x (%u bytes) is outside this core's L1 of 0x%x bytes", l1, size, core->l1_bytes);
    }
}

void mark_pages_written(CircularBuffer& buffer, std::uint32_t l1, std::uint32_t size) {
    const std::uint32_t first = (l1 - buffer.address) / buffer.page_size;
    const std::uint32_t last = (l1 + size - 1 - buffer.address) / buffer.page_size;
    for (std::uint32_t page = first; page <= last; ++page) buffer.page_flags[page] |= kWritten;
}

// Data arrives at [l1, l1 + size) of `run`: the pages must be reserved (or held by the consumer, who may rewrite them).
void check_l1_target(CoreRun& run, std::uint32_t l1, std::uint32_t size, bool remote, std::uint32_t line) {
    std::uint32_t refused = kNoCircularBuffer;
    for (std::uint32_t id = 0; id < run.circular_buffer_limit; ++id) {
        CircularBuffer& buffer = run.circular_buffers[id];
        if (!touches(buffer, l1, size)) continue;
        const bool produces = remote || buffer.producer == core->role;
        const bool consumes = remote || buffer.consumer == core->role;
        if ((produces && inside(buffer, buffer.back, buffer.reserved, l1, size)) ||
            (consumes && inside(buffer, buffer.front, buffer.waited, l1, size))) {
            mark_pages_written(buffer, l1, size);
            return;
        }
        if (refused == kNoCircularBuffer) refused = id;
    }
    if (refused == kNoCircularBuffer) return;  // semaphores and memory outside circular buffers
    const CircularBuffer& buffer = run.circular_buffers[refused];
    if (remote) {
        fail(line, refused, "let the receiver call cb_reserve_back before it tells the sender that it is ready",
             "writes %u bytes into %s of core (%u, %u), where that core has only %u pages reserved", size,
             buffer.name, run.logical_x, run.logical_y, buffer.reserved);
    }
    if (buffer.producer == core->role && wraps(buffer, l1, size)) {
        fail(line, refused, "make the number of pages of the circular buffer a multiple of the block",
             "moves %u bytes past the end of %s: the block starts at page %u of %u and wraps", size, buffer.name,
             buffer.back, buffer.pages);
    }
    fail(line, refused, "call cb_reserve_back for all pages that the transfer fills",
         "moves %u bytes into %s, of which only %u pages are reserved by the %s", size, buffer.name,
         buffer.producer == core->role ? buffer.reserved : 0, role_name(core->role));
}

// Data leaves from [l1, l1 + size) of the running core: it must have arrived and be visible to this role.
void check_l1_source(std::uint32_t l1, std::uint32_t size, std::uint32_t line) {
    for (const Transfer& read : core->mover->reads) {
        const std::uint32_t start = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(read.target));
        if (l1 < start + read.size && start < l1 + size) {
            fail(line, kNoCircularBuffer, "call noc_async_read_barrier before using the data",
                 "sends data that the NoC read of line %u has not delivered yet", read.line);
        }
    }
    std::uint32_t refused = kNoCircularBuffer;
    for (std::uint32_t id = 0; id < core->circular_buffer_limit; ++id) {
        const CircularBuffer& buffer = core->circular_buffers[id];
        if (!touches(buffer, l1, size)) continue;
        const bool visible =
            (buffer.consumer == core->role && inside(buffer, buffer.front, buffer.waited, l1, size)) ||
            (buffer.producer == core->role && inside(buffer, buffer.back, buffer.reserved, l1, size));
        if (!visible) {
            if (refused == kNoCircularBuffer) refused = id;
            continue;
        }
        const std::uint32_t first = (l1 - buffer.address) / buffer.page_size;
        const std::uint32_t last = (l1 + size - 1 - buffer.address) / buffer.page_size;
        for (std::uint32_t page = first; page <= last; ++page) {
            if (page_holds_data(buffer, page)) continue;
            fail(line, id, "its producer pushed the page without writing to it",
                 "sends page %u of %s, which was never written", page, buffer.name);
        }
        return;
    }
    if (refused == kNoCircularBuffer) return;
    const CircularBuffer& buffer = core->circular_buffers[refused];
    if (buffer.consumer == core->role && wraps(buffer, l1, size)) {
        fail(line, refused, "make the number of pages of the circular buffer a multiple of the block",
             "sends %u bytes past the end of %s: the block starts at page %u of %u and wraps", size, buffer.name,
             buffer.front, buffer.pages);
    }
    fail(line, refused, "call cb_wait_front for all pages that the transfer reads",
         "sends %u bytes of %s, of which only %u pages have been waited for by the %s", size, buffer.name,
         buffer.consumer == core->role ? buffer.waited : 0, role_name(core->role));
}

Place locate_dram(std::uint32_t bank, std::uint64_t offset, std::uint32_t size, std::uint32_t line) {
    Device& device = *core->device;
    for (Buffer* buffer : device.buffers) {
        if (offset >= buffer->address && offset + size <= buffer->address + buffer->bank_bytes) {
            return {device.dram + bank * device.bank_stride + offset, device.config.dram_read_alignment, nullptr, buffer};
        }
    }
    fail(line, kNoCircularBuffer, "form DRAM addresses with a TensorAccessor and stay inside the page",
         "DRAM bank %u, offset 0x%llx, %u bytes: no tensor lives there", bank,
         static_cast<unsigned long long>(offset), size);
}

Place locate_worker(std::uint32_t id, std::uint64_t offset, std::uint32_t size, std::uint32_t line) {
    CoreRun& self = current_run();
    Device& device = *core->device;
    const std::uint32_t own_id = self.logical_y * device.config.grid_x + self.logical_x;
    CoreRun* run = id == own_id ? &self : self.cross_core ? device.active[id] : nullptr;
    if (!run) {
        const std::uint32_t x = id % device.config.grid_x;
        const std::uint32_t y = id / device.config.grid_x;
        if (!self.cross_core) {
            fail(line, kNoCircularBuffer, "list the semaphores that order the two cores in the plan",
                 "accesses the L1 of core (%u, %u), but the program declares no semaphore", x, y);
        }
        fail(line, kNoCircularBuffer, "send only to cores of the program",
             "accesses the L1 of core (%u, %u), which is not part of the program", x, y);
    }
    const std::uint32_t local = static_cast<std::uint32_t>(offset) & kL1OffsetMask;
    if (local + size > run->l1_bytes) {
        fail(line, kNoCircularBuffer, "L1 ends there", "L1 address 0x%x (%u bytes) is outside L1", local, size);
    }
    return {reinterpret_cast<std::uint8_t*>(static_cast<std::uintptr_t>(run->l1_address + local)),
            device.config.l1_alignment, run, nullptr};
}

Place locate(std::uint64_t address, std::uint32_t size, std::uint32_t line) {
    const std::uint32_t node = static_cast<std::uint32_t>(address >> NOC_ADDR_LOCAL_BITS) & kNodeMask;
    const std::uint16_t entry = core->device->nodes[node];
    const std::uint64_t offset = address & kLocalMask;
    if (entry & kDramNode) return locate_dram(entry & kNodeIndexMask, offset, size, line);
    if (entry & kWorkerNode) return locate_worker(entry & kNodeIndexMask, offset, size, line);
    fail(line, kNoCircularBuffer, "form addresses with get_noc_addr or a TensorAccessor",
         "NoC address 0x%llx leads to (%u, %u), where there is neither a core nor a DRAM bank",
         static_cast<unsigned long long>(address), node & 63, node >> NOC_ADDR_NODE_ID_BITS);
}

void check_alignment(std::uint64_t remote, std::uint32_t l1, std::uint32_t alignment, const char* what,
                     std::uint32_t line) {
    if (((remote ^ l1) & (alignment - 1)) == 0) return;
    fail(line, kNoCircularBuffer, "pad pages and offsets to multiples of 64 bytes, which suits every chip",
         "misaligned NoC %s: remote address 0x%llx and L1 address 0x%x must be equal modulo %u", what,
         static_cast<unsigned long long>(remote & kLocalMask), l1 & kL1OffsetMask, alignment);
}

void check_packet(std::uint32_t size, bool one_packet, std::uint32_t line) {
    const std::uint32_t burst = core->device->config.noc_max_burst;
    if (one_packet && size > burst) {
        fail(line, kNoCircularBuffer, "use noc_async_read / noc_async_write without a maximum page size",
             "a single packet of %u bytes; the NoC carries at most %u", size, burst);
    }
}

void queue_read(std::uint8_t* source, std::uint32_t l1, std::uint32_t size, std::uint32_t line) {
    DataMover& mover = *core->mover;
    check_l1_target(current_run(), l1, size, false, line);
    for (const Transfer& write : mover.writes) {
        const std::uint32_t start = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(write.source));
        if (l1 < start + write.size && start < l1 + size) {
            fail(line, kNoCircularBuffer, "call noc_async_writes_flushed first",
                 "reads into memory that the NoC write of line %u still sends", write.line);
        }
    }
    mover.reads.push_back(
        {reinterpret_cast<std::uint8_t*>(static_cast<std::uintptr_t>(l1)), source, size, line, mover.transaction_id});
    const std::uint32_t burst = core->device->config.noc_max_burst;
    core->counters.noc_reads += size <= burst ? 1 : (size + burst - 1) / burst;
    core->counters.noc_read_bytes += size;
}

void queue_write(std::uint8_t* target, std::uint32_t l1, std::uint32_t size, std::uint32_t line) {
    DataMover& mover = *core->mover;
    mover.writes.push_back(
        {target, reinterpret_cast<const std::uint8_t*>(static_cast<std::uintptr_t>(l1)), size, line,
         mover.transaction_id});
    mover.last_write_line = line;
    const std::uint32_t burst = core->device->config.noc_max_burst;
    core->counters.noc_writes += size <= burst ? 1 : (size + burst - 1) / burst;
    core->counters.noc_write_bytes += size;
}

void check_page(const Buffer& buffer, std::uint32_t page, std::uint32_t offset, std::uint32_t size,
                std::uint32_t line) {
    if (page >= buffer.pages) {
        fail(line, kNoCircularBuffer, "page ids count from 0 to the number of pages - 1",
             "page %u of %s, which has %u pages", page, buffer.name.c_str(), buffer.pages);
    }
    if (offset > buffer.page_size || size > buffer.page_size - offset) {
        fail(line, kNoCircularBuffer,
             "for a part of a page use noc_async_read / noc_async_write with get_noc_addr(page, offset)",
             "%u bytes from offset %u of a page of %s, which has %u bytes", size, offset, buffer.name.c_str(),
             buffer.page_size);
    }
}

void check_writable(const Buffer& buffer, std::uint32_t line) {
    if (!buffer.writable) {
        fail(line, kNoCircularBuffer, "the plan must list the tensor with access write or read_write",
             "writes to %s, which the plan declares as read only", buffer.name.c_str());
    }
}

// Calls `visit(page)` for the pages of `buffer` that [offset, offset + size) of a bank touches.
template <typename Visit>
void for_each_page(const Buffer& buffer, std::uint32_t bank, std::uint64_t offset, std::uint32_t size, Visit visit) {
    const std::uint64_t start = offset - buffer.address;
    for (std::uint64_t row = start / buffer.page_size; row * buffer.page_size < start + size; ++row) {
        const std::uint64_t page = row * buffer.device->config.dram_banks + bank;
        if (page < buffer.pages) visit(static_cast<std::uint32_t>(page));
    }
}

void check_page_holds_data(const Buffer& buffer, std::uint32_t page, std::uint32_t line) {
    if (buffer.filled || buffer.page_written[page]) return;
    fail(line, kNoCircularBuffer,
         "write the page first, or give the tensor access read or read_write in the plan if the caller's values count",
         "reads page %u of %s, which nobody has written", page, buffer.name.c_str());
}

std::uint32_t bank_of(std::uint64_t address) {
    return core->device->nodes[static_cast<std::uint32_t>(address >> NOC_ADDR_LOCAL_BITS) & kNodeMask] & kNodeIndexMask;
}

// Checks of a write's target; the transfer itself is left to the caller.
Place open_target(std::uint64_t target, std::uint32_t l1, std::uint32_t size, std::uint32_t line) {
    const Place place = locate(target, size, line);
    check_alignment(target, l1, core->device->config.l1_alignment, "write", line);
    if (place.buffer) {
        check_writable(*place.buffer, line);
        for_each_page(*place.buffer, bank_of(target), target & kLocalMask, size, [&](std::uint32_t page) {
            place.buffer->page_written[page] = 1;
        });
    } else {
        const std::uint32_t local = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(place.memory));
        check_l1_target(*place.worker, local, size, place.worker != &current_run(), line);
    }
    return place;
}

// Calls `visit(worker address)` for every core of a multicast rectangle and checks the number of receivers.
template <typename Visit>
void for_each_receiver(std::uint64_t target, std::uint32_t receivers, bool include_self, std::uint32_t line,
                       Visit visit) {
    const auto coordinate = [&](std::uint32_t position) {
        return static_cast<std::uint32_t>(target >> (NOC_ADDR_LOCAL_BITS + position * NOC_ADDR_NODE_ID_BITS)) & 63u;
    };
    // On NoC 1 the host swaps the corners, so either order is right.
    const auto [x_low, x_high] = std::minmax({coordinate(0), coordinate(2)});
    const auto [y_low, y_high] = std::minmax({coordinate(1), coordinate(3)});
    const std::uint32_t own_x = own_noc_x();
    const std::uint32_t own_y = own_noc_y();
    std::uint32_t count = 0;
    for (std::uint32_t y = y_low; y <= y_high; ++y) {
        for (std::uint32_t x = x_low; x <= x_high; ++x) {
            if (!include_self && x == own_x && y == own_y) continue;
            visit(NOC_XY_ADDR(x, y, target & kLocalMask));
            ++count;
        }
    }
    if (count != receivers) {
        fail(line, kNoCircularBuffer,
             include_self ? "num_dests counts every core of the rectangle, the sender included"
                          : "num_dests counts the cores of the rectangle without the sender",
             "multicast to %u cores, but num_dests is %u", count, receivers);
    }
}

volatile std::uint32_t* semaphore_at(std::uint64_t target, std::uint32_t line) {
    const Place place = locate(target, sizeof(std::uint32_t), line);
    if (!place.worker || reinterpret_cast<std::uintptr_t>(place.memory) % sizeof(std::uint32_t) != 0) {
        fail(line, kNoCircularBuffer, "form its address with get_noc_addr(x, y, get_semaphore(id))",
             "NoC address 0x%llx is not that of a semaphore", static_cast<unsigned long long>(target));
    }
    return reinterpret_cast<volatile std::uint32_t*>(place.memory);
}

template <typename Matches>
void deliver_if(std::vector<Transfer>& transfers, Matches matches) {
    std::size_t kept = 0;
    for (const Transfer& transfer : transfers) {
        if (matches(transfer)) {
            std::memcpy(transfer.target, transfer.source, transfer.size);
        } else {
            transfers[kept++] = transfer;
        }
    }
    transfers.resize(kept);
}

}  // namespace

void DataMover::deliver_writes() {
    for (; delivered < writes.size(); ++delivered) {
        const Transfer& write = writes[delivered];
        std::memmove(write.target, write.source, write.size);
    }
}

void noc_read(std::uint64_t source, std::uint32_t l1, std::uint32_t size, bool one_packet, std::uint32_t line) {
    check_data_mover(line);
    check_l1_range(l1, size, line);
    check_packet(size, one_packet, line);
    const Place place = locate(source, size, line);
    check_alignment(source, l1, place.alignment, "read", line);
    if (place.buffer && !place.buffer->filled) {
        for_each_page(*place.buffer, bank_of(source), source & kLocalMask, size, [&](std::uint32_t page) {
            check_page_holds_data(*place.buffer, page, line);
        });
    }
    queue_read(place.memory, l1, size, line);
}

void noc_read_page(
    const Buffer* buffer, std::uint32_t page, std::uint32_t l1, std::uint32_t offset, std::uint32_t line) {
    check_data_mover(line);
    const std::uint32_t size = buffer->page_size;
    check_l1_range(l1, size, line);
    check_page(*buffer, page, offset, size, line);
    check_alignment(
        buffer->address + static_cast<std::uint64_t>(page / core->device->config.dram_banks) * size + offset, l1,
        core->device->config.dram_read_alignment, "read", line);
    check_page_holds_data(*buffer, page, line);
    queue_read(buffer->page(page) + offset, l1, size, line);
}

void noc_write(std::uint32_t l1, std::uint64_t target, std::uint32_t size, bool one_packet, std::uint32_t line) {
    check_data_mover(line);
    check_l1_range(l1, size, line);
    check_packet(size, one_packet, line);
    check_l1_source(l1, size, line);
    queue_write(open_target(target, l1, size, line).memory, l1, size, line);
}

void noc_write_page(
    const Buffer* buffer, std::uint32_t page, std::uint32_t l1, std::uint32_t size, std::uint32_t offset,
    std::uint32_t line) {
    check_data_mover(line);
    if (size == 0) size = buffer->page_size;
    check_l1_range(l1, size, line);
    check_page(*buffer, page, offset, size, line);
    check_l1_source(l1, size, line);
    check_writable(*buffer, line);
    check_alignment(
        buffer->address + static_cast<std::uint64_t>(page / core->device->config.dram_banks) * buffer->page_size + offset,
        l1, core->device->config.l1_alignment, "write", line);
    const_cast<Buffer*>(buffer)->page_written[page] = 1;
    queue_write(buffer->page(page) + offset, l1, size, line);
}

void noc_write_multicast(
    std::uint32_t l1, std::uint64_t target, std::uint32_t size, std::uint32_t receivers, bool include_self,
    std::uint32_t line) {
    check_data_mover(line);
    check_l1_range(l1, size, line);
    check_l1_source(l1, size, line);
    for_each_receiver(target, receivers, include_self, line, [&](std::uint64_t address) {
        queue_write(open_target(address, l1, size, line).memory, l1, size, line);
    });
}

void noc_inline_write(std::uint64_t target, std::uint32_t value, std::uint32_t line) {
    check_data_mover(line);
    if (target % sizeof value) {
        fail(line, kNoCircularBuffer, "inline writes go to whole words", "misaligned NoC inline write");
    }
    const Place place = locate(target, sizeof value, line);
    core->mover->deliver_writes();
    std::memcpy(place.memory, &value, sizeof value);
    ++core->mover->unacknowledged;
    core->mover->last_write_line = line;
    ++core->counters.noc_writes;
    core->counters.noc_write_bytes += sizeof value;
}

void noc_set_read_state(std::uint64_t source, std::uint32_t size) {
    core->mover->read_state = source;
    core->mover->read_state_size = size;
}

void noc_read_with_state(std::uint32_t source, std::uint32_t l1, std::uint32_t size, std::uint32_t line) {
    check_data_mover(line);
    const DataMover& mover = *core->mover;
    const std::uint64_t address = (mover.read_state & ~kLocalMask) | source;
    noc_read(address, l1, size ? size : mover.read_state_size, size == 0, line);
}

void noc_set_write_state(std::uint64_t target, std::uint32_t size) {
    core->mover->write_state = target;
    core->mover->write_state_size = size;
}

void noc_write_with_state(std::uint32_t l1, std::uint32_t target, std::uint32_t size, std::uint32_t line) {
    check_data_mover(line);
    const DataMover& mover = *core->mover;
    const std::uint64_t address = (mover.write_state & ~kLocalMask) | target;
    noc_write(l1, address, size ? size : mover.write_state_size, size == 0, line);
}

void noc_set_transaction_id(std::uint32_t id, std::uint32_t line) {
    if (id > 15) {
        fail(line, kNoCircularBuffer, "transaction ids go from 0 to 15", "transaction id %u", id);
    }
    core->mover->transaction_id = id;
}

void noc_read_barrier(std::uint32_t transaction_id, std::uint32_t line) {
    check_data_mover(line);
    std::vector<Transfer>& reads = core->mover->reads;
    if (transaction_id != kAllTransactions) {
        deliver_if(reads, [=](const Transfer& read) { return read.transaction_id == transaction_id; });
        return;
    }
    for (const Transfer& read : reads) std::memcpy(read.target, read.source, read.size);
    reads.clear();
}

void noc_write_flush(std::uint32_t transaction_id, std::uint32_t line) {
    check_data_mover(line);
    DataMover& mover = *core->mover;
    mover.deliver_writes();
    const std::size_t before = mover.writes.size();
    if (transaction_id == kAllTransactions) {
        mover.writes.clear();
    } else {
        mover.writes.erase(
            std::remove_if(
                mover.writes.begin(), mover.writes.end(),
                [=](const Transfer& write) { return write.transaction_id == transaction_id; }),
            mover.writes.end());
    }
    mover.delivered = mover.writes.size();
    mover.unacknowledged += static_cast<std::uint32_t>(before - mover.writes.size());
}

void noc_write_barrier(std::uint32_t transaction_id, std::uint32_t line) {
    noc_write_flush(transaction_id, line);
    // Acknowledgements are counted together: waiting for one id leaves the rest to the barrier for all.
    if (core->mover->writes.empty()) core->mover->unacknowledged = 0;
}

void noc_atomic_barrier(std::uint32_t line) {
    check_data_mover(line);
    core->mover->atomics = 0;
}

std::uint32_t semaphore_address(std::uint32_t id, std::uint32_t line) {
    if (id >= current_run().program->semaphores.size()) {
        fail(line, kNoCircularBuffer, "list it under semaphores of the plan",
             "semaphore %u; the program declares %zu", id, current_run().program->semaphores.size());
    }
    return core->l1_address + core->device->config.l1_base - (kMaxSemaphores - id) * kSemaphoreBytes;
}

void semaphore_wait(volatile std::uint32_t* semaphore, std::uint32_t value, bool at_least, std::uint32_t line) {
    check_data_mover(line);
    const WaitKind kind = at_least ? WaitKind::SemaphoreAtLeast : WaitKind::SemaphoreEquals;
    const Wait wait{kind, 0, value, semaphore, line};
    if (satisfied(*core, wait)) return;
    ++core->counters.semaphore_stalls;
    wait_until(wait);
}

void semaphore_set(volatile std::uint32_t* semaphore, std::uint32_t value, std::uint32_t) { *semaphore = value; }

void semaphore_increment(std::uint64_t target, std::uint32_t increment, std::uint32_t line) {
    check_data_mover(line);
    volatile std::uint32_t* semaphore = semaphore_at(target, line);
    core->mover->deliver_writes();  // same NoC, same channel: data sent before arrives before
    *semaphore = *semaphore + increment;
    ++core->mover->atomics;
    core->mover->last_atomic_line = line;
}

void semaphore_increment_multicast(
    std::uint64_t target, std::uint32_t increment, std::uint32_t receivers, std::uint32_t line) {
    check_data_mover(line);
    core->mover->deliver_writes();
    for_each_receiver(target, receivers, false, line, [&](std::uint64_t address) {
        volatile std::uint32_t* semaphore = semaphore_at(address, line);
        *semaphore = *semaphore + increment;
    });
    ++core->mover->atomics;
    core->mover->last_atomic_line = line;
}

void semaphore_set_remote(std::uint32_t l1, std::uint64_t target, std::uint32_t line) {
    check_data_mover(line);
    check_l1_range(l1, sizeof(std::uint32_t), line);
    volatile std::uint32_t* semaphore = semaphore_at(target, line);
    core->mover->deliver_writes();
    *semaphore = *reinterpret_cast<const volatile std::uint32_t*>(static_cast<std::uintptr_t>(l1));
    ++core->mover->unacknowledged;
    core->mover->last_write_line = line;
}

void semaphore_set_multicast(
    std::uint32_t l1, std::uint64_t target, std::uint32_t receivers, bool include_self, std::uint32_t line) {
    check_data_mover(line);
    check_l1_range(l1, sizeof(std::uint32_t), line);
    core->mover->deliver_writes();
    const std::uint32_t value = *reinterpret_cast<const volatile std::uint32_t*>(static_cast<std::uintptr_t>(l1));
    for_each_receiver(target, receivers, include_self, line, [&](std::uint64_t address) {
        *semaphore_at(address, line) = value;
    });
    ++core->mover->unacknowledged;
    core->mover->last_write_line = line;
}

std::uint64_t page_noc_address(const Buffer* buffer, std::uint32_t page, std::uint32_t offset, std::uint32_t line) {
    check_page(*buffer, page, offset, 0, line);
    const std::uint32_t banks = core->device->config.dram_banks;
    const std::uint32_t row = page / banks;
    return NOC_XY_ADDR(
        0, page - row * banks, buffer->address + static_cast<std::uint64_t>(row) * buffer->page_size + offset);
}

std::uint32_t own_noc_x() { return core->device->config.worker_x + core->logical_x; }
std::uint32_t own_noc_y() { return core->device->config.worker_y + core->logical_y; }

std::uint64_t own_noc_address(std::uint32_t l1) { return NOC_XY_ADDR(own_noc_x(), own_noc_y(), l1); }

std::uint64_t bank_noc_address(bool dram, std::uint32_t bank, std::uint32_t offset, std::uint32_t line) {
    if (!dram || bank >= core->device->config.dram_banks) {
        fail(line, kNoCircularBuffer, "only DRAM banks are addressed by id here", "bank %u; the chip has %u DRAM banks",
             bank, core->device->config.dram_banks);
    }
    return NOC_XY_ADDR(0, bank, offset);
}

const Buffer* find_buffer(std::uint32_t address, std::uint32_t page_size, std::uint32_t line) {
    for (const Buffer* buffer : core->device->buffers) {
        if (buffer->address != address) continue;
        if (buffer->page_size != page_size) {
            fail(line, kNoCircularBuffer, "pass no page size, or that of the tensor's pages",
                 "a TensorAccessor for pages of %u bytes on %s, whose pages have %u", page_size, buffer->name.c_str(),
                 buffer->page_size);
        }
        return buffer;
    }
    fail(line, kNoCircularBuffer, "pass the address argument of a tensor",
         "a TensorAccessor at address 0x%x, where no tensor begins", address);
}

}  // namespace tt_emulator
