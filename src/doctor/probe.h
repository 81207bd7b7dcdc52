/* Work that may crash or hang, done in a child process. */
#ifndef DOCTOR_PROBE_H
#define DOCTOR_PROBE_H

#include <stdbool.h>
#include <stdio.h>

#include <cnncl/error.h>

enum { CNN_PROBE_TEXT = 4096 };

typedef struct cnn_probe {
    bool ended;                /* the work came to its end */
    int signal;                /* that killed it; 0 for none */
    int code;                  /* where the work called exit() */
    bool hung;                 /* it was killed, as it took too long */
    char text[CNN_PROBE_TEXT]; /* what it wrote, up to where it came */
} cnn_probe;

/* Runs work in a child, whose own output goes nowhere; it tells by lines in `out`, which it has to
 * flush. Errors: OPENCL (no child could be made). */
cnn_status cnn_probe_run(cnn_probe *probe, void (*work)(FILE *out, const void *user),
                         const void *user);

#endif
