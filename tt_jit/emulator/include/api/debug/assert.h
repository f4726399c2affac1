#pragma once

#include "tt_emulator/core.h"

#define ASSERT(condition, ...) \
    ((condition) ? (void)0     \
                 : tt_emulator::fail(__builtin_LINE(), tt_emulator::kNoCircularBuffer, "", "assertion failed: %s", #condition))
