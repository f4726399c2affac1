// Sums of 32-bit integers are formed with sfpu_reduce; see compute_kernel_api.h.
#pragma once

#include "api/compute/compute_kernel_api.h"
