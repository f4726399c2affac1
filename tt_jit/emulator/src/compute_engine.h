// What the operations of the compute engine share: access to DST, operands, and the checks in front of both.
#pragma once

#include <cstdint>

#include "compute_formats.h"
#include "tt_emulator/compute.h"

namespace tt_emulator {

inline ComputeState& state() { return core->compute; }

// DST tile `dst` of the math thread's section.
Tile& overwritten_dst(std::uint32_t dst, std::uint32_t line);  // its old contents do not matter
Tile& updated_dst(std::uint32_t dst, std::uint32_t line);      // zero if nobody wrote it; keeps the mark of a reduction
const Tile& read_dst(std::uint32_t dst, std::uint32_t line);   // zero if nobody wrote it
bool dst_is_written(std::uint32_t dst);
void mark_reduced(std::uint32_t dst);

// DST tile `dst` of the pack thread's section.
Tile& packed_dst(std::uint32_t dst, std::uint32_t line);
bool packed_dst_is_reduced(std::uint32_t dst);

void require_started(const char* call, std::uint32_t line);
void set_fpu_init(const FpuInit& init, std::uint32_t line);
// `call` needs `init`; `hint` is the text of the init call that is missing or disagrees.
void require_fpu_init(const FpuInit& init, const char* call, const char* hint, std::uint32_t line);

// Whether pages of this buffer go straight to DST when copied.
bool goes_to_dest(const CircularBuffer& buffer);
void require_source_a(std::uint32_t cb, const char* call, std::uint32_t line);
void require_source_b(std::uint32_t cb, const char* call, std::uint32_t line);
// Integers and buffers that unpack to DST cannot feed the FPU.
void require_fpu_operand(std::uint32_t cb, const char* call, std::uint32_t line);

// A page as the FPU sees it (at most TF32).
void load_source(std::uint32_t cb, std::uint32_t tile, Tile& result, std::uint32_t line);

// The packer is free for this buffer: configured for its format, and nothing left on from another use.
void require_packer(std::uint32_t cb, const char* call, std::uint32_t line);
PackSettings pack_settings();

// SrcA or SrcB filled from DST keeps what its configured format can hold.
void truncate_to_source(const Tile& dst, const SourceFormat& format, Tile& result);
// A result of the math engine as the DST mode stores it.
void store_float_result(Tile& dst);

}  // namespace tt_emulator
