// Compile-time words from which a kernel's TensorAccessor learns how a buffer is laid out.
#pragma once

#include <cstdint>
#include <vector>

#include <tt-metalium/mesh_buffer.hpp>

namespace tt::tt_metal {

class TensorAccessorArgs {
public:
    explicit TensorAccessorArgs(const distributed::MeshBuffer& buffer);

    void append_to(std::vector<std::uint32_t>& compile_time_args) const;
    std::vector<std::uint32_t> get_compile_time_args() const;

private:
    std::uint32_t page_size_;
};

}  // namespace tt::tt_metal
