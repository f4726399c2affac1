// Network-on-chip transfers of a data-movement role. A transfer takes place at the barrier (reads) or flush (writes)
// that ends it, so that a kernel with a missing barrier sees stale data here as it may on the chip.
#pragma once

#include <cstdint>

#include "tt_emulator/core.h"

#ifndef NOC_MAX_BURST_SIZE
#ifdef ARCH_BLACKHOLE
#define NOC_MAX_BURST_SIZE 16384
#else
#define NOC_MAX_BURST_SIZE 8192
#endif
#endif

#define NOC_ADDR_LOCAL_BITS 36
#define NOC_ADDR_NODE_ID_BITS 6
#define NOC_XY_ADDR(x, y, addr)                                                                                  \
    ((static_cast<std::uint64_t>(y) << (NOC_ADDR_LOCAL_BITS + NOC_ADDR_NODE_ID_BITS)) |                          \
     (static_cast<std::uint64_t>(x) << NOC_ADDR_LOCAL_BITS) | static_cast<std::uint64_t>(addr))
#define NOC_MULTICAST_ADDR(x_start, y_start, x_end, y_end, addr)                                                 \
    ((static_cast<std::uint64_t>(x_start) << (NOC_ADDR_LOCAL_BITS + 2 * NOC_ADDR_NODE_ID_BITS)) |                \
     (static_cast<std::uint64_t>(y_start) << (NOC_ADDR_LOCAL_BITS + 3 * NOC_ADDR_NODE_ID_BITS)) |                \
     NOC_XY_ADDR(x_end, y_end, addr))

namespace tt_emulator {

struct Buffer;

// A read or write is one transaction per packet; `one_packet` says that the caller promised a single one.
void noc_read(std::uint64_t source, std::uint32_t l1, std::uint32_t size, bool one_packet, std::uint32_t line);
void noc_write(std::uint32_t l1, std::uint64_t target, std::uint32_t size, bool one_packet, std::uint32_t line);
void noc_read_page(
    const Buffer* buffer, std::uint32_t page, std::uint32_t l1, std::uint32_t offset, std::uint32_t line);
void noc_write_page(
    const Buffer* buffer, std::uint32_t page, std::uint32_t l1, std::uint32_t size, std::uint32_t offset,
    std::uint32_t line);
void noc_write_multicast(
    std::uint32_t l1, std::uint64_t target, std::uint32_t size, std::uint32_t receivers, bool include_self,
    std::uint32_t line);
void noc_inline_write(std::uint64_t target, std::uint32_t value, std::uint32_t line);

// The state of the *_set_state / *_with_state calls.
void noc_set_read_state(std::uint64_t source, std::uint32_t size);
void noc_read_with_state(std::uint32_t source, std::uint32_t l1, std::uint32_t size, std::uint32_t line);
void noc_set_write_state(std::uint64_t target, std::uint32_t size);
void noc_write_with_state(std::uint32_t l1, std::uint32_t target, std::uint32_t size, std::uint32_t line);
void noc_set_transaction_id(std::uint32_t id, std::uint32_t line);

constexpr std::uint32_t kAllTransactions = ~0u;
void noc_read_barrier(std::uint32_t transaction_id, std::uint32_t line);
void noc_write_flush(std::uint32_t transaction_id, std::uint32_t line);
void noc_write_barrier(std::uint32_t transaction_id, std::uint32_t line);
void noc_atomic_barrier(std::uint32_t line);

std::uint32_t semaphore_address(std::uint32_t id, std::uint32_t line);
void semaphore_wait(volatile std::uint32_t* semaphore, std::uint32_t value, bool at_least, std::uint32_t line);
void semaphore_set(volatile std::uint32_t* semaphore, std::uint32_t value, std::uint32_t line);
void semaphore_increment(std::uint64_t target, std::uint32_t increment, std::uint32_t line);
void semaphore_increment_multicast(
    std::uint64_t target, std::uint32_t increment, std::uint32_t receivers, std::uint32_t line);
void semaphore_set_remote(std::uint32_t l1, std::uint64_t target, std::uint32_t line);
void semaphore_set_multicast(
    std::uint32_t l1, std::uint64_t target, std::uint32_t receivers, bool include_self, std::uint32_t line);

// The NoC address of a page; of an address in this core's L1; of an offset in a DRAM bank.
std::uint64_t page_noc_address(const Buffer* buffer, std::uint32_t page, std::uint32_t offset, std::uint32_t line);
std::uint64_t own_noc_address(std::uint32_t l1);
std::uint64_t bank_noc_address(bool dram, std::uint32_t bank, std::uint32_t offset, std::uint32_t line);
std::uint32_t own_noc_x();
std::uint32_t own_noc_y();
// The tensor whose pages start at `address`; `page_size` must be its padded page size.
const Buffer* find_buffer(std::uint32_t address, std::uint32_t page_size, std::uint32_t line);

}  // namespace tt_emulator
