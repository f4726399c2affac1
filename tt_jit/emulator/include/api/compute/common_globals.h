// What every compute header needs: attributes, the types of the API, and the engine behind it.
#pragma once

#include <cstdint>

#include "internal/risc_attribs.h"
#include "llk_defs.h"
#include "tt_emulator/compute.h"
#include "tt_emulator/core.h"

#define ALWI inline __attribute__((always_inline))

// One fiber executes what the chip splits over its unpack, math and pack threads.
#define UNPACK(...) __VA_ARGS__
#define MATH(...) __VA_ARGS__
#define PACK(...) __VA_ARGS__

// The chip's kernels are compiled for one DST mode; here the program's compute configuration decides at run time.
#ifndef DST_ACCUM_MODE
#define DST_ACCUM_MODE false
#endif

namespace tt_emulator {
// The caller's line, for functions whose overloads leave no room for a defaulted integer.
struct Line {
    std::uint32_t number;
    explicit constexpr Line(std::uint32_t line) : number(line) {}
};
}  // namespace tt_emulator

namespace ckernel {}
using namespace ckernel;
