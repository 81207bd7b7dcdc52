/* How far right sums of floats may be apart. */
#ifndef BASE_ROUNDING_H
#define BASE_ROUNDING_H

#include <math.h>

/* The relative error that rounding may leave of a sum of `length` additions one after the other, of
 * values without a common sign, in the norm of a tensor of such sums: c u sqrt(length), u being
 * half of a float's last place (N. J. Higham and T. Mary, "Sharper probabilistic backward error
 * analysis for basic linear algebra kernels with random data", SIAM J. Sci. Comput. 42, 2020,
 * theorem 2.4). The length of a sum of sums, as of blocks, is that of both (Higham, "Accuracy and
 * Stability of Numerical Algorithms", 2002, section 4.2). Errors that are measured are a tenth of
 * that. */
static inline double cnn_rounding(double length)
{
    static const double factor = 4.0, unit = 0x1p-24;
    return factor * unit * sqrt(length);
}

#endif
