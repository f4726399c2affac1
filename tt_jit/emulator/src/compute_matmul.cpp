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

// Products and their sums in groups of eight fit 16 bits, so that a vector holds all columns of a tile.
constexpr std::uint32_t columns = 32;
constexpr std::uint32_t group = 8;
constexpr std::uint32_t groups = 32 / group;
typedef std::int16_t Short __attribute__((vector_size(columns * sizeof(std::int16_t)), may_alias));
typedef std::int16_t HalfShort __attribute__((vector_size(vector_lanes * sizeof(std::int16_t)), may_alias));

TT_EMULATOR_LANES Short short_splat(std::int32_t value) { return Short{} + static_cast<std::int16_t>(value); }

// Row k of the right operand: the upper and lower five bits of its elements.
struct RightRow {
    Short negative, exponent, nonzero;  // masks and biased exponents
    Short part[2];
};

void cut_right(const Tile& right, RightRow rows[32]) {
    for (std::uint32_t k = 0; k < 32; ++k) {
        for (std::uint32_t column = 0; column < columns; ++column) {
            const std::uint32_t value = right.u[tile_offset(k, column)];
            const std::uint32_t exponent = value >> 23 & 255u;
            const std::uint32_t fraction = exponent ? (value >> 13 & 1023u) | 1024u : 0;
            rows[k].negative[column] = static_cast<std::int16_t>(-static_cast<std::int32_t>(value >> 31));
            rows[k].exponent[column] = static_cast<std::int16_t>(exponent);
            rows[k].nonzero[column] = exponent ? -1 : 0;
            rows[k].part[0][column] = static_cast<std::int16_t>(fraction >> fpu::passes[0].a_shift & 31u);
            rows[k].part[1][column] = static_cast<std::int16_t>(fraction >> fpu::passes[1].a_shift & 31u);
        }
    }
}

// Eight products of one row of the left operand, as they are aligned in every pass: to the largest of them.
struct Group {
    Short largest;  // exponent; 0 where no product counts
    Short distance[group], negative[group];
};

TT_EMULATOR_LANES void align_group(const std::uint32_t* left, const RightRow* right, Group& result) {
    Short exponents[group];
    result.largest = Short{};
    for (std::uint32_t k = 0; k < group; ++k) {
        const auto exponent = static_cast<std::int32_t>(left[k] >> 23 & 255u);
        const Short counts = right[k].nonzero & short_splat(exponent ? -1 : 0);
        exponents[k] = (right[k].exponent + short_splat(exponent - fpu::bias)) & counts;
        result.negative[k] = right[k].negative ^ short_splat(-static_cast<std::int32_t>(left[k] >> 31));
        const Short larger = exponents[k] > result.largest;
        result.largest = (larger & exponents[k]) | (~larger & result.largest);
    }
    for (std::uint32_t k = 0; k < group; ++k) {
        const Short distance = result.largest - exponents[k];
        const Short near = distance < 14;
        result.distance[k] = (near & distance) | (~near & short_splat(14));
    }
}

// The sum of a group's products, each rounded to the 12 bits of the largest (ties up).
TT_EMULATOR_LANES Short sum_group(const std::uint32_t* left, const RightRow* right, const Group& aligned,
                                  const fpu::Pass& pass, std::uint32_t part) {
    Short sum{};
    for (std::uint32_t k = 0; k < group; ++k) {
        const std::uint32_t exponent = left[k] >> 23 & 255u;
        const std::uint32_t fraction = exponent ? (left[k] >> 13 & 1023u) | 1024u : 0;
        const auto bits = static_cast<std::int32_t>(
            (fraction >> pass.b_right & static_cast<std::uint32_t>(pass.b_mask)) << pass.b_left);
        const Short magnitude = right[k].part[part] * short_splat(bits);
        const Short halved = (((magnitude << 1) >> aligned.distance[k]) + 1) >> 1;
        sum += (halved ^ aligned.negative[k]) - aligned.negative[k];
    }
    return sum;
}

TT_EMULATOR_LANES Int widened(const Short& values, std::uint32_t half) {
    return __builtin_convertvector(reinterpret_cast<const HalfShort*>(&values)[half], Int);
}

TT_EMULATOR_LANES fpu::Term term_of(const Short& sum, const Short& largest, const fpu::Pass& pass, std::uint32_t half) {
    const Int wide_sum = widened(sum, half);
    Int exponent = widened(largest, half);
    exponent -= pass.drop;
    const Int counts = exponent > 0;
    return {as_int(as_bits(wide_sum) >> 31) & counts, exponent & counts, magnitude_of(wide_sum) << 13 & counts};
}

template <bool fp32_dest>
void multiply_row(const Tile& left, const RightRow right[32], std::uint32_t row, std::uint32_t fidelity, Tile& dst) {
    Group aligned[groups];
    const std::uint32_t* lefts[groups];
    for (std::uint32_t g = 0; g < groups; ++g) {
        lefts[g] = left.u + tile_offset(row, g * group);
        align_group(lefts[g], right + g * group, aligned[g]);
    }
    Bits out[2] = {load_bits(dst.u + tile_offset(row, 0)), load_bits(dst.u + tile_offset(row, 16))};
    // The order of the matrix unit's instructions: every pass runs over the whole tile before the next one starts.
    for (std::uint32_t number = 0; number < fidelity; ++number) {
        const fpu::Pass& pass = fpu::passes[number];
        for (std::uint32_t g = 0; g < groups; g += 2) {
            const Short first = sum_group(lefts[g], right + g * group, aligned[g], pass, number % 2);
            const Short second = sum_group(lefts[g + 1], right + (g + 1) * group, aligned[g + 1], pass, number % 2);
            for (std::uint32_t half = 0; half < 2; ++half) {
                out[half] = fpu::accumulate<fp32_dest, true>(
                    out[half], term_of(first, aligned[g].largest, pass, half),
                    term_of(second, aligned[g + 1].largest, pass, half));
            }
        }
    }
    store_bits(dst.u + tile_offset(row, 0), out[0]);
    store_bits(dst.u + tile_offset(row, 16), out[1]);
}

template <bool fp32_dest>
void multiply_exactly(const Tile& left, const Tile& right, std::uint32_t fidelity, Tile& dst) {
    RightRow rows[32];
    cut_right(right, rows);
    for (std::uint32_t row = 0; row < 32; ++row) multiply_row<fp32_dest>(left, rows, row, fidelity, dst);
}

}  // namespace

void matmul_tile_exact(const Tile& left, const Tile& right, std::uint32_t fidelity, bool fp32_dest, Tile& dst) {
    const auto multiply = fp32_dest ? multiply_exactly<true> : multiply_exactly<false>;
    multiply(left, right, fidelity, dst);
}

}  // namespace tt_emulator
