// The data-movement API of TT-Metalium: names, order of arguments and template parameters as in the real header.
// Every function takes a last parameter `line` for the emulator's messages; kernels never pass it.
#pragma once

#include <cstdint>

#include "api/alignment.h"
#include "api/compile_time_args.h"
#include "api/tensor/tensor_accessor.h"
#include "hostdevcommon/common_values.hpp"
#include "internal/risc_attribs.h"
#include "tt_emulator/circular_buffers.h"
#include "tt_emulator/kernel_args.h"
#include "tt_emulator/noc.h"

constexpr std::uint32_t NOC_UNICAST_WRITE_VC = 1;
constexpr std::uint32_t NOC_MULTICAST_WRITE_VC = 4;

enum class InlineWriteDst : std::uint8_t { DEFAULT = 0, L1 = 1, REG = 2 };

// Coordinates on the NoC, read as my_x[noc_index] and my_y[noc_index].
struct NocCoordinate {
    bool is_x;
    std::uint8_t operator[](std::uint8_t) const {
        return static_cast<std::uint8_t>(is_x ? tt_emulator::own_noc_x() : tt_emulator::own_noc_y());
    }
};
constexpr NocCoordinate my_x{true};
constexpr NocCoordinate my_y{false};

// Addresses

FORCE_INLINE std::uint64_t get_noc_addr(
    std::uint32_t noc_x, std::uint32_t noc_y, std::uint32_t addr, std::uint8_t = noc_index) {
    return NOC_XY_ADDR(noc_x, noc_y, addr);
}
FORCE_INLINE std::uint64_t get_noc_addr(std::uint32_t addr, std::uint8_t = noc_index) {
    return tt_emulator::own_noc_address(addr);
}
template <typename AddrGen>
FORCE_INLINE auto get_noc_addr(
    std::uint32_t id, const AddrGen& addrgen, std::uint32_t offset = 0, std::uint8_t noc = noc_index,
    std::uint32_t line = __builtin_LINE()) -> decltype(addrgen.get_noc_addr(id, offset, noc, line)) {
    return addrgen.get_noc_addr(id, offset, noc, line);
}
FORCE_INLINE std::uint64_t get_noc_multicast_addr(
    std::uint32_t x_start, std::uint32_t y_start, std::uint32_t x_end, std::uint32_t y_end, std::uint32_t addr,
    std::uint8_t = noc_index) {
    return NOC_MULTICAST_ADDR(x_start, y_start, x_end, y_end, addr);
}
template <bool DRAM>
FORCE_INLINE std::uint64_t get_noc_addr_from_bank_id(
    std::uint32_t bank_id, std::uint32_t bank_address_offset, std::uint8_t = noc_index,
    std::uint32_t line = __builtin_LINE()) {
    return tt_emulator::bank_noc_address(DRAM, bank_id, bank_address_offset, line);
}

// Reads

template <std::uint32_t max_page_size = NOC_MAX_BURST_SIZE + 1, bool enable_noc_tracing = true>
FORCE_INLINE void noc_async_read(
    std::uint64_t src_noc_addr, std::uint32_t dst_local_l1_addr, std::uint32_t size, std::uint8_t = noc_index,
    std::uint32_t = NOC_UNICAST_WRITE_VC, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_read(src_noc_addr, dst_local_l1_addr, size, max_page_size <= NOC_MAX_BURST_SIZE, line);
}
template <bool enable_noc_tracing = true>
FORCE_INLINE void noc_async_read_one_packet(
    std::uint64_t src_noc_addr, std::uint32_t dst_local_l1_addr, std::uint32_t size, std::uint8_t = noc_index,
    std::uint32_t = NOC_UNICAST_WRITE_VC, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_read(src_noc_addr, dst_local_l1_addr, size, true, line);
}
template <typename DSpec, bool enable_noc_tracing = true>
FORCE_INLINE void noc_async_read_page(
    std::uint32_t id, const TensorAccessor<DSpec>& addrgen, std::uint32_t dst_local_l1_addr, std::uint32_t offset = 0,
    std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_read_page(addrgen.buffer, id, dst_local_l1_addr, offset, line);
}
template <bool use_vc = false>
FORCE_INLINE void noc_async_read_one_packet_set_state(
    std::uint64_t src_noc_addr, std::uint32_t size, std::uint32_t = 0, std::uint8_t = noc_index) {
    tt_emulator::noc_set_read_state(src_noc_addr, size);
}
template <bool inc_num_issued = true, bool use_vc = false>
FORCE_INLINE void noc_async_read_one_packet_with_state(
    std::uint32_t src_local_l1_addr, std::uint32_t dst_local_l1_addr, std::uint32_t = 0, std::uint8_t = noc_index,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_read_with_state(src_local_l1_addr, dst_local_l1_addr, 0, line);
}
FORCE_INLINE void noc_async_read_set_state(std::uint64_t src_noc_addr, std::uint8_t = noc_index) {
    tt_emulator::noc_set_read_state(src_noc_addr, 0);
}
template <bool inc_num_issued = true, bool skip_cmdbuf_chk = false>
FORCE_INLINE void noc_async_read_with_state(
    std::uint32_t src_local_l1_addr, std::uint32_t dst_local_l1_addr, std::uint32_t size, std::uint8_t = noc_index,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_read_with_state(src_local_l1_addr, dst_local_l1_addr, size, line);
}
FORCE_INLINE void noc_async_read_set_trid(
    std::uint32_t trid = 0, std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_set_transaction_id(trid, line);
}

// Writes

template <
    std::uint32_t max_page_size = NOC_MAX_BURST_SIZE + 1, bool enable_noc_tracing = true, bool posted = false>
FORCE_INLINE void noc_async_write(
    std::uint32_t src_local_l1_addr, std::uint64_t dst_noc_addr, std::uint32_t size, std::uint8_t = noc_index,
    std::uint32_t = NOC_UNICAST_WRITE_VC, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_write(src_local_l1_addr, dst_noc_addr, size, max_page_size <= NOC_MAX_BURST_SIZE, line);
}
template <bool enable_noc_tracing = true, bool posted = false>
FORCE_INLINE void noc_async_write_one_packet(
    std::uint32_t src_local_l1_addr, std::uint64_t dst_noc_addr, std::uint32_t size, std::uint8_t = noc_index,
    std::uint32_t = NOC_UNICAST_WRITE_VC, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_write(src_local_l1_addr, dst_noc_addr, size, true, line);
}
template <typename DSpec, bool enable_noc_tracing = true, bool posted = false>
FORCE_INLINE void noc_async_write_page(
    std::uint32_t id, const TensorAccessor<DSpec>& addrgen, std::uint32_t src_local_l1_addr, std::uint32_t size = 0,
    std::uint32_t offset = 0, std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_write_page(addrgen.buffer, id, src_local_l1_addr, size, offset, line);
}
template <bool posted = false>
FORCE_INLINE void noc_async_write_one_packet_set_state(
    std::uint64_t dst_noc_addr, std::uint32_t size, std::uint8_t = noc_index, std::uint8_t = NOC_UNICAST_WRITE_VC) {
    tt_emulator::noc_set_write_state(dst_noc_addr, size);
}
template <bool posted = false>
FORCE_INLINE void noc_async_write_one_packet_with_state(
    std::uint32_t src_local_l1_addr, std::uint32_t dst_local_l1_addr, std::uint8_t = noc_index,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_write_with_state(src_local_l1_addr, dst_local_l1_addr, 0, line);
}
template <bool posted = false>
FORCE_INLINE void noc_async_write_set_state(
    std::uint64_t dst_noc_addr, std::uint8_t = noc_index, std::uint8_t = NOC_UNICAST_WRITE_VC) {
    tt_emulator::noc_set_write_state(dst_noc_addr, 0);
}
template <bool posted = false, bool update_counter = true, bool skip_cmdbuf_chk = false>
FORCE_INLINE void noc_async_write_with_state(
    std::uint32_t src_local_l1_addr, std::uint32_t dst_local_l1_addr, std::uint32_t size, std::uint8_t = noc_index,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_write_with_state(src_local_l1_addr, dst_local_l1_addr, size, line);
}
template <std::uint32_t max_page_size = NOC_MAX_BURST_SIZE + 1>
FORCE_INLINE void noc_async_write_multicast(
    std::uint32_t src_local_l1_addr, std::uint64_t dst_noc_addr_multicast, std::uint32_t size, std::uint32_t num_dests,
    bool = false, std::uint8_t = noc_index, std::uint8_t = NOC_MULTICAST_WRITE_VC,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_write_multicast(src_local_l1_addr, dst_noc_addr_multicast, size, num_dests, false, line);
}
template <bool enable_noc_tracing = true>
FORCE_INLINE void noc_async_write_multicast_one_packet(
    std::uint32_t src_local_l1_addr, std::uint64_t dst_noc_addr_multicast, std::uint32_t size, std::uint32_t num_dests,
    bool = false, std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_write_multicast(src_local_l1_addr, dst_noc_addr_multicast, size, num_dests, false, line);
}
FORCE_INLINE void noc_async_write_multicast_loopback_src(
    std::uint32_t src_local_l1_addr, std::uint64_t dst_noc_addr_multicast, std::uint32_t size, std::uint32_t num_dests,
    bool = false, std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_write_multicast(src_local_l1_addr, dst_noc_addr_multicast, size, num_dests, true, line);
}
template <InlineWriteDst dst_type = InlineWriteDst::DEFAULT, bool posted = false, bool flush = true>
FORCE_INLINE void noc_inline_dw_write(
    std::uint64_t addr, std::uint32_t val, std::uint8_t = 0xF, std::uint8_t = noc_index,
    std::uint8_t = NOC_UNICAST_WRITE_VC, std::uint32_t = 0, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_inline_write(addr, val, line);
}
FORCE_INLINE void noc_async_write_set_trid(
    std::uint32_t trid = 0, std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_set_transaction_id(trid, line);
}
template <bool update_counter = true, bool posted = false>
FORCE_INLINE void noc_async_write_one_packet_with_trid(
    std::uint32_t src_local_l1_addr, std::uint64_t dst_noc_addr, std::uint32_t size, std::uint32_t trid,
    std::uint8_t = 0, std::uint8_t = noc_index, std::uint8_t = NOC_UNICAST_WRITE_VC,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_set_transaction_id(trid, line);
    tt_emulator::noc_write(src_local_l1_addr, dst_noc_addr, size, true, line);
    tt_emulator::noc_set_transaction_id(0, line);
}

// Barriers

FORCE_INLINE void noc_async_read_barrier(std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_read_barrier(tt_emulator::kAllTransactions, line);
}
FORCE_INLINE void noc_async_read_barrier_with_trid(
    std::uint32_t trid, std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_read_barrier(trid, line);
}
FORCE_INLINE void noc_async_write_barrier(std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_write_barrier(tt_emulator::kAllTransactions, line);
}
FORCE_INLINE void noc_async_write_barrier_with_trid(
    std::uint32_t trid, std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_write_barrier(trid, line);
}
FORCE_INLINE void noc_async_writes_flushed(std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_write_flush(tt_emulator::kAllTransactions, line);
}
FORCE_INLINE void noc_async_posted_writes_flushed(std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_write_flush(tt_emulator::kAllTransactions, line);
}
FORCE_INLINE void noc_async_write_flushed_with_trid(
    std::uint32_t trid, std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_write_flush(trid, line);
}
FORCE_INLINE void noc_async_atomic_barrier(std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_atomic_barrier(line);
}
FORCE_INLINE void noc_async_full_barrier(std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::noc_read_barrier(tt_emulator::kAllTransactions, line);
    tt_emulator::noc_write_barrier(tt_emulator::kAllTransactions, line);
    tt_emulator::noc_atomic_barrier(line);
}

// Semaphores

FORCE_INLINE std::uintptr_t get_semaphore(std::uint32_t semaphore_id, std::uint32_t line = __builtin_LINE()) {
    return tt_emulator::semaphore_address(semaphore_id, line);
}
FORCE_INLINE void noc_semaphore_wait(
    volatile tt_l1_ptr std::uint32_t* sem_addr, std::uint32_t val, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::semaphore_wait(sem_addr, val, false, line);
}
FORCE_INLINE void noc_semaphore_wait_min(
    volatile tt_l1_ptr std::uint32_t* sem_addr, std::uint32_t val, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::semaphore_wait(sem_addr, val, true, line);
}
FORCE_INLINE void noc_semaphore_set(
    volatile tt_l1_ptr std::uint32_t* sem_addr, std::uint32_t val, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::semaphore_set(sem_addr, val, line);
}
template <bool posted = false>
FORCE_INLINE void noc_semaphore_inc(
    std::uint64_t addr, std::uint32_t incr, std::uint8_t = noc_index, std::uint8_t = NOC_UNICAST_WRITE_VC,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::semaphore_increment(addr, incr, line);
}
template <bool posted = false>
FORCE_INLINE void noc_semaphore_inc_multicast(
    std::uint64_t addr, std::uint32_t incr, std::uint32_t num_dests, std::uint8_t = noc_index,
    std::uint8_t = NOC_MULTICAST_WRITE_VC, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::semaphore_increment_multicast(addr, incr, num_dests, line);
}
FORCE_INLINE void noc_semaphore_set_remote(
    std::uint32_t src_local_l1_addr, std::uint64_t dst_noc_addr, std::uint8_t = noc_index,
    std::uint32_t line = __builtin_LINE()) {
    tt_emulator::semaphore_set_remote(src_local_l1_addr, dst_noc_addr, line);
}
FORCE_INLINE void noc_semaphore_set_multicast(
    std::uint32_t src_local_l1_addr, std::uint64_t dst_noc_addr_multicast, std::uint32_t num_dests, bool = false,
    std::uint8_t = noc_index, std::uint8_t = NOC_MULTICAST_WRITE_VC, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::semaphore_set_multicast(src_local_l1_addr, dst_noc_addr_multicast, num_dests, false, line);
}
FORCE_INLINE void noc_semaphore_set_multicast_loopback_src(
    std::uint32_t src_local_l1_addr, std::uint64_t dst_noc_addr_multicast, std::uint32_t num_dests, bool = false,
    std::uint8_t = noc_index, std::uint32_t line = __builtin_LINE()) {
    tt_emulator::semaphore_set_multicast(src_local_l1_addr, dst_noc_addr_multicast, num_dests, true, line);
}

// The chip's core polls L1 through a cache; on the host there is nothing to invalidate.
FORCE_INLINE void invalidate_l1_cache() {}
