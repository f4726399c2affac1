// A semaphore as an object.
#pragma once

#include "api/dataflow/noc.h"

enum class ProgrammableCoreType : std::uint8_t { TENSIX, ACTIVE_ETH, IDLE_ETH };

template <ProgrammableCoreType core_type = ProgrammableCoreType::TENSIX>
class Semaphore {
public:
    explicit Semaphore(std::uint32_t semaphore_id, std::uint32_t line = __builtin_LINE()) :
        address_(tt_emulator::semaphore_address(semaphore_id, line)) {}

    std::uint32_t value() const { return *word(); }
    void set(std::uint32_t value, std::uint32_t line = __builtin_LINE()) { noc_semaphore_set(word(), value, line); }
    void up(std::uint32_t value) { *word() = *word() + value; }
    void down(std::uint32_t value, std::uint32_t line = __builtin_LINE()) {
        wait_min(value, line);
        *word() = *word() - value;
    }
    void wait(std::uint32_t value, std::uint32_t line = __builtin_LINE()) const {
        noc_semaphore_wait(word(), value, line);
    }
    void wait_min(std::uint32_t value, std::uint32_t line = __builtin_LINE()) const {
        noc_semaphore_wait_min(word(), value, line);
    }
    void up(
        const Noc&, std::uint32_t noc_x, std::uint32_t noc_y, std::uint32_t value,
        std::uint8_t = NOC_UNICAST_WRITE_VC, std::uint32_t line = __builtin_LINE()) {
        tt_emulator::semaphore_increment(get_noc_addr(noc_x, noc_y, address_), value, line);
    }
    template <NocOptions opts = NocOptions::DEFAULT>
    void set_multicast(
        const Noc&, std::uint32_t x_start, std::uint32_t y_start, std::uint32_t x_end, std::uint32_t y_end,
        std::uint32_t num_dests, bool = false, std::uint32_t line = __builtin_LINE()) {
        tt_emulator::semaphore_set_multicast(
            address_, get_noc_multicast_addr(x_start, y_start, x_end, y_end, address_), num_dests,
            has_flag(opts, NocOptions::MCAST_INCL_SRC), line);
    }
    void inc_multicast(
        const Noc&, std::uint32_t x_start, std::uint32_t y_start, std::uint32_t x_end, std::uint32_t y_end,
        std::uint32_t value, std::uint32_t num_dests, std::uint32_t line = __builtin_LINE()) {
        tt_emulator::semaphore_increment_multicast(
            get_noc_multicast_addr(x_start, y_start, x_end, y_end, address_), value, num_dests, line);
    }

private:
    volatile tt_l1_ptr std::uint32_t* word() const {
        return reinterpret_cast<volatile tt_l1_ptr std::uint32_t*>(static_cast<std::uintptr_t>(address_));
    }

    std::uint32_t address_;
};
