/* The learning rate over a run: that of each step where the schedule is known, else that which each
 * epoch ended with. */
#include <math.h>
#include <stdlib.h>

#include <cnncl/trainer.h>

#include "base/memory.h"
#include "base/status.h"
#include "report/rates.h"

enum { MOST_RATES = 400 };

static cnn_status allocate(cnn_rates *rates, size_t count)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&rates->x, count, sizeof *rates->x, "the rates"));
    CNN_TRY(cnn_allocate(&rates->y, count, sizeof *rates->y, "the rates"));
    rates->count = count;
out:
    return status;
}

static cnn_status take_column(cnn_rates *rates, const cnn_metric *epochs, size_t count)
{
    cnn_status status = allocate(rates, count);
    for (size_t i = 0; status == CNN_OK && i < count; i++) {
        rates->x[i] = epochs[i].epoch;
        rates->y[i] = epochs[i].learning_rate;
    }
    return status;
}

/* The steps of an epoch; 0 where the metrics do not tell. */
static size_t count_steps(const cnn_metric *first)
{
    double steps = first->step / (first->epoch + 1.0);
    return isfinite(steps) && steps >= 1.0 && steps < 1e9 && steps == floor(steps) ? (size_t)steps
                                                                                   : 0;
}

/* Evenly over the steps that were made, the first and the last among them; the last one's rate lasts
 * until it is over. */
static cnn_status take_schedule(cnn_rates *rates, const cnn_train_options *options,
                                size_t epoch_steps, uint64_t steps)
{
    size_t points = steps < MOST_RATES ? (size_t)steps : MOST_RATES;
    cnn_status status = allocate(rates, points + 1);
    for (size_t i = 0; status == CNN_OK && i < points; i++) {
        uint64_t step = points > 1 ? i * (steps - 1) / (points - 1) : 0;
        rates->x[i] = (double)step / (double)epoch_steps;
        rates->y[i] = cnn_train_options_rate(options, epoch_steps, step);
    }
    if (status == CNN_OK) {
        rates->x[points] = (double)steps / (double)epoch_steps;
        rates->y[points] = rates->y[points - 1];
    }
    return status;
}

/* Are they in the run's description, and right? */
static bool read_options(cnn_train_options *options, const cnn_run *run)
{
    char *text = cnn_json_dump(json_object_get(run->json, "options"), JSON_COMPACT);
    bool read = text && cnn_train_options_read(options, text, run->json_path) == CNN_OK;
    free(text);
    return read;
}

cnn_status cnn_rates_init(cnn_rates *rates, const cnn_run *run, const cnn_metric *epochs,
                          size_t count)
{
    cnn_train_options options;
    size_t epoch_steps = count > 0 ? count_steps(&epochs[0]) : 0;
    *rates = (cnn_rates){0};
    if (epoch_steps > 0 && epochs[count - 1].step >= 1.0 && read_options(&options, run))
        return take_schedule(rates, &options, epoch_steps, (uint64_t)epochs[count - 1].step);
    return take_column(rates, epochs, count);
}

void cnn_rates_finish(cnn_rates *rates)
{
    free(rates->x);
    free(rates->y);
    *rates = (cnn_rates){0};
}
