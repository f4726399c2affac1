// Shapes of the API's SFPU functions, so that its headers are tables. `prefix` is TT_ANY_DEST for functions that the real
// headers declare as templates over the DST mode, and empty for the others.
#pragma once

#include "api/compute/common_globals.h"
#include "tt_emulator/sfpu_operations.h"

#define TT_ANY_DEST template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>

#define TT_SFPU_INIT(prefix, name, init)                                                                               \
    prefix ALWI void name(std::uint32_t line = __builtin_LINE()) {                                                     \
        tt_emulator::sfpu_init(tt_emulator::SfpuInit::init, 0, line);                                                  \
    }

#define TT_SFPU_UNARY(prefix, name, operation)                                                                         \
    prefix ALWI void name(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {                                 \
        tt_emulator::sfpu_unary(tt_emulator::sfpu::operation, idst, VectorMode::RC, {}, 0, #name, line);               \
    }

#define TT_SFPU_UNARY_1(prefix, name, operation)                                                                       \
    prefix ALWI void name(std::uint32_t idst, std::uint32_t param0, std::uint32_t line = __builtin_LINE()) {           \
        tt_emulator::sfpu_unary(                                                                                       \
            tt_emulator::sfpu::operation, idst, VectorMode::RC, {{param0, 0, 0}}, 0, #name, line);                     \
    }

#define TT_SFPU_UNARY_2(prefix, name, operation)                                                                       \
    prefix ALWI void name(                                                                                             \
        std::uint32_t idst, std::uint32_t param0, std::uint32_t param1, std::uint32_t line = __builtin_LINE()) {       \
        tt_emulator::sfpu_unary(                                                                                       \
            tt_emulator::sfpu::operation, idst, VectorMode::RC, {{param0, param1, 0}}, 0, #name, line);                \
    }

#define TT_SFPU_UNARY_3(prefix, name, operation)                                                                       \
    prefix ALWI void name(                                                                                             \
        std::uint32_t idst, std::uint32_t param0, std::uint32_t param1, std::uint32_t param2,                          \
        std::uint32_t line = __builtin_LINE()) {                                                                       \
        tt_emulator::sfpu_unary(                                                                                       \
            tt_emulator::sfpu::operation, idst, VectorMode::RC, {{param0, param1, param2}}, 0, #name, line);           \
    }

// Variants for the pack thread, between tile_regs_wait and pack_tile.
#define TT_SFPU_INIT_PACK(prefix, name, init)                                                                          \
    prefix ALWI void name(std::uint32_t line = __builtin_LINE()) {                                                     \
        tt_emulator::sfpu_init_pack(tt_emulator::SfpuInit::init, 0, line);                                             \
    }

#define TT_SFPU_UNARY_PACK(prefix, name, operation)                                                                    \
    prefix ALWI void name(std::uint32_t idst, std::uint32_t line = __builtin_LINE()) {                                 \
        tt_emulator::sfpu_unary_pack(tt_emulator::sfpu::operation, idst, {}, 0, #name, line);                          \
    }

#define TT_SFPU_BINARY(prefix, name, operation)                                                                        \
    prefix ALWI void name(                                                                                             \
        std::uint32_t idst0, std::uint32_t idst1, std::uint32_t odst, std::uint32_t line = __builtin_LINE()) {         \
        tt_emulator::sfpu_binary(                                                                                      \
            tt_emulator::sfpu::operation, idst0, idst1, odst, VectorMode::RC, {}, 0, #name, line);                     \
    }

// Integer operations take the format of the lanes; init and calls need not agree in it unless the init is a template too.
#define TT_SFPU_FORMAT_CHECK                                                                                           \
    static_assert(                                                                                                     \
        data_format == DataFormat::Int32 || data_format == DataFormat::UInt32 || data_format == DataFormat::UInt16,    \
        "Unsupported data format. Supported data formats are: Int32, UInt32, UInt16")

#define TT_SFPU_OF_FORMAT(of_int32, of_uint32, of_uint16)                                                              \
    (data_format == DataFormat::UInt16                                                                                 \
         ? tt_emulator::sfpu::of_uint16                                                                                \
         : data_format == DataFormat::UInt32 ? tt_emulator::sfpu::of_uint32 : tt_emulator::sfpu::of_int32)

#define TT_SFPU_INTEGER_UNARY_1(name, of_int32, of_uint32, of_uint16)                                                  \
    template <DataFormat data_format>                                                                                  \
    ALWI void name(std::uint32_t idst, std::uint32_t param0, std::uint32_t line = __builtin_LINE()) {                  \
        TT_SFPU_FORMAT_CHECK;                                                                                          \
        tt_emulator::sfpu_unary(                                                                                       \
            TT_SFPU_OF_FORMAT(of_int32, of_uint32, of_uint16), idst, VectorMode::RC, {{param0, 0, 0}}, 0, #name, line); \
    }

#define TT_SFPU_INTEGER_BINARY(name, of_int32, of_uint32, of_uint16)                                                   \
    template <DataFormat data_format>                                                                                  \
    ALWI void name(                                                                                                    \
        std::uint32_t idst0, std::uint32_t idst1, std::uint32_t odst, std::uint32_t line = __builtin_LINE()) {         \
        TT_SFPU_FORMAT_CHECK;                                                                                          \
        tt_emulator::sfpu_binary(                                                                                      \
            TT_SFPU_OF_FORMAT(of_int32, of_uint32, of_uint16), idst0, idst1, odst, VectorMode::RC, {}, 0, #name,       \
            line);                                                                                                     \
    }

// ... whose init is a template over the format, so that both must name the same one.
#define TT_SFPU_TYPED_INTEGER_BINARY(name, of_int32, of_uint32, of_uint16)                                             \
    template <DataFormat data_format>                                                                                  \
    ALWI void name(                                                                                                    \
        std::uint32_t idst0, std::uint32_t idst1, std::uint32_t odst, std::uint32_t line = __builtin_LINE()) {         \
        TT_SFPU_FORMAT_CHECK;                                                                                          \
        tt_emulator::sfpu_binary(                                                                                      \
            TT_SFPU_OF_FORMAT(of_int32, of_uint32, of_uint16), idst0, idst1, odst, VectorMode::RC, {},                 \
            static_cast<std::uint32_t>(data_format), #name, line);                                                     \
    }                                                                                                                  \
    template <DataFormat data_format>                                                                                  \
    ALWI void name##_init(std::uint32_t line = __builtin_LINE()) {                                                     \
        TT_SFPU_FORMAT_CHECK;                                                                                          \
        tt_emulator::sfpu_init(                                                                                        \
            tt_emulator::SfpuInit::name##_init, static_cast<std::uint32_t>(data_format), line);                        \
    }
