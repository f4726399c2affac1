// Attributes of the RISC-V toolchain, spelled for the host compiler.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define tt_l1_ptr
#define tt_reg_ptr
#define FORCE_INLINE inline __attribute__((always_inline))

// L1 lives below 4 GiB in this process, so a 32-bit L1 address converts to a pointer as it does on the chip.
#pragma GCC diagnostic ignored "-Wint-to-pointer-cast"
