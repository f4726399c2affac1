// The programs that a command queue runs at once: on the emulator's one device, one program.
#pragma once

#include <vector>

#include <tt-metalium/mesh_coord.hpp>
#include <tt-metalium/program.hpp>

namespace tt::tt_metal::distributed {

class MeshWorkload {
public:
    void add_program(const MeshCoordinateRange& device_range, Program&& program);
    const std::vector<Program>& programs() const { return programs_; }

private:
    std::vector<Program> programs_;
};

}  // namespace tt::tt_metal::distributed
