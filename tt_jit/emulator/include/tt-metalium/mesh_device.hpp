// The emulated chip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <tt-metalium/core_coord.hpp>
#include <tt-metalium/mesh_command_queue.hpp>
#include <tt-metalium/mesh_coord.hpp>

namespace tt_emulator {
struct Device;
}

namespace tt::tt_metal::distributed {

class MeshDevice {
public:
    static std::shared_ptr<MeshDevice> create_unit_mesh(int device_id);

    explicit MeshDevice(std::unique_ptr<tt_emulator::Device> chip);
    ~MeshDevice();
    MeshDevice(const MeshDevice&) = delete;
    MeshDevice& operator=(const MeshDevice&) = delete;

    MeshCommandQueue& mesh_command_queue(std::optional<std::uint8_t> cq_id = std::nullopt) const;
    const MeshShape& shape() const;
    CoreCoord compute_with_storage_grid_size() const;
    std::size_t num_devices() const;
    bool close();

    tt_emulator::Device& chip() const { return *chip_; }

private:
    std::unique_ptr<tt_emulator::Device> chip_;
    std::unique_ptr<MeshCommandQueue> queue_;
    MeshShape shape_;
};

}  // namespace tt::tt_metal::distributed
