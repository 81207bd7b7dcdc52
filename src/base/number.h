/* Options that are real numbers: which values they may have. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>

#include <cnncl/error.h>

/* From low, itself in only where has_low says so, to below high, which may be INFINITY. */
typedef struct cnn_range {
    double low, high;
    bool has_low;
    const char *expected; /* "a number in [0, 1)" */
} cnn_range;

/* Is it the same kind of number in float32, in which devices compute: finite, and 0 only where it
 * is 0 itself? */
bool cnn_fits_float(double value);
/* Devices compute in float32. A value is refused by its double, and by its float32: one that is not
 * zero must not become zero there, nor infinite, nor leave the range. Errors: ARGUMENT, naming the
 * option, what was expected and found. */
cnn_status cnn_check_number(const cnn_range *range, double value, const char *option);
/* The same of a text, which must be a number and nothing else; *value is then set. */
cnn_status cnn_take_number(double *value, const cnn_range *range, const char *text,
                           const char *option);

#endif
