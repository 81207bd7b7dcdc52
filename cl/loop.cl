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
