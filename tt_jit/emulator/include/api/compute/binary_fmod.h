// Remainders with the sign of the dividend.
#pragma once

#include "tt_emulator/sfpu_api.h"

namespace ckernel {

TT_SFPU_INIT(, fmod_int32_tile_init, fmod_int32_tile_init)
TT_SFPU_BINARY(, fmod_int32_tile, fmod_int32)
TT_SFPU_INIT(, fmod_binary_tile_init, fmod_binary_tile_init)
TT_SFPU_BINARY(TT_ANY_DEST, fmod_binary_tile, fmod_binary)

}  // namespace ckernel
