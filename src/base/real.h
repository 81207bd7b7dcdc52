/* Functions of real numbers that are the same on every host: a C library's differ in last bits. Of
 * +, -, *, / and sqrt() alone, which IEEE 754 rounds correctly; the library is compiled without
 * contraction. Within some units in the last place. */
#ifndef BASE_REAL_H
#define BASE_REAL_H

#include <stdint.h>

/* x finite, and small enough for its quarter turns to be an int. */
double cnn_real_cos(double x);
double cnn_real_sin(double x);
/* x finite and above 0. */
double cnn_real_log(double x);
/* x of -700 or more. */
double cnn_real_exp(double x);
/* base to the n-th power, by multiplications. */
double cnn_real_power(double base, uint64_t n);

#endif
