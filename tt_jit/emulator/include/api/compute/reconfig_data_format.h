// Formats of the unpackers and the packer in mid-kernel. The forms that take the old operand as well skip the change when
// both formats agree, so the old one has to be what the engine is configured for.
#pragma once

#include "api/compute/common_globals.h"
#include "api/compute/src_order.h"

namespace ckernel {

// The hardware tells formats, full operands (format and tile shape) and Int8-preserving changes apart; with 32x32 tiles
// only the format differs.
#define TT_EMULATOR_LINE tt_emulator::Line line = tt_emulator::Line(__builtin_LINE())

#define TT_EMULATOR_RECONFIG_BOTH(name)                                                                                \
    template <SrcOrder src_order = SrcOrder::Regular>                                                                  \
    ALWI void name(                                                                                                    \
        const std::uint32_t icb0_new_operand, const std::uint32_t icb1_new_operand, TT_EMULATOR_LINE) {                \
        constexpr bool reverse = src_order == SrcOrder::Reverse;                                                       \
        tt_emulator::reconfig_source_a(reverse ? icb1_new_operand : icb0_new_operand, line.number);                    \
        tt_emulator::reconfig_source_b(reverse ? icb0_new_operand : icb1_new_operand, line.number);                    \
    }                                                                                                                  \
    template <SrcOrder src_order = SrcOrder::Regular>                                                                  \
    ALWI void name(                                                                                                    \
        const std::uint32_t icb0_old_operand, const std::uint32_t icb0_new_operand,                                    \
        const std::uint32_t icb1_old_operand, const std::uint32_t icb1_new_operand, TT_EMULATOR_LINE) {                \
        constexpr bool reverse = src_order == SrcOrder::Reverse;                                                       \
        tt_emulator::reconfig_source_a_from(                                                                           \
            reverse ? icb1_old_operand : icb0_old_operand, reverse ? icb1_new_operand : icb0_new_operand, line.number); \
        tt_emulator::reconfig_source_b_from(                                                                           \
            reverse ? icb0_old_operand : icb1_old_operand, reverse ? icb0_new_operand : icb1_new_operand, line.number); \
    }

#define TT_EMULATOR_RECONFIG_ONE(name, source)                                                                         \
    ALWI void name(const std::uint32_t new_operand, TT_EMULATOR_LINE) {                                                \
        tt_emulator::reconfig_##source(new_operand, line.number);                                                      \
    }                                                                                                                  \
    ALWI void name(const std::uint32_t old_operand, const std::uint32_t new_operand, TT_EMULATOR_LINE) {               \
        tt_emulator::reconfig_##source##_from(old_operand, new_operand, line.number);                                  \
    }

TT_EMULATOR_RECONFIG_BOTH(reconfig_data_format)
TT_EMULATOR_RECONFIG_BOTH(reconfig_full_operand)
TT_EMULATOR_RECONFIG_BOTH(reconfig_data_format_skip_int8)
TT_EMULATOR_RECONFIG_ONE(reconfig_data_format_srca, source_a)
TT_EMULATOR_RECONFIG_ONE(reconfig_data_format_srcb, source_b)
TT_EMULATOR_RECONFIG_ONE(reconfig_full_operand_srca, source_a)
TT_EMULATOR_RECONFIG_ONE(reconfig_full_operand_srcb, source_b)
TT_EMULATOR_RECONFIG_ONE(reconfig_data_format_srca_skip_int8, source_a)
TT_EMULATOR_RECONFIG_ONE(reconfig_data_format_srcb_skip_int8, source_b)

// Tiles are 32x32 everywhere, so there is no shape to change.
template <SrcOrder src_order = SrcOrder::Regular>
ALWI void reconfig_tile_shape(const std::uint32_t, const std::uint32_t) {}
template <SrcOrder src_order = SrcOrder::Regular>
ALWI void reconfig_tile_shape(const std::uint32_t, const std::uint32_t, const std::uint32_t, const std::uint32_t) {}
ALWI void reconfig_tile_shape_srca(const std::uint32_t) {}
ALWI void reconfig_tile_shape_srca(const std::uint32_t, const std::uint32_t) {}
ALWI void reconfig_tile_shape_srcb(const std::uint32_t) {}
ALWI void reconfig_tile_shape_srcb(const std::uint32_t, const std::uint32_t) {}

template <bool is_tile_dim_reconfig_en = false>
ALWI void pack_reconfig_data_format(const std::uint32_t new_cb_id, TT_EMULATOR_LINE) {
    tt_emulator::reconfig_pack(new_cb_id, line.number);
}

template <bool is_tile_dim_reconfig_en = false>
ALWI void pack_reconfig_data_format(const std::uint32_t old_cb_id, const std::uint32_t new_cb_id, TT_EMULATOR_LINE) {
    tt_emulator::reconfig_pack_from(old_cb_id, new_cb_id, line.number);
}

#undef TT_EMULATOR_RECONFIG_BOTH
#undef TT_EMULATOR_RECONFIG_ONE
#undef TT_EMULATOR_LINE

}  // namespace ckernel
