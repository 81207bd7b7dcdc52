/* The functions of exact.cl on arrays (16 n or n values), and what compilers may contract. With WIDE they take
 * vectors. */
#ifdef WIDE
#define REAL float16
#define WHOLE int16
#define AS_REAL as_float16
#define AS_WHOLE as_int16
#define TO_REAL convert_float16
#define TO_WHOLE convert_int16
#define LOAD(x) vload16(i, x)
#define STORE(value, x) vstore16(value, i, x)
#else
#define LOAD(x) ((x)[i])
#define STORE(value, x) (x)[i] = (value)
#endif
#include "exact.cl"

#define CASE(number, value) \
    case number: \
        STORE(value, y); \
        break;

kernel void apply(global float *y, const global float *a, const global float *b, const global float *c, int function)
{
    const size_t i = get_global_id(0);
    switch (function) {
        CASE(0, quotient(LOAD(a), LOAD(b)))
        CASE(1, square_root(LOAD(a)))
        CASE(2, of_255(LOAD(a)))
        CASE(3, exponential(LOAD(a)))
        CASE(4, logarithm(LOAD(a)))
        CASE(5, hyperbolic_tangent(LOAD(a)))
        CASE(6, error_function(LOAD(a)))
        CASE(7, LOAD(a) * LOAD(b) + LOAD(c))
        CASE(8, fma(LOAD(a), LOAD(b), LOAD(c)))
        CASE(9, LOAD(a) + LOAD(b))
        CASE(10, LOAD(a) * LOAD(b))
    }
}

/* A product and a sum of several statements, and through memory of the work-item's own. */
kernel void contract(global float *y, const global float *a, const global float *b, const global float *c, int count)
{
    const size_t i = get_global_id(0);
    float sum = c[i], terms[4];
    for (int k = 0; k < 4; ++k)
        terms[k] = a[i] * b[i];
    for (int k = 0; k < count; ++k)
        sum += terms[k];
    y[i] = sum - a[i] * c[i];
}
