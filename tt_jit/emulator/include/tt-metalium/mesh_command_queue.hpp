// The queue of a device. The emulator finishes every command before it returns.
#pragma once

#include <memory>

namespace tt::tt_metal::distributed {

class MeshBuffer;
class MeshDevice;
class MeshWorkload;

class MeshCommandQueue {
public:
    explicit MeshCommandQueue(MeshDevice* mesh_device) : device_(mesh_device) {}

    MeshDevice* device() const { return device_; }
    void enqueue_mesh_workload(MeshWorkload& mesh_workload, bool blocking);
    void enqueue_write_mesh_buffer(const std::shared_ptr<MeshBuffer>& buffer, const void* host_data, bool blocking);
    void enqueue_read_mesh_buffer(void* host_data, const std::shared_ptr<MeshBuffer>& buffer, bool blocking);

private:
    MeshDevice* device_;
};

}  // namespace tt::tt_metal::distributed
