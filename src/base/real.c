#include "base/real.h"

#include <math.h>

/* pi / 2 and log 2, each with what its double leaves out; products of the first part, of 33 and 32
 * bits, with small integers are exact. */
static const double half_pi_high = 1.57079632673412561417e+00,
                    half_pi_low = 6.07710050650619224932e-11;
static const double log2_high = 6.93147180369123816490e-01, log2_low = 1.90821492927058770002e-10;

/* Taylor's series of sine (first 1) or cosine (first 0) for |x| of at most pi / 4. */
static double series(double x, int first)
{
    enum { LAST = 21 };
    double term = first == 1 ? x : 1.0, sum = term, square = x * x;
    for (int n = first + 2; n <= LAST; n += 2) {
        term = -term * square / ((double)n * (n - 1));
        sum += term;
    }
    return sum;
}

/* cos(x - turns * pi / 2) */
static double turned(double x, int turns)
{
    double quarter = floor(x / (half_pi_high + half_pi_low) + 0.5);
    double rest = x - quarter * half_pi_high - quarter * half_pi_low;
    int place = (int)fmod(quarter - turns, 4.0);
    switch (place < 0 ? place + 4 : place) {
    case 0:
        return series(rest, 0);
    case 1:
        return -series(rest, 1);
    case 2:
        return -series(rest, 0);
    default:
        return series(rest, 1);
    }
}

double cnn_real_cos(double x)
{
    return turned(x, 0);
}

double cnn_real_sin(double x)
{
    return turned(x, 1);
}

/* 2 artanh((m - 1) / (m + 1)), m about 1, and the exponent's share. */
double cnn_real_log(double x)
{
    static const double root_of_half = 0.70710678118654752440;
    enum { LAST = 25 };
    int exponent;
    double m = frexp(x, &exponent);
    if (m < root_of_half) {
        m *= 2.0;
        exponent--;
    }
    double s = (m - 1.0) / (m + 1.0), square = s * s, sum = 0.0;
    for (int n = LAST; n >= 3; n -= 2)
        sum = (sum + 1.0 / n) * square;
    return exponent * log2_high + (2.0 * s + (2.0 * s * sum + exponent * log2_low));
}

double cnn_real_exp(double x)
{
    enum { LAST = 16 };
    if (x > 710.0)
        return INFINITY;
    double n = floor(x / (log2_high + log2_low) + 0.5);
    double rest = x - n * log2_high - n * log2_low, sum = 1.0;
    for (int i = LAST; i >= 1; i--)
        sum = 1.0 + sum * rest / i;
    return ldexp(sum, (int)n);
}

double cnn_real_power(double base, uint64_t n)
{
    double power = 1.0, square = base;
    for (; n > 0; n >>= 1) {
        if (n & 1)
            power *= square;
        square *= square;
    }
    return power;
}
