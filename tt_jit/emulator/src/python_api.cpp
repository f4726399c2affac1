// The flat C interface that tt_jit/runtime/emulator.py binds. A launch is built once per set of shapes, then run many
// times with new tensor addresses and scalars. Strings and arrays are copied; nothing throws across this boundary.
#include <dlfcn.h>

#include <chrono>
#include <cstring>

#include "run.h"
#include "tt_emulator/convert.h"

namespace tt_emulator {

namespace {

enum class Access : std::uint8_t { None, Read, Write, ReadWrite };

struct LaunchTensor {
    std::unique_ptr<Buffer> buffer;
    Conversion conversion;
    Access access = Access::None;
    std::int32_t position = -1;  // in the array of tensor addresses; -1 for a workspace
};

// A run-time argument that takes its value from the call's scalars.
struct ScalarPatch {
    std::uint32_t program;
    std::uint32_t kernel;
    std::uint32_t argument;
    std::uint32_t scalar;
    bool per_core;
};

struct Launch {
    Device* device = nullptr;
    std::vector<LaunchTensor> tensors;
    std::vector<Program> programs;
    std::vector<ScalarPatch> patches;
    std::vector<Buffer*> buffers;  // what the device's DRAM holds while this launch runs
    std::vector<Counters> counters;  // by core id, over all programs
    double nanoseconds[3] = {};      // conversion to pages, kernels, conversion back
    Failure failure;
    std::string report;
};

std::mutex launch_mutex;  // a device runs one launch at a time

void add(Counters& total, const Counters& part) {
    total.noc_reads += part.noc_reads;
    total.noc_read_bytes += part.noc_read_bytes;
    total.noc_writes += part.noc_writes;
    total.noc_write_bytes += part.noc_write_bytes;
    total.cb_wait_stalls += part.cb_wait_stalls;
    total.cb_reserve_stalls += part.cb_reserve_stalls;
    total.semaphore_stalls += part.semaphore_stalls;
    total.matmul_tiles += part.matmul_tiles;
    total.fpu_tiles += part.fpu_tiles;
    total.sfpu_tiles += part.sfpu_tiles;
    total.copy_tiles += part.copy_tiles;
    total.pack_tiles += part.pack_tiles;
}

void apply_scalars(Launch& launch, const std::uint32_t* scalars) {
    for (const ScalarPatch& patch : launch.patches) {
        Kernel& kernel = launch.programs[patch.program].kernels[patch.kernel];
        if (!patch.per_core) {
            kernel.common_args[patch.argument] = scalars[patch.scalar];
            continue;
        }
        for (std::size_t at = patch.argument; at < kernel.core_args.size(); at += kernel.args_per_core) {
            kernel.core_args[at] = scalars[patch.scalar];
        }
    }
}

bool run_programs(Launch& launch, std::uint32_t threads) {
    Device& device = *launch.device;
    launch.counters.assign(device.cores(), Counters{});
    for (const Program& program : launch.programs) {
        for (std::uint32_t id : program.cores) device.counters[id] = Counters{};
        if (!run_program(device, program, threads, launch.failure)) return false;
        for (std::uint32_t id : program.cores) add(launch.counters[id], device.counters[id]);
    }
    return true;
}

double elapsed(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

}  // namespace tt_emulator

using namespace tt_emulator;

#define TT_EMULATOR_API extern "C" __attribute__((visibility("default")))

// Null when the address space for its memory is not to be had.
TT_EMULATOR_API Device* tt_emulator_device(const DeviceConfig* config) {
    static_assert(sizeof *config == 11 * sizeof(std::uint32_t), "keep DEVICE_FIELDS of emulator.py in step");
    try {
        return new Device(*config);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

TT_EMULATOR_API void* tt_emulator_open(const char* path) { return dlopen(path, RTLD_NOW | RTLD_LOCAL); }
TT_EMULATOR_API const char* tt_emulator_open_error() { return dlerror(); }

TT_EMULATOR_API Launch* tt_emulator_launch(Device* device) {
    auto* launch = new Launch;
    launch->device = device;
    return launch;
}

TT_EMULATOR_API void tt_emulator_launch_free(Launch* launch) { delete launch; }

// layout: kind, row, col, row_block, col_block, page_dims, rank, number of outer dimensions, outer dimensions...
// Returns the tensor's address in the DRAM banks, or 0 when the banks are full or the types do not go together.
TT_EMULATOR_API std::uint32_t tt_emulator_launch_tensor(
    Launch* launch, const char* name, std::int32_t position, std::uint32_t type, std::uint32_t format,
    std::uint32_t access, const std::int32_t* layout, const std::int64_t* shape, const std::int64_t* strides) {
    Layout parsed;
    parsed.kind = static_cast<LayoutKind>(layout[0]);
    parsed.row = layout[1];
    parsed.col = layout[2];
    parsed.row_block = static_cast<std::uint32_t>(layout[3]);
    parsed.col_block = static_cast<std::uint32_t>(layout[4]);
    parsed.page_dims = static_cast<std::uint32_t>(layout[5]);
    parsed.outer.assign(layout + 8, layout + 8 + layout[7]);
    const std::vector<std::int64_t> sizes(shape, shape + layout[6]);
    const std::vector<std::int64_t> steps(strides, strides + layout[6]);
    LaunchTensor tensor;
    tensor.position = position;
    tensor.access = static_cast<Access>(access);
    const HostType host_type = static_cast<HostType>(type);
    const DataFormat data_format = static_cast<DataFormat>(format);
    if (!convertible(host_type, data_format)) return 0;
    tensor.conversion = make_conversion(host_type, data_format, parsed, sizes, steps);
    const std::lock_guard<std::mutex> lock(launch_mutex);
    launch->device->buffers = launch->buffers;
    tensor.buffer = allocate_buffer(*launch->device, name, tensor.conversion.page_bytes, tensor.conversion.pages);
    launch->buffers.swap(launch->device->buffers);
    launch->device->buffers.clear();
    if (!tensor.buffer) return 0;
    tensor.buffer->writable = position < 0 || tensor.access == Access::Write || tensor.access == Access::ReadWrite;
    tensor.buffer->filled =
        position >= 0 && (tensor.access == Access::Read || tensor.access == Access::ReadWrite);
    const std::uint32_t address = tensor.buffer->address;
    launch->tensors.push_back(std::move(tensor));
    return address;
}

// compute: passes of the math fidelity, fp32_dest_acc_en, dst_full_sync_en, math_approx_mode, exact_matmul.
TT_EMULATOR_API void tt_emulator_launch_program(
    Launch* launch, const char* name, const std::uint32_t* compute, std::uint32_t cores) {
    Program program;
    program.name = name;
    program.compute.math_fidelity = static_cast<std::uint8_t>(compute[0]);
    program.compute.fp32_dest_acc_en = compute[1] != 0;
    program.compute.dst_full_sync_en = compute[2] != 0;
    program.compute.math_approx_mode = compute[3] != 0;
    program.compute.exact_matmul = compute[4] != 0;
    for (std::uint32_t id = 0; id < cores; ++id) program.cores.push_back(id);
    launch->programs.push_back(std::move(program));
}

TT_EMULATOR_API void tt_emulator_launch_circular_buffer(
    Launch* launch, std::uint32_t id, const char* name, std::uint32_t format, std::uint32_t page_size,
    std::uint32_t pages, std::uint32_t unpack_to_dest_fp32, std::int32_t alias_of) {
    launch->programs.back().circular_buffers.push_back(
        {id, name, static_cast<DataFormat>(format), page_size, pages, unpack_to_dest_fp32 != 0, alias_of, 0});
}

TT_EMULATOR_API void tt_emulator_launch_semaphore(Launch* launch, std::uint32_t initial) {
    launch->programs.back().semaphores.push_back(initial);
}

// core_args: args_per_core words for each core. False when `symbol` is not in the library.
TT_EMULATOR_API bool tt_emulator_launch_kernel(
    Launch* launch, std::uint32_t role, void* library, const char* symbol, const char* file,
    const std::uint32_t* common_args, std::uint32_t common_count, const std::uint32_t* core_args,
    std::uint32_t args_per_core) {
    Program& program = launch->programs.back();
    Kernel kernel;
    kernel.role = static_cast<Role>(role);
    kernel.entry = reinterpret_cast<void (*)()>(dlsym(library, symbol));
    kernel.file = file;
    kernel.common_args.assign(common_args, common_args + common_count);
    kernel.args_per_core = args_per_core;
    kernel.core_args.assign(core_args, core_args + args_per_core * program.cores.size());
    program.kernels.push_back(std::move(kernel));
    return program.kernels.back().entry != nullptr;
}

// The latest kernel takes argument `argument` from scalar `scalar` of each call.
TT_EMULATOR_API void tt_emulator_launch_scalar(
    Launch* launch, std::uint32_t argument, std::uint32_t scalar, std::uint32_t per_core) {
    const auto program = static_cast<std::uint32_t>(launch->programs.size() - 1);
    const auto kernel = static_cast<std::uint32_t>(launch->programs.back().kernels.size() - 1);
    launch->patches.push_back({program, kernel, argument, scalar, per_core != 0});
}

// After the last circular buffer. False, with a report, when L1 overflows.
TT_EMULATOR_API bool tt_emulator_launch_ready(Launch* launch) {
    for (Program& program : launch->programs) {
        if (!layout_circular_buffers(*launch->device, program, launch->failure)) return false;
    }
    return true;
}

// False, with a report, when a kernel broke a contract; tensors are then as they were.
TT_EMULATOR_API bool tt_emulator_launch_run(
    Launch* launch, void* const* tensors, const std::uint32_t* scalars, std::uint32_t threads) {
    const std::lock_guard<std::mutex> lock(launch_mutex);
    launch->failure = Failure{};
    launch->device->buffers = launch->buffers;
    apply_scalars(*launch, scalars);
    const auto start = std::chrono::steady_clock::now();
    for (LaunchTensor& tensor : launch->tensors) {
        tensor.buffer->clear_written();
        if (tensor.access == Access::Read || tensor.access == Access::ReadWrite) {
            if (tensor.position >= 0) upload(tensor.conversion, tensors[tensor.position], *tensor.buffer, threads);
        }
    }
    launch->nanoseconds[0] = elapsed(start);
    const auto kernels_start = std::chrono::steady_clock::now();
    const bool passed = run_programs(*launch, threads);
    launch->nanoseconds[1] = elapsed(kernels_start);
    const auto download_start = std::chrono::steady_clock::now();
    for (LaunchTensor& tensor : launch->tensors) {
        if (!passed || tensor.position < 0) continue;
        if (tensor.access == Access::Write || tensor.access == Access::ReadWrite) {
            download(tensor.conversion, *tensor.buffer, tensors[tensor.position], false, threads);
        }
    }
    launch->nanoseconds[2] = elapsed(download_start);
    launch->device->buffers.clear();
    return passed;
}

// kind, core x, core y, role, file, line, circular buffer, message, hint; separated by 0x1f.
TT_EMULATOR_API const char* tt_emulator_launch_report(Launch* launch) {
    const Failure& failure = launch->failure;
    const std::string fields[] = {
        std::to_string(static_cast<int>(failure.kind)), std::to_string(failure.core_x), std::to_string(failure.core_y),
        role_name(failure.role), failure.file, std::to_string(failure.line), failure.circular_buffer, failure.message,
        failure.hint};
    launch->report.clear();
    for (const std::string& field : fields) launch->report += (launch->report.empty() ? "" : "\x1f") + field;
    return launch->report.c_str();
}

// counters: all fields of Counters for each core of the grid; times: nanoseconds of the three phases.
TT_EMULATOR_API void tt_emulator_launch_profile(const Launch* launch, std::uint64_t* counters, double* times) {
    if (!launch->counters.empty()) {
        std::memcpy(counters, launch->counters.data(), launch->counters.size() * sizeof(Counters));
    }
    std::memcpy(times, launch->nanoseconds, sizeof launch->nanoseconds);
}
