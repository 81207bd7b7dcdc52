/* The learning rate over a run, to be drawn. */
#ifndef REPORT_RATES_H
#define REPORT_RATES_H

#include "report/run.h"

typedef struct cnn_rates {
    double *x; /* (count) where in the run, in epochs */
    double *y; /* (count) the rate; NaN: not known */
    size_t count;
} cnn_rates;

/* Of the run's epochs (count), those before training left out. Errors: MEMORY. */
cnn_status cnn_rates_init(cnn_rates *rates, const cnn_run *run, const cnn_metric *epochs,
                          size_t count);
void cnn_rates_finish(cnn_rates *rates);

#endif
