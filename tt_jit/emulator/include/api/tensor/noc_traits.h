// The pages of a TensorAccessor as ends of a transfer.
#pragma once

#include "api/dataflow/noc.h"
#include "api/tensor/tensor_accessor.h"

template <typename DSpec>
struct noc_traits_t<TensorAccessor<DSpec>> {
    struct src_args_type {
        std::uint32_t page_id{};
        std::uint32_t offset_bytes{};
    };
    using dst_args_type = src_args_type;

    template <Noc::AddressType address_type>
    static std::uint64_t src_addr(const TensorAccessor<DSpec>& src, const Noc&, const src_args_type& args) {
        static_assert(address_type == Noc::AddressType::NOC, "a TensorAccessor is an end on the NoC");
        return src.get_noc_addr(args.page_id, args.offset_bytes);
    }
    template <Noc::AddressType address_type>
    static std::uint64_t dst_addr(const TensorAccessor<DSpec>& dst, const Noc& noc, const dst_args_type& args) {
        return src_addr<address_type>(dst, noc, args);
    }
};
