// The emulated device of the host API: its memory, its queue and the run of a program.
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "program_state.h"
#include "tt-metalium/distributed.hpp"
#include "tt-metalium/tensor_accessor_args.hpp"
#include "tt_emulator/device.h"

namespace tt::tt_metal {

namespace {

constexpr std::uint32_t kTensorAccessorIsDram = 1u << 1;

tt_emulator::ComputeConfig emulator_config(const ComputeConfig& config) {
    tt_emulator::ComputeConfig result;
    const bool is_low = config.math_fidelity == MathFidelity::LoFi;
    result.math_fidelity = is_low ? 1 : static_cast<std::uint8_t>(config.math_fidelity);
    result.fp32_dest_acc_en = config.fp32_dest_acc_en;
    result.dst_full_sync_en = config.dst_full_sync_en;
    result.math_approx_mode = config.math_approx_mode;
    return result;
}

std::vector<tt_emulator::CircularBufferSpec> circular_buffers(const ProgramState& state) {
    std::vector<tt_emulator::CircularBufferSpec> specs;
    const std::vector<UnpackToDestMode>& modes = state.compute_config.unpack_to_dest_mode;
    for (const CircularBufferState& buffer : state.circular_buffers) {
        std::int32_t owner = -1;
        for (const auto& [index, format] : buffer.config.formats()) {
            tt_emulator::CircularBufferSpec spec;
            spec.id = index;
            spec.name = "cb " + std::to_string(index);
            spec.format = static_cast<::DataFormat>(format);
            spec.page_size = buffer.config.page_size(index);
            spec.pages = buffer.config.total_size() / spec.page_size;
            spec.unpack_to_dest_fp32 = index < modes.size() && modes[index] == UnpackToDestMode::UnpackToDestFp32;
            spec.alias_of = owner;
            if (owner < 0) owner = index;
            specs.push_back(spec);
        }
    }
    return specs;
}

tt_emulator::Kernel emulator_kernel(const KernelState& state, const std::vector<CoreCoord>& cores) {
    tt_emulator::Kernel kernel;
    kernel.role = state.role;
    kernel.entry = state.entry;
    kernel.file = state.file;
    kernel.common_args = state.common_args;
    if (!state.core_args.empty()) {
        kernel.args_per_core = static_cast<std::uint32_t>(state.core_args.begin()->second.size());
    }
    for (const CoreCoord& core : cores) {
        const auto args = state.core_args.find(core);
        const std::size_t count = args == state.core_args.end() ? 0 : args->second.size();
        if (count != kernel.args_per_core) {
            throw std::invalid_argument("the emulator needs the same number of arguments on every core of a kernel");
        }
        if (count > 0) kernel.core_args.insert(kernel.core_args.end(), args->second.begin(), args->second.end());
    }
    return kernel;
}

std::string describe(const tt_emulator::Failure& failure) {
    std::string text = failure.message;
    if (failure.role != tt_emulator::Role::None) {
        text += "\n  --> " + failure.file + ":" + std::to_string(failure.line);
        text += std::string(" (") + role_name(failure.role) + " of core " + std::to_string(failure.core_x) + ", " +
                std::to_string(failure.core_y) + ")";
    }
    if (!failure.circular_buffer.empty()) text += "\nnote: circular buffer " + failure.circular_buffer;
    if (!failure.hint.empty()) text += "\nhint: " + failure.hint;
    return text;
}

void run(tt_emulator::Device& chip, const ProgramState& state) {
    if (state.kernels.empty()) return;
    const std::vector<CoreCoord> cores = cores_of(state.kernels.front().cores);
    tt_emulator::Program program;
    program.name = "program";
    program.circular_buffers = circular_buffers(state);
    program.semaphores = state.semaphores;
    program.compute = emulator_config(state.compute_config);
    for (const CoreCoord& core : cores) {
        if (core.x >= chip.config.grid_x || core.y >= chip.config.grid_y) {
            throw std::invalid_argument("the program uses a core outside the chip's worker grid");
        }
        program.cores.push_back(static_cast<std::uint32_t>(core.y * chip.config.grid_x + core.x));
    }
    for (const KernelState& kernel : state.kernels) {
        if (cores_of(kernel.cores) != cores) {
            throw std::invalid_argument("the emulator needs all kernels of a program on the same cores");
        }
        program.kernels.push_back(emulator_kernel(kernel, cores));
    }
    tt_emulator::Failure failure;
    if (!layout_circular_buffers(chip, program, failure) || !run_program(chip, program, 1, failure)) {
        throw std::runtime_error(describe(failure));
    }
}

}  // namespace

TensorAccessorArgs::TensorAccessorArgs(const distributed::MeshBuffer& buffer) : page_size_(buffer.page_size()) {}

std::vector<std::uint32_t> TensorAccessorArgs::get_compile_time_args() const {
    return {kTensorAccessorIsDram, page_size_};
}

void TensorAccessorArgs::append_to(std::vector<std::uint32_t>& compile_time_args) const {
    for (const std::uint32_t word : get_compile_time_args()) compile_time_args.push_back(word);
}

namespace distributed {

std::shared_ptr<MeshDevice> MeshDevice::create_unit_mesh(int device_id) {
    if (device_id != 0) throw std::invalid_argument("the emulator has one device, number 0");
    return std::make_shared<MeshDevice>(std::make_unique<tt_emulator::Device>(tt_emulator::chip_settings().device));
}

MeshDevice::MeshDevice(std::unique_ptr<tt_emulator::Device> chip) :
    chip_(std::move(chip)), queue_(std::make_unique<MeshCommandQueue>(this)), shape_(1, 1) {}

MeshDevice::~MeshDevice() = default;

MeshCommandQueue& MeshDevice::mesh_command_queue(std::optional<std::uint8_t>) const { return *queue_; }
const MeshShape& MeshDevice::shape() const { return shape_; }
std::size_t MeshDevice::num_devices() const { return 1; }
bool MeshDevice::close() { return true; }

CoreCoord MeshDevice::compute_with_storage_grid_size() const {
    return {chip_->config.grid_x, chip_->config.grid_y};
}

std::shared_ptr<MeshBuffer> MeshBuffer::create(
    const MeshBufferConfig& mesh_buffer_config,
    const DeviceLocalBufferConfig& device_local_config,
    MeshDevice* mesh_device,
    std::optional<DeviceAddr> address) {
    const auto* replicated = std::get_if<ReplicatedBufferConfig>(&mesh_buffer_config);
    if (!replicated || device_local_config.buffer_type != BufferType::DRAM || address) {
        throw std::invalid_argument("the emulator allocates replicated DRAM buffers, at addresses of its own choice");
    }
    const DeviceAddr page_size = device_local_config.page_size;
    if (page_size == 0 || replicated->size % page_size != 0) {
        throw std::invalid_argument("the size of a buffer must be a multiple of its page size");
    }
    auto memory = tt_emulator::allocate_buffer(
        mesh_device->chip(), "buffer", static_cast<std::uint32_t>(page_size),
        static_cast<std::uint32_t>(replicated->size / page_size));
    if (!memory) throw std::runtime_error("the device's DRAM is full");
    memory->filled = false;
    return std::make_shared<MeshBuffer>(std::move(memory));
}

MeshBuffer::MeshBuffer(std::unique_ptr<tt_emulator::Buffer> memory) : memory_(std::move(memory)) {}
MeshBuffer::~MeshBuffer() { tt_emulator::free_buffer(*memory_); }
DeviceAddr MeshBuffer::address() const { return memory_->address; }
DeviceAddr MeshBuffer::size() const { return static_cast<DeviceAddr>(memory_->page_size) * memory_->pages; }
std::uint32_t MeshBuffer::page_size() const { return memory_->page_size; }
std::uint32_t MeshBuffer::num_pages() const { return memory_->pages; }

void MeshWorkload::add_program(const MeshCoordinateRange&, Program&& program) {
    if (!programs_.empty()) throw std::invalid_argument("a workload has one program per device");
    programs_.push_back(std::move(program));
}

void MeshCommandQueue::enqueue_mesh_workload(MeshWorkload& mesh_workload, bool) {
    for (const Program& program : mesh_workload.programs()) run(device_->chip(), program.state());
}

void MeshCommandQueue::enqueue_write_mesh_buffer(
    const std::shared_ptr<MeshBuffer>& buffer, const void* host_data, bool) {
    const std::size_t page_size = buffer->page_size();
    const auto* source = static_cast<const std::uint8_t*>(host_data);
    for (std::uint32_t page = 0; page < buffer->num_pages(); ++page) {
        std::memcpy(buffer->memory().page(page), source + page * page_size, page_size);
    }
    buffer->memory().filled = true;
}

void MeshCommandQueue::enqueue_read_mesh_buffer(void* host_data, const std::shared_ptr<MeshBuffer>& buffer, bool) {
    const std::size_t page_size = buffer->page_size();
    auto* target = static_cast<std::uint8_t*>(host_data);
    for (std::uint32_t page = 0; page < buffer->num_pages(); ++page) {
        std::memcpy(target + page * page_size, buffer->memory().page(page), page_size);
    }
}

void EnqueueMeshWorkload(MeshCommandQueue& mesh_cq, MeshWorkload& mesh_workload, bool blocking) {
    mesh_cq.enqueue_mesh_workload(mesh_workload, blocking);
}

void Finish(MeshCommandQueue&) {}

}  // namespace distributed
}  // namespace tt::tt_metal
