// TensorAccessor: the pages of a tensor, spread over the DRAM banks in turn (page i lives in bank i % banks).
#pragma once

#include <cstddef>
#include <cstdint>

#include "api/tensor/tensor_accessor_args.h"
#include "tt_emulator/noc.h"

#ifndef NOC_INDEX
#define NOC_INDEX 0
#endif
constexpr std::uint8_t noc_index = NOC_INDEX;

namespace tensor_accessor {
template <bool IsDram>
struct InterleavedSpec {
    static constexpr bool is_dram = IsDram;
};
}  // namespace tensor_accessor

template <typename DSpecT>
struct TensorAccessor {
    using DSpec = DSpecT;
    static constexpr bool is_dram = DSpec::is_dram;

    template <std::size_t CTA_OFFSET, std::size_t CRTA_OFFSET>
    TensorAccessor(
        const TensorAccessorArgs<CTA_OFFSET, CRTA_OFFSET>& args, std::size_t bank_base_address,
        std::uint32_t page_size = 0, std::uint32_t line = __builtin_LINE()) :
        TensorAccessor(bank_base_address, page_size ? page_size : args.get_aligned_page_size(line), line) {}

    std::uint64_t get_noc_addr(
        std::uint32_t page_id, std::uint32_t offset = 0, std::uint8_t = noc_index,
        std::uint32_t line = __builtin_LINE()) const {
        return tt_emulator::page_noc_address(buffer, page_id, offset, line);
    }
    std::uint32_t get_aligned_page_size() const { return aligned_page_size; }
    std::uint32_t get_bank_base_address() const { return bank_base_address; }

    const tt_emulator::Buffer* buffer;  // the emulator's; not part of the API

private:
    TensorAccessor(std::size_t address, std::uint32_t page_size, std::uint32_t line) :
        buffer(tt_emulator::find_buffer(static_cast<std::uint32_t>(address), page_size, line)),
        bank_base_address(static_cast<std::uint32_t>(address)),
        aligned_page_size(page_size) {}

    std::uint32_t bank_base_address;
    std::uint32_t aligned_page_size;
};

template <std::size_t CTA_OFFSET, std::size_t CRTA_OFFSET>
TensorAccessor(const TensorAccessorArgs<CTA_OFFSET, CRTA_OFFSET>&, std::size_t)
    -> TensorAccessor<tensor_accessor::InterleavedSpec<TensorAccessorArgs<CTA_OFFSET, CRTA_OFFSET>::is_dram>>;
template <std::size_t CTA_OFFSET, std::size_t CRTA_OFFSET>
TensorAccessor(const TensorAccessorArgs<CTA_OFFSET, CRTA_OFFSET>&, std::size_t, std::uint32_t)
    -> TensorAccessor<tensor_accessor::InterleavedSpec<TensorAccessorArgs<CTA_OFFSET, CRTA_OFFSET>::is_dram>>;
