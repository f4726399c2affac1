// Functions without a vector form here: one lane at a time, in double.
#pragma once

namespace tt_emulator::sfpu_math {

float acos(float x);
float acosh(float x);
float asin(float x);
float asinh(float x);
float atan(float x);
float atan2(float y, float x);
float atanh(float x);
float cbrt(float x);
float cosh(float x);
float digamma(float x);
float erfc(float x);
float erfinv(float x);
float fmod(float x, float y);
float i0(float x);
float i1(float x);
float lgamma(float x);
float polygamma(float x, float order, float scale);
float sinh(float x);

}  // namespace tt_emulator::sfpu_math
