// A circular buffer as an object, in data-movement and compute kernels.
#pragma once

#include <cstdint>

#include "api/compute/cb_api.h"
#include "api/dataflow/noc.h"
#include "tt_emulator/circular_buffers.h"

class CircularBuffer {
public:
    enum class AddrSelector { WRITE_PTR, READ_PTR };

    explicit CircularBuffer(std::uint32_t cb_id) : cb_id_(cb_id) {}

    std::uint32_t get_cb_id() const { return cb_id_; }
    void reserve_back(std::uint32_t pages, std::uint32_t line = __builtin_LINE()) {
        cb_reserve_back(cb_id_, pages, line);
    }
    void push_back(std::uint32_t pages, std::uint32_t line = __builtin_LINE()) { cb_push_back(cb_id_, pages, line); }
    void wait_front(std::uint32_t pages, std::uint32_t line = __builtin_LINE()) { cb_wait_front(cb_id_, pages, line); }
    void pop_front(std::uint32_t pages, std::uint32_t line = __builtin_LINE()) { cb_pop_front(cb_id_, pages, line); }
    bool pages_reservable_at_back(std::uint32_t pages, std::uint32_t line = __builtin_LINE()) const {
        return cb_pages_reservable_at_back(cb_id_, pages, line);
    }
    bool pages_available_at_front(std::uint32_t pages, std::uint32_t line = __builtin_LINE()) const {
        return cb_pages_available_at_front(cb_id_, pages, line);
    }
    std::uint32_t get_write_ptr(std::uint32_t line = __builtin_LINE()) const { return ::get_write_ptr(cb_id_, line); }
    std::uint32_t get_read_ptr(std::uint32_t line = __builtin_LINE()) const { return ::get_read_ptr(cb_id_, line); }
    std::uint32_t get_tile_size(std::uint32_t line = __builtin_LINE()) const { return ::get_tile_size(cb_id_, line); }
    std::uint32_t get_tile_hw() const { return ::get_tile_hw(cb_id_); }
    DataFormat get_dataformat(std::uint32_t line = __builtin_LINE()) const { return ::get_dataformat(cb_id_, line); }
    std::uint32_t get_tile_address(std::uint32_t tile, std::uint32_t line = __builtin_LINE()) const {
        return ::get_tile_address(cb_id_, tile, line);
    }
    std::uint32_t read_tile_value(
        std::uint32_t tile, std::uint32_t element, std::uint32_t line = __builtin_LINE()) const {
        return ::read_tile_value(cb_id_, tile, element, line);
    }

protected:
    std::uint32_t cb_id_;
};

// A circular buffer read at its write pointer, or written at its read pointer.
template <CircularBuffer::AddrSelector Selector>
struct CircularBufferView {
    const CircularBuffer& cb;
};

template <CircularBuffer::AddrSelector Selector>
CircularBufferView<Selector> use(const CircularBuffer& cb) {
    return {cb};
}

namespace tt_emulator {

// What CircularBuffer, its views and DataflowBuffer have in common as ends of a transfer.
struct CircularBufferTraits {
    struct src_args_type {
        std::uint32_t offset_bytes{};
    };
    struct dst_args_type {
        std::uint32_t offset_bytes{};
    };
    struct dst_args_mcast_type {
        std::uint32_t noc_x_start{};
        std::uint32_t noc_y_start{};
        std::uint32_t noc_x_end{};
        std::uint32_t noc_y_end{};
        std::uint32_t offset_bytes{};
    };
    static std::uint64_t multicast(const dst_args_mcast_type& args, std::uint32_t l1) {
        return get_noc_multicast_addr(
            args.noc_x_start, args.noc_y_start, args.noc_x_end, args.noc_y_end, l1 + args.offset_bytes);
    }
};

}  // namespace tt_emulator

template <>
struct noc_traits_t<CircularBuffer> : tt_emulator::CircularBufferTraits {
    template <Noc::AddressType address_type>
    static std::uint32_t src_addr(const CircularBuffer& src, const Noc&, const src_args_type& args) {
        static_assert(address_type == Noc::AddressType::LOCAL_L1, "a CircularBuffer is a source in L1");
        return src.get_read_ptr() + args.offset_bytes;
    }
    template <Noc::AddressType address_type>
    static std::uint32_t dst_addr(const CircularBuffer& dst, const Noc&, const dst_args_type& args) {
        static_assert(address_type == Noc::AddressType::LOCAL_L1, "a CircularBuffer is a target in L1");
        return dst.get_write_ptr() + args.offset_bytes;
    }
    template <Noc::AddressType address_type>
    static std::uint64_t dst_addr_mcast(const CircularBuffer& dst, const Noc&, const dst_args_mcast_type& args) {
        return multicast(args, dst.get_write_ptr());
    }
};

template <CircularBuffer::AddrSelector Selector>
struct noc_traits_t<CircularBufferView<Selector>> : tt_emulator::CircularBufferTraits {
    static std::uint32_t address(const CircularBufferView<Selector>& view) {
        return Selector == CircularBuffer::AddrSelector::READ_PTR ? view.cb.get_read_ptr() : view.cb.get_write_ptr();
    }
    template <Noc::AddressType address_type>
    static std::uint32_t src_addr(const CircularBufferView<Selector>& src, const Noc&, const src_args_type& args) {
        return address(src) + args.offset_bytes;
    }
    template <Noc::AddressType address_type>
    static std::uint32_t dst_addr(const CircularBufferView<Selector>& dst, const Noc&, const dst_args_type& args) {
        return address(dst) + args.offset_bytes;
    }
    template <Noc::AddressType address_type>
    static std::uint64_t dst_addr_mcast(
        const CircularBufferView<Selector>& dst, const Noc&, const dst_args_mcast_type& args) {
        return multicast(args, address(dst));
    }
};
