/* Dealing out `count` equal pieces of work among the work-items of a launch: each takes a
 * stretch on a CPU (its cache line stays with it), every n-th on a GPU (neighbours read
 * neighbours).
 *
 * CNN_CPU: 1 or 0, given by the loader. */
#ifndef CNN_CPU
#error "CNN_CPU must be given"
#endif

#if CNN_CPU
#define FOR_EACH(i, count)                                                                         \
    for (size_t i##_count = (count),                                                               \
                i##_stretch = (i##_count + get_global_size(0) - 1) / get_global_size(0),           \
                i = get_global_id(0) * i##_stretch,                                                \
                i##_end = min(i##_count, i + i##_stretch);                                         \
         i < i##_end; ++i)
#else
#define FOR_EACH(i, count)                                                                         \
    for (size_t i##_count = (count), i = get_global_id(0); i < i##_count; i += get_global_size(0))
#endif

/* A row of `length` pixels in strips: pieces of work where a division for each pixel would take longer
 * than the pixel. On a GPU each pixel is one. */
#define STRIP (CNN_CPU ? 64 : 1)
#define STRIPS(length) (((length) + STRIP - 1) / STRIP)

/* Each place x of `rows` rows (width), dealt out in strips. */
#define FOR_EACH_IN_ROWS(row, x, rows, width)                                                      \
    FOR_EACH (x##_strip, (size_t)(rows) * STRIPS(width))                                           \
        for (int row = x##_strip / STRIPS(width), x = x##_strip % STRIPS(width) * STRIP,           \
                 x##_end = min((width), x + STRIP);                                                \
             x < x##_end; ++x)

/* Each pixel (y, x) of the planes (height, width) of n samples, dealt out in strips of a row. */
#define FOR_EACH_PIXEL(sample, y, x, n, height, width)                                             \
    FOR_EACH (x##_strip, (size_t)(n) * (height) * STRIPS(width))                                   \
        for (int sample = x##_strip / STRIPS(width) / (height),                                    \
                 y = x##_strip / STRIPS(width) % (height), x = x##_strip % STRIPS(width) * STRIP,  \
                 x##_end = min((width), x + STRIP);                                                \
             x < x##_end; ++x)
