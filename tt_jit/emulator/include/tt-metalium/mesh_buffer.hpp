// Buffers in the device's DRAM, their pages spread over the banks in turn.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

#include <tt-metalium/buffer_types.hpp>
#include <tt-metalium/mesh_device.hpp>

namespace tt_emulator {
struct Buffer;
}

namespace tt::tt_metal {

using DeviceAddr = std::uint64_t;

namespace distributed {

struct DeviceLocalBufferConfig {
    DeviceAddr page_size = 0;
    BufferType buffer_type = BufferType::DRAM;
};

struct ReplicatedBufferConfig {
    DeviceAddr size = 0;
};

struct ShardedBufferConfig {
    DeviceAddr global_size = 0;
};

using MeshBufferConfig = std::variant<ReplicatedBufferConfig, ShardedBufferConfig>;

class MeshBuffer {
public:
    static std::shared_ptr<MeshBuffer> create(
        const MeshBufferConfig& mesh_buffer_config,
        const DeviceLocalBufferConfig& device_local_config,
        MeshDevice* mesh_device,
        std::optional<DeviceAddr> address = std::nullopt);

    explicit MeshBuffer(std::unique_ptr<tt_emulator::Buffer> memory);
    ~MeshBuffer();
    MeshBuffer(const MeshBuffer&) = delete;
    MeshBuffer& operator=(const MeshBuffer&) = delete;

    DeviceAddr address() const;
    DeviceAddr size() const;
    std::uint32_t page_size() const;
    std::uint32_t num_pages() const;

    tt_emulator::Buffer& memory() const { return *memory_; }

private:
    std::unique_ptr<tt_emulator::Buffer> memory_;
};

}  // namespace distributed
}  // namespace tt::tt_metal
