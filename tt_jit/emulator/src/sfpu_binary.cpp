// Float operations on two and three tiles.
#include "sfpu_loops.h"
#include "sfpu_special.h"

namespace tt_emulator::sfpu {
namespace {

namespace m = tt_emulator::sfpu_math;

// The vector unit's adder and multiplier take denormals for zeros; so do the comparisons, which add magnitudes.
float plus(float a, float b) { return m::flush(a) + m::flush(b); }
float minus(float a, float b) { return m::flush(a) - m::flush(b); }
float from(float a, float b) { return m::flush(b) - m::flush(a); }
float times(float a, float b) { return m::flush(a) * m::flush(b); }
float divided(float a, float b) { return m::flush(a) / m::flush(b); }
float maximum(float a, float b) { return m::ordered(a) > m::ordered(b) ? a : b; }
float minimum(float a, float b) { return m::ordered(a) < m::ordered(b) ? a : b; }
float one_if(bool condition) { return condition ? 1.0f : 0.0f; }
float equals(float a, float b) { return one_if(m::flush(a) == m::flush(b)); }
float differs(float a, float b) { return one_if(m::flush(a) != m::flush(b)); }
float below(float a, float b) { return one_if(m::flush(a) < m::flush(b)); }
float above(float a, float b) { return one_if(m::flush(a) > m::flush(b)); }
float not_above(float a, float b) { return one_if(m::flush(a) <= m::flush(b)); }
float not_below(float a, float b) { return one_if(m::flush(a) >= m::flush(b)); }

float fmod_of(float a, float b) { return b == 0.0f ? m::not_a_number : m::fmod(a, b); }
float remainder_of(float a, float b) {
    const float r = fmod_of(a, b);
    return r != 0.0f && (r < 0.0f) != (b < 0.0f) ? r + b : r;
}
float xlogy_of(float a, float b) {
    const float value = a * m::log(b);
    return b < 0.0f || m::is_nan(b) ? m::not_a_number : a == 0.0f ? 0.0f : value;
}
float logaddexp_of(float a, float b) {
    const float value = maximum(a, b) + m::log1p(m::exp(-m::absolute(a - b)));
    return a == b ? a + 0.69314718055994531f : value;
}
float logaddexp2_of(float a, float b) {
    const float value = maximum(a, b) + m::log1p(m::exp2(-m::absolute(a - b))) * 1.44269504088896341f;
    return a == b ? a + 1.0f : value;
}
float close_by_tolerance(float a, float b, float relative, float absolute) {
    return one_if(m::absolute(a - b) <= absolute + relative * m::absolute(b) && m::absolute(b) < m::infinity);
}
float isclose_of(float a, float b, float relative, float absolute) {
    return a == b ? 1.0f : close_by_tolerance(a, b, relative, absolute);
}
float isclose_equal_nan(float a, float b, float relative, float absolute) {
    return m::is_nan(a) && m::is_nan(b) ? 1.0f : isclose_of(a, b, relative, absolute);
}

// One step of `unit` bits towards b.
template <std::uint32_t unit>
float next_after(float a, float b) {
    const std::uint32_t bits = m::bits_of(a);
    const bool away = (b > a) == (a > 0.0f);
    const float stepped = m::float_of(away ? bits + unit : bits - unit);
    const float from_zero = m::copy_sign(m::float_of(unit), b);
    const float moved = a == 0.0f ? from_zero : stepped;
    return m::is_nan(a) || m::is_nan(b) ? m::not_a_number : a == b ? b : moved;
}

// The second operand is exp(-x), which the kernel has computed.
float logsigmoid_of(float x, float exp_of_negated) {
    const float inner = -m::log1p(m::exp(-x));
    return x > 4.0f ? -exp_of_negated : x > -4.0f ? inner : x;
}
float lgamma_with_log(float x, float) { return m::lgamma(x < 0.5f ? 1.0f - x : x); }

float addcmul_of(float a, float b, float c, float value) { return a + value * b * c; }
float addcdiv_of(float a, float b, float c, float value) { return a + value * b / c; }
float lerp_of(float a, float b, float weight, float) { return a + weight * (b - a); }
float mac_of(float a, float b, float c, float) { return m::fma(a, b, c); }
float snake_beta_of(float x, float alpha, float beta, float) {
    const float sine = m::sin(alpha * x);
    return x + sine * sine / beta;
}
float lgamma_reflected(float stirling, float log_sine, float x, float) {
    const float reflected = 1.1447298858494002f - log_sine - stirling;
    return m::absolute(x) == m::infinity ? m::infinity : x < 0.5f ? reflected : stirling;
}

void select_lanes(const Tile& condition, const Tile& yes, const Tile& no, Tile& out, const SfpuParameters&) {
    TT_EMULATOR_LANES_APART
    for (std::uint32_t i = 0; i < tile_elements; ++i) out.u[i] = condition.u[i] != 0 ? yes.u[i] : no.u[i];
}

constexpr LaneStore exact = LaneStore::exact, nearest = LaneStore::nearest, truncate = LaneStore::truncate;

}  // namespace

#define INIT(name) SfpuInit::name
const BinaryOperation add_binary{INIT(add_binary_tile_init), truncate, pairs<plus>};
const BinaryOperation add_binary_nearest{INIT(add_binary_tile_init), nearest, pairs<plus>};
const BinaryOperation atan2_binary{INIT(atan2_binary_tile_init), nearest, pairs<m::atan2>};
const BinaryOperation div_binary{INIT(div_binary_tile_init), nearest, pairs<divided>};
const BinaryOperation eq_binary{INIT(eq_binary_tile_init), exact, pairs<equals>};
const BinaryOperation fmod_binary{INIT(fmod_binary_tile_init), nearest, pairs<fmod_of>};
const BinaryOperation ge_binary{INIT(ge_binary_tile_init), exact, pairs<not_below>};
const BinaryOperation gt_binary{INIT(gt_binary_tile_init), exact, pairs<above>};
const BinaryOperation isclose_binary{INIT(isclose_binary_tile_init), exact, pairs_2<isclose_of>};
const BinaryOperation isclose_binary_equal_nan{INIT(isclose_binary_tile_init), exact, pairs_2<isclose_equal_nan>};
const BinaryOperation le_binary{INIT(le_binary_tile_init), exact, pairs<not_above>};
const BinaryOperation lgamma_stirling_float{INIT(lgamma_stirling_float_tile_init), truncate, pairs<lgamma_with_log>};
const BinaryOperation logaddexp2_binary{INIT(logaddexp2_binary_tile_init), nearest, pairs<logaddexp2_of>};
const BinaryOperation logaddexp_binary{INIT(logaddexp_binary_tile_init), nearest, pairs<logaddexp_of>};
const BinaryOperation logsigmoid{INIT(logsigmoid_tile_init), truncate, pairs<logsigmoid_of>};
const BinaryOperation lt_binary{INIT(lt_binary_tile_init), exact, pairs<below>};
const BinaryOperation binary_max{INIT(binary_max_tile_init), exact, pairs<maximum>};
const BinaryOperation binary_min{INIT(binary_min_tile_init), exact, pairs<minimum>};
const BinaryOperation mul_binary{INIT(mul_binary_tile_init), nearest, pairs<times>};
const BinaryOperation ne_binary{INIT(ne_binary_tile_init), exact, pairs<differs>};
const BinaryOperation nextafter_bf16_binary{INIT(nextafter_bf16_binary_tile_init), truncate,
    pairs<next_after<0x10000>>};
const BinaryOperation nextafter_binary{INIT(nextafter_binary_tile_init), truncate, pairs<next_after<1>>};
const BinaryOperation power_binary{INIT(power_binary_tile_init), nearest, pairs<m::pow>};
const BinaryOperation remainder_binary{INIT(remainder_binary_tile_init), nearest, pairs<remainder_of>};
const BinaryOperation rsub_binary{INIT(rsub_binary_tile_init), truncate, pairs<from>};
const BinaryOperation rsub_binary_nearest{INIT(rsub_binary_tile_init), nearest, pairs<from>};
const BinaryOperation sub_binary{INIT(sub_binary_tile_init), truncate, pairs<minus>};
const BinaryOperation sub_binary_nearest{INIT(sub_binary_tile_init), nearest, pairs<minus>};
const BinaryOperation xlogy_binary{INIT(xlogy_binary_tile_init), truncate, pairs<xlogy_of>};

const TernaryOperation addcdiv{INIT(addcdiv_tile_init), nearest, triples<addcdiv_of>};
const TernaryOperation addcmul{INIT(addcmul_tile_init), nearest, triples<addcmul_of>};
const TernaryOperation lerp{INIT(lerp_tile_init), nearest, triples<lerp_of>};
const TernaryOperation lgamma_adjusted{INIT(lgamma_adjusted_tile_init), nearest, triples<lgamma_reflected>};
const TernaryOperation mac{INIT(mac_tile_init), nearest, triples<mac_of>};
const TernaryOperation snake_beta{INIT(snake_beta_tile_init), nearest, triples<snake_beta_of>};
const TernaryOperation where{INIT(where_tile_init), exact, select_lanes};
const TernaryOperation where_int32{INIT(where_tile_init), LaneStore::int32, select_lanes};
#undef INIT

}  // namespace tt_emulator::sfpu
