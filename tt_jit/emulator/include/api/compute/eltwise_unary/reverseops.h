// rsub_tile lives in rsub.h.
#pragma once

#include "api/compute/eltwise_unary/rsub.h"
