// Compile-time words of a tensor accessor: an argument-configuration word, then the padded page size.
#pragma once

#include <cstddef>
#include <cstdint>

#include "api/compile_time_args.h"
#include "tt_emulator/kernel_args.h"

namespace tensor_accessor {
constexpr std::size_t UNKNOWN = static_cast<std::size_t>(-1);
constexpr std::uint32_t kSharded = 1u << 0;
constexpr std::uint32_t kIsDram = 1u << 1;
constexpr std::uint32_t kRuntimePageSize = 1u << 7;
}  // namespace tensor_accessor

template <std::size_t CTA_OFFSET, std::size_t CRTA_OFFSET = tensor_accessor::UNKNOWN>
struct TensorAccessorArgs {
    static constexpr std::uint32_t args_config = get_compile_time_arg_val(CTA_OFFSET);
    static constexpr bool is_sharded = args_config & tensor_accessor::kSharded;
    static constexpr bool is_dram = args_config & tensor_accessor::kIsDram;
    static constexpr bool page_size_is_crta = args_config & tensor_accessor::kRuntimePageSize;
    static_assert(!is_sharded, "the emulator's tensors are interleaved, not sharded");

    static constexpr std::uint32_t AlignedPageSizeCTAOffset = CTA_OFFSET + 1;
    static constexpr std::uint32_t AlignedPageSize = [] {
        if constexpr (page_size_is_crta) {
            return 0u;
        } else {
            return get_compile_time_arg_val(CTA_OFFSET + 1);
        }
    }();

    constexpr TensorAccessorArgs() = default;
    constexpr explicit TensorAccessorArgs(std::uint32_t crta_offset) : crta_offset_(crta_offset) {}

    constexpr std::uint32_t crta_offset() const {
        return CRTA_OFFSET == tensor_accessor::UNKNOWN ? crta_offset_ : static_cast<std::uint32_t>(CRTA_OFFSET);
    }
    std::uint32_t get_aligned_page_size(std::uint32_t line = __builtin_LINE()) const {
        return page_size_is_crta ? get_common_arg_val<std::uint32_t>(static_cast<int>(crta_offset()), line)
                                 : AlignedPageSize;
    }
    static constexpr std::uint32_t num_compile_time_args() { return page_size_is_crta ? 1 : 2; }
    static constexpr std::uint32_t next_compile_time_args_offset() { return CTA_OFFSET + num_compile_time_args(); }
    constexpr std::uint32_t num_common_runtime_args() const { return page_size_is_crta ? 1 : 0; }
    constexpr std::uint32_t next_common_runtime_args_offset() const {
        return crta_offset() + num_common_runtime_args();
    }

private:
    std::uint32_t crta_offset_ = 0;
};
