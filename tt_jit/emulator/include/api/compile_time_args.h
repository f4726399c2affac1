// Compile-time arguments: the build passes the words of a kernel as KERNEL_COMPILE_TIME_ARGS.
#pragma once

#include <cstdint>

#include "internal/risc_attribs.h"

#ifndef KERNEL_COMPILE_TIME_ARGS
#define KERNEL_COMPILE_TIME_ARGS
#endif

namespace tt_emulator {

template <std::uint32_t N>
struct CompileTimeArgs {
    std::uint32_t values[N + 1];
};

template <typename... Values>
constexpr CompileTimeArgs<sizeof...(Values)> make_compile_time_args(Values... values) {
    return {{static_cast<std::uint32_t>(values)..., 0}};
}

template <std::uint32_t N>
constexpr std::uint32_t count(const CompileTimeArgs<N>&) {
    return N;
}

}  // namespace tt_emulator

constexpr auto kernel_compile_time_args = tt_emulator::make_compile_time_args(KERNEL_COMPILE_TIME_ARGS);

template <std::uint32_t Index>
constexpr std::uint32_t get_ct_arg() {
    static_assert(Index < tt_emulator::count(kernel_compile_time_args), "Index out of range");
    return kernel_compile_time_args.values[Index];
}

#define get_compile_time_arg_val(arg_idx) get_ct_arg<arg_idx>()

#ifdef KERNEL_COMPILE_TIME_ARG_MAP
namespace tt_emulator {

struct NamedArg {
    const char* name;
    std::uint32_t value;
};
constexpr NamedArg kernel_named_args[] = {KERNEL_COMPILE_TIME_ARG_MAP};

constexpr bool same_text(const char* a, const char* b) {
    for (; *a && *a == *b; ++a, ++b) {
    }
    return *a == *b;
}

}  // namespace tt_emulator

constexpr std::uint32_t get_named_compile_time_arg_val(const char* name) {
    for (const tt_emulator::NamedArg& argument : tt_emulator::kernel_named_args) {
        if (tt_emulator::same_text(argument.name, name)) return argument.value;
    }
    __builtin_unreachable();  // in a constant expression: a compilation error
}
#endif
