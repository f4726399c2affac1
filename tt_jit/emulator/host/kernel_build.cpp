// Kernels for the host API: compiled with the compiler and headers the project was configured with, then loaded.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "program_state.h"

namespace tt_emulator {

namespace {

// A folder of this process, removed at exit.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "tt_emulator_XXXXXX").string();
        if (!mkdtemp(pattern.data())) throw std::runtime_error("cannot create " + pattern + ": " + std::strerror(errno));
        path_ = pattern;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

std::string joined(const std::vector<std::uint32_t>& words) {
    std::string text;
    for (const std::uint32_t word : words) text += (text.empty() ? "" : ",") + std::to_string(word) + "u";
    return text;
}

int run_command(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        execvp(arguments[0], arguments.data());
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0) throw std::runtime_error("cannot start " + command[0]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

void (*build_kernel(
    const std::string& file,
    Role role,
    const std::vector<std::uint32_t>& compile_args,
    const std::map<std::string, std::string>& defines))() {
    static const TemporaryFolder folder;
    static int count = 0;
    if (!std::filesystem::exists(file)) throw std::runtime_error("kernel file " + file + " does not exist");
    const std::string library = (folder.path() / (std::to_string(count++) + ".so")).string();
    std::vector<std::string> command = {TT_EMULATOR_COMPILER, "-std=c++20", "-O2", "-march=native", "-ffp-contract=off"};
    command.insert(command.end(), {"-shared", "-fPIC", "-pthread", "-Wall", "-Wextra", "-Werror"});
    command.insert(command.end(), {"-I", TT_EMULATOR_INCLUDE});
    for (const std::string& flag : chip_settings().kernel_flags) command.push_back(flag);
    command.push_back("-DKERNEL_COMPILE_TIME_ARGS=" + joined(compile_args));
    for (const auto& [name, value] : defines) command.push_back("-D" + name + "=" + value);
    command.insert(command.end(), {"-o", library, file});
    if (run_command(command) != 0) {
        throw std::runtime_error(std::string("the ") + role_name(role) + " kernel " + file + " does not compile");
    }
    void* loaded = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    void* entry = loaded ? dlsym(loaded, "_Z11kernel_mainv") : nullptr;
    if (!entry) throw std::runtime_error(std::string("cannot load the compiled kernel: ") + dlerror());
    return reinterpret_cast<void (*)()>(entry);
}

}  // namespace tt_emulator
