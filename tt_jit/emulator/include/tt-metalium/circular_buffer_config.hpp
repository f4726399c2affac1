// One piece of L1 and the circular buffers that use it.
#pragma once

#include <cstdint>
#include <map>

#include <tt-metalium/circular_buffer_constants.h>
#include <tt-metalium/tt_backend_api_types.hpp>

namespace tt::tt_metal {

using CBHandle = std::uintptr_t;

class CircularBufferConfig {
public:
    // Several indices share the memory, each with a page size of its own.
    CircularBufferConfig(std::uint32_t total_size, const std::map<std::uint8_t, tt::DataFormat>& data_format_spec);

    CircularBufferConfig& set_page_size(std::uint8_t buffer_index, std::uint32_t page_size);

    std::uint32_t total_size() const { return total_size_; }
    const std::map<std::uint8_t, tt::DataFormat>& formats() const { return formats_; }
    std::uint32_t page_size(std::uint8_t buffer_index) const;

private:
    std::uint32_t total_size_;
    std::map<std::uint8_t, tt::DataFormat> formats_;
    std::map<std::uint8_t, std::uint32_t> page_sizes_;
};

}  // namespace tt::tt_metal
