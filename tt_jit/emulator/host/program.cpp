// Programs of the host API: recording kernels, circular buffers, semaphores and arguments.
#include <algorithm>
#include <stdexcept>
#include <utility>

#include "program_state.h"
#include "tt-metalium/host_api.hpp"

namespace tt::tt_metal {

namespace {

using CoreSpec = std::variant<CoreCoord, CoreRange, CoreRangeSet>;

CoreRangeSet range_set(const CoreSpec& spec) {
    if (const auto* core = std::get_if<CoreCoord>(&spec)) return CoreRangeSet(CoreRange(*core));
    if (const auto* range = std::get_if<CoreRange>(&spec)) return CoreRangeSet(*range);
    return std::get<CoreRangeSet>(spec);
}

KernelState& kernel_state(const Program& program, KernelHandle kernel) {
    return program.state().kernels.at(kernel);
}

}  // namespace

CoreRange::CoreRange(const CoreCoord& point) : start_coord(point), end_coord(point) {}

CoreRange::CoreRange(const CoreCoord& start, const CoreCoord& end) : start_coord(start), end_coord(end) {
    if (end.x < start.x || end.y < start.y) throw std::invalid_argument("a core range ends before it starts");
}

std::size_t CoreRange::size() const {
    return (end_coord.x - start_coord.x + 1) * (end_coord.y - start_coord.y + 1);
}

bool CoreRange::contains(const CoreCoord& core) const {
    return start_coord.x <= core.x && core.x <= end_coord.x && start_coord.y <= core.y && core.y <= end_coord.y;
}

CoreRangeSet::CoreRangeSet(const CoreRange& core_range) : ranges_{core_range} {}
CoreRangeSet::CoreRangeSet(std::span<const CoreRange> core_ranges) : ranges_(core_ranges.begin(), core_ranges.end()) {}
CoreRangeSet::CoreRangeSet(std::vector<CoreRange>&& core_ranges) : ranges_(std::move(core_ranges)) {}

const std::vector<CoreRange>& CoreRangeSet::ranges() const { return ranges_; }

std::uint32_t CoreRangeSet::num_cores() const {
    std::size_t count = 0;
    for (const CoreRange& range : ranges_) count += range.size();
    return static_cast<std::uint32_t>(count);
}

bool CoreRangeSet::contains(const CoreCoord& core) const {
    return std::any_of(ranges_.begin(), ranges_.end(), [&](const CoreRange& range) { return range.contains(core); });
}

std::vector<CoreCoord> cores_of(const CoreRangeSet& ranges) {
    std::vector<CoreCoord> cores;
    for (const CoreRange& range : ranges.ranges()) {
        for (std::size_t y = range.start_coord.y; y <= range.end_coord.y; ++y) {
            for (std::size_t x = range.start_coord.x; x <= range.end_coord.x; ++x) cores.push_back({x, y});
        }
    }
    return cores;
}

Program::Program() : state_(std::make_unique<ProgramState>()) {}
Program::~Program() = default;
Program::Program(Program&& other) noexcept = default;
Program& Program::operator=(Program&& other) noexcept = default;

ReaderDataMovementConfig::ReaderDataMovementConfig(
    std::vector<std::uint32_t> words, std::map<std::string, std::string> macros) :
    DataMovementConfig{DataMovementProcessor::RISCV_1, NOC::NOC_0, std::move(words), std::move(macros)} {}

WriterDataMovementConfig::WriterDataMovementConfig(
    std::vector<std::uint32_t> words, std::map<std::string, std::string> macros) :
    DataMovementConfig{DataMovementProcessor::RISCV_0, NOC::NOC_1, std::move(words), std::move(macros)} {}

CircularBufferConfig::CircularBufferConfig(
    std::uint32_t total_size, const std::map<std::uint8_t, tt::DataFormat>& data_format_spec) :
    total_size_(total_size), formats_(data_format_spec) {}

CircularBufferConfig& CircularBufferConfig::set_page_size(std::uint8_t buffer_index, std::uint32_t page_size) {
    if (!formats_.contains(buffer_index)) throw std::invalid_argument("set_page_size of an index without a format");
    if (page_size == 0 || total_size_ % page_size != 0) {
        throw std::invalid_argument("the size of a circular buffer must be a multiple of its page size");
    }
    page_sizes_[buffer_index] = page_size;
    return *this;
}

std::uint32_t CircularBufferConfig::page_size(std::uint8_t buffer_index) const {
    if (!page_sizes_.contains(buffer_index)) throw std::invalid_argument("a circular buffer without set_page_size");
    return page_sizes_.at(buffer_index);
}

Program CreateProgram() { return Program(); }

KernelHandle CreateKernel(
    Program& program,
    const std::string& file_name,
    const CoreSpec& core_spec,
    const std::variant<DataMovementConfig, ComputeConfig>& config) {
    ProgramState& state = program.state();
    KernelState kernel;
    kernel.file = file_name;
    kernel.cores = range_set(core_spec);
    std::map<std::string, std::string> defines;
    std::vector<std::uint32_t> compile_args;
    if (const auto* compute = std::get_if<ComputeConfig>(&config)) {
        kernel.role = tt_emulator::Role::Compute;
        state.compute_config = *compute;
        defines = compute->defines;
        defines["DST_ACCUM_MODE"] = compute->fp32_dest_acc_en ? "true" : "false";
        compile_args = compute->compile_args;
    } else {
        const auto& movement = std::get<DataMovementConfig>(config);
        const bool reads = movement.processor == DataMovementProcessor::RISCV_1;
        kernel.role = reads ? tt_emulator::Role::Reader : tt_emulator::Role::Writer;
        defines = movement.defines;
        defines["NOC_INDEX"] = std::to_string(movement.noc);
        compile_args = movement.compile_args;
    }
    for (const KernelState& other : state.kernels) {
        if (other.role == kernel.role) throw std::invalid_argument("the emulator runs one kernel per processor of a core");
    }
    kernel.entry = tt_emulator::build_kernel(file_name, kernel.role, compile_args, defines);
    state.kernels.push_back(std::move(kernel));
    return static_cast<KernelHandle>(state.kernels.size() - 1);
}

CBHandle CreateCircularBuffer(Program& program, const CoreSpec& core_spec, const CircularBufferConfig& config) {
    program.state().circular_buffers.push_back({range_set(core_spec), config});
    return program.state().circular_buffers.size() - 1;
}

std::uint32_t CreateSemaphore(
    Program& program, const std::variant<CoreRange, CoreRangeSet>&, std::uint32_t initial_value) {
    program.state().semaphores.push_back(initial_value);
    return static_cast<std::uint32_t>(program.state().semaphores.size() - 1);
}

void SetRuntimeArgs(
    const Program& program,
    KernelHandle kernel,
    const CoreSpec& core_spec,
    std::span<const std::uint32_t> runtime_args) {
    for (const CoreCoord& core : cores_of(range_set(core_spec))) {
        KernelState& state = kernel_state(program, kernel);
        if (!state.cores.contains(core)) throw std::invalid_argument("arguments for a core without the kernel");
        state.core_args[core].assign(runtime_args.begin(), runtime_args.end());
    }
}

void SetRuntimeArgs(
    const Program& program,
    KernelHandle kernel,
    const CoreSpec& core_spec,
    std::initializer_list<std::uint32_t> runtime_args) {
    SetRuntimeArgs(program, kernel, core_spec, std::span(runtime_args.begin(), runtime_args.size()));
}

void SetCommonRuntimeArgs(
    const Program& program, KernelHandle kernel_id, std::span<const std::uint32_t> runtime_args) {
    kernel_state(program, kernel_id).common_args.assign(runtime_args.begin(), runtime_args.end());
}

void SetCommonRuntimeArgs(
    const Program& program, KernelHandle kernel_id, std::initializer_list<std::uint32_t> runtime_args) {
    SetCommonRuntimeArgs(program, kernel_id, std::span(runtime_args.begin(), runtime_args.size()));
}

}  // namespace tt::tt_metal
