/* Work value by value in vectors on a CPU, and one by one on a GPU. `values` is the type: operators
 * and the ternary operator take both, so that a function is written once. */
#ifndef CNN_CPU
#error "CNN_CPU must be given"
#endif

#if CNN_CPU
#define LANES 16
typedef float16 values;

/* Vector i of x (count); zeros beyond the last value. */
static values load_values(const global float *x, size_t i, size_t count)
{
    const size_t first = i * LANES;
    if (first + LANES <= count)
        return vload16(0, x + first);
    float rest[LANES];
    for (size_t lane = 0; lane < LANES; ++lane)
        rest[lane] = first + lane < count ? x[first + lane] : 0.0f;
    return vload16(0, rest);
}

static void store_values(values vector, global float *x, size_t i, size_t count)
{
    const size_t first = i * LANES;
    if (first + LANES <= count) {
        vstore16(vector, 0, x + first);
        return;
    }
    float rest[LANES];
    vstore16(vector, 0, rest);
    for (size_t lane = 0; first + lane < count; ++lane)
        x[first + lane] = rest[lane];
}
#else
#define LANES 1
typedef float values;

static values load_values(const global float *x, size_t i, size_t count)
{
    (void)count;
    return x[i];
}

static void store_values(values vector, global float *x, size_t i, size_t count)
{
    (void)count;
    x[i] = vector;
}
#endif

#define VECTORS_OF(count) (((count) + LANES - 1) / LANES)
