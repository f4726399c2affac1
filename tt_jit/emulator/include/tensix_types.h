#pragma once

#include "tt_emulator/data_format.h"
