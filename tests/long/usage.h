/* What a process holds: memory, files, threads, OpenCL objects. */
#ifndef USAGE_H
#define USAGE_H

#include <stdbool.h>

enum { USAGE_OBJECTS = 6 };

typedef struct usage {
    long resident, peak;         /* KiB: VmRSS and VmHWM of /proc/self/status */
    long files, threads;         /* open file descriptors */
    long objects[USAGE_OBJECTS]; /* alive, as the fault layer counts them */
} usage;

/* Finds the fault layer that OPENCL_LAYERS names, once its first OpenCL call has been made. False
 * where there is none: then nobody counts. */
bool usage_find_layer(void);
usage usage_now(void);
/* The objects of all kinds. */
long usage_alive(const usage *at);
/* Prints a line that begins with the title, and says what has grown: memory by more than the slack
 * (KiB), or anything else; false where something has. */
bool usage_compare(const char *title, const usage *before, const usage *after, long slack);

#endif
