// A typed pointer into the core's own L1.
#pragma once

#include <cstddef>
#include <cstdint>

#include "api/dataflow/noc.h"

template <typename T, typename AddressType = std::uintptr_t>
class CoreLocalMem {
public:
    CoreLocalMem(AddressType address) : address_(address) {}
    CoreLocalMem(T* pointer) : address_(reinterpret_cast<std::uintptr_t>(pointer)) {}

    tt_l1_ptr T* get_unsafe_ptr() const { return reinterpret_cast<tt_l1_ptr T*>(address_); }
    AddressType get_address() const { return address_; }
    T& operator[](std::uint32_t index) const { return get_unsafe_ptr()[index]; }
    T& operator*() const { return *get_unsafe_ptr(); }
    tt_l1_ptr T* operator->() const { return get_unsafe_ptr(); }
    CoreLocalMem& operator+=(std::ptrdiff_t count) {
        address_ += static_cast<AddressType>(count * static_cast<std::ptrdiff_t>(sizeof(T)));
        return *this;
    }
    CoreLocalMem& operator-=(std::ptrdiff_t count) { return *this += -count; }
    CoreLocalMem& operator++() { return *this += 1; }
    CoreLocalMem& operator--() { return *this -= 1; }
    CoreLocalMem operator+(std::ptrdiff_t count) const { return CoreLocalMem(*this) += count; }
    CoreLocalMem operator-(std::ptrdiff_t count) const { return CoreLocalMem(*this) -= count; }
    bool operator==(const CoreLocalMem& other) const { return address_ == other.address_; }
    explicit operator bool() const { return address_ != 0; }

private:
    AddressType address_;
};

template <typename T, typename AddressType>
struct noc_traits_t<CoreLocalMem<T, AddressType>> {
    struct src_args_type {
        AddressType offset_bytes = 0;
    };
    using dst_args_type = src_args_type;

    template <Noc::AddressType address_type>
    static std::uint32_t src_addr(
        const CoreLocalMem<T, AddressType>& src, const Noc&, const src_args_type& args) {
        static_assert(address_type == Noc::AddressType::LOCAL_L1, "CoreLocalMem is local memory");
        return static_cast<std::uint32_t>(src.get_address() + args.offset_bytes);
    }
    template <Noc::AddressType address_type>
    static std::uint32_t dst_addr(
        const CoreLocalMem<T, AddressType>& dst, const Noc& noc, const dst_args_type& args) {
        return src_addr<address_type>(dst, noc, args);
    }
};
