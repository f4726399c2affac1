#include "compute_matmul.h"

#include <cstring>

#include "fpu_lane.h"

// A sum of products may keep its unrounded products: the chip's do not match float either way.
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

void multiply_block(const float* left, const float* right, std::uint32_t row, std::uint32_t column, bool fresh, float* dst) {
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
        for (std::uint32_t v = 0; v < block_vectors; ++v) vector_at(dst + vector_offset(row + r, column, v)) = sum[r][v];
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

// A group's products are aligned to the largest of them and rounded to its 12 bits (ties up).
struct GroupSum {
    std::int32_t exponent[16];
    std::int32_t magnitude[16];
    std::uint32_t negative[16];
};

void sum_group(const std::uint32_t* left, const std::uint32_t* right, const fpu::Pass& pass, GroupSum& group) {
    std::int32_t exponents[8][16], magnitudes[8][16], largest[16], sum[16] = {};
    for (std::uint32_t c = 0; c < 16; ++c) largest[c] = 0;
    for (std::uint32_t k = 0; k < 8; ++k) {
        for (std::uint32_t c = 0; c < 16; ++c) {
            const fpu::Term term = fpu::product(right[k * 16 + c], left[k], pass);
            exponents[k][c] = term.exponent;
            magnitudes[k][c] = term.negative ? -term.magnitude : term.magnitude;
            largest[c] = fpu::at_least(largest[c], term.exponent);
        }
    }
    for (std::uint32_t k = 0; k < 8; ++k) {
        for (std::uint32_t c = 0; c < 16; ++c) {
            const std::int32_t distance = fpu::at_most(largest[c] - exponents[k][c], 30);
            const std::int32_t value = magnitudes[k][c] < 0 ? -magnitudes[k][c] : magnitudes[k][c];
            const std::int32_t halved = ((value << 1) + (1 << distance)) >> distance >> 1;
            sum[c] += magnitudes[k][c] < 0 ? -halved : halved;
        }
    }
    for (std::uint32_t c = 0; c < 16; ++c) {
        group.negative[c] = sum[c] < 0 ? 1 : 0;
        group.magnitude[c] = (sum[c] < 0 ? -sum[c] : sum[c]) << 13;
        group.exponent[c] = largest[c];
        if (largest[c] <= 0) group.magnitude[c] = 0, group.negative[c] = 0;
    }
}

template <bool fp32_dest>
void multiply_face(const Tile& left, const Tile& right, const fpu::Pass& pass, std::uint32_t row_half, std::uint32_t k_half,
                   std::uint32_t column_half, Tile& dst) {
    const std::uint32_t* left_face = left.u + (row_half * 2 + k_half) * face_elements;
    const std::uint32_t* right_face = right.u + (k_half * 2 + column_half) * face_elements;
    std::uint32_t* dst_face = dst.u + (row_half * 2 + column_half) * face_elements;
    for (std::uint32_t r = 0; r < 16; ++r) {
        GroupSum first, second;
        sum_group(left_face + r * 16, right_face, pass, first);
        sum_group(left_face + r * 16 + 8, right_face + 8 * 16, pass, second);
        for (std::uint32_t c = 0; c < 16; ++c) {
            const fpu::Term a{first.negative[c], first.exponent[c], first.magnitude[c]};
            const fpu::Term b{second.negative[c], second.exponent[c], second.magnitude[c]};
            dst_face[r * 16 + c] = fpu::accumulate(dst_face[r * 16 + c], a, b, fp32_dest);
        }
    }
}

}  // namespace

void matmul_tile_exact(const Tile& left, const Tile& right, std::uint32_t fidelity, bool fp32_dest, Tile& dst) {
    const auto multiply = fp32_dest ? multiply_face<true> : multiply_face<false>;
    // The order of the matrix unit's instructions: every pass runs over the whole tile before the next one starts.
    for (std::uint32_t pass = 0; pass < fidelity; ++pass) {
        for (std::uint32_t k_half = 0; k_half < 2; ++k_half) {
            for (std::uint32_t face = 0; face < 4; ++face) {
                multiply(left, right, fpu::passes[pass], face / 2, k_half, face % 2, dst);
            }
        }
    }
}

}  // namespace tt_emulator
