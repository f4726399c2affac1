#include "compute_reduce.h"

#include <cstring>

#include "compute_binary.h"
#include "compute_engine.h"
#include "compute_matmul.h"
#include "fpu_lane.h"

namespace tt_emulator {
namespace {

using ckernel::ReduceDim;

constexpr std::uint32_t exponent_bits = 0x7f800000u;
constexpr std::uint32_t lowest = 0xffffffffu;  // in the order of sign and magnitude

struct alignas(64) Row {
    std::uint32_t u[16];
};

float float_of(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

std::uint32_t bits_of(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

std::uint32_t stored(float value, bool fp32_dest) {
    return fp32_dest ? bits_of(value) : (bits_of(value) + 0x8000u) & 0xffff0000u;
}

// dst[c] += sum over k of left[k] * face[k][c]: one row of the matrix unit over one face.
void multiply_row(const std::uint32_t* left, const Tile& right, std::uint32_t face, const ReduceSettings& settings,
                  Row& dst) {
    const std::uint32_t* rows = right.u + face * face_elements;
    if (settings.exact) {
        Tile one_row, one_face, sum;
        std::memset(one_row.u, 0, sizeof one_row.u);
        std::memset(one_face.u, 0, sizeof one_face.u);
        std::memset(sum.u, 0, sizeof sum.u);
        std::memcpy(one_row.u, left, sizeof dst.u);
        std::memcpy(one_face.u, rows, face_elements * sizeof *rows);
        std::memcpy(sum.u, dst.u, sizeof dst.u);
        matmul_tile_exact(one_row, one_face, settings.fidelity, settings.fp32_dest, sum);
        std::memcpy(dst.u, sum.u, sizeof dst.u);
        return;
    }
    const std::uint32_t left_kept = settings.fidelity < 3 ? 0xfffe0000u : ~0u;
    const std::uint32_t right_kept = settings.fidelity == 1 ? 0xfff80000u : 0xffffc000u;
    Float sum = as_float(load_bits(dst.u));
    for (std::uint32_t k = 0; k < 16; ++k) {
        sum += splat(float_of(left[k] & left_kept)) * as_float(load_bits(rows + k * 16) & right_kept);
    }
    const Bits bits = as_bits(sum);
    store_bits(dst.u, settings.fp32_dest ? bits : (bits + 0x8000u) & 0xffff0000u);
}

void sum_rows(const Tile& data, const Tile& scaler, const ReduceSettings& settings, Tile& dst) {
    if (settings.exact) {
        Tile scaler_columns;
        std::memset(scaler_columns.u, 0, sizeof scaler_columns.u);
        for (std::uint32_t k = 0; k < 32; ++k) scaler_columns.u[tile_offset(k, 0)] = scaler.u[tile_offset(0, k)];
        matmul_tile_exact(data, scaler_columns, settings.fidelity, settings.fp32_dest, dst);
        return;
    }
    const std::uint32_t data_kept = settings.fidelity < 3 ? 0xfffe0000u : ~0u;
    const std::uint32_t scaler_kept = settings.fidelity == 1 ? 0xfff80000u : 0xffffc000u;
    for (std::uint32_t half = 0; half < 2; ++half) {
        const std::uint32_t* faces = data.u + half * 2 * face_elements;
        float products[face_elements], columns[face_elements], sum[16];
        for (std::uint32_t r = 0; r < 16; ++r) {
            for (std::uint32_t c = 0; c < 16; ++c) {
                const std::uint32_t i = r * 16 + c;
                const std::uint32_t *right_data = faces + face_elements, *right_scaler = scaler.u + face_elements;
                products[i] = float_of(faces[i] & data_kept) * float_of(scaler.u[c] & scaler_kept) +
                              float_of(right_data[i] & data_kept) * float_of(right_scaler[c] & scaler_kept);
            }
        }
        for (std::uint32_t r = 0; r < 16; ++r) {
            for (std::uint32_t c = 0; c < 16; ++c) columns[r * 16 + c] = products[c * 16 + r];
        }
        for (std::uint32_t r = 0; r < 16; ++r) sum[r] = float_of(dst.u[tile_offset(half * 16 + r, 0)]);
        for (std::uint32_t c = 0; c < 16; ++c) {
            for (std::uint32_t r = 0; r < 16; ++r) sum[r] += columns[c * 16 + r];
        }
        for (std::uint32_t r = 0; r < 16; ++r)
            dst.u[tile_offset(half * 16 + r, 0)] = stored(sum[r], settings.fp32_dest);
    }
}

void sum_columns(const Tile& data, const Tile& scaler, const ReduceSettings& settings, Tile& dst) {
    for (std::uint32_t face = 0; face < 4; ++face) {
        Row row;
        std::uint32_t* out = dst.u + face % 2 * face_elements;
        std::memcpy(row.u, out, sizeof row.u);
        multiply_row(scaler.u + face * face_elements, data, face, settings, row);
        std::memcpy(out, row.u, sizeof row.u);
    }
}

// The partial row travels back through SrcA as a column.
void move_to_column(const Row& row, const ReduceSettings& settings, Tile& column) {
    Tile held;
    std::memset(held.u, 0, sizeof held.u);
    for (std::uint32_t i = 0; i < 16; ++i) held.u[i * 16] = row.u[i];
    truncate_to_source(held, settings.source_a, column);
}

void sum_all(const Tile& data, const Tile& scaler, const ReduceSettings& settings, Tile& dst) {
    Row partial = {};
    for (std::uint32_t face = 0; face < 4; ++face) {
        multiply_row(scaler.u + face * face_elements, data, face, settings, partial);
    }
    Tile column;
    move_to_column(partial, settings, column);
    Row total = {};
    total.u[0] = dst.u[0];
    multiply_row(scaler.u + 3 * face_elements, column, 0, settings, total);
    dst.u[0] = total.u[0];
}

// The order by sign and magnitude, in which every bit pattern has its place. Its own inverse.
TT_EMULATOR_LANES Int ordered(const Bits& value) {
    return as_int(value ^ (as_bits(as_int(value) >> 31) & 0x7fffffffu));
}

// max over the rows of one face, column by column.
void pool_face(const std::uint32_t* face, Row& row) {
    Int largest = ordered(load_bits(row.u));
    for (std::uint32_t r = 0; r < 16; ++r) {
        const Bits value = load_bits(face + r * 16);
        largest = larger(largest, ordered(value & as_bits(as_int(value & exponent_bits) != 0)));
    }
    store_bits(row.u, as_bits(ordered(as_bits(largest))));
}

std::uint32_t larger_of(std::uint32_t a, std::uint32_t b) {
    const Int first = ordered(splat(a)), second = ordered(splat(b));
    return second[0] > first[0] ? b : a;
}

Row held_row(const std::uint32_t* dst, const ReduceSettings& settings, bool fresh) {
    Row row;
    const std::uint32_t kept = settings.fp32_dest ? 0xffffe000u : 0xffff0000u;
    for (std::uint32_t i = 0; i < 16; ++i) row.u[i] = fresh ? lowest & kept : dst[i] & kept;
    return row;
}

void max_rows(const Tile& data, const ReduceSettings& settings, bool fresh, Tile& dst) {
    Tile turned;
    transpose_tile_faces(data, false, true, turned);
    for (std::uint32_t half = 0; half < 2; ++half) {
        std::uint32_t* out = dst.u + half * 2 * face_elements;
        Row row = held_row(out, settings, fresh);
        pool_face(turned.u + half * 2 * face_elements, row);
        pool_face(turned.u + (half * 2 + 1) * face_elements, row);
        // The way back through SrcB and an addition leaves the row of maxima, too: the next tile is compared with it.
        std::memset(out, 0, face_elements * sizeof *out);
        const Bits maxima = load_bits(row.u), nothing{};
        store_bits(out, settings.fp32_dest ? fpu::add<true>(nothing, nothing, maxima)
                                           : fpu::add<false>(nothing, nothing, maxima));
        for (std::uint32_t i = 1; i < 16; ++i) out[i * 16] = out[i];
    }
}

void max_columns(const Tile& data, const ReduceSettings& settings, bool fresh, Tile& dst) {
    for (std::uint32_t half = 0; half < 2; ++half) {
        std::uint32_t* out = dst.u + half * face_elements;
        Row row = held_row(out, settings, fresh);
        pool_face(data.u + half * face_elements, row);
        pool_face(data.u + (half + 2) * face_elements, row);
        std::memset(out, 0, 4 * sizeof row.u);
        std::memcpy(out, row.u, sizeof row.u);
    }
}

void max_all(const Tile& data, const ReduceSettings& settings, bool fresh, Tile& dst) {
    Row row = held_row(dst.u, settings, true);
    for (std::uint32_t face = 0; face < 4; ++face) pool_face(data.u + face * face_elements, row);
    Tile column;
    move_to_column(row, settings, column);
    Row total = held_row(dst.u, settings, fresh);
    for (std::uint32_t i = 0; i < 16; ++i) total.u[0] = larger_of(total.u[0], column.u[i * 16]);
    dst.u[0] = total.u[0];
}

}  // namespace

void reduce_sum_tile(const Tile& data, const Tile& scaler, const ReduceSettings& settings, Tile& dst) {
    switch (settings.dim) {
        case ReduceDim::REDUCE_ROW: sum_rows(data, scaler, settings, dst); break;
        case ReduceDim::REDUCE_COL: sum_columns(data, scaler, settings, dst); break;
        case ReduceDim::REDUCE_SCALAR: sum_all(data, scaler, settings, dst); break;
    }
}

void reduce_max_tile(const Tile& data, const ReduceSettings& settings, bool fresh, Tile& dst) {
    switch (settings.dim) {
        case ReduceDim::REDUCE_ROW: max_rows(data, settings, fresh, dst); break;
        case ReduceDim::REDUCE_COL: max_columns(data, settings, fresh, dst); break;
        case ReduceDim::REDUCE_SCALAR: max_all(data, settings, fresh, dst); break;
    }
}

bool scaler_is_one(const Tile& scaler) {
    bool one = true;
    for (std::uint32_t face = 0; face < 4; ++face) {
        for (std::uint32_t i = 0; i < 16; ++i) one &= scaler.f[face * face_elements + i] == 1.0f;
    }
    return one;
}

}  // namespace tt_emulator
