#include "train/predictions.h"

#include <math.h>

#include "base/memory.h"

typedef struct cnn_predictions_slot slot;

cnn_status cnn_predictions_init(cnn_predictions *predictions, const cnn_plan *plan,
                                cnn_prediction *values)
{
    size_t classes = (size_t)plan->network->classes, batch = (size_t)plan->options.batch;
    cnn_status status = CNN_OK;
    *predictions = (cnn_predictions){.plan = plan, .values = values};
    for (int i = 0; status == CNN_OK && i < CNN_PREDICTIONS_SLOTS; i++)
        status = cnn_allocate(&predictions->slots[i].logits, batch, classes * sizeof(float),
                              "a batch of logits");
    return status;
}

/* As cl/softmax.cl chooses. The sum is at least 1. */
static cnn_prediction predict(const float *logits, int classes)
{
    int best = 0;
    for (int i = 1; i < classes; i++)
        if (logits[i] > logits[best])
            best = i;
    double sum = 0.0;
    for (int i = 0; i < classes; i++)
        sum += exp((double)logits[i] - (double)logits[best]);
    return (cnn_prediction){best, (float)(1.0 / sum)};
}

static cnn_status settle(cnn_predictions *predictions, slot *from)
{
    if (!from->read)
        return CNN_OK;
    cnn_status status = cnn_buffer_settle(&from->read, predictions->plan->device);
    int classes = predictions->plan->network->classes;
    for (int i = 0; status == CNN_OK && i < from->n; i++)
        predictions->values[from->first + (size_t)i] =
            predict(from->logits + (size_t)i * (size_t)classes, classes);
    return status;
}

void cnn_predictions_finish(cnn_predictions *predictions)
{
    for (int i = 0; i < CNN_PREDICTIONS_SLOTS; i++) {
        slot *at = &predictions->slots[i];
        cnn_buffer_free_data(at->logits, at->read);
    }
    *predictions = (cnn_predictions){0};
}

cnn_status cnn_predictions_take(size_t index, int n, void *user)
{
    cnn_predictions *predictions = user;
    const cnn_plan *plan = predictions->plan;
    slot *at = &predictions->slots[index % CNN_PREDICTIONS_SLOTS];
    cnn_status status = settle(predictions, at);
    if (status != CNN_OK)
        return status;
    size_t classes = (size_t)plan->network->classes;
    at->first = index * (size_t)plan->options.batch;
    at->n = n;
    return cnn_buffer_read_async(&at->read, at->logits, cnn_plan_logits(plan),
                                 (size_t)n * classes * sizeof(float));
}

cnn_status cnn_predictions_drain(cnn_predictions *predictions)
{
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < CNN_PREDICTIONS_SLOTS; i++)
        status = settle(predictions, &predictions->slots[i]);
    return status;
}
