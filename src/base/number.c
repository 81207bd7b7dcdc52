#include "base/number.h"

#include <math.h>
#include <stdio.h>

#include "base/plain.h"
#include "base/status.h"
#include "base/text.h"

static bool is_in(const cnn_range *range, double value)
{
    return isfinite(value) && (value > range->low || (range->has_low && value == range->low)) &&
           value < range->high;
}

bool cnn_fits_float(double value)
{
    return isfinite((float)value) && ((float)value != 0.0f || value == 0.0);
}

static cnn_status check(const cnn_range *range, double value, const char *option, const char *found)
{
    double rounded = (double)(float)value;
    if (!is_in(range, value))
        return cnn_fail(CNN_ERROR_ARGUMENT, "--%s: expected %s, found %s", option, range->expected,
                        found);
    if (!is_in(range, rounded) || !cnn_fits_float(value))
        return cnn_fail(CNN_ERROR_ARGUMENT, "--%s: expected %s, found %s, which is %g in float32",
                        option, range->expected, found, rounded);
    return CNN_OK;
}

cnn_status cnn_check_number(const cnn_range *range, double value, const char *option)
{
    char found[32];
    cnn_format(found, sizeof found, "%.9g", value);
    return check(range, value, option, found);
}

cnn_status cnn_take_number(double *value, const cnn_range *range, const char *text,
                           const char *option)
{
    char found[CNN_QUOTE_SIZE], quoted[CNN_QUOTE_SIZE + 2];
    double number;
    snprintf(quoted, sizeof quoted, "'%s'", cnn_quote(found, text));
    const char *digits = text[0] == '+' && text[1] != '-' ? text + 1 : text;
    if (!cnn_parse_double(&number, digits))
        number = NAN;
    cnn_status status = check(range, number, option, quoted);
    if (status == CNN_OK)
        *value = number;
    return status;
}
