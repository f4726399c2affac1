#pragma once

#include <cstdint>

#include "internal/risc_attribs.h"
#include "tt_emulator/core.h"

#define ALWI inline __attribute__((always_inline))

// One fiber executes what the chip splits over its unpack, math and pack threads.
#define UNPACK(...) __VA_ARGS__
#define MATH(...) __VA_ARGS__
#define PACK(...) __VA_ARGS__

#ifndef DST_ACCUM_MODE
#define DST_ACCUM_MODE false
#endif
