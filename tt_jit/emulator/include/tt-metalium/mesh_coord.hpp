// Shapes of and places in a mesh of devices. The emulator has one device, a 1x1 mesh.
#pragma once

#include <cstdint>

namespace tt::tt_metal::distributed {

class MeshShape {
public:
    MeshShape(std::uint32_t num_rows, std::uint32_t num_cols) : rows_(num_rows), columns_(num_cols) {}
    std::uint32_t mesh_size() const { return rows_ * columns_; }

private:
    std::uint32_t rows_;
    std::uint32_t columns_;
};

class MeshCoordinateRange {
public:
    explicit MeshCoordinateRange(const MeshShape& shape) : shape_(shape) {}
    const MeshShape& shape() const { return shape_; }

private:
    MeshShape shape_;
};

}  // namespace tt::tt_metal::distributed
