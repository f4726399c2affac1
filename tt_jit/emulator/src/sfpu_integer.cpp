// Integer operations. Lanes hold two's complement; 16-bit results are cut by the store.
#include <cstdlib>
#include <limits>
#include <numeric>

#include "sfpu_loops.h"

namespace tt_emulator::sfpu {
namespace {

using Int = std::int32_t;
using Unsigned = std::uint32_t;

constexpr Int smallest = std::numeric_limits<Int>::min();

Int wrap(Unsigned value) { return static_cast<Int>(value); }
Unsigned bits(Int value) { return static_cast<Unsigned>(value); }

Int negated(Int x) { return wrap(0u - bits(x)); }
Int absolute(Int x) { return x < 0 ? negated(x) : x; }
Int same(Int x) { return x; }
Int complement(Int x) { return ~x; }
Int signbit_of(Int x) { return x < 0; }
Int is_zero(Int x) { return x == 0; }
Int is_not_zero(Int x) { return x != 0; }
Int is_positive(Int x) { return x > 0; }
Int is_not_negative(Int x) { return x >= 0; }
Int is_negative(Int x) { return x < 0; }
Int is_not_positive(Int x) { return x <= 0; }
Int relu_of(Int x) { return x < 0 ? 0 : x; }

Int plus(Int a, Int b) { return wrap(bits(a) + bits(b)); }
Int minus(Int a, Int b) { return wrap(bits(a) - bits(b)); }
Int from(Int a, Int b) { return wrap(bits(b) - bits(a)); }
Int times(Int a, Int b) { return wrap(bits(a) * bits(b)); }
Int both(Int a, Int b) { return a & b; }
Int either(Int a, Int b) { return a | b; }
Int exclusive(Int a, Int b) { return a ^ b; }
Int filled(Int, Int value) { return value; }
Int equals(Int a, Int b) { return a == b; }
Int differs(Int a, Int b) { return a != b; }
Int below(Int a, Int b) { return a < b; }
Int above(Int a, Int b) { return a > b; }
Int not_above(Int a, Int b) { return a <= b; }
Int not_below(Int a, Int b) { return a >= b; }
Int below_unsigned(Int a, Int b) { return bits(a) < bits(b); }
Int above_unsigned(Int a, Int b) { return bits(a) > bits(b); }
Int not_above_unsigned(Int a, Int b) { return bits(a) <= bits(b); }
Int not_below_unsigned(Int a, Int b) { return bits(a) >= bits(b); }
Int maximum(Int a, Int b) { return a > b ? a : b; }
Int minimum(Int a, Int b) { return a < b ? a : b; }
Int maximum_unsigned(Int a, Int b) { return bits(a) > bits(b) ? a : b; }
Int minimum_unsigned(Int a, Int b) { return bits(a) < bits(b) ? a : b; }
Int limited(Int x, Int low, Int high) { return x < low ? low : x > high ? high : x; }
Int at_most_and_positive(Int x, Int limit) { return limited(x, 0, limit); }

// Amounts of 32 and more: a left shift gives zero, right shifts by a constant move by 31.
Int shift_left(Int x, Int n) { return bits(n) >= 32u ? 0 : wrap(bits(x) << (n & 31)); }
Int shift_right_constant(Int x, Int n) { return x >> (bits(n) >= 32u ? 31 : n); }
Int shift_right_constant_unsigned(Int x, Int n) { return wrap(bits(x) >> (bits(n) >= 32u ? 31 : n)); }
Int shift_right(Int x, Int n) { return bits(n) >= 32u ? 0 : x >> (n & 31); }
Int shift_right_logical(Int x, Int n) { return bits(n) >= 32u ? 0 : wrap(bits(x) >> (n & 31)); }

// Division by zero has no defined result on the chip; here it is zero.
Int divided_trunc(Int a, Int b) { return b == 0 ? 0 : b == -1 ? negated(a) : a / b; }
Int rest_trunc(Int a, Int b) { return b == 0 || b == -1 ? 0 : a % b; }
Int divided_floor(Int a, Int b) {
    const Int rest = rest_trunc(a, b);
    return divided_trunc(a, b) - (rest != 0 && (rest < 0) != (b < 0) ? 1 : 0);
}
Int rest_floor(Int a, Int b) {
    const Int rest = rest_trunc(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
Int rest_unsigned(Int a, Int b) { return b == 0 ? 0 : wrap(bits(a) % bits(b)); }
Int greatest_divisor(Int a, Int b) {
    return a == smallest || b == smallest ? 0 : std::gcd(a, b);
}
Int least_multiple(Int a, Int b) {
    const Int divisor = greatest_divisor(a, b);
    return divisor == 0 ? 0 : times(absolute(a) / divisor, absolute(b));
}

// The quotient is a float.
void divide_as_float(const Tile& a, const Tile& b, Tile& out, std::uint32_t begin, std::uint32_t count,
                     const SfpuParameters&) {
    for (std::uint32_t i = begin; i < begin + count; ++i) {
        const Int left = a.i[i], right = b.i[i];
        const float quotient = static_cast<float>(left) / static_cast<float>(right);
        out.f[i] = left == right && left != 0 ? 1.0f : quotient;
    }
}

constexpr LaneStore int32 = LaneStore::int32, uint16 = LaneStore::uint16;

}  // namespace

#define INIT(name) SfpuInit::name
const UnaryOperation abs_int32{INIT(abs_tile_init), int32, integers<absolute>};
const UnaryOperation add_unary_int32{INIT(binop_with_scalar_tile_init), int32, integers_1<plus>};
const UnaryOperation bitwise_and_int32{INIT(bitwise_and_tile_init), int32, integers_1<both>};
const UnaryOperation bitwise_and_uint16{INIT(bitwise_and_tile_init), uint16, integers_1<both>};
const UnaryOperation bitwise_not{INIT(bitwise_not_tile_init), int32, integers<complement>};
const UnaryOperation bitwise_or_int32{INIT(bitwise_or_tile_init), int32, integers_1<either>};
const UnaryOperation bitwise_or_uint16{INIT(bitwise_or_tile_init), uint16, integers_1<either>};
const UnaryOperation bitwise_xor_int32{INIT(bitwise_xor_tile_init), int32, integers_1<exclusive>};
const UnaryOperation bitwise_xor_uint16{INIT(bitwise_xor_tile_init), uint16, integers_1<exclusive>};
const UnaryOperation clamp_int32{INIT(clamp_tile_init), int32, integers_2<limited>};
const UnaryOperation eqz_int32{INIT(eqz_tile_init), int32, integers<is_zero>};
const UnaryOperation eqz_uint16{INIT(eqz_tile_init), uint16, integers<is_zero>};
const UnaryOperation fill_bits{INIT(fill_tile_init), LaneStore::truncate, integers_1<filled>};
const UnaryOperation fill_int32{INIT(fill_tile_init), int32, integers_1<filled>};
const UnaryOperation fill_uint16{INIT(fill_tile_init), uint16, integers_1<filled>};
const UnaryOperation gez_int32{INIT(gez_tile_init), int32, integers<is_not_negative>};
const UnaryOperation gtz_int32{INIT(gtz_tile_init), int32, integers<is_positive>};
const UnaryOperation identity_uint32{INIT(identity_tile_init), int32, integers<same>};
const UnaryOperation left_shift_int32{INIT(left_shift_tile_init), int32, integers_1<shift_left>};
const UnaryOperation left_shift_uint16{INIT(left_shift_tile_init), uint16, integers_1<shift_left>};
const UnaryOperation lez_int32{INIT(lez_tile_init), int32, integers<is_not_positive>};
const UnaryOperation logical_not_int32{INIT(logical_not_tile_init), int32, integers<is_zero>};
const UnaryOperation logical_not_uint16{INIT(logical_not_tile_init), uint16, integers<is_zero>};
const UnaryOperation ltz_int32{INIT(ltz_tile_init), int32, integers<is_negative>};
const UnaryOperation negative_int32{INIT(negative_tile_init), int32, integers<negated>};
const UnaryOperation nez_int32{INIT(nez_tile_init), int32, integers<is_not_zero>};
const UnaryOperation nez_uint16{INIT(nez_tile_init), uint16, integers<is_not_zero>};
const UnaryOperation relu_int32{INIT(relu_tile_init), int32, integers<relu_of>};
const UnaryOperation relu_max_int32{INIT(relu_max_tile_init), int32, integers_1<at_most_and_positive>};
const UnaryOperation relu_max_uint16{INIT(relu_max_tile_init), uint16, integers_1<minimum_unsigned>};
const UnaryOperation relu_max_uint32{INIT(relu_max_tile_init), int32, integers_1<minimum_unsigned>};
const UnaryOperation relu_min_int32{INIT(relu_min_tile_init), int32, integers_1<maximum>};
const UnaryOperation relu_min_uint16{INIT(relu_min_tile_init), uint16, integers_1<maximum_unsigned>};
const UnaryOperation relu_min_uint32{INIT(relu_min_tile_init), int32, integers_1<maximum_unsigned>};
const UnaryOperation remainder_unary_uint32{INIT(remainder_tile_uint32_init), int32, integers_1<rest_unsigned>};
const UnaryOperation right_shift_int32{INIT(right_shift_tile_init), int32, integers_1<shift_right_constant>};
const UnaryOperation right_shift_uint16{INIT(right_shift_tile_init), uint16, integers_1<shift_right_constant_unsigned>};
const UnaryOperation right_shift_uint32{INIT(right_shift_tile_init), int32, integers_1<shift_right_constant_unsigned>};
const UnaryOperation rsub_unary_int32{INIT(rsub_unary_int32_tile_init), int32, integers_1<from>};
const UnaryOperation signbit_int32{INIT(signbit_tile_int32_init), int32, integers<signbit_of>};
const UnaryOperation sub_unary_int32{INIT(binop_with_scalar_tile_init), int32, integers_1<minus>};
const UnaryOperation unary_eq_int32{INIT(unary_eq_tile_init), int32, integers_1<equals>};
const UnaryOperation unary_ge_int32{INIT(unary_ge_tile_init), int32, integers_1<not_below>};
const UnaryOperation unary_gt_int32{INIT(unary_gt_tile_init), int32, integers_1<above>};
const UnaryOperation unary_le_int32{INIT(unary_le_tile_init), int32, integers_1<not_above>};
const UnaryOperation unary_lt_int32{INIT(unary_lt_tile_init), int32, integers_1<below>};
const UnaryOperation unary_max_int32{INIT(unary_max_int32_tile_init), int32, integers_1<maximum>};
const UnaryOperation unary_max_uint32{INIT(unary_max_uint32_tile_init), int32, integers_1<maximum_unsigned>};
const UnaryOperation unary_min_int32{INIT(unary_min_int32_tile_init), int32, integers_1<minimum>};
const UnaryOperation unary_min_uint32{INIT(unary_min_uint32_tile_init), int32, integers_1<minimum_unsigned>};
const UnaryOperation unary_ne_int32{INIT(unary_ne_tile_init), int32, integers_1<differs>};

const BinaryOperation add_int32{INIT(add_int_tile_init), int32, integer_pairs<plus>};
const BinaryOperation add_uint16{INIT(add_int_tile_init), uint16, integer_pairs<plus>};
const BinaryOperation binary_left_shift_int32{INIT(binary_shift_tile_init), int32, integer_pairs<shift_left>};
const BinaryOperation binary_left_shift_uint16{INIT(binary_shift_tile_init), uint16, integer_pairs<shift_left>};
const BinaryOperation binary_logical_right_shift_int32{INIT(binary_shift_tile_init), int32,
    integer_pairs<shift_right_logical>};
const BinaryOperation binary_logical_right_shift_uint16{INIT(binary_shift_tile_init), uint16,
    integer_pairs<shift_right_logical>};
const BinaryOperation binary_max_int32{INIT(binary_max_int32_tile_init), int32, integer_pairs<maximum>};
const BinaryOperation binary_max_uint32{INIT(binary_max_uint32_tile_init), int32, integer_pairs<maximum_unsigned>};
const BinaryOperation binary_min_int32{INIT(binary_min_int32_tile_init), int32, integer_pairs<minimum>};
const BinaryOperation binary_min_uint32{INIT(binary_min_uint32_tile_init), int32, integer_pairs<minimum_unsigned>};
const BinaryOperation binary_right_shift_int32{INIT(binary_shift_tile_init), int32, integer_pairs<shift_right>};
const BinaryOperation binary_right_shift_uint16{INIT(binary_shift_tile_init), uint16,
    integer_pairs<shift_right_logical>};
const BinaryOperation binary_right_shift_uint32{INIT(binary_shift_tile_init), int32,
    integer_pairs<shift_right_constant_unsigned>};
const BinaryOperation bitwise_and_binary_int32{INIT(binary_bitwise_tile_init), int32, integer_pairs<both>};
const BinaryOperation bitwise_and_binary_uint16{INIT(binary_bitwise_tile_init), uint16, integer_pairs<both>};
const BinaryOperation bitwise_or_binary_int32{INIT(binary_bitwise_tile_init), int32, integer_pairs<either>};
const BinaryOperation bitwise_or_binary_uint16{INIT(binary_bitwise_tile_init), uint16, integer_pairs<either>};
const BinaryOperation bitwise_xor_binary_int32{INIT(binary_bitwise_tile_init), int32, integer_pairs<exclusive>};
const BinaryOperation bitwise_xor_binary_uint16{INIT(binary_bitwise_tile_init), uint16, integer_pairs<exclusive>};
const BinaryOperation div_int32{INIT(div_int32_tile_init), int32, divide_as_float};
const BinaryOperation div_int32_floor{INIT(div_int32_floor_tile_init), int32, integer_pairs<divided_floor>};
const BinaryOperation div_int32_trunc{INIT(div_int32_trunc_tile_init), int32, integer_pairs<divided_trunc>};
const BinaryOperation eq_int32{INIT(eq_int_tile_init), int32, integer_pairs<equals>};
const BinaryOperation eq_uint16{INIT(eq_int_tile_init), uint16, integer_pairs<equals>};
const BinaryOperation fmod_int32{INIT(fmod_int32_tile_init), int32, integer_pairs<rest_trunc>};
const BinaryOperation gcd{INIT(gcd_tile_init), int32, integer_pairs<greatest_divisor>};
const BinaryOperation ge_int32{INIT(ge_int_tile_init), int32, integer_pairs<not_below>};
const BinaryOperation ge_uint32{INIT(ge_int_tile_init), int32, integer_pairs<not_below_unsigned>};
const BinaryOperation ge_uint16{INIT(ge_int_tile_init), uint16, integer_pairs<not_below_unsigned>};
const BinaryOperation gt_int32{INIT(gt_int_tile_init), int32, integer_pairs<above>};
const BinaryOperation gt_uint32{INIT(gt_int_tile_init), int32, integer_pairs<above_unsigned>};
const BinaryOperation gt_uint16{INIT(gt_int_tile_init), uint16, integer_pairs<above_unsigned>};
const BinaryOperation lcm{INIT(lcm_tile_init), int32, integer_pairs<least_multiple>};
const BinaryOperation le_int32{INIT(le_int_tile_init), int32, integer_pairs<not_above>};
const BinaryOperation le_uint32{INIT(le_int_tile_init), int32, integer_pairs<not_above_unsigned>};
const BinaryOperation le_uint16{INIT(le_int_tile_init), uint16, integer_pairs<not_above_unsigned>};
const BinaryOperation lt_int32{INIT(lt_int_tile_init), int32, integer_pairs<below>};
const BinaryOperation lt_uint32{INIT(lt_int_tile_init), int32, integer_pairs<below_unsigned>};
const BinaryOperation lt_uint16{INIT(lt_int_tile_init), uint16, integer_pairs<below_unsigned>};
const BinaryOperation mul_int32{INIT(mul_int_tile_init), int32, integer_pairs<times>};
const BinaryOperation mul_uint16{INIT(mul_int_tile_init), uint16, integer_pairs<times>};
const BinaryOperation ne_int32{INIT(ne_int_tile_init), int32, integer_pairs<differs>};
const BinaryOperation ne_uint16{INIT(ne_int_tile_init), uint16, integer_pairs<differs>};
const BinaryOperation remainder_int32{INIT(remainder_int32_tile_init), int32, integer_pairs<rest_floor>};
const BinaryOperation remainder_uint32{INIT(remainder_uint32_tile_init), int32, integer_pairs<rest_unsigned>};
const BinaryOperation rsub_int32{INIT(rsub_int_tile_init), int32, integer_pairs<from>};
const BinaryOperation rsub_uint16{INIT(rsub_int_tile_init), uint16, integer_pairs<from>};
const BinaryOperation sub_int32{INIT(sub_int_tile_init), int32, integer_pairs<minus>};
const BinaryOperation sub_uint16{INIT(sub_int_tile_init), uint16, integer_pairs<minus>};
#undef INIT

}  // namespace tt_emulator::sfpu
