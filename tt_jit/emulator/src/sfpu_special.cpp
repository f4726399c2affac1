#include "sfpu_special.h"

#include <cmath>
#include <limits>

namespace tt_emulator::sfpu_math {
namespace {

constexpr double pi = 3.14159265358979323846;

// Modified Bessel functions of the first kind: the power series, or for large arguments the asymptotic one.
double bessel_i(int order, double x) {
    const double magnitude = std::fabs(x);
    if (magnitude > 25.0) {
        const double mu = 4.0 * order * order;
        double term = 1.0, sum = 1.0;
        for (int k = 1; k < 12; ++k) {
            term *= -(mu - (2.0 * k - 1) * (2.0 * k - 1)) / (k * 8.0 * magnitude);
            sum += term;
        }
        const double value = std::exp(magnitude) / std::sqrt(2.0 * pi * magnitude) * sum;
        return order == 1 && x < 0 ? -value : value;
    }
    const double quarter = x * x / 4.0;
    double term = order == 0 ? 1.0 : x / 2.0, sum = term;
    for (int k = 1; k < 80; ++k) {
        term *= quarter / (static_cast<double>(k) * (k + order));
        sum += term;
    }
    return sum;
}

}  // namespace

float acos(float x) { return static_cast<float>(std::acos(static_cast<double>(x))); }
float acosh(float x) { return static_cast<float>(std::acosh(static_cast<double>(x))); }
float asin(float x) { return static_cast<float>(std::asin(static_cast<double>(x))); }
float asinh(float x) { return static_cast<float>(std::asinh(static_cast<double>(x))); }
float atan(float x) { return static_cast<float>(std::atan(static_cast<double>(x))); }
float atan2(float y, float x) { return static_cast<float>(std::atan2(static_cast<double>(y), static_cast<double>(x))); }
float atanh(float x) { return static_cast<float>(std::atanh(static_cast<double>(x))); }
float cbrt(float x) { return static_cast<float>(std::cbrt(static_cast<double>(x))); }
float cosh(float x) { return static_cast<float>(std::cosh(static_cast<double>(x))); }
float erfc(float x) { return static_cast<float>(std::erfc(static_cast<double>(x))); }
float fmod(float x, float y) { return std::fmod(x, y); }
float i0(float x) { return static_cast<float>(bessel_i(0, static_cast<double>(x))); }
float i1(float x) { return static_cast<float>(bessel_i(1, static_cast<double>(x))); }
float lgamma(float x) { return static_cast<float>(std::lgamma(static_cast<double>(x))); }
float sinh(float x) { return static_cast<float>(std::sinh(static_cast<double>(x))); }

// Recurrence up to 10, then the asymptotic series; reflection below zero.
float digamma(float x) {
    double z = static_cast<double>(x), sum = 0.0;
    if (z <= 0.0 && z == std::floor(z)) return std::numeric_limits<float>::quiet_NaN();
    if (z < 0.0) {
        sum = -pi / std::tan(pi * z);
        z = 1.0 - z;
    }
    for (; z < 10.0; z += 1.0) sum -= 1.0 / z;
    const double s = 1.0 / (z * z);
    sum += std::log(z) - 0.5 / z - s * (1.0 / 12 - s * (1.0 / 120 - s * (1.0 / 252 - s * (1.0 / 240 - s / 132))));
    return static_cast<float>(sum);
}

// Winitzki's approximation, then Newton's method on erf.
float erfinv(float x) {
    const double y = static_cast<double>(x);
    if (!(y > -1.0 && y < 1.0)) {
        const float edge = static_cast<float>(y) * std::numeric_limits<float>::infinity();
        return y == 1.0 || y == -1.0 ? edge : std::numeric_limits<float>::quiet_NaN();
    }
    if (y == 0.0) return x;
    const double logarithm = std::log1p(-y * y), a = 2.0 / (pi * 0.147) + logarithm / 2.0;
    double guess = std::copysign(std::sqrt(std::sqrt(a * a - logarithm / 0.147) - a), y);
    for (int step = 0; step < 4; ++step) {
        const double error = y >= 0.5    ? (1.0 - y) - std::erfc(guess)
                             : y <= -0.5 ? (1.0 + y) - std::erfc(-guess)
                                         : y - std::erf(guess);
        guess += (y >= 0.5 ? -error : error) * std::exp(guess * guess) * std::sqrt(pi) / 2.0;
    }
    return static_cast<float>(guess);
}

// `scale` carries the sign and the factorial: the sum of scale / (x + k)^(order + 1).
float polygamma(float x, float order, float scale) {
    const double n = static_cast<double>(order), factor = static_cast<double>(scale);
    double z = static_cast<double>(x), sum = 0.0;
    for (; z < 20.0; z += 1.0) sum += std::pow(z, -n - 1.0);
    const double s = 1.0 / (z * z);
    const double series = 1.0 / n + 0.5 / z + s * ((n + 1) / 12 - s * ((n + 1) * (n + 2) * (n + 3) / 720 -
                          s * (n + 1) * (n + 2) * (n + 3) * (n + 4) * (n + 5) / 30240));
    return static_cast<float>(factor * (sum + std::pow(z, -n) * series));
}

}  // namespace tt_emulator::sfpu_math
