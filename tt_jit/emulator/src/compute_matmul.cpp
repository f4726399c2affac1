#include "compute_matmul.h"

#include <cstring>

#include "fpu_lane.h"

// Products of two sources (at most 11 bits each) are exact in float, so fusing them with the sum changes no result.
#if defined(__clang__)
#pragma clang fp contract(fast)
#else
#pragma GCC optimize("fp-contract=fast")
#endif

namespace tt_emulator {
namespace {

// One vector register per 16 columns (AVX-512), or two; small blocks where there are 16 registers only.
#if defined(__AVX512F__)
constexpr std::uint32_t lanes = 16;
constexpr std::uint32_t block_rows = 8;
constexpr std::uint32_t block_columns = 32;
#else
constexpr std::uint32_t lanes = 8;
constexpr std::uint32_t block_rows = 4;
constexpr std::uint32_t block_columns = 16;
#endif
constexpr std::uint32_t block_vectors = block_columns / lanes;
typedef float Vector __attribute__((vector_size(lanes * sizeof(float)), aligned(lanes * sizeof(float)), may_alias));

const Vector& vector_at(const float* address) { return *reinterpret_cast<const Vector*>(address); }
Vector& vector_at(float* address) { return *reinterpret_cast<Vector*>(address); }

// The offset of vector `v` of the block at (row, column).
constexpr std::uint32_t vector_offset(std::uint32_t row, std::uint32_t column, std::uint32_t v) {
    return tile_offset(row, column + v * lanes);
}

void multiply_block(const float* left, const float* right, std::uint32_t row, std::uint32_t column, bool fresh,
                    float* dst) {
    Vector sum[block_rows][block_vectors];
    for (std::uint32_t r = 0; r < block_rows; ++r) {
        for (std::uint32_t v = 0; v < block_vectors; ++v) {
            sum[r][v] = fresh ? Vector{} : vector_at(dst + vector_offset(row + r, column, v));
        }
    }
    for (std::uint32_t half = 0; half < 2; ++half) {
        const float* left_face = left + tile_offset(row, half * 16);
        const float* right_face = right + tile_offset(half * 16, 0);
        for (std::uint32_t k = 0; k < 16; ++k) {
            Vector b[block_vectors];
            for (std::uint32_t v = 0; v < block_vectors; ++v) {
                b[v] = vector_at(right_face + vector_offset(k, column, v));
            }
            for (std::uint32_t r = 0; r < block_rows; ++r) {
                const float a = left_face[r * 16 + k];
                for (std::uint32_t v = 0; v < block_vectors; ++v) sum[r][v] += a * b[v];
            }
        }
    }
    for (std::uint32_t r = 0; r < block_rows; ++r) {
        for (std::uint32_t v = 0; v < block_vectors; ++v)
            vector_at(dst + vector_offset(row + r, column, v)) = sum[r][v];
    }
}

void mask_into(const Tile& source, std::uint32_t mask, Tile& result) {
    for (std::uint32_t i = 0; i < tile_elements; ++i) result.u[i] = source.u[i] & mask;
}

constexpr std::uint32_t right_kept = 0xffffc000u, right_high = 0xfff80000u, left_high = 0xfffe0000u;

}  // namespace

void split_left(std::uint32_t fidelity, MatmulOperand& operand) {
    if (fidelity == 3) {
        Tile& low = operand.part[1];
        for (std::uint32_t i = 0; i < tile_elements; ++i) {
            union {
                std::uint32_t bits;
                float value;
            } high = {operand.part[0].u[i] & left_high};
            low.f[i] = operand.part[0].f[i] - high.value;
        }
    }
    if (fidelity < 4) mask_into(operand.part[0], left_high, operand.part[0]);
}

void split_right(std::uint32_t fidelity, MatmulOperand& operand) {
    if (fidelity == 3) mask_into(operand.part[0], right_high, operand.part[1]);
    mask_into(operand.part[0], fidelity == 1 ? right_high : right_kept, operand.part[0]);
}

void matmul_tile(const Tile& left, const Tile& right, bool fresh, Tile& dst) {
    for (std::uint32_t column = 0; column < 32; column += block_columns) {
        for (std::uint32_t row = 0; row < 32; row += block_rows) {
            multiply_block(left.f, right.f, row, column, fresh, dst.f);
        }
    }
}

namespace {

// One row of the right operand as one pass sees it; the same for all rows of the left operand.
struct RightRow {
    Int negative, exponent, part;  // exponent 0: the lanes are zero
};

void cut_right(const std::uint32_t* face, const fpu::Pass& pass, RightRow rows[16]) {
    for (std::uint32_t k = 0; k < 16; ++k) {
        const Bits value = load_bits(face + k * 16);
        const Int exponent = fpu::exponent_of(value);
        rows[k] = {fpu::sign_of(value), exponent, fpu::part_of_a(value, pass) & (exponent != 0)};
    }
}

// Eight products aligned to the largest of them and rounded to its 12 bits (ties up).
TT_EMULATOR_LANES fpu::Term sum_group(const std::uint32_t* left, const RightRow* right, const fpu::Pass& pass) {
    Int exponents[8], magnitudes[8], negatives[8], largest{}, sum{};
    for (std::uint32_t k = 0; k < 8; ++k) {
        const Bits value = splat(left[k]);
        const Int counts = (fpu::exponent_of(value) != 0) & (right[k].exponent != 0);
        exponents[k] = (fpu::exponent_of(value) + right[k].exponent - (fpu::bias + pass.drop)) & counts;
        magnitudes[k] = fpu::part_of_b(value, pass) * right[k].part & counts;
        negatives[k] = fpu::sign_of(value) ^ right[k].negative;
        largest = larger(largest, exponents[k]);
    }
    for (std::uint32_t k = 0; k < 8; ++k) {
        const Int distance = smaller(largest - exponents[k], splat(30));
        const Int halved = ((magnitudes[k] << 1) + (splat(1) << distance)) >> distance >> 1;
        sum += fpu::with_sign(negatives[k], halved);
    }
    const Int counts = largest > 0;
    return {as_int(as_bits(sum) >> 31) & counts, largest, magnitude_of(sum) << 13 & counts};
}

template <bool fp32_dest>
void multiply_face(const Tile& left, const RightRow right[16], const fpu::Pass& pass, std::uint32_t row_half,
                   std::uint32_t k_half, std::uint32_t column_half, Tile& dst) {
    const std::uint32_t* left_face = left.u + (row_half * 2 + k_half) * face_elements;
    std::uint32_t* dst_face = dst.u + (row_half * 2 + column_half) * face_elements;
    for (std::uint32_t r = 0; r < 16; ++r) {
        const fpu::Term first = sum_group(left_face + r * 16, right, pass);
        const fpu::Term second = sum_group(left_face + r * 16 + 8, right + 8, pass);
        std::uint32_t* out = dst_face + r * 16;
        store_bits(out, fpu::accumulate<fp32_dest, true>(load_bits(out), first, second));
    }
}

template <bool fp32_dest>
void multiply_exactly(const Tile& left, const Tile& right, std::uint32_t fidelity, Tile& dst) {
    // The order of the matrix unit's instructions: every pass runs over the whole tile before the next one starts.
    for (std::uint32_t pass = 0; pass < fidelity; ++pass) {
        for (std::uint32_t k_half = 0; k_half < 2; ++k_half) {
            for (std::uint32_t column_half = 0; column_half < 2; ++column_half) {
                RightRow rows[16];
                cut_right(right.u + (k_half * 2 + column_half) * face_elements, fpu::passes[pass], rows);
                for (std::uint32_t row_half = 0; row_half < 2; ++row_half) {
                    multiply_face<fp32_dest>(left, rows, fpu::passes[pass], row_half, k_half, column_half, dst);
                }
            }
        }
    }
}

}  // namespace

void matmul_tile_exact(const Tile& left, const Tile& right, std::uint32_t fidelity, bool fp32_dest, Tile& dst) {
    const auto multiply = fp32_dest ? multiply_exactly<true> : multiply_exactly<false>;
    multiply(left, right, fidelity, dst);
}

}  // namespace tt_emulator
